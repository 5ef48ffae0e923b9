"""What the page keeps of a history: the same that the log says, at any seq."""

import asyncio
import threading
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

import invented
from authlog import AuthLog, Event
from authlog_tools import filters, past
from authlog_tools.page.courtesy import Courtesy
from authlog_tools.page.index import Index, pack
from authlog_tools.page.matching import Matcher
from authlog_tools.page.reader import Reader
from authlog_tools.page.rows import Day, Fold, Row, page, page_above

TODAY = date(2026, 11, 25).toordinal()


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> AuthLog:
    path = tmp_path_factory.mktemp("index") / "auth.json"
    invented.store(path, 260)
    return AuthLog(path)


@pytest.fixture(scope="module")
def events(log: AuthLog) -> list[Event]:
    return list(log.history())


def test_events_come_out_as_they_went_in_packed_or_not(events: list[Event]) -> None:
    index = Index(event if event.seq % 2 else pack(event) for event in events)
    assert [index[position] for position in range(len(index))] == events
    assert [index.find(event.seq) for event in events] == events
    assert (index.find(0), index.find(len(events) + 1)) == (None, None)


def test_the_state_at_any_seq_is_the_one_that_the_events_add_up_to(events: list[Event]) -> None:
    index = Index(events)
    for event in events:
        found = {name: change for name, (_, change) in index.state(event.seq).items()}
        told = past.at(events, event.seq)
        assert {name: found[name].members for name in found} == {
            name: told[name].members for name in told
        }


def test_what_was_before_an_event_is_what_the_state_before_it_says(events: list[Event]) -> None:
    index = Index(events)
    for position, event in enumerate(events):
        before = past.at(events, event.seq - 1)
        for name, change in index.before(position).items():
            told = before.get(name)
            assert (change and change.members) == (told and told.members)


@pytest.mark.parametrize("word", ["kind:", "provider:", "provider:a", "writer:c", "-type:", "k"])
def test_suggestions_are_counted_as_events_are_added(events: list[Event], word: str) -> None:
    index = Index(events)
    name = word.removeprefix("-").partition(":")[0]
    found = filters.suggested(index.said.get(name, Counter[str]()), len(index), word)
    assert sorted(found, key=str) == sorted(filters.counted(events, word), key=str)


@pytest.mark.parametrize("text", ["", "kind:refresh", "-kind:refresh", "provider:openai"])
def test_pages_up_and_down_from_any_event_show_every_match_once(
    events: list[Event], text: str
) -> None:
    index = Index(events)
    matches = Matcher(index).find(text)

    def count(parts: list[Day | Row | Fold]) -> int:
        return sum(one.count if isinstance(one, Fold) else isinstance(one, Row) for one in parts)

    for start in range(0, len(matches), 17):
        here = page(index, matches, start, TODAY)
        total, below, first, above = count(here.parts), here.below, here.first, here.above
        while below is not None:
            position = index.position(below)
            rank = len(matches) - 1 - list(matches.positions).index(position or 0)
            more = page(index, matches, rank, TODAY)
            total, below = total + count(more.parts), more.below
        while above:
            newer = page_above(index, matches, first, TODAY)
            total, first, above = total + count(newer.parts), newer.first, newer.above
        assert total == len(matches)


def test_reading_newest_first_gives_the_index_of_all(log: AuthLog, events: list[Event]) -> None:
    reader, grown = Reader(log, lambda: None), threading.Event()
    reader.begin(lambda: grown.set() if reader.index else None)
    assert grown.wait(60)
    reader.end()
    assert reader.index is not None
    assert [reader.index[position] for position in range(len(events))] == events


def test_work_waits_while_somebody_is_answered(tmp_path: Path) -> None:
    courtesy, order = Courtesy(), list[str]()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        working = threading.Thread(target=work)
        working.start()
        order.append("answered")
        threads.append(working)

    def work() -> None:
        courtesy.give_way()
        order.append("worked")

    async def receive() -> Message:
        return {}

    async def send(message: Message) -> None:
        pass

    threads: list[threading.Thread] = []
    asked = courtesy.around(answer)({"type": "http", "path": "/"}, receive, send)

    async def ask() -> None:
        await asked

    loop = threading.Thread(target=lambda: asyncio.run(ask()))  # a browser may have one here
    loop.start()
    loop.join()
    threads[0].join(60)
    assert order == ["answered", "worked"]
