"""Which guard has an auth.json: one at a time, and the others stand by.

The lock is a file that is never deleted; the kernel frees it when its holder ends, in whatever way.
What the holder says of itself stands in it, for `authlog guard --status`.
"""

import contextlib
import os
from pathlib import Path

import msgspec

STAND_BY = 0.2  # s between two tries to take over

_SIZE = 4096  # bytes that are read of what a holder says


class Status(msgspec.Struct, frozen=True):
    """A guard that works: its process, since when (s since 1970), how, and what it has met."""

    pid: int
    since: float
    how: str
    told: int = 0
    collisions: int = 0


class Holder:
    """The lock of one auth.json's guard."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)

    def take(self) -> bool:
        """Take it if nobody has it."""
        return _lock(self._fd)

    def close(self) -> None:
        """Give it up."""
        os.close(self._fd)

    def say(self, status: Status) -> None:
        """Say how it stands."""
        said = msgspec.json.encode(status) + b"\n"
        with contextlib.suppress(OSError):  # a full disk is no reason to stop guarding
            os.lseek(self._fd, 0, os.SEEK_SET)
            os.write(self._fd, said)
            os.ftruncate(self._fd, len(said))


def status(path: Path) -> Status | None:
    """Return what the guard says of itself that has the lock, None if nobody has it."""
    try:
        fd = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        return None
    try:
        if _lock(fd):
            return None
        try:
            return msgspec.json.decode(os.read(fd, _SIZE), type=Status)
        except msgspec.DecodeError:
            return Status(0, 0.0, "just begins")
    finally:
        os.close(fd)


def _lock(fd: int) -> bool:
    import portalocker

    try:
        portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    return True
