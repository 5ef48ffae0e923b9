"""How much stands in a log, and how much of it a compaction would leave."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from msgspec import Struct

from authlog._engine import codec, erasing, files, history, rotation
from authlog._engine.erasing import Closed
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.state import State
from authlog.events import Span
from authlog.outcomes import Extent

Held = frozenset[tuple[str, str]]  # the name of a credential, and the digest of its JSON text


class Measured(Struct, frozen=True):
    """How large a log is; `held` are the credentials that stand in the lines of each segment."""

    extent: Extent
    dropped: Span | None
    held: Mapping[int, Held]

    def without(self, segments: Iterable[int] = ()) -> Held:
        """Return the credentials that stand somewhere else than in these segments."""
        gone = frozenset(segments)
        return Held().union(*(held for number, held in self.held.items() if number not in gone))


def measured(handle: Handle, tail: Tail) -> Measured:
    """Read the log up to that tail and return how much of what stands in it.

    Raises:
        LogCorrupted, UnknownFormat: a line can't be read.

    """
    past = history.Past(handle, tail)
    events, held = 0, dict[int, set[tuple[str, str]]]()
    for line, behind in past.walk():
        events += 1
        found = held.setdefault(behind.segment.number, set())
        found.update(_held(line.value or {}))
    stats = [files.stat(handle.layout.segment(part.number)) for part in past.parts]
    return Measured(
        extent=Extent(
            events=events,
            segments=len(stats),
            bytes=sum(stat.st_size for stat in stats if stat),
        ),
        dropped=tail.dropped,
        held={number: frozenset(found) for number, found in held.items()},
    )


def filed(state: State) -> Held:
    """Return the credentials of a state."""
    return frozenset(_held({name: one.raw for name, one in state.filed.items()}))


def _held(value: Mapping[str, bytes | None]) -> Iterable[tuple[str, str]]:
    return ((name, codec.digest(raw)) for name, raw in value.items() if raw is not None)


class Preview:
    """What erasing would leave: the size of each segment, and the highest one without secrets."""

    def __init__(self, handle: Handle, tail: Tail, retain: timedelta) -> None:
        self.handle = handle
        self.tail = tail
        self.retain = retain
        self.sizes: list[int] = []
        self.erased: dict[int, int] = {}
        self.highest = tail.erased

    def add(self, number: int, *, closing: bool) -> None:
        """Look at the next segment; the newest counts as closed now, if it is to be."""
        found = erasing.closed(self.handle, number)
        newest = found is None
        if found is None:
            data = files.read(self.tail.segment.file.fd, self.tail.offset, 0)
            now = codec.timestamp(self.handle.world.now_ns())
            found = Closed(number, data, self.tail.seq + 1, now)
        data = found.data
        if (closing or not newest) and found.is_due(self.handle.world.now_ns(), self.retain):
            path = self.handle.layout.segment(number)
            data, secrets = erasing.without_secrets(path, data, found.end)
            if secrets:
                self.erased[number] = secrets
        if not newest and self.highest == number - 1 and rotation.is_erased(data):
            self.highest = number
        self.sizes.append(len(data))
