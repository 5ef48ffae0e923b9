"""The only module that touches the disk: one verb per system call.

Modules call `files.sync(fd)`, never `from .files import sync`: tests replace the verbs of `VERBS`
as a whole, by an in-memory disk, or wrap them to count, fail or kill at each. What is composed of
verbs (`write_all`, `read_all`, `replace_name`) needs no replacement.

Everything is created with modes 0600 and 0700 whatever the umask. Errors are plain OSError: what
one means is known where the verb is used.
"""

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Protocol

READ = os.O_RDONLY
WRITE = os.O_RDWR
APPEND = os.O_RDWR | os.O_APPEND
CREATE = os.O_CREAT
NEW = os.O_CREAT | os.O_EXCL
_ALWAYS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)

VERBS = (
    "open_file", "close", "read", "write", "write_at", "truncate", "sync", "sync_folder",
    "set_mtime", "set_mode", "stat", "stat_open", "names", "make_folder", "unlink", "rename",
    "rename_new", "exchange",
)  # fmt: skip


class Stat(Protocol):
    """What of a file's stat is looked at; os.stat_result is one."""

    @property
    def st_ino(self) -> int: ...
    @property
    def st_dev(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...
    @property
    def st_size(self) -> int: ...
    @property
    def st_mode(self) -> int: ...
    @property
    def st_uid(self) -> int: ...


def open_file(path: Path, flags: int) -> int:
    """Return a descriptor of `path`; what is created has mode 0600, whatever the umask."""
    if flags & os.O_CREAT and not flags & os.O_EXCL:
        with contextlib.suppress(FileExistsError):
            return open_file(path, flags | os.O_EXCL)
        flags &= ~os.O_CREAT
    fd = os.open(path, flags | _ALWAYS, 0o600)
    if flags & os.O_EXCL and sys.platform != "win32":
        os.fchmod(fd, 0o600)
    return fd


def close(fd: int) -> None:
    """Close a descriptor. That syncs nothing."""
    os.close(fd)


def read(fd: int, size: int, offset: int) -> bytes:
    """Return up to `size` bytes from `offset`; fewer only at the end of the file."""
    if sys.platform == "win32":
        os.lseek(fd, offset, os.SEEK_SET)  # no pread there: each descriptor has one user at a time
        return os.read(fd, size)
    return os.pread(fd, size, offset)


def write(fd: int, data: bytes) -> int:
    """Write where the descriptor stands, or at the end with APPEND; return how many bytes went."""
    return os.write(fd, data)


def write_at(fd: int, data: bytes, offset: int) -> int:
    """Overwrite at `offset`; return how many bytes went."""
    if sys.platform == "win32":
        os.lseek(fd, offset, os.SEEK_SET)
        return os.write(fd, data)
    return os.pwrite(fd, data, offset)


def truncate(fd: int, size: int) -> None:
    """Cut the file to `size` bytes."""
    os.ftruncate(fd, size)


def sync(fd: int) -> None:
    """Return when the file's bytes and size are on the disk.

    On macOS fsync stops at the drive's cache and F_FULLFSYNC does not; some file systems refuse it.
    Source: man 2 fcntl (macOS), man 2 fdatasync (Linux).
    """
    if sys.platform == "darwin":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        os.fsync(fd)
    elif sys.platform == "win32":
        os.fsync(fd)
    else:
        os.fdatasync(fd)


def sync_folder(path: Path) -> None:
    """Return when the names in the folder are on the disk."""
    if sys.platform == "win32":
        return  # a folder can't be opened there; NTFS journals names by itself
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _ALWAYS)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def set_mtime(fd: int, path: Path, mtime_ns: int) -> None:
    """Set the file's mtime, in ns since 1970."""
    os.utime(path if sys.platform == "win32" else fd, ns=(mtime_ns, mtime_ns))


def set_mode(path: Path, mode: int) -> None:
    """Set the mode of a file or folder."""
    os.chmod(path, mode)


def stat(path: Path) -> Stat | None:
    """Return what the name leads to, None if there is nothing."""
    try:
        return os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def stat_open(fd: int) -> Stat:
    """Return the same of an open file."""
    return os.fstat(fd)


