"""The newest events, kept in memory while the log grows."""

from pathlib import Path

import msgspec

from authlog import ApiKey, AuthLog, testing
from authlog._engine import history, lookback

KEY = ApiKey("k")
LATE = 1 << 62  # ns: everything is older


def test_what_came_since_is_all_that_is_read_again(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    handle = log._handle
    tail = lookback.published(log._handle).tail
    first = history.recent(handle, tail, 1, LATE)
    log.set("b", KEY)
    both = history.recent(handle, lookback.published(log._handle).tail, 1, LATE)
    assert [step.public.seq for step in both] == [1, 2, 3]
    assert both[0] is first[0]


def test_what_does_not_follow_is_read_anew(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    handle, tail = log._handle, lookback.published(log._handle).tail
    history.recent(handle, tail, 1, LATE)
    kept = handle.recent
    assert kept is not None
    assert kept.grown(msgspec.structs.replace(tail, hash="f" * 64)) is None
    assert kept.grown(msgspec.structs.replace(tail, offset=tail.offset - 1)) is None
    log.compact()
    assert kept.grown(lookback.published(log._handle).tail) is None


def test_only_the_segments_that_are_asked_for_are_kept(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    log.compact()
    log.set("b", KEY)
    handle, tail = log._handle, lookback.published(log._handle).tail
    assert [step.public.seq for step in history.recent(handle, tail, 3, LATE)] == [3, 4]
    assert [step.public.seq for step in history.recent(handle, tail, 2, LATE)] == [1, 2, 3, 4]
    assert [step.public.seq for step in history.recent(handle, tail, 1, 0)] == [1, 2, 3, 4]


def test_what_nobody_asks_for_any_more_is_not_kept(path: Path) -> None:
    with testing.repeatable() as clock:
        log = AuthLog(path)
        handle = log._handle
        for number in range(40):
            log.set("a", ApiKey(f"{number}"))
            clock.advance(1)
            seq, now = log.seq(), clock.now_ns()
            asked = history.recent(handle, lookback.published(log._handle).tail, seq, now)
            assert asked[-1].public.seq == seq
        assert handle.recent is not None
        assert len(handle.recent.steps) < 20
        everything = history.recent(handle, lookback.published(log._handle).tail, 1, clock.now_ns())
        assert [step.public.seq for step in everything] == list(range(1, 42))
