"""The newest events with the states after them, kept in memory while the log grows."""

from collections.abc import Mapping

from msgspec import Struct

from authlog._engine import codec, files, log
from authlog._engine.codec import Line, Public
from authlog._engine.log import Tail
from authlog._engine.state import State


class Step(Struct, frozen=True):
    """An event and what auth.json shows after it, None while that is unknown."""

    public: Public
    shown: Mapping[str, bytes] | None

    @classmethod
    def of(cls, line: Line, state: State | None) -> "Step":
        """Return the step of a line and the state after it."""
        return cls(line.public, None if state is None else state.shown())


class Recent(Struct, frozen=True):
    """The newest events up to a tail, oldest first; `complete` if there are no others."""

    complete: bool
    tail: Tail
    steps: tuple[Step, ...]

    def reaches(self, seq: int, since: int) -> bool:
        """Whether the events from that seq and from that time on, ns since 1970, are kept."""
        return self.complete or reaches(self.steps[0].public, seq, since)

    def cut(self, seq: int, since: int) -> "Recent":
        """Return it without the events before those from that seq and from that time on."""
        for place in range(len(self.steps) - 1, 0, -1):
            if reaches(self.steps[place].public, seq, since):
                return Recent(False, self.tail, self.steps[place:])
        return self

    def grown(self, end: Tail) -> "Recent | None":
        """Return what is kept and what came since, up to `end`; None if that doesn't follow it."""
        tail = self.tail
        if tail.segment.number != end.segment.number or tail.offset > end.offset:
            return None
        data = files.read(end.segment.file.fd, end.offset - tail.offset, tail.offset)
        found = [one for one in log.right_lines(tail, data) if not isinstance(one, log.Rest)]
        if (found[-1][1] if found else tail).hash != end.hash:
            return None
        steps = (Step.of(line, behind.state) for line, behind in found)
        return Recent(self.complete, end, (*self.steps, *steps))


def reaches(public: Public, seq: int, since: int) -> bool:
    """Whether the events from that one on are all from that seq and from that time on."""
    return public.seq <= seq and codec.time_ns(public.time) <= since
