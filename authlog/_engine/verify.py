"""Reading everything, and saying what is not as it was written. Changes nothing."""

from collections.abc import Callable
from functools import partial
from itertools import chain

import msgspec

from authlog._engine import codec, files, foreign, history, log, snapshot
from authlog._engine import mark as marks
from authlog._engine.codec import NotWhole
from authlog._engine.foreign import Shown
from authlog._engine.handle import Handle
from authlog._engine.log import Rest, Segment, Tail
from authlog._engine.text import Undecodable
from authlog.errors import LogCorrupted
from authlog.events import Span
from authlog.health import Damage, Freshness, Health, SegmentHealth

Progress = Callable[[int, int], None]

TELL_EVERY = 1 << 20  # bytes of a segment between two words of progress: some 10 ms


def verify(handle: Handle, progress: Progress | None) -> Health:
    """Return how the store stands on disk; `progress` is told bytes read and bytes in all.

    Raises:
        UnknownFormat: a line is of a newer authlog.
        LogCorrupted: the name of a segment leads nowhere.
        OSError: a file can't be read.

    """
    while True:
        reading = _Verify(handle, progress or (lambda done, total: None))
        try:
            return reading.run()
        except LogCorrupted:  # what is missing may have been dropped by a compaction meanwhile
            if reading.numbers == handle.numbers():
                raise


