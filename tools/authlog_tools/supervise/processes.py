"""What is to be known of a process that calls, from /proc."""

import os
import stat
from collections.abc import Iterator

_PAGE = 4096
_LONGEST = 4096  # bytes of a path, with its zero. Source: include/uapi/linux/limits.h

Identity = tuple[int, int]  # device and inode


class ThreadMemory:
    """The memory of a thread; it may be gone, and then it can't be read."""

    def __init__(self, thread: int) -> None:
        self._path = f"/proc/{thread}/mem"

    def text(self, address: int) -> bytes:
        """Return what stands there up to a zero."""
        found = b""
        memory = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while b"\0" not in found and len(found) < _LONGEST:
                place = address + len(found)
                # What lies behind the page may not be there.
                found += os.pread(memory, _PAGE - place % _PAGE, place)
        finally:
            os.close(memory)
        return found[: found.find(b"\0")]

    def read(self, address: int, size: int) -> bytes:
        """Return so many bytes."""
        memory = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(memory, size, address)
        finally:
            os.close(memory)


def process_of(thread: int) -> int:
    """Return the process that a thread belongs to."""
    with open(f"/proc/{thread}/status", "rb") as status:
        for line in status:
            if line.startswith(b"Tgid:"):
                return int(line.split()[1])
    raise ProcessLookupError(thread)


def is_ours(thread: int) -> bool:
    """Whether it runs as this user: another one may not have what we may."""
    return os.stat(f"/proc/{thread}").st_uid == os.geteuid()


def program_of(process: int) -> str:
    """Return the name of the program that a process runs."""
    try:
        path = os.readlink(f"/proc/{process}/exe")
    except OSError:
        return "unknown"
    return os.path.basename(path.removesuffix(" (deleted)"))


def identity(found: os.stat_result) -> Identity:
    """Return what tells a file from all others that are there."""
    return found.st_dev, found.st_ino


def file_at(process: int, descriptor: int) -> Identity | None:
    """Return the file behind a descriptor, None if there is none."""
    try:
        return identity(os.stat(f"/proc/{process}/fd/{descriptor}"))
    except OSError:
        return None


def files_of(process: int) -> Iterator[tuple[int, Identity]]:
    """Yield (descriptor, file) for each that a process has open and that has no name any more."""
    try:
        names = os.listdir(f"/proc/{process}/fd")
    except OSError:
        return
    for name in names:
        try:
            found = os.stat(f"/proc/{process}/fd/{name}")
        except OSError:
            continue
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 0:
            yield int(name), identity(found)


def free_number(process: int, first: int, few: int) -> int | None:
    """Return a number from `first` on that no descriptor of the process has, None if none is free.

    None also if the process is under a limit that forbids such a number; then the kernel says so.
    """
    for number in range(first, first + few):
        if not os.path.lexists(f"/proc/{process}/fd/{number}"):
            return number
    return None
