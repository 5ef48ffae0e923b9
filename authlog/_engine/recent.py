"""The newest events with the states after them, kept in memory while the log grows."""

from msgspec import Struct

from authlog._engine import codec, files, log
from authlog._engine.codec import Line, Public
from authlog._engine.log import Tail
from authlog._engine.state import State


class Step(Struct, frozen=True):
    """An event and the state after it, None while that is unknown."""

    public: Public
    state: State | None


class Recent(Struct, frozen=True):
    """The events from `first` on, up to a tail, oldest first."""

    first: Line
    tail: Tail
    steps: tuple[Step, ...]

    def reaches(self, seq: int, since: int) -> bool:
        """Whether the events from that seq and from that time on, ns since 1970, are kept."""
        return reaches(self.first, seq, since)

    def grown(self, end: Tail) -> "Recent | None":
        """Return what is kept and what came since, up to `end`; None if that doesn't follow it."""
        tail = self.tail
        if tail.segment.number != end.segment.number or tail.offset > end.offset:
            return None
        data = files.read(end.segment.file.fd, end.offset - tail.offset, tail.offset)
        steps = list(self.steps)
        for step in log.right_lines(tail, data):
            if isinstance(step, log.Rest):
                return None
            line, tail = step
            steps.append(Step(line.public, tail.state))
        return Recent(self.first, end, tuple(steps)) if tail.hash == end.hash else None


def reaches(line: Line, seq: int, since: int) -> bool:
    """Whether a segment that begins with the line holds all from that seq and time on."""
    return line.public.seq <= seq and codec.time_ns(line.public.time) <= since