class _Verify:
    def __init__(self, handle: Handle, progress: Progress) -> None:
        self.handle = handle
        self.progress = progress
        self.damage: list[Damage] = []
        self.tail: Tail | None = None  # behind the last right line of the segment before
        self.gaps: list[Span] | None = None
        self.mark = marks.decode(files.read_file(handle.layout.mark) or b"")
        self.numbers = handle.numbers()
        self.dropped: Span | None = None

    def run(self) -> Health:
        self.dropped = self._dropped()
        sizes = [self._size(number) for number in self.numbers]
        found: list[SegmentHealth] = []
        for place, number in enumerate(self.numbers):
            self.tell = partial(_told, self.progress, sum(sizes[:place]), sum(sizes))
            self.tell(0)
            following = self.numbers[place + 1 : place + 2]
            end = self._first_seq(following[0]) if following else None
            if end is None or self.dropped is None or end > self.dropped.last + 1:
                found.append(self._segment(number, end, newest=not following))
        self.progress(sum(sizes), sum(sizes))
        if self.mark and self.mark.segment > max(self.numbers, default=0):
            self._miss(max(self.numbers, default=0), self.mark.segment + 1)
        return Health(
            path=str(self.handle.layout.snapshot),
            seq=self.tail.seq if self.tail else 0,
            hash=self.tail.hash if self.tail else codec.NO_HASH,
            events=sum(segment.events for segment in found),
            segments=tuple(found),
            snapshot=self._snapshot(),
            damage=tuple(self.damage),
            dropped=self.dropped,
            gaps=tuple(self._stated()),
        )

    def _size(self, number: int) -> int:
        stat = files.stat(self.handle.layout.segment(number))
        return stat.st_size if stat else 0

    def _dropped(self) -> Span | None:
        """Return which events a compaction dropped, as the newest checkpoint says."""
        if not self.numbers:
            return None
        segment = self.handle.open_segment(self.numbers[-1], files.READ)
        return log.fold(Tail(segment), files.read_all(segment.file.fd))[0].dropped

    def _stated(self) -> list[Span]:
        if self.gaps is None:
            paths = map(self.handle.layout.segment, self.numbers)
            stated = (history.stated_gaps(files.read_file(path) or b"") for path in paths)
            self.gaps = sorted(chain.from_iterable(stated), key=lambda gap: gap.first)
        return self.gaps

    def _lost(self, first: int, last: int) -> bool:
        return history.covers(self._stated(), first, last)

    def _miss(self, before: int, number: int) -> None:
        """Note that the segments between these two numbers are missing."""
        for missing in range(before + 1, number):
            path = str(self.handle.layout.segment(missing))
            self.damage.append(Damage(path, 0, "the segment is missing"))

    def _segment(self, number: int, end: int | None, *, newest: bool) -> SegmentHealth:
        segment = self.handle.open_segment(number, files.READ)
        data = files.read_all(segment.file.fd)
        first, events, erased = 0, 0, 0
        tail, rest = Tail(segment, state=self.tail.state if self.tail else None), None
        for step in log.right_lines(tail, data, self._lost):
            if isinstance(step, Rest):
                rest = step
                break
            line, behind = step
            if end is not None and line.public.seq >= end:
                rest = Rest(data[tail.offset :], "behind the end of the segment")
                break
            if first == 0:
                first = line.public.seq
                self._hold_together(segment, first, line.public.prev)
            if behind.offset // TELL_EVERY > tail.offset // TELL_EVERY:
                self.tell(behind.offset)
            tail, events, erased = behind, events + 1, erased + (line.value is None)
        torn = self._judge(tail, rest, end)
        if events or newest:
            self.tail = tail
        return SegmentHealth(
            number=segment.number,
            path=str(segment.path),
            size=len(data),
            events=events,
            first=first,
            last=tail.seq,
            erased=erased,
            torn=torn,
        )

    def _first_seq(self, number: int) -> int | None:
        path = self.handle.layout.segment(number)
        try:
            return log.first_line(path, files.read_file(path) or b"").public.seq
        except LogCorrupted:
            return None  # told where that segment is read

    def _hold_together(self, segment: Segment, seq: int, prev: str) -> None:
        """Hold a segment's first event to what stands before it, or to what is known as gone."""
        before = self.tail
        number = before.segment.number if before else 0
        dropped = self.dropped or Span(first=1, last=0, hash=codec.NO_HASH)
        if before is not None and (before.seq + 1, before.hash) == (seq, prev):
            return
        if before is None and (dropped.last + 1, dropped.hash) == (seq, prev):
            return
        known = before.seq if before else dropped.last
        if seq > known + 1 and self._lost(known + 1, seq - 1):
            return
        if segment.number > number + 1 and (before or not self.dropped):
            self._miss(number, segment.number)
        else:
            reason = history.not_chained(seq, known)
            self.damage.append(Damage(str(segment.path), 0, reason))

    def _judge(self, tail: Tail, rest: Rest | None, end: int | None) -> int:
        """Return how many bytes are a torn tail, and note what is damaged."""
        mark, path = self.mark, str(tail.segment.path)
        if end is not None:
            if tail.seq >= end - 1 or self._lost(tail.seq + 1, end - 1):
                return len(rest.data) if rest else 0
            self._break(tail, rest, rest.reason if rest else "the file ends here")
            return 0
        floor = marks.floor(mark, tail.segment.number)
        if mark and floor and tail.seq == mark.seq and tail.hash != mark.hash:
            self.damage.append(Damage(path, tail.start, "another event was published here"))
        try:
            own = tail if tail.checkpoint else msgspec.structs.replace(tail, state=None)
            return len(log.torn_tail(own, rest, floor))
        except LogCorrupted as error:
            self._break(tail, rest, error.reason)
            return 0

    def _break(self, tail: Tail, rest: Rest | None, reason: str) -> None:
        """Note each line behind a right one that is not whole, or the break itself."""
        path = tail.segment.path
        self.damage.append(Damage(str(path), tail.offset, reason))
        offset = tail.offset
        for place, raw in enumerate(log.lines(rest.data if rest else b"")):
            try:
                log.decode(path, raw)
            except NotWhole as error:
                if place > 0:
                    self.damage.append(Damage(str(path), offset, str(error)))
            offset += len(raw)

    def _snapshot(self) -> Freshness:
        """Return how auth.json stands to the newest state."""
        path = self.handle.layout.snapshot
        found = snapshot.read(path)
        if found is None:
            return "missing"
        try:
            entries = snapshot.parse(found.content).entries
        except Undecodable as error:
            if self.tail is None:
                self.damage.append(Damage(str(path), 0, str(error)))
                return "damaged"
            return "foreign"
        if self.tail is None or self.tail.state is None:
            return "foreign"
        if foreign.says(Shown(self.tail.seq, self.tail.state.shown()), entries):
            return "fresh"
        ours = self.mark is not None and (
            marks.is_ours(self.mark, found.identity)
            or snapshot.digest(found.content, self.tail.id) == self.mark.digest
        )
        return "stale" if ours else "foreign"


def _told(progress: Progress, before: int, total: int, offset: int) -> None:
    """Tell how far it is, at an offset of a segment; others may have appended to it meanwhile."""
    progress(min(before + offset, total), total)
