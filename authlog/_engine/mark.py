"""published.json: how far the log is published, and what auth.json then was.

One line of 512 bytes with its own hash, overwritten in place by one write and never synced: so
after a power cut it may be old, and then it is of another boot, or gone.
"""

import msgspec
from msgspec import Raw, Struct

from authlog._engine import codec
from authlog._engine.snapshot import Identity

SIZE = 512  # bytes: one sector of a disk, which is written whole or not at all


class Mark(Struct, frozen=True):
    """The events up to `seq`, which ends at byte `offset` of `segment` with `hash`, are durable.

    auth.json is `after`, which shows the state as of `shown` and has `digest`, or still `before`:
    both are ours. With `owes` its folder has yet to be synced.
    """

    v: int
    seq: int
    segment: int
    offset: int
    hash: str
    boot: str | None
    shown: int
    digest: str
    before: Identity | None
    after: Identity | None
    owes: bool


class _Frame(Struct):
    mark: Raw
    hash: str


_frame = msgspec.json.Decoder(_Frame)
_mark = msgspec.json.Decoder(Mark)


def encode(mark: Mark) -> bytes:
    """Return the 512 bytes of a mark."""
    raw = msgspec.json.encode(mark)
    line = b'{"mark":%b,"hash":"%b"}' % (raw, codec.digest(raw).encode())
    return line.ljust(SIZE - 1) + b"\n"


def decode(data: bytes) -> Mark | None:
    """Return the mark, None if the bytes are not one: it was never written, cut or changed."""
    try:
        frame = _frame.decode(data)
        if len(data) != SIZE or codec.digest(bytes(frame.mark)) != frame.hash:
            return None
        mark = _mark.decode(frame.mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return mark if mark.v == codec.VERSION else None


def being_written(identity: Identity) -> Identity:
    """Return the identity of a file that we are writing in place: whatever it holds is ours."""
    return (identity[0], 0, 0)


def is_ours(mark: Mark, identity: Identity | None) -> bool:
    """Whether a file of that identity was written by us, or looked at before we replaced it."""
    if identity in (mark.before, mark.after):
        return True
    return identity is not None and mark.after == being_written(identity)


def floor(mark: Mark | None, segment: int) -> int:
    """Return the seq up to which the mark says that a segment was synced, 0 if it names another."""
    return mark.seq if mark is not None and mark.segment == segment else 0
