"""Crash and fault points, for authlog's tests and for those of programs that use it.

    with testing.fail_at(3, errno.ENOSPC):     # the third disk step from now on fails, once
        with pytest.raises(StorageFull):
            log.set("openai", key)

    with testing.without_sync():               # fast and not durable
        ...

A step is one call of a verb of the module that alone touches the disk. These replace the verbs for
the whole process while they are entered, and are not for use in several threads at once.
"""

import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random

from authlog._engine import files, surroundings
from authlog._engine.surroundings import Surroundings
from authlog.events import Writer

__all__ = [
    "CHANGING",
    "STEPS",
    "Repeatable",
    "count",
    "fail_at",
    "kill_at",
    "repeatable",
    "steps",
    "without_sync",
]

CHANGING = (
    "write", "write_at", "truncate", "sync", "sync_folder", "set_mtime", "set_mode",
    "make_folder", "unlink", "rename", "rename_new", "exchange",
)  # fmt: skip
"""The verbs that change the disk, without `open_file`, which may create a file."""

STEPS = tuple(verb for verb in files.VERBS if verb != "close")
"""All verbs but `close`, which comes whenever nobody holds a file any more."""


@contextmanager
def steps(before: Callable[[str], None], verbs: tuple[str, ...] = STEPS) -> Generator[None]:
    """Call `before` with the verb's name before each disk step; what it raises, the step raises."""
    real = {verb: getattr(files, verb) for verb in verbs}
    for verb in verbs:
        setattr(files, verb, _preceded(verb, before, real[verb]))
    try:
        yield
    finally:
        for verb in verbs:
            setattr(files, verb, real[verb])


def _preceded(
    verb: str, before: Callable[[str], None], real: Callable[..., object]
) -> Callable[..., object]:
    def call(*args: object) -> object:
        before(verb)
        return real(*args)

    return call


@contextmanager
def count(verbs: tuple[str, ...] = STEPS) -> Generator[list[str]]:
    """Give a list that the name of each disk step is added to."""
    seen: list[str] = []
    with steps(seen.append, verbs):
        yield seen


@contextmanager
def fail_at(
    nth: int, errno: int, *, times: int = 1, verbs: tuple[str, ...] = STEPS
) -> Generator[None]:
    """Let the `nth` disk step (from 1) and the ones after it, `times` in all, fail with `errno`."""
    seen = 0

    def before(verb: str) -> None:
        nonlocal seen
        seen += 1
        if nth <= seen < nth + times:
            raise OSError(errno, os.strerror(errno))

    with steps(before, verbs):
        yield


@contextmanager
def kill_at(nth: int, verbs: tuple[str, ...] = STEPS) -> Generator[None]:
    """Kill this process before its `nth` disk step (from 1), as by SIGKILL."""
    seen = 0

    def before(verb: str) -> None:
        nonlocal seen
        seen += 1
        if seen == nth:
            os.kill(os.getpid(), signal.SIGKILL)

    with steps(before, verbs):
        yield


@contextmanager
def without_sync() -> Generator[None]:
    """Let every sync return at once: fast, and nothing survives a power cut."""
    real = files.sync, files.sync_folder
    files.sync, files.sync_folder = (lambda fd: None), (lambda path: None)
    try:
        yield
    finally:
        files.sync, files.sync_folder = real


class Repeatable(Surroundings):
    """Surroundings that are the same each time: a clock that ticks a second whenever it is read,
    randomness from `seed`, and a writer and a boot that are made up.
    """

    def __init__(self, seed: int = 0, *, boot: str | None = "boot-1", pid: int = 1) -> None:
        self._random = Random(seed)
        self._now = 1_790_000_000_000_000_000
        self._boot = boot
        self._pid = pid
        self.answers: list[int] = []

    def now_ns(self) -> int:
        """Return ns since 1970, a second more than the last time."""
        self._now += 1_000_000_000
        return self._now

    def advance(self, seconds: float) -> None:
        """Set the clock forward."""
        self._now += int(seconds * 1e9)

    def random(self, size: int) -> bytes:
        """Return the next `size` bytes that follow from the seed."""
        return self._random.randbytes(size)

    def boot(self) -> str | None:
        """Return the made-up boot."""
        return self._boot

    def writer(self, program: str | None) -> Writer:
        """Return the made-up writer."""
        return Writer(program or "test", self._pid, "box", "alice")

    def answered(self, seq: int) -> None:
        """Note the seq in `answers`."""
        self.answers.append(seq)


@contextmanager
def repeatable(here: Repeatable | None = None) -> Generator[Repeatable]:
    """Let every AuthLog that is opened meanwhile live in the surroundings given."""
    real, given = surroundings.here, here or Repeatable()
    surroundings.here = given
    try:
        yield given
    finally:
        surroundings.here = real
