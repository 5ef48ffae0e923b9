"""Reading everything, and saying what is not as it was written. Changes nothing."""

from collections.abc import Callable, Iterator

from authlog._engine import codec, files, foreign, log, snapshot
from authlog._engine import mark as marks
from authlog._engine.codec import NotWhole
from authlog._engine.foreign import Shown
from authlog._engine.handle import Handle
from authlog._engine.log import Rest, Segment, Tail
from authlog._engine.text import Undecodable
from authlog.errors import LogCorrupted
from authlog.health import Damage, Freshness, Health, SegmentHealth

Progress = Callable[[int, int], None]


def verify(handle: Handle, progress: Progress | None) -> Health:
    """Return how the store stands on disk; `progress` is told bytes read and bytes in all.

    Raises:
        UnknownFormat: a line is of a newer authlog.
        OSError: a file can't be read.

    """
    return _Verify(handle).run(progress or (lambda done, total: None))


class _Verify:
    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        self.damage: list[Damage] = []
        self.tail: Tail | None = None  # behind the last right line of the segment before
        self.mark = marks.decode(files.read_file(handle.layout.mark) or b"")

    def run(self, progress: Progress) -> Health:
        segments = list(self._segments())
        sizes = [files.stat_open(segment.file.fd).st_size for segment in segments]
        found: list[SegmentHealth] = []
        for place, segment in enumerate(segments):
            progress(sum(sizes[:place]), sum(sizes))
            following = segments[place + 1] if place + 1 < len(segments) else None
            found.append(self._segment(segment, following))
        progress(sum(sizes), sum(sizes))
        return Health(
            path=str(self.handle.layout.snapshot),
            seq=self.tail.seq if self.tail else 0,
            hash=self.tail.hash if self.tail else codec.NO_HASH,
            events=sum(segment.events for segment in found),
            segments=tuple(found),
            snapshot=self._snapshot(),
            damage=tuple(self.damage),
        )

    def _segments(self) -> Iterator[Segment]:
        there = self.handle.numbers()
        newest = max([*there, self.mark.segment if self.mark else 0])
        for number in range(1, newest + 1):
            if number in there:
                yield self.handle.open_segment(number, files.READ)
            else:
                path = str(self.handle.layout.segment(number))
                self.damage.append(Damage(path, 0, "the segment is missing"))

    def _segment(self, segment: Segment, following: Segment | None) -> SegmentHealth:
        data = files.read_all(segment.file.fd)
        end = self._first_seq(following)
        first, events, erased = 0, 0, 0
        tail, rest = Tail(segment, state=self.tail.state if self.tail else None), None
        for step in log.right_lines(tail, data):
            if isinstance(step, Rest):
                rest = step
                break
            line, behind = step
            if end is not None and line.public.seq >= end:
                rest = Rest(data[tail.offset :], "behind the end of the segment")
                break
            if first == 0:
                first = line.public.seq
                self._hold_together(segment, line.public.seq, line.public.prev)
            tail, events, erased = behind, events + 1, erased + (line.value is None)
        torn = self._judge(tail, rest, end)
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

    def _first_seq(self, segment: Segment | None) -> int | None:
        if segment is None:
            return None
        try:
            return log.first_line(segment.path, files.read_all(segment.file.fd)).public.seq
        except LogCorrupted:
            return None  # told where that segment is read

    def _hold_together(self, segment: Segment, seq: int, prev: str) -> None:
        before = self.tail
        if before is not None and (before.seq + 1, before.hash) != (seq, prev):
            reason = f"event {seq} is not chained to event {before.seq} of the segment before"
            self.damage.append(Damage(str(segment.path), 0, reason))

    def _judge(self, tail: Tail, rest: Rest | None, end: int | None) -> int:
        """Return how many bytes are a torn tail, and note what is damaged."""
        mark, path = self.mark, str(tail.segment.path)
        if end is not None:
            if tail.seq < end - 1:
                self._break(tail, rest, "the file ends here")
            return len(rest.data) if rest and tail.seq == end - 1 else 0
        floor = marks.floor(mark, tail.segment.number)
        if mark and floor and tail.seq == mark.seq and tail.hash != mark.hash:
            self.damage.append(Damage(path, tail.start, "another event was published here"))
        try:
            return len(log.torn_tail(tail, rest, floor))
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
            entries = snapshot.parse(found.content)
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
