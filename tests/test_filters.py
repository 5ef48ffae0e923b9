"""Qualifiers: which events a text asks for, and what is said of a text that can't be understood."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from authlog import Change, Event, Kind, Writer
from authlog_tools import filters, tables
from authlog_tools.filters import FilterError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def event(seq: int, kind: Kind, provider: str, program: str = "opencode") -> Event:
    """Return an event of `seq` days ago."""
    return Event(
        seq=seq,
        time=NOW - timedelta(days=seq),
        kind=kind,
        writer=Writer(program, 4711, "box", "alice"),
        providers={provider: Change(type="oauth", members={"refresh": f"9c1f02a{seq}"})},
        hash="0" * 64,
        prev="0" * 64,
        commitment="0" * 64,
        synced=0,
    )


def adopted(seq: int, provider: str) -> Event:
    """Return an event that one program told of what another wrote."""
    told = event(seq, "adopt", provider, "guard")
    return msgspec.structs.replace(told, by=Writer("codex", 99, "box", "bob"))


EVENTS = [
    event(1, "set", "anthropic"),
    event(2, "refresh", "anthropic@work"),
    event(3, "refresh", "anthropic", "claude"),
    event(4, "remove", "my login", "claude"),
    adopted(5, "o'n"),
]


@pytest.mark.parametrize(
    ("text", "seqs"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("provider:anthropic", [1, 3]),
        ("provider:anthropic*", [1, 2, 3]),
        ('provider:"my login"', [4]),
        ("provider:'my login'", [4]),
        ("kind:set,remove", [1, 4]),
        ("kind:refresh provider:anthropic", [3]),
        ("-kind:refresh", [1, 4, 5]),
        ("-kind:refresh,set", [4, 5]),
        ("writer:claude", [3, 4]),
        ("writer:alice", [1, 2, 3, 4]),
        ("writer:claude*@box", [3, 4]),
        ("writer:claude·4711", [3, 4]),
        ("writer:claude·4711@box", [3, 4]),
        ("writer:4711", [1, 2, 3, 4]),
        ("writer:guard", []),
        ("writer:codex", [5]),
        ("-writer:codex", [1, 2, 3, 4]),
        ("codex", [5]),
        ("guard", []),
        ("since:2d", [1, 2]),
        ("since:1d12h", [1]),
        ("until:2026-11-21T12:00+00:00", [3, 4, 5]),
        ("since:3d until:2d", [2, 3]),
        ("-since:2d", [3, 4, 5]),
        ("seq:2..3", [2, 3]),
        ("seq:3..", [3, 4, 5]),
        ("seq:..2", [1, 2]),
        ("seq:1,4", [1, 4]),
        ("fingerprint:9c1f02a3", [3]),
        ("type:api", []),
        ("CLAUDE", [3, 4]),
        ("-claude", [1, 2, 5]),
        ("work refresh", [2]),
        ('"y log"', [4]),
        ('"-claude"', []),
        ('"kind:set"', []),
        ('"o\'n"', [5]),
        ('provider:"o\'n"', [5]),
        ("oauth", [1, 2, 3, 4, 5]),
    ],
)
def test_a_text_asks_for_these_events(text: str, seqs: list[int]) -> None:
    wanted = filters.parse(text, NOW)
    assert [event.seq for event in EVENTS if wanted.matches(event)] == seqs


@pytest.mark.parametrize(
    ("text", "nearest"),
    [("prvoider:x", "provider"), ("kind:set wrtier:x", "writer"), ("zzzz:1", None)],
)
def test_an_unknown_qualifier_is_an_error_that_says_where_and_which_is_nearest(
    text: str, nearest: str | None
) -> None:
    with pytest.raises(FilterError) as caught:
        filters.parse(text, NOW)
    assert caught.value.nearest == nearest
    assert text[caught.value.start : caught.value.end] == caught.value.word
    assert text.endswith(caught.value.word)
    assert (f"did you mean {nearest}:?" in str(caught.value)) is (nearest is not None)


@pytest.mark.parametrize("text", ["since:once", "until:", "seq:x", "seq:1..y"])
def test_a_value_that_means_nothing_is_an_error(text: str) -> None:
    with pytest.raises(FilterError, match="expected"):
        filters.parse(text, NOW)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind:refesh", "kind:refesh: refesh is no kind; did you mean refresh?"),
        ("-kind:set,removed", "-kind:set,removed: removed is no kind; did you mean remove?"),
        ("kind:xyz", "xyz is no kind; known are init, set, "),
    ],
)
def test_a_kind_that_there_is_not_is_answered_with_the_nearest(text: str, said: str) -> None:
    with pytest.raises(FilterError) as caught:
        filters.parse(f"writer:claude {text}", NOW)
    assert said in str(caught.value)
    assert caught.value.start == len("writer:claude ")


@pytest.mark.parametrize(
    ("word", "seqs"),
    [
        ("provider:my login", [4]),
        ("my login", [4]),
        ("-provider:my login", [1, 2, 3, 5]),
        ("provider:o'n", [5]),
        ('"claude"', []),
        ("-claude", [1, 2, 5]),
    ],
)
def test_a_word_of_a_shell_is_taken_as_it_is(word: str, seqs: list[int]) -> None:
    wanted = filters.word(word, NOW)
    assert [event.seq for event in EVENTS if wanted.matches(event)] == seqs


def test_text_is_looked_for_exactly_whatever_is_in_it() -> None:
    quoted = event(1, "set", 'a"b')
    assert filters.saying('A"B').matches(quoted)
    assert not filters.saying("ab").matches(quoted)
    assert not filters.saying("-claude").matches(EVENTS[0])


def test_filters_are_joined_by_and() -> None:
    wanted = filters.qualified("writer", "claude", NOW) & filters.qualified("since", "3d", NOW)
    assert [event.seq for event in EVENTS if wanted.matches(event)] == [3]
    assert wanted.since == NOW - timedelta(days=3)


def test_the_tightest_bounds_are_told() -> None:
    wanted = filters.parse("since:9d since:2d until:1d until:1h", NOW)
    assert wanted.since == NOW - timedelta(days=2)
    assert wanted.until == NOW - timedelta(days=1)


def test_suggestions_are_counted_and_the_most_frequent_comes_first() -> None:
    found = [(one.text, one.count) for one in filters.counted(EVENTS, "kind:re")]
    assert found == [("kind:refresh", 2), ("kind:remove", 1)]
    assert [one.text for one in filters.counted(EVENTS, "-wr")] == ["-writer:"]
    assert [one.text for one in filters.counted(EVENTS, "kind:set,rem")] == ["kind:set,remove"]
    assert [one.text for one in filters.counted(EVENTS, "provider:m")] == ['provider:"my login"']


def test_an_event_for_programs_says_who_wrote_what_another_told() -> None:
    told = tables.event_object(adopted(5, "x"))
    assert told["by"] == {"program": "codex", "pid": 99, "host": "box", "user": "bob"}
    assert told["writer"] == {"program": "guard", "pid": 4711, "host": "box", "user": "alice"}
    assert "by" not in tables.event_object(EVENTS[0])
