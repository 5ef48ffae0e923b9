"""Which states a program may have read before it opened auth.json, as `authlog run` sees it."""

import os
import time
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog

pytestmark = needs.listeners

PROCESS, OTHER = 4711, 4712


class Clock:
    """A clock that goes on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_what_was_stored_while_the_command_started_may_not_have_been_read(path: Path) -> None:
    from authlog_tools.supervise.told import Teller
    from authlog_tools.supervise.voice import Voice

    log = AuthLog(path)
    before = log.set("a", ApiKey("1")).seq
    log.set("b", ApiKey("2"))
    teller = Teller(log, Voice(verbose=False, terminal=None))
    teller.start(before)
    assert teller.after(PROCESS) == before
    content = b'{"a":{"type":"api","key":"1"},"c":{"type":"api","key":"3"}}'
    assert teller.tell(content, PROCESS, "p", after=before, before=log.seq()) == 0
    assert list(log.all()) == ["a", "b", "c"], "it had not seen b: it did not remove it"


def test_a_base_is_not_older_than_5_seconds_or_than_the_programs_own_write(
    path: Path, clock: Clock
) -> None:
    from authlog_tools.supervise.told import Teller
    from authlog_tools.supervise.voice import Voice

    log = AuthLog(path)
    first = log.set("a", ApiKey("1")).seq
    teller = Teller(log, Voice(verbose=False, terminal=None))
    teller.start(first)
    clock.now += 1
    second = log.set("a", ApiKey("2")).seq
    assert teller.look() == second
    clock.now += 4.9
    teller.look()
    assert teller.after(PROCESS) == first
    clock.now += 0.2
    teller.look()
    assert teller.after(PROCESS) == second

    content = b'{"a":{"type":"api","key":"3"}}'
    assert teller.tell(content, PROCESS, "p", after=second, before=second) == 0
    own = teller.look()
    assert own > second
    clock.now += 0.1
    assert teller.after(PROCESS) == second, "it may have read before its own write ended"
    clock.now += 0.2
    assert teller.after(PROCESS) == own
    assert teller.after(OTHER) == second
    teller.forget(PROCESS)
    assert teller.after(PROCESS) == second


def test_what_can_not_be_told_has_an_errno(path: Path) -> None:
    from authlog_tools.supervise.told import Teller
    from authlog_tools.supervise.voice import Voice

    log = AuthLog(path)
    log.set("a", ApiKey("1"))
    teller = Teller(log, Voice(verbose=False, terminal=None))
    teller.start(None)
    folder = path.with_name("auth.json.log")
    folder.rename(path.with_name("gone"))
    folder.write_text("in the way")
    assert os.strerror(teller.tell(b"{}", PROCESS, "p", after=0, before=2))
    folder.unlink()
    path.with_name("gone").rename(folder)
