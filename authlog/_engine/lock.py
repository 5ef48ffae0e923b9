"""The locks; nothing else knows portalocker.

A lock is a file that is never deleted, locked by flock through a descriptor that stays open. flock
belongs to the open file, so threads of one store need a mutex before it, two stores exclude each
other even within a process, and a child after fork must close its copy and never unlock it.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from authlog._engine import files, safety
from authlog._engine.files import OpenFile
from authlog.errors import LockTimeout

LONGEST_WAIT = 0.002  # s between two tries: a publish takes less than that on a fast disk


def try_lock(fd: int) -> bool:
    """Take the lock of an open file if nobody else has it.

    Raises:
        OSError: the file system has no locks (ENOLCK, ENOTSUP ...).

    """
    import portalocker  # 37 ms that a reader needn't pay

    try:
        portalocker.lock(fd, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise error.__cause__ or error from None
    return True


def unlock(fd: int) -> None:
    """Give the lock back."""
    import portalocker

    try:
        portalocker.unlock(fd)
    except portalocker.LockException as error:
        raise error.__cause__ or error from None


class Lock:
    """One lock file, and the mutex before it. `fd` is open from the first acquire on."""

    def __init__(self, path: Path, replaced: Callable[[], None]) -> None:
        """`replaced` is called when the file under the name turns out to be another one now."""
        self.path = path
        self._replaced = replaced
        self._file: OpenFile | None = None
        self._mutex = threading.Lock()

    def acquire(self, timeout: float, done: Callable[[], bool] | None = None) -> bool:
        """Take the lock; False if, while it waited, `done` said that it isn't needed any more.

        Raises:
            LockTimeout: somebody else had it for `timeout` seconds.
            OSError: the lock file can't be opened or locked.

        """
        end = time.monotonic() + timeout
        if not self._mutex.acquire(timeout=timeout):
            raise LockTimeout(self.path, timeout, "another thread of this process")
        try:
            taken = self._acquire_file(end, timeout, done)
        except BaseException:
            self._give_up()
            raise
        if not taken:
            self._mutex.release()
        return taken

    def _give_up(self) -> None:
        """Leave nothing locked behind an error or a signal; unlocking what isn't locked is fine."""
        if self.fd is not None:
            with contextlib.suppress(OSError):
                unlock(self.fd)
        self._mutex.release()

    def _acquire_file(self, end: float, timeout: float, done: Callable[[], bool] | None) -> bool:
        wait = 0.0001
        while True:
            fd = self._open()
            if try_lock(fd):
                if self._still_there(fd):
                    return True
                unlock(fd)
                self._file = None
                self._replaced()
                continue
            if time.monotonic() >= end:
                raise LockTimeout(self.path, timeout, holder(fd))
            time.sleep(wait)
            if done is not None and done():
                return False
            wait = min(wait * 1.5, LONGEST_WAIT)

    def _open(self) -> int:
        if self._file is None:
            self._file = OpenFile(self.path, files.WRITE | files.CREATE)
            safety.check(self.path, files.stat_open(self._file.fd))
        return self._file.fd

    @property
    def fd(self) -> int | None:
        """The descriptor of the lock file, None before the first acquire."""
        return self._file.fd if self._file else None

    def _still_there(self, fd: int) -> bool:
        now, held = files.stat(self.path), files.stat_open(fd)
        return now is not None and (now.st_ino, now.st_dev) == (held.st_ino, held.st_dev)

    def release(self) -> None:
        """Give it back: by name, for a child may hold a copy of the descriptor."""
        assert self._file is not None  # it was acquired
        try:
            unlock(self._file.fd)
        finally:
            self._mutex.release()


def holder(fd: int) -> str | None:
    """Return who has the lock of an open file, as far as the kernel tells (Linux).

    Source: man 5 proc_locks: the last fields are pid, major:minor:inode, start, end.
    """
    held = files.stat_open(fd)
    try:
        lines = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[1] != "->" and fields[-3].rpartition(":")[2] == str(held.st_ino):
            return _process(int(fields[-4]))
    return None


def _process(pid: int) -> str | None:
    """Return "name (pid)"; 0 and -1 stand for a process of another namespace."""
    if pid <= 0:
        return None
    try:
        return f"{Path(f'/proc/{pid}/comm').read_text().strip()} ({pid})"
    except OSError:
        return f"process {pid}"
