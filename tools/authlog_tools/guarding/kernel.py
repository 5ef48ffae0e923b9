"""What of Linux no module of Python calls: leases, exchanges, timers, inotify.

All of it announces itself by SIGIO, which is blocked and waited for: it is pending or it is not, so
nothing is missed and nothing is queued.

Source: man 2 fcntl (leases), man 2 rename, man 2 timerfd_create, man 7 inotify.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

MODIFY, ATTRIB, CLOSE_WRITE, OPEN = 0x2, 0x4, 0x8, 0x20
MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x40, 0x80, 0x100, 0x200
OVERFLOW = 0x4000

_ONLYDIR = 0x01000000
_EXCHANGE = 2
_AT_FDCWD = -100
_MONOTONIC = 1
_TIME = struct.Struct("@llll")  # struct itimerspec: seconds and ns of the interval, of the value
_EVENT = struct.Struct("iIII")

_libc = ctypes.CDLL(None, use_errno=True)


def lease(descriptor: int, announced_to: int) -> bool:
    """Get a read lease on a file that is open for reading; False if somebody is writing into it.

    That process gets SIGIO when a writer comes. The lease belongs to the open file: whoever is sent
    its descriptor has it too.

    Raises:
        OSError: EACCES: it is another user's; EINVAL: its file system has no leases.

    """
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, announced_to)
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return False
    return True


def is_breaking(descriptor: int) -> bool:
    """Whether a writer waits for our lease to go, or it has gone."""
    return fcntl.fcntl(descriptor, fcntl.F_GETLEASE) != fcntl.F_RDLCK


def release(descriptor: int) -> None:
    """Give a lease up: who waits in `open` goes on. Without one: nothing."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return  # it was given up already


def exchange(one: bytes, other: bytes) -> None:
    """Let two files take each other's place in one step.

    Raises:
        OSError: it was not done.

    """
    if _libc.renameat2(_AT_FDCWD, one, _AT_FDCWD, other, _EXCHANGE) != 0:
        raise _error()


def timer() -> int:
    """Return a descriptor that can be read once its time has come."""
    descriptor = int(_libc.timerfd_create(_MONOTONIC, os.O_CLOEXEC))
    if descriptor < 0:
        raise _error()
    return descriptor


def set_timer(descriptor: int, seconds: float) -> None:
    """Let its time come in so many seconds, 0 for never; what was set before is forgotten."""
    whole, part = divmod(int(seconds * 1e9), 10**9)
    _libc.timerfd_settime(descriptor, 0, _TIME.pack(0, 0, whole, part), None)


def announce(descriptor: int) -> None:
    """Have SIGIO say that something can be read there; reading does not wait then."""
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)


def can_exchange(folder: Path) -> bool:
    """Whether two files of that folder can take each other's place: it is tried."""
    pair = [folder / f"exchange-{name}" for name in ("one", "other")]
    try:
        for path in pair:
            path.touch(0o600)
        exchange(*map(os.fsencode, pair))
    except OSError:
        return False
    finally:
        for path in pair:
            path.unlink(missing_ok=True)
    return True


class Inotify:
    """What happens to files and in folders, by the number of each watch."""

    def __init__(self) -> None:
        self.descriptor = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self.descriptor < 0:
            raise _error()
        announce(self.descriptor)

    def folder(self, path: Path, events: int) -> int:
        """Watch what stands in a folder."""
        return self._add(os.fsencode(path), events | _ONLYDIR)

    def file(self, descriptor: int, events: int) -> int:
        """Watch an open file, wherever it stands."""
        return self._add(b"/proc/self/fd/%d" % descriptor, events)

    def forget(self, watch: int) -> None:
        """Watch it no more; it may be gone."""
        _libc.inotify_rm_watch(self.descriptor, watch)

    def _add(self, path: bytes, events: int) -> int:
        watch = int(_libc.inotify_add_watch(self.descriptor, path, ctypes.c_uint32(events)))
        if watch < 0:
            raise _error()
        return watch

    def read(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield (watch, events, name in a folder) of what has happened since, in order."""
        try:
            found = os.read(self.descriptor, 1 << 16)
        except BlockingIOError:
            return
        place = 0
        while place < len(found):
            watch, events, _, length = _EVENT.unpack_from(found, place)
            place += _EVENT.size
            yield watch, events, found[place : place + length].rstrip(b"\0")
            place += length

    def close(self) -> None:
        """Watch nothing any more."""
        os.close(self.descriptor)


def has_leases(path: Path) -> bool:
    """Whether a lease on the file at `path` holds up who opens that for writing: it is tried."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not lease(descriptor, os.getpid()):
            return True  # somebody writes: so the kernel knows of writers
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except BlockingIOError:
            return True
        return False
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP):
            return False
        raise
    finally:
        os.close(descriptor)


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))