def names(folder: Path) -> list[str]:
    """Return the names in the folder, none if there is no folder."""
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def make_folder(path: Path) -> None:
    """Make a folder of mode 0700; FileExistsError if there is one."""
    os.mkdir(path, 0o700)
    os.chmod(path, 0o700)


def unlink(path: Path) -> None:
    """Remove the name."""
    os.unlink(path)


def rename(old: Path, new: Path) -> None:
    """Give the file at `old` the name `new`, which loses the file it had."""
    if sys.platform == "win32":
        _rename_while_others_look(old, new)
    else:
        os.rename(old, new)


def rename_new(old: Path, new: Path) -> None:
    """Rename, but only if `new` is no name yet; FileExistsError if it is."""
    if sys.platform == "win32":
        os.rename(old, new)  # refuses there by itself
    else:
        _atomic.rename_new(old, new)


def exchange(one: Path, other: Path) -> None:
    """Exchange two names in one step.

    Raises:
        OSError: ENOSYS or EINVAL where the system or file system has no such call.

    """
    _atomic.exchange(one, other)


class OpenFile:
    """An open file that is closed when nobody holds it any more.

    So a value that was read from a file keeps it open, and replacing the value closes it: no thread
    ever reads from a descriptor that another has closed.
    """

    fd: int = -1

    def __init__(self, path: Path, flags: int) -> None:
        self._close = close
        self.writable = flags != READ
        self.fd = open_file(path, flags)

    def __del__(self) -> None:
        if self.fd >= 0:
            with contextlib.suppress(OSError):
                self._close(self.fd)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` where the descriptor stands, however short the writes are."""
    while data:
        data = data[write(fd, data) :]


def read_all(fd: int, offset: int = 0) -> bytes:
    """Return the bytes from `offset` to the end as it is now."""
    size = max(stat_open(fd).st_size - offset, 0)
    found = read(fd, size + 1, offset)
    if len(found) <= size:
        return found
    parts = [found]
    while parts[-1]:
        parts.append(read(fd, 1 << 20, offset + sum(map(len, parts))))
    return b"".join(parts)


def read_file(path: Path) -> bytes | None:
    """Return the bytes of the file at `path`, None if there is none."""
    try:
        fd = open_file(path, READ)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return read_all(fd)
    finally:
        close(fd)


NO_SUCH_CALL = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)  # of a file system or a system

if sys.platform == "win32":
    import time

    def _rename_while_others_look(old: Path, new: Path) -> None:
        """Replace; a reader or a scanner holds a file for milliseconds: errors 5, 32 and 33."""
        for wait in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1.0, 0.0):  # s; 2.6 in all
            try:
                os.replace(old, new)
            except OSError as error:
                if error.winerror not in (5, 32, 33) or not wait:
                    raise
                time.sleep(wait)
            else:
                break


class _Atomic:
    """The renames that Python has no function for; ctypes is imported when one is used.

    Source: man 2 renameat2 (Linux), man 2 renamex_np (macOS).
    """

    def rename_new(self, old: Path, new: Path) -> None:
        try:
            self._rename(old, new, 1 if sys.platform == "linux" else 4)
        except OSError as error:
            if error.errno not in NO_SUCH_CALL:
                raise
            os.link(old, new)  # refuses an existing name as well
            os.unlink(old)

    def exchange(self, one: Path, other: Path) -> None:
        self._rename(one, other, 2)

    def _rename(self, old: Path, new: Path, flag: int) -> None:
        import ctypes

        if not hasattr(self, "_libc"):
            self._libc = ctypes.CDLL(None, use_errno=True)
        source, target = os.fsencode(old), os.fsencode(new)
        try:
            if sys.platform == "darwin":
                failed = self._libc.renamex_np(source, target, ctypes.c_uint(flag))
            else:
                here = -100  # AT_FDCWD, which absolute paths ignore
                failed = self._libc.renameat2(here, source, here, target, ctypes.c_uint(flag))
        except AttributeError:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(new)) from None
        if failed:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(new))


_atomic = _Atomic()
