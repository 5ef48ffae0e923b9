"""What is done about each call that concerns the snapshot or a copy of it."""

import contextlib
import errno
import os
import stat
import time
from pathlib import Path

import authlog
from authlog_tools.supervise import processes
from authlog_tools.supervise.copies import Copies, Copy, Record, digest, is_object
from authlog_tools.supervise.told import Teller

LET = -1  # the kernel is to do the call
AGAIN = 1.0  # s until what could not be told is tried again
LARGEST = 64 << 20  # bytes of a snapshot; authlog reads no larger one


class Writes:
    """The writes to one snapshot. Where an answer is returned, it is 0 (done), an errno or LET.

    What the log raises, `AuthLogError` or `OSError`, is raised: see `refused`.
    """

    def __init__(self, snapshot: Path, copies: Copies, teller: Teller) -> None:
        self._snapshot = snapshot
        self._copies = copies
        self._teller = teller

    def is_copy(self, thread: int, descriptor: int) -> bool:
        """Whether a copy is behind that descriptor."""
        if not self._copies:
            return False
        return self._copies.at(processes.process_of(thread), descriptor) is not None

    def has_copies(self, thread: int) -> bool:
        """Whether the thread's process has a copy open."""
        return bool(self._copies and self._copies.of(processes.process_of(thread)))

    def youngest(self) -> float | None:
        """Return when the newest copy was given, None if none is."""
        return max((copy.made for copy in self._copies), default=None)

    def look(self) -> None:
        """Note which state is the newest now, if that can be read."""
        with contextlib.suppress(authlog.AuthLogError, OSError):  # who opens it will be told
            self._teller.look()

    def refused(self, program: str, error: Exception) -> int:
        """Return the errno for a program whose call can't be done."""
        return self._teller.refused(program, error)

    def open(self, process: int, flags: int) -> int | None:
        """Return a descriptor of a new copy, opened as asked; None if the kernel refuses that."""
        is_there = self._snapshot.exists()  # who took it away means to make it anew
        if _is_refused(flags, is_there=is_there):
            return None
        self._tell_written(process)
        self._teller.look()
        content = b""
        if is_there and not flags & os.O_TRUNC:
            content = self._published() or b""
        record = Record(
            self._copies.number(),
            process,
            processes.program_of(process),
            self._teller.after(process),
            self._teller.look(),
            digest(content),
        )
        copy, theirs = Copy.of(content, record, flags & (os.O_ACCMODE | os.O_APPEND))
        self._copies.add(copy)
        return theirs

    def close_or_sync(self, process: int, descriptor: int) -> int:
        """Tell what the process wrote so far, if that is whole; then it is closed, or synced."""
        copy = self._copies.at(process, descriptor)
        return (copy and self._tell(copy)) or LET

    def exit(self, process: int) -> int:
        """Tell what the process wrote and did not close; then it ends."""
        for copy in self._copies.of(process):
            self._tell(copy)
        self._teller.forget(process)
        return LET

    def chmod(self, process: int) -> int:
        """Tell what the process wrote before; the snapshot's mode stays as it is."""
        return self._tell_written(process) if self._snapshot.exists() else LET

    def rename(self, process: int, source: bytes) -> int:
        """Tell what a file holds that is to become the snapshot, and take it away."""
        held = self._read_source(source)
        if held is None:
            return LET
        content, found = held
        self._tell_written(process)
        error = self._tell_whole(process, content, found)
        if not error:
            os.unlink(source)
        return error

    def truncate(self, process: int, length: int) -> int:
        """Tell what the snapshot would hold with that length."""
        self._tell_written(process)
        self._teller.look()
        content = self._published()
        if content is None or length > LARGEST:
            return LET if content is None else errno.EFBIG
        return self._tell_whole(process, content[:length].ljust(length, b"\0"), None)

    def tell_closed(self) -> None:
        """Tell what was closed in a way that no call shows: by a kill, by another process."""
        now = time.monotonic()
        for copy in self._copies:
            if now < copy.retry:
                continue
            if copy.is_closed():
                if not self._tell(copy, whole=False):
                    self._copies.drop(copy)
            elif copy.retry:  # its close was refused: the program takes it for closed
                self._tell(copy)

    def _published(self) -> bytes | None:
        try:
            return self._snapshot.read_bytes()
        except FileNotFoundError:
            return None

    def _read_source(self, source: bytes) -> tuple[bytes, os.stat_result] | None:
        """Return what a file holds that is to become the snapshot; None if the kernel will refuse,
        or if authlog itself does it.
        """
        log = os.fsencode(f"{self._snapshot}.log")
        if os.path.realpath(os.path.dirname(source)) == log:
            return None
        try:
            with open(os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode):
                    return None
                if found.st_dev != self._snapshot.parent.stat().st_dev:
                    return None
                return file.read(LARGEST + 1), found
        except OSError:
            return None

    def _tell_written(self, process: int) -> int:
        """Tell what the process has written whole into copies that it has not closed yet."""
        errors = [self._tell(copy) for copy in self._copies if copy.record.process == process]
        return max(errors, default=0)

    def _tell_whole(self, process: int, content: bytes, found: os.stat_result | None) -> int:
        before = self._teller.look()
        after = self._teller.after(process)
        program = processes.program_of(process)
        return self._teller.tell(content, process, program, after=after, before=before, stat=found)

    def _tell(self, copy: Copy, *, whole: bool = True) -> int:
        """Tell what a copy holds if it changed, and is an object or need not be `whole`."""
        content = copy.content()
        record = copy.record
        if digest(content) == record.last or (whole and not is_object(content)):
            return 0
        error = self._teller.tell(
            content,
            record.process,
            record.program,
            after=record.after,
            before=record.before,
            stat=os.fstat(copy.descriptor),
        )
        copy.retry = time.monotonic() + AGAIN if error else 0.0
        if not error:
            self._copies.told(copy, content)
        return error


def _is_refused(flags: int, *, is_there: bool) -> bool:
    """Whether the kernel refuses such an open."""
    if is_there:
        return bool(flags & os.O_CREAT and flags & os.O_EXCL)
    return not flags & os.O_CREAT
