"""What one AuthLog holds: the locks, open files, and what it has read of them.

Memory is a cache of the disk. The values in it are immutable and replaced in one assignment, so
any thread may read them; `tail` is how far the newest segment was read, `view` what was published.
"""

import contextlib
import errno
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from authlog._engine import codec, files, log, quarantine, safety, surroundings, text
from authlog._engine import mark as marks
from authlog._engine.codec import Draft, Line
from authlog._engine.files import OpenFile
from authlog._engine.layout import Layout, segment_number
from authlog._engine.lock import Lock
from authlog._engine.log import Segment, Tail
from authlog._engine.mark import Mark
from authlog._engine.snapshot import Identity, Indenter
from authlog._engine.state import State
from authlog.errors import LogCorrupted, NotWritten, StorageFull, not_written
from authlog.events import Event, Writer

if TYPE_CHECKING:
    from authlog._engine.recent import Recent

IDLE = b"".ljust(63) + b"\n"  # what publish.lock says while nobody syncs


class NoLog(Exception):
    """There is no log yet."""


class Appended(Struct, frozen=True):
    """A line in the log: from byte `start` to `end` of a segment, and what was written with it.

    `event` is None for a line that somebody else wrote, on which an answer rests.
    """

    segment: Segment
    start: int
    end: int
    seq: int
    hash: str
    event: Event | None = None


class View(Struct, frozen=True):
    """What was published: the bytes of the mark, and the tail it points to.

    `ours` are the identities of an auth.json that needs no further look.
    """

    raw: bytes
    tail: Tail
    ours: tuple[Identity | None, ...]


