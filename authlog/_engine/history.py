"""All segments in order: what happened since the beginning.

Segments are read one at a time. What a compaction dropped and what a repair could not save is
stated by a checkpoint, and no damage; whatever else is missing is.
"""

from collections.abc import Iterator

from msgspec import Struct

from authlog._engine import codec, files, log
from authlog._engine.codec import Line
from authlog._engine.handle import Handle
from authlog._engine.log import Segment, Tail
from authlog._engine.recent import Recent, Step, reaches
from authlog._engine.state import EMPTY, State
from authlog.errors import LogCorrupted, SecretErased
from authlog.events import Event, Span

KEPT = 10_000_000_000  # ns of events that are kept beside those that were asked for
_CHUNK = 1 << 16  # bytes in which a first line is looked for: a checkpoint of 50 logins


class Part(Struct, frozen=True):
    """A segment as history has it: its first line, and the seq before which it ends (None: newest).

    The rest is read where it is needed; of the newest segment as far as it was published.
    """

    number: int
    first: Line
    end: int | None


def recent(handle: Handle, end: Tail, first: int, since: int) -> tuple[Step, ...]:
    """Return the events up to `end`, at least those from seq `first` and from ns `since` 1970 on.

    They are kept, so that the next call reads only what came since.

    Raises:
        LogCorrupted: one can't be read.

    """
    kept = handle.recent
    if kept is None or not kept.reaches(first, since) or not (kept := kept.grown(end)):
        kept = _replayed(Past(handle, end), end, first, since)
    handle.recent = kept.cut(first, since - KEPT)
    return kept.steps


def _replayed(past: "Past", end: Tail, first: int, since: int) -> Recent:
    begin = past.parts[0]
    for part in reversed(past.parts):
        if reaches(part.first.public, first, since):
            begin = part
            break
    complete = begin is past.parts[0]
    return Recent(complete, end, _steps(past, begin.first.public.seq - 1))


def everything(handle: Handle, end: Tail) -> tuple[Step, ...]:
    """Return all events up to `end`; raises as `recent`."""
    return _steps(Past(handle, end), 0)


def _steps(past: "Past", after: int) -> tuple[Step, ...]:
    return tuple(Step.of(line, tail.state) for line, tail in past.walk(after))


class Past:
    """The segments up to `end`, oldest first, less those that were dropped.

    Raises:
        LogCorrupted: one is missing, or begins with a line that is not right.

    """

    def __init__(self, handle: Handle, end: Tail) -> None:
        self._handle = handle
        self._end = end
        self._stated: list[Span] | None = None
        self.parts = list(self._parts())[::-1]
        self._hold_to_beginning()

    def _parts(self) -> Iterator[Part]:
        """Yield them from the newest to the oldest."""
        following: int | None = None
        dropped = self._end.dropped.last if self._end.dropped else 0
        numbers = [number for number in self._handle.numbers() if number < self._end.segment.number]
        for number in (self._end.segment.number, *reversed(numbers)):
            if following is not None and following <= dropped + 1:
                return  # what is left of it is still to be unlinked
            first = _first_line(self._open(number))
            yield Part(number, first, following)
            following = first.public.seq

    def _hold_to_beginning(self) -> None:
        first = self.parts[0].first.public.seq
        dropped = self._end.dropped.last if self._end.dropped else 0
        if first > dropped + 1 and not self.lost(dropped + 1, first - 1):
            path = self._handle.layout.segment(self.parts[0].number)
            raise LogCorrupted(path, 0, 0, f"the segments before event {first} are missing")

    def _open(self, number: int) -> Segment:
        end = self._end.segment
        return end if number == end.number else self._handle.open_segment(number, files.READ)

    def _read(self, part: Part) -> tuple[Segment, bytes]:
        segment = self._open(part.number)
        data = files.read_all(segment.file.fd)
        return segment, data[: self._end.offset] if part.end is None else data

    def lost(self, first: int, last: int) -> bool:
        """Whether checkpoints state that no event from `first` to `last` could be saved."""
        if self._stated is None:
            self._stated = [gap for part in self.parts for gap in stated_gaps(self._read(part)[1])]
        return covers(self._stated, first, last)

    def walk(self, after: int = 0) -> Iterator[tuple[Line, Tail]]:
        """Yield every event after that seq, and the tail behind it, whose state is known from the
        first checkpoint on.

        Raises:
            LogCorrupted: a line is not right, or the segments do not join.

        """
        before: Tail | None = None
        for part in self.parts:
            if part.end is None or part.end - 1 > after:
                for line, tail in self._walk(part, before):
                    before = tail
                    if line.public.seq > after:
                        yield line, tail

    def walk_back(self, after: int = 0) -> Iterator[Line]:
        """Yield the events after that seq, newest first; a segment is read when it is come to.

        Raises: as `walk`.
        """
        joint: Line | None = None
        for part in reversed(self.parts):
            if part.end is not None and part.end - 1 <= after:
                return
            found = list(self._walk(part, None))
            if joint is not None and found:
                self._hold_together(found[-1][1], joint, part.number + 1)
            joint = part.first
            yield from (line for line, _ in reversed(found) if line.public.seq > after)

    def _walk(self, part: Part, before: Tail | None) -> Iterator[tuple[Line, Tail]]:
        segment, data = self._read(part)
        tail = Tail(segment)
        if before is not None:
            joins = self._hold_together(before, part.first, part.number)
            tail = Tail(segment, state=before.state if joins else None)
        for step in log.right_lines(tail, data, self.lost):
            if isinstance(step, log.Rest):
                self._hold_to_end(tail, part, step.reason)
                return
            line, tail = step
            if part.end is not None and line.public.seq >= part.end:
                return
            yield line, tail
        self._hold_to_end(tail, part, "the file ends here")

    def _hold_together(self, before: Tail, first: Line, number: int) -> bool:
        """Whether the line follows that tail; False if events between are known as lost."""
        public = first.public
        if (public.seq, public.prev) == (before.seq + 1, before.hash):
            return True
        if public.seq > before.seq + 1 and self.lost(before.seq + 1, public.seq - 1):
            return False
        path = self._handle.layout.segment(number)
        raise LogCorrupted(path, 0, 0, not_chained(public.seq, before.seq))

    def _hold_to_end(self, tail: Tail, part: Part, reason: str) -> None:
        if part.end is None or tail.seq >= part.end - 1:
            return
        if not self.lost(tail.seq + 1, part.end - 1):
            raise LogCorrupted(tail.segment.path, tail.offset, tail.seq, reason)


