"""Rows of a history: one an event, or one for a run of refreshes, in the words of a terminal."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from msgspec import Struct

from authlog import Change, Event
from authlog_tools import past, words
from authlog_tools.tables import clean
from authlog_tools.words import writer_of

MOST = 3  # providers of one event that a row names


class Seen(Struct, frozen=True):
    """An event and what its providers were before it."""

    event: Event
    before: past.Described


class Row(Struct, frozen=True):
    """What one line says."""

    time: datetime
    kind: str
    glyph: str
    provider: str
    what: str
    writer: str
    host: str
    events: int = 1


def rows(seen: Iterable[Seen], *, fold: bool) -> Iterator[Row]:
    """Yield a row for each event, or for each run of refreshes."""
    for kind, run in groupby(seen, lambda one: one.event.kind if fold else one.event.seq):
        found = list(run)
        if kind == "refresh" and len(found) > 1:
            yield _folded(found)
        else:
            yield from map(row, found)


def row(one: Seen) -> Row:
    """Return the row of an event."""
    event, writer = one.event, writer_of(one.event)
    names = list(event.providers)
    shifts = [past.shift(one.before.get(name), event.providers[name]) for name in names[:MOST]]
    plain = event.kind in ("init", "checkpoint", "use", "heal", "quarantine") or len(names) > MOST
    return Row(
        time=event.time,
        kind=event.kind,
        glyph=words.family(event.kind),
        provider=clean(words.joined(names, MOST)) if event.kind != "checkpoint" else "",
        what=clean(words.aside(event)) if plain else clean("; ".join(shifts)),
        writer=f"{clean(writer.program)}·{writer.pid}",
        host=clean(writer.host),
    )


def _folded(found: list[Seen]) -> Row:
    counts = Counter(name for one in found for name in one.event.providers)
    newest = found[0].event
    return Row(
        time=newest.time,
        kind=words.many(len(found), "refresh"),
        glyph="refresh",
        provider="",
        what=clean(", ".join(f"{name} {count}" for name, count in counts.most_common())),
        writer="",
        host="",
        events=len(found),
    )


def seen(newest_first: Iterable[Event]) -> Iterator[Seen]:
    """Yield events, newest first as they are given, with what was before each.

    Reads no further back than the changes before those that are taken.
    """
    waiting: deque[Event] = deque()
    before: dict[int, dict[str, Change]] = {}
    open_at: dict[str, int] = {}  # the event whose `before` the provider's next older change is
    for event in newest_first:
        whole = event.kind in ("init", "checkpoint")
        for name in list(open_at) if whole else event.providers:
            change = event.providers.get(name)
            later = open_at.pop(name, None)
            if later is not None and change is not None:
                before[later][name] = change
        waiting.append(event)
        before[event.seq] = {}
        open_at.update(dict.fromkeys(event.providers, event.seq))
        while waiting and waiting[0].seq not in open_at.values():
            done = waiting.popleft()
            yield Seen(done, before.pop(done.seq))
    for event in waiting:
        yield Seen(event, before[event.seq])


def plain(one: Seen) -> tuple[str, ...]:
    """Return an event for programs: seq, time, kind, writer, providers, what changed."""
    event = one.event
    changed: dict[str, Change | None] = dict(event.providers)
    shifts = (past.shift(one.before.get(name), what) for name, what in changed.items())
    what = words.aside(event) if event.kind == "checkpoint" else "; ".join(shifts)
    return (
        str(event.seq),
        event.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        event.kind,
        clean(str(writer_of(event))),
        clean(",".join(changed)),
        clean(what),
    )