class Handle:
    """One store, as one AuthLog has it open."""

    def __init__(self, layout: Layout, program: str | None, lock_timeout: float) -> None:
        self.layout = layout
        self.lock_timeout = lock_timeout
        self._program = program
        self.start_anew()

    def start_anew(self) -> None:
        """Forget everything, the locks too: at the beginning, and in a child after fork.

        The files that were open are closed and never unlocked: the parent has them locked.
        """
        self.world = surroundings.here
        self.boot = self.world.boot()
        self.append_lock = Lock(self.layout.append_lock, self.forget)
        self.publish_lock = Lock(self.layout.publish_lock, self.forget)
        self.indenter = Indenter()
        self.mine = threading.local()
        self.generation = 0
        self._writer: Writer | None = None
        self.forget()

    def forget(self) -> None:
        """Forget what was read: the folder was replaced."""
        self.generation += 1
        self.tail: Tail | None = None
        self.view: View | None = None
        self.recent: Recent | None = None
        self.mark_file: OpenFile | None = None
        self.checked = 0.0

    # The mark, under a lock

    def read_mark(self) -> Mark | None:
        """Return the mark there is now, None if there is none that is right."""
        self.mark_file = file = self._find_mark()
        return marks.decode(files.read(file.fd, marks.SIZE, 0)) if file else None

    def move_mark(self, mark: Mark) -> None:
        """Overwrite the mark, in the file that `read_mark` found."""
        file = self.mark_file or OpenFile(self.layout.mark, files.WRITE | files.CREATE)
        files.write_at(file.fd, marks.encode(mark), 0)
        self.mark_file = file

    def sync_mark(self) -> None:
        """Return when the mark is on the disk, with its name: only where nothing else will do."""
        assert self.mark_file is not None  # it was moved
        files.sync(self.mark_file.fd)
        files.sync_folder(self.layout.folder)

    def is_first_look(self, mark: Mark | None) -> bool:
        """Whether nobody looked at auth.json in this boot, as far as the mark tells."""
        return mark is None or mark.boot is None or mark.boot != self.boot or mark.shown == 0

    def see(self, view: View) -> View:
        """Answer from the view until the mark or auth.json changes."""
        self.view = view
        return view

    def _find_mark(self) -> OpenFile | None:
        """Return published.json, opened anew if the name leads elsewhere now."""
        there, file = files.stat(self.layout.mark), self.mark_file
        if there is None:
            return None
        if file and file.writable and files.stat_open(file.fd).st_ino == there.st_ino:
            return file
        safety.check(self.layout.mark, there)
        return OpenFile(self.layout.mark, files.WRITE)

    # The newest segment, under a lock

    def newest(self, mark: Mark | None) -> Tail:
        """Return the tail of the newest segment as far as it was read: none of it, if it is new.

        Raises:
            NoLog: there is no segment.
            LogCorrupted: the mark names a segment that isn't there.

        """
        tail = self.tail
        known = tail.segment.number if tail else max(self.numbers(), default=0)
        number = max(known, mark.segment if mark else 0)
        while files.stat(self.layout.segment(number + 1)):
            number += 1
        if number == 0:
            raise NoLog
        if tail is None or tail.segment.number != number:
            self.tail = tail = self._from_view(self.open_segment(number, files.APPEND))
        return tail

    def _from_view(self, segment: Segment) -> Tail:
        """Return what a reader of the segment has read of it, so that it is not read twice."""
        read = self.view.tail if self.view else None
        if read is None or read.segment.number != segment.number:
            return Tail(segment)
        one, other = files.stat_open(read.segment.file.fd), files.stat_open(segment.file.fd)
        if one.st_ino != other.st_ino:
            return Tail(segment)
        return msgspec.structs.replace(read, segment=segment)

    def sync_names(self) -> None:
        """Make the folder's names durable, and its own, and those of all folders above it."""
        files.sync_folder(self.layout.folder)
        for folder in self.layout.folder.parents:
            with contextlib.suppress(PermissionError):
                files.sync_folder(folder)

    def numbers(self) -> list[int]:
        """Return the numbers of the segments there are, in order."""
        found = (segment_number(name) for name in files.names(self.layout.folder))
        return sorted(number for number in found if number is not None)

    def open_segment(self, number: int, flags: int) -> Segment:
        """Open a segment.

        Raises:
            LogCorrupted: it isn't there.

        """
        path = self.layout.segment(number)
        try:
            segment = Segment(number, path, flags)
        except FileNotFoundError:
            raise LogCorrupted(path, 0, 0, "the segment is missing") from None
        safety.check(path, files.stat_open(segment.file.fd))
        safety.check_folder(self.layout.folder)
        safety.check_folder(self.layout.parent)
        return segment

    @contextmanager
    def appending(self, *, cut: bool = True) -> Generator[tuple[Tail, Mark | None]]:
        """Hold append.lock; gives the tail behind the last right line and the mark.

        What a crash left behind that line is put into quarantine and cut.

        Raises:
            LockTimeout: another process held the lock too long.
            LogCorrupted: see `log.torn_tail`.

        """
        self.append_lock.acquire(self.lock_timeout)
        try:
            mark = self.read_mark()
            tail, rest = log.read_to_end(self.newest(mark))
            torn = log.torn_tail(tail, rest, marks.floor(mark, tail.segment.number))
            if torn and cut:
                quarantine.keep(self.layout, quarantine.torn_tail(self.layout, tail, torn), torn)
                files.truncate(tail.segment.file.fd, tail.offset)
            self.tail = tail
            yield tail, mark
        finally:
            self.append_lock.release()

    def append(self, decide: Callable[[State], Draft | None], *, own: bool = True) -> Appended:
        """Write the event that `decide` makes of the newest state; see DESIGN, Append.

        If it decides on none, the newest line is returned: the answer rests on it. What is `own`
        is what `settle` is asked about.

        Raises:
            LockTimeout, NotWritten, StorageFull, LogCorrupted, UnknownFormat: nothing was changed.

        """
        if own:
            self.mine.appended = None
        with self.appending() as (tail, mark):
            assert tail.state is not None
            draft = decide(tail.state)
            if draft is None:
                return Appended(tail.segment, tail.start, tail.offset, tail.seq, tail.hash)
            line, public, hash = self.encode(tail, draft, mark.seq if mark else tail.floor)
            appended = Appended(
                tail.segment,
                tail.offset,
                tail.offset + len(line),
                tail.seq + 1,
                hash,
                codec.event_of(public, hash, erased=False),
            )
            if own:
                self.mine.appended = (
                    appended  # from here on a signal leaves the outcome to settle()
                )
            self._write(tail, line, own=own)
            self.tail = log.advanced(tail, Line(public, hash, draft.value), len(line))
            return appended

    def _write(self, tail: Tail, line: bytes, *, own: bool) -> None:
        try:
            written = files.write(tail.segment.file.fd, line)
        except OSError as error:
            failure = not_written(tail.segment.path, error)
        else:
            if written == len(line):
                return
            failure = StorageFull(tail.segment.path, errno.ENOSPC)
        if own:
            self.mine.appended = None
        with contextlib.suppress(OSError):  # then it is a torn tail, which the next writer cuts
            files.truncate(tail.segment.file.fd, tail.offset)
        raise failure

    def encode(self, tail: Tail, draft: Draft, synced: int) -> tuple[bytes, codec.Public, str]:
        """Return the line that would follow the tail, its public part and its hash."""
        line = self._encode(draft, tail.seq + 1, synced, tail.hash, draft.id or tail.id)
        if len(line[0]) > text.LINE_LIMIT:
            raise NotWritten(tail.segment.path, errno.EFBIG)
        return line

    def encode_behind(
        self, seq: int, hash: str, draft: Draft, synced: int
    ) -> tuple[bytes, codec.Public, str]:
        """Return the same behind the event `seq` with that hash, for a draft that has the id."""
        assert draft.id is not None
        return self._encode(draft, seq + 1, synced, hash, draft.id)

    def encode_first(self, draft: Draft) -> tuple[bytes, codec.Public, str]:
        """Return the line of the event `init`."""
        assert draft.id is not None
        return self._encode(draft, 1, 0, codec.NO_HASH, draft.id)

    def _encode(
        self, draft: Draft, seq: int, synced: int, prev: str, id: str
    ) -> tuple[bytes, codec.Public, str]:
        return codec.encode(
            draft,
            seq=seq,
            synced=synced,
            prev=prev,
            id=id,
            time=codec.timestamp(self.world.now_ns()),
            writer=self.writer(),
            salt=self.world.random(codec.SALT_SIZE),
        )

    def writer(self) -> Writer:
        """Return who writes."""
        if self._writer is None:
            self._writer = self.world.writer(self._program)
        return self._writer

    # What publish.lock says

    def syncing(self) -> bool:
        """Whether somebody began to sync the segment in this boot and never said how it ended."""
        assert self.publish_lock.fd is not None
        said = files.read(self.publish_lock.fd, len(IDLE), 0)
        return said.startswith(b"syncing") and (self.boot is None or said == self._syncing())

    def say_syncing(self, syncing: bool) -> None:
        """Write it into publish.lock."""
        assert self.publish_lock.fd is not None
        files.write_at(self.publish_lock.fd, self._syncing() if syncing else IDLE, 0)

    def _syncing(self) -> bytes:
        return f"syncing {self.boot or '-'}".encode().ljust(len(IDLE) - 1) + b"\n"

    def contains(self, appended: Appended) -> bool:
        """Whether the line is in the log: in its own segment, or carried over into the next one."""
        number = appended.segment.number + 1
        if files.stat(self.layout.segment(number)):
            successor = self.open_segment(number, files.READ)
            data = files.read_all(successor.file.fd)
            if appended.seq >= log.first_line(successor.path, data).public.seq:
                return _carried(successor, data, appended)
        size = appended.end - appended.start
        line = files.read(appended.segment.file.fd, size, appended.start)
        return b'"hash":"%b"' % appended.hash.encode() in line


def _carried(successor: Segment, data: bytes, appended: Appended) -> bool:
    return any(
        not isinstance(step, log.Rest) and step[1].hash == appended.hash
        for step in log.right_lines(Tail(successor), data)
    )