def not_chained(seq: int, before: int) -> str:
    """Return the reason that a segment does not join the one before."""
    return f"event {seq} is not chained to event {before} of the segment before"


def stated_gaps(data: bytes) -> list[Span]:
    """Return what the checkpoints of a segment say that a repair could not save."""
    if b'"gap":{' not in data:
        return []
    found: list[Span] = []
    for raw in log.lines(data):
        try:
            line = codec.decode(raw)
        except (codec.NotWhole, codec.Newer):
            continue  # told where the segment is read
        if line.public.gap is not None:
            found.append(line.public.gap)
    return found


def covers(gaps: list[Span], first: int, last: int) -> bool:
    """Whether every seq from `first` to `last` is in one of the gaps."""
    for gap in sorted(gaps, key=lambda gap: gap.first):
        if gap.first <= first <= gap.last:
            first = gap.last + 1
    return first > last


def _first_line(segment: Segment) -> Line:
    data = b""
    while b"\n" not in data:
        more = files.read(segment.file.fd, _CHUNK, len(data))
        if not more:
            break
        data += more
    return log.first_line(segment.path, data)


def state_at(handle: Handle, end: Tail, seq: int) -> State:
    """Return the state after event `seq`.

    Raises:
        SecretErased: an event that it rests on lost its secrets, was dropped, or is lost.
        ValueError: there is no such event.

    """
    if seq == 0:
        return EMPTY
    past = Past(handle, end)
    starts = [
        part.first.public.seq
        for part in past.parts
        if log.carries_state(part.first) and part.first.public.seq <= seq
    ]
    for line, tail in past.walk(max(starts, default=1) - 1):
        if line.public.seq == seq:
            if tail.state is None:
                raise SecretErased(seq)
            return tail.state
    if 0 < seq < end.seq:
        raise SecretErased(seq)  # dropped, or lost
    raise ValueError(f"there is no event {seq}: the newest is {end.seq}")


def last_before(handle: Handle, end: Tail, time_ns: int) -> int:
    """Return the seq of the last event up to a time, ns since 1970; 0 if there was none."""
    for line in Past(handle, end).walk_back():
        if codec.time_ns(line.public.time) <= time_ns:
            return line.public.seq
    return 0


def events(handle: Handle, end: Tail, after: int, *, reverse: bool = False) -> Iterator[Event]:
    """Yield every event after seq `after`, oldest first, or newest first."""
    past = Past(handle, end)
    lines = past.walk_back(after) if reverse else (line for line, _ in past.walk(after))
    for line in lines:
        yield codec.event_of(line.public, line.hash, erased=line.value is None)
