"""What a system call asks for: which file, and what is to become of it."""

import os
import struct
from typing import NamedTuple, Protocol

from authlog_tools.supervise.numbers import Numbers

HERE = -100  # AT_FDCWD: relative to the working directory
_FORM = struct.Struct("=QIIiIQ6Q")  # struct seccomp_notif
_HOW = struct.Struct("=QQQ")  # struct open_how: flags, mode, resolve


class Notification(NamedTuple):
    """A call as the kernel tells it; `thread` is who calls."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


class Path(NamedTuple):
    """A path as it was given, and the descriptor of the folder that it is relative to."""

    text: bytes
    folder: int = HERE


class Open(NamedTuple):
    """Open it with these flags; `resolve` is openat2's."""

    path: Path
    flags: int
    resolve: int = 0


class Rename(NamedTuple):
    """Give `old` the name `new`."""

    old: Path
    new: Path
    flags: int = 0


class Truncate(NamedTuple):
    """Cut it to a length in bytes."""

    path: Path
    length: int


class Chmod(NamedTuple):
    """Change its mode."""

    path: Path


class Close(NamedTuple):
    """Close a descriptor, by itself or because another one takes its number."""

    descriptor: int


class Sync(NamedTuple):
    """Sync a descriptor's file."""

    descriptor: int


class Exit(NamedTuple):
    """End the process."""


Call = Open | Rename | Truncate | Chmod | Close | Sync | Exit


class Memory(Protocol):
    """The memory of the thread that calls."""

    def text(self, address: int) -> bytes:
        """Return what stands there up to a zero."""
        ...

    def read(self, address: int, size: int) -> bytes:
        """Return so many bytes."""
        ...


def parse(raw: bytes) -> Notification:
    """Return a notification from the kernel's bytes."""
    id, thread, _, number, _, _, *arguments = _FORM.unpack_from(raw)
    return Notification(id, thread, number, tuple(arguments))


def read(told: Notification, numbers: Numbers, memory: Memory) -> Call:
    """Return what a call asks for.

    Raises:
        OSError: the memory can't be read, or is not the caller's any more.

    """
    first, second, third, fourth, fifth, _ = told.arguments
    number = told.number
    if number in (numbers.close, numbers.fsync, numbers.fdatasync, numbers.dup2, numbers.dup3):
        descriptor = _int(second if number in (numbers.dup2, numbers.dup3) else first)
        synced = number in (numbers.fsync, numbers.fdatasync)
        return Sync(descriptor) if synced else Close(descriptor)
    if number == numbers.exit_group:
        return Exit()
    if number in (numbers.openat, numbers.fchmodat, numbers.fchmodat2):
        path = Path(memory.text(second), _int(first))
        return Open(path, _int(third)) if number == numbers.openat else Chmod(path)
    if number == numbers.openat2:
        flags, _, resolve = _HOW.unpack(memory.read(third, _HOW.size))
        return Open(Path(memory.text(second), _int(first)), flags, resolve)
    if number in (numbers.renameat, numbers.renameat2):
        flags = _int(fifth) if number == numbers.renameat2 else 0
        old = Path(memory.text(second), _int(first))
        return Rename(old, Path(memory.text(fourth), _int(third)), flags)
    return _by_path(number, second, numbers, Path(memory.text(first)), memory)


def _by_path(number: int, second: int, numbers: Numbers, path: Path, memory: Memory) -> Call:
    """Return one of the older calls, whose first argument is a path."""
    if number == numbers.open:
        return Open(path, _int(second))
    if number == numbers.creat:
        return Open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    if number == numbers.rename:
        return Rename(path, Path(memory.text(second)))
    if number == numbers.truncate:
        return Truncate(path, second)
    return Chmod(path)


def _int(argument: int) -> int:
    """Return an argument that is an int in C: the lower half, signed."""
    low = argument & 0xFFFFFFFF
    return low - (1 << 32) if low & 0x80000000 else low
