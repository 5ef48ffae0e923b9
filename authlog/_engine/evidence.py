"""What a damaged log proves: which of the lines that stand in it are whole, and its own.

The hash chain proves most. Behind a gap nothing chains a line to the ones before; there it counts
if the mark, the log's id or fingerprints that only this log can have made speak for it, or for a
line that is chained to it. Pure.
"""

import contextlib
from collections.abc import Mapping

from msgspec import Struct

from authlog._engine import codec, log
from authlog._engine.codec import Line, NotWhole
from authlog._engine.layout import Layout
from authlog._engine.mark import Mark
from authlog._engine.snapshot import Found
from authlog.events import Span


class Read(Struct, frozen=True):
    """What stands on disk: the bytes of each segment, the mark, and auth.json."""

    segments: Mapping[int, bytes]
    mark: Mark | None
    found: Found | None


class Intact(Struct, frozen=True):
    """A whole line, as it stands in segment `number`."""

    number: int
    raw: bytes
    line: Line


class Evidence(Struct, frozen=True):
    """What is proved: the log's id, the lines that hang together, and which events were dropped."""

    id: str | None
    chain: tuple[Intact, ...]
    dropped: Span | None


def weigh(layout: Layout, read: Read) -> Evidence:
    """Return what these bytes prove.

    Raises:
        UnknownFormat: a line is of a newer authlog.

    """
    whole = [one for number in read.segments for one in _whole(layout, read, number)]
    id = next((one.line.public.id for one in whole if one.line.public.id), None)
    dropped = _last_dropped(whole)
    return Evidence(id, tuple(_chained(whole, id, read.mark, dropped)), dropped)


def _whole(layout: Layout, read: Read, number: int) -> list[Intact]:
    """Return the whole lines of a segment before its end, if its successor says where that is."""
    path = layout.segment(number)
    end = None
    for other in sorted(read.segments):
        if other > number and end is None:
            end = _first_seq(read.segments[other])
    found: list[Intact] = []
    for raw in log.lines(read.segments[number]):
        with contextlib.suppress(NotWhole):
            found.append(Intact(number, raw, log.decode(path, raw)))
    return [one for one in found if end is None or one.line.public.seq < end]


def _first_seq(data: bytes) -> int | None:
    try:
        return codec.decode(next(log.lines(data), b"")).public.seq
    except (NotWhole, codec.Newer):
        return None


def _last_dropped(whole: list[Intact]) -> Span | None:
    stated = [one.line.public.dropped for one in whole if one.line.public.dropped]
    return max(stated, key=lambda span: span.last, default=None)


def _chained(
    whole: list[Intact], id: str | None, mark: Mark | None, dropped: Span | None
) -> list[Intact]:
    """Return the lines that hang together, in order; behind a gap those that are of this log."""
    by_seq: dict[int, list[Intact]] = {}
    for one in whole:
        by_seq.setdefault(one.line.public.seq, []).insert(0, one)  # a newer segment is right
    found: list[Intact] = []
    seq, hash = (dropped.last, dropped.hash) if dropped else (0, codec.NO_HASH)
    for next_seq in sorted(one for one in by_seq if one > seq):
        fitting = [one for one in by_seq[next_seq] if one.line.public.prev == hash]
        if not fitting and (next_seq > seq + 1 or not found):
            fitting = [one for one in by_seq[next_seq] if _is_ours(one, by_seq, id, mark)]
        if fitting:
            found.append(fitting[0])
            seq, hash = next_seq, fitting[0].line.hash
    return found


def _is_ours(
    one: Intact, by_seq: Mapping[int, list[Intact]], id: str | None, mark: Mark | None
) -> bool:
    """Whether a line, or one that is chained to it, proves to be of this log."""
    line: Line | None = one.line
    while line is not None:
        if id is None or line.public.id == id or (mark and mark.hash == line.hash):
            return True
        if line.value and _fits(line, id):
            return True
        after = by_seq.get(line.public.seq + 1, [])
        hash = line.hash
        line = next((next_.line for next_ in after if next_.line.public.prev == hash), None)
    return False


def _fits(line: Line, id: str) -> bool:
    """Whether the fingerprints, which are keyed with the log's id, are those of the values."""
    key, value = bytes.fromhex(id), line.value or {}
    said = [(raw, line.public.providers[name]) for name, raw in value.items()]
    both = [(raw, change) for raw, change in said if raw is not None and change is not None]
    return any(change.members for _, change in both) and all(
        codec.describe(raw, key, account=change.account, seq=change.seq) == change
        for raw, change in both
    )
