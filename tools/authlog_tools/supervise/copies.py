"""The private copies: each writer's own file, in memory, from its open until it is told.

A copy can be read here from the beginning on, and that nobody writes to it any more is found by
asking for a lease on it: the kernel gives one only then.
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from typing import Self

import msgspec

from authlog_tools.supervise import processes
from authlog_tools.supervise.processes import Identity


class Record(msgspec.Struct, frozen=True):
    """What must be known of a copy besides its bytes.

    Its writer had read a state from seq `after` to `before`. `last` is the digest of what it held
    when it was given or last told; `gone`: nothing is to be told of it any more.
    """

    number: int
    process: int
    program: str
    after: int
    before: int
    last: str
    gone: bool = False


class Copy:
    """A copy that was given, and the descriptor by which we read it."""

    def __init__(self, record: Record, descriptor: int) -> None:
        self.record = record
        self.descriptor = descriptor
        self.file = processes.identity(os.fstat(descriptor))
        self.made = time.monotonic()
        self.retry = 0.0  # when to tell it again that could not be told

    @classmethod
    def of(cls, content: bytes, record: Record, access: int) -> tuple[Self, int]:
        """Return a copy with that content, and the descriptor for the writer, opened as asked."""
        made = os.memfd_create("auth.json", os.MFD_CLOEXEC)
        try:
            os.fchmod(made, 0o600)
            _write(made, content)
            # The first descriptor of a file in memory is no writer to the kernel; these are.
            ours = os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
            theirs = os.open(f"/proc/self/fd/{made}", access | os.O_CLOEXEC)
        finally:
            os.close(made)
        return cls(record, ours), theirs

    def content(self) -> bytes:
        """Return what it holds."""
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    def is_closed(self) -> bool:
        """Whether nobody has it open for writing."""
        try:
            fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError:
            return False
        fcntl.fcntl(self.descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return True


class Copies:
    """Those that are given and not yet told, by file; `note` is told each change of one's record,
    with its descriptor the first time.
    """

    def __init__(self, note: Callable[[Record, int | None], None]) -> None:
        self._copies: dict[Identity, Copy] = {}
        self._note = note
        self._next = 1

    def __bool__(self) -> bool:
        return bool(self._copies)

    def __iter__(self) -> Iterator[Copy]:
        return iter(list(self._copies.values()))

    def add(self, copy: Copy) -> None:
        """Keep one that is to be given."""
        self._note(copy.record, copy.descriptor)
        self.restore(copy)

    def restore(self, copy: Copy) -> None:
        """Keep one that was given before."""
        self._copies[copy.file] = copy
        self._next = max(self._next, copy.record.number + 1)

    def number(self) -> int:
        """Return the number of the next one."""
        return self._next

    def told(self, copy: Copy, content: bytes) -> None:
        """Remember what was told of one."""
        copy.record = msgspec.structs.replace(copy.record, last=digest(content))
        self._note(copy.record, None)

    def drop(self, copy: Copy) -> None:
        """Forget one that is closed and told."""
        del self._copies[copy.file]
        self._note(msgspec.structs.replace(copy.record, gone=True), None)
        os.close(copy.descriptor)

    def at(self, process: int, descriptor: int) -> Copy | None:
        """Return the copy behind a process's descriptor."""
        file = processes.file_at(process, descriptor)
        return None if file is None else self._copies.get(file)

    def of(self, process: int) -> list[Copy]:
        """Return those that a process has open."""
        files = {file for _, file in processes.files_of(process)}
        return [copy for copy in self if copy.file in files]


def digest(content: bytes) -> str:
    """Return what tells one content from another."""
    return hashlib.blake2b(content, digest_size=32).hexdigest()


def is_object(content: bytes) -> bool:
    """Whether it is a whole JSON object; a half-written one is not."""
    try:
        return isinstance(json.loads(content), dict)
    except (ValueError, RecursionError):
        return False


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
