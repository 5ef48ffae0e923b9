"""All segments in order: what happened since the beginning."""

from collections.abc import Iterator

from msgspec import Struct

from authlog._engine import codec, files, log
from authlog._engine.codec import Line
from authlog._engine.handle import Handle
from authlog._engine.log import Segment, Tail
from authlog._engine.state import EMPTY, State
from authlog.errors import LogCorrupted, SecretErased
from authlog.events import Event


class Part(Struct, frozen=True):
    """A segment as history has it: its bytes, and the seq before which it ends (None: newest)."""

    segment: Segment
    data: bytes
    first: Line
    end: int | None


def parts(handle: Handle, end: Tail) -> list[Part]:
    """Return the segments up to `end`, the newest one only as far as that reaches, oldest first.

    Raises:
        LogCorrupted: one is missing, or begins with a line that is not right.

    """
    found: list[Part] = []
    following: int | None = None
    for number in reversed(range(min(handle.numbers(), default=1), end.segment.number + 1)):
        newest = number == end.segment.number
        segment = end.segment if newest else handle.open_segment(number, files.READ)
        data = files.read_all(segment.file.fd)
        if newest:
            data = data[: end.offset]
        first = log.first_line(segment.path, data)
        found.append(Part(segment, data, first, following))
        following = first.public.seq
    return found[::-1]


def walk(parts: list[Part]) -> Iterator[tuple[Line, Tail]]:
    """Yield every event of these segments, and the tail behind it, whose state is known from the
    first checkpoint on.

    Raises:
        LogCorrupted: a line is not right, or the segments do not join.

    """
    before: Tail | None = None
    for part in parts:
        tail = Tail(part.segment, state=before.state if before else None)
        if before is not None:
            _hold_together(before, part)
        for step in log.right_lines(tail, part.data):
            if isinstance(step, log.Rest):
                _hold_to_end(tail, part, step.reason)
                break
            line, tail = step
            if part.end is not None and line.public.seq >= part.end:
                break
            before = tail
            yield line, tail
        else:
            _hold_to_end(tail, part, "the file ends here")


def _hold_together(before: Tail, part: Part) -> None:
    first = part.first.public
    if (first.seq, first.prev) != (before.seq + 1, before.hash):
        reason = f"event {first.seq} is not chained to event {before.seq} of the segment before"
        raise LogCorrupted(part.segment.path, 0, 0, reason)


def _hold_to_end(tail: Tail, part: Part, reason: str) -> None:
    if part.end is not None and tail.seq < part.end - 1:
        raise LogCorrupted(part.segment.path, tail.offset, tail.seq, reason)


def from_checkpoint(parts: list[Part], seq: int) -> list[Part]:
    """Return the segments from the last one on whose first line carries a state up to `seq`."""
    starts = [
        place
        for place, part in enumerate(parts)
        if log.carries_state(part.first) and part.first.public.seq <= seq
    ]
    return parts[max(starts, default=0) :]


def after(parts: list[Part], seq: int) -> list[Part]:
    """Return the segments that hold events after `seq`."""
    return [part for part in parts if part.end is None or part.end - 1 > seq]


def state_at(handle: Handle, end: Tail, seq: int) -> State:
    """Return the state after event `seq`.

    Raises:
        SecretErased: the secrets of an event that it rests on were erased.

    """
    if seq == 0:
        return EMPTY
    for line, tail in walk(from_checkpoint(parts(handle, end), seq)):
        if line.public.seq == seq:
            if tail.state is None:
                raise SecretErased(seq)
            return tail.state
    raise ValueError(f"there is no event {seq}: the newest is {end.seq}")


def last_before(handle: Handle, end: Tail, time_ns: int) -> int:
    """Return the seq of the last event up to a time, ns since 1970; 0 if there was none."""
    found = 0
    for line, _ in walk(parts(handle, end)):
        if codec.time_ns(line.public.time) <= time_ns:
            found = line.public.seq
    return found


def events(handle: Handle, end: Tail, after_seq: int) -> Iterator[Event]:
    """Yield every event after `after_seq`, oldest first."""
    for line, _ in walk(after(parts(handle, end), after_seq)):
        if line.public.seq > after_seq:
            yield codec.event_of(line.public, line.hash, erased=line.value is None)
