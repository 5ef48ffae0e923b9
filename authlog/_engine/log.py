"""Segments: which lines are right, how far one is read, and what a bad tail means.

A line is whole if its frame is exact and its hash and commitment fit, and right if it is whole and
its seq and prev follow the line before; a segment's first line is taken at its word. Everything
here looks at bytes that were read and decides; only `Segment` and `read_to_end` touch a file.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from authlog._engine import codec, files
from authlog._engine.codec import Line, Newer, NotWhole
from authlog._engine.files import OpenFile
from authlog._engine.state import State, apply, spends
from authlog.errors import LogCorrupted, UnknownFormat
from authlog.events import Span


class Segment:
    """An open segment; it is closed when nobody holds it any more."""

    def __init__(self, number: int, path: Path, flags: int) -> None:
        self.number = number
        self.path = path
        self.file = OpenFile(path, flags)


class Tail(Struct, frozen=True):
    """How far a segment was read: all of it up to `offset`, where the line `seq` ends.

    `start` is where that line begins; `state` is the state after it, None before the segment's
    first checkpoint. `floor` is the greatest seq that the lines themselves say was synced.
    `checkpoint` is where the first checkpoint ends, `checkpoint_size` its length, both in bytes,
    and `checkpoint_time` its time. `erased` and `dropped` are what the last checkpoint says of
    older segments: up to which one their secrets are erased, which events are gone. `spent` is the
    seq of the last event that may have replaced a refresh token.
    """

    segment: Segment
    offset: int = 0
    start: int = 0
    seq: int = 0
    hash: str = codec.NO_HASH
    state: State | None = None
    id: str = ""
    floor: int = 0
    checkpoint: int = 0
    checkpoint_size: int = 0
    checkpoint_time: str = ""
    erased: int = 0
    dropped: Span | None = None
    spent: int = 0


class Rest(Struct, frozen=True):
    """Bytes behind the last right line, and why the first of them are not one."""

    data: bytes
    reason: str


Lost = Callable[[int, int], bool]  # whether the events from one seq to another are known as lost


def _nothing(first: int, last: int) -> bool:
    return False


def lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of `data` with their line breaks; the last may lack one."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        yield data[start:end]
        start = end


def right_lines(
    tail: Tail, data: bytes, lost: Lost = _nothing
) -> Iterator[tuple[Line, Tail] | Rest]:
    """Yield each right line of `data`, which begins at the tail's offset, and the tail behind it.

    Whatever follows the last of them is yielded at the end. Behind events that are `lost` the chain
    goes on, and the state is unknown up to the next checkpoint.

    Raises:
        UnknownFormat: a line is of a newer authlog.

    """
    begin = tail.offset
    for raw in lines(data):
        try:
            line = decode(tail.segment.path, raw)
            tail = _held_to_chain(tail, line, lost)
        except NotWhole as error:
            yield Rest(data[tail.offset - begin :], str(error))
            return
        tail = advanced(tail, line, len(raw))
        yield line, tail


def decode(path: Path, raw: bytes) -> Line:
    """Return what a line of the segment at `path` says.

    Raises:
        NotWhole: it is no whole line.
        UnknownFormat: it is of a newer authlog.

    """
    try:
        return codec.decode(raw)
    except Newer as error:
        raise UnknownFormat(path, str(error), f"version {codec.VERSION}") from None


def fold(tail: Tail, data: bytes) -> tuple[Tail, Rest | None]:
    """Return the tail after the right lines of `data`, which begins at its offset, and the rest."""
    for step in right_lines(tail, data):
        if isinstance(step, Rest):
            return tail, step
        tail = step[1]
    return tail, None


def _held_to_chain(tail: Tail, line: Line, lost: Lost) -> Tail:
    """Return the tail that the line follows."""
    public = line.public
    if tail.offset == 0:
        if (public.seq == 1) != (tail.segment.number == 1 and public.kind == "init"):
            raise NotWhole(f"event {public.seq} stands first in segment {tail.segment.number}")
    elif public.seq > tail.seq + 1 and lost(tail.seq + 1, public.seq - 1):
        return msgspec.structs.replace(tail, state=None)
    elif public.seq != tail.seq + 1:
        raise NotWhole(f"event {public.seq} stands where {tail.seq + 1} belongs")
    elif public.prev != tail.hash:
        raise NotWhole(f"event {public.seq} is not chained to the one before")
    return tail


def advanced(tail: Tail, line: Line, size: int) -> Tail:
    """Return the tail after a right line of `size` bytes."""
    public = line.public
    whole = carries_state(line)
    first = whole and not tail.checkpoint
    return Tail(
        segment=tail.segment,
        offset=tail.offset + size,
        start=tail.offset,
        seq=public.seq,
        hash=line.hash,
        state=apply(tail.state, line),
        id=public.id or tail.id,
        floor=max(tail.floor, synced_by(line)),
        checkpoint=tail.offset + size if first else tail.checkpoint,
        checkpoint_size=size if first else tail.checkpoint_size,
        checkpoint_time=public.time if first else tail.checkpoint_time,
        erased=public.erased or 0 if whole else tail.erased,
        dropped=public.dropped if whole else tail.dropped,
        spent=public.seq if spends(tail.state, line) else tail.spent,
    )


def first_line(path: Path, data: bytes) -> Line:
    """Return the first line of a segment: its predecessor ends before that line's seq.

    Raises:
        LogCorrupted: it is not whole.

    """
    try:
        return decode(path, next(lines(data), b""))
    except NotWhole as error:
        raise LogCorrupted(path, 0, 0, str(error)) from None


def carries_state(line: Line) -> bool:
    """Whether replay can start at the line."""
    return line.public.kind in ("init", "checkpoint")


def synced_by(line: Line) -> int:
    """Return the seq up to which a whole line proves that its segment was synced."""
    return max(line.public.synced, line.public.seq if carries_state(line) else 0)


def torn_tail(tail: Tail, rest: Rest | None, floor: int) -> bytes:
    """Return the bytes behind the last right line that may be cut, b"" if there are none. Pure.

    `floor` is what is known of syncs from outside the segment: the mark's seq, if it names it.

    Raises:
        LogCorrupted: the last right line is below the floor, or there is no right checkpoint.
        UnknownFormat: a line behind is of a newer authlog.

    """
    path = tail.segment.path
    floor = max(floor, tail.floor, _floor_behind(path, rest))
    reason = rest.reason if rest else "the file ends here"
    if tail.seq < floor:
        reason = f"{reason}; event {floor} was synced"
        raise LogCorrupted(path, tail.offset, tail.seq, reason)
    if tail.state is None:
        raise LogCorrupted(path, tail.offset, tail.seq, f"{reason}; no checkpoint stands before it")
    return rest.data if rest else b""


def _floor_behind(path: Path, rest: Rest | None) -> int:
    floor = 0
    for raw in lines(rest.data if rest else b""):
        try:
            floor = max(floor, synced_by(decode(path, raw)))
        except NotWhole:
            continue
    return floor


def read_to_end(tail: Tail) -> tuple[Tail, Rest | None]:
    """Return the tail behind the last right line there is now, and what follows it.

    A tail that the file no longer bears out (cut, or other lines) is forgotten, the segment
    replayed.
    """
    fd = tail.segment.file.fd
    size = files.stat_open(fd).st_size
    if size == tail.offset:
        return tail, None
    if size > tail.offset:
        folded, rest = fold(tail, files.read(fd, size - tail.offset, tail.offset))
        if rest is None or folded.offset > tail.offset or tail.offset == 0:
            return folded, rest
    return fold(Tail(tail.segment), files.read_all(fd))
