"""What `verify` found out about a store."""

from typing import Literal

from msgspec import Struct

from authlog.events import Span

Freshness = Literal["fresh", "stale", "foreign", "missing", "damaged"]


class Damage(Struct, frozen=True):
    """Something that is not as it was written: in which file, from which byte, and what."""

    path: str
    offset: int
    reason: str


class SegmentHealth(Struct, frozen=True):
    """One segment: the events that count (`first` to `last`, seqs), and bytes behind them.

    `torn` are bytes of a torn tail: what a crash left of changes that were never acknowledged.
    """

    number: int
    path: str
    size: int
    events: int
    first: int
    last: int
    erased: int
    torn: int


class Health(Struct, frozen=True):
    """A whole store as it stands on disk.

    `seq` and `hash` are the newest right event's (0 and 64 zeros without a log): noted elsewhere,
    they prove later that history was not rewritten. `snapshot` is how auth.json stands to the log:
    fresh, stale (an older state of ours), foreign (written by another program, not yet adopted),
    missing or damaged (not a JSON object). `dropped` are the events that a compaction dropped, with
    the hash of the last, to which the rest is chained; `gaps` those that a repair could not save.
    """

    path: str
    seq: int
    hash: str
    events: int
    segments: tuple[SegmentHealth, ...]
    snapshot: Freshness
    damage: tuple[Damage, ...]
    dropped: Span | None = None
    gaps: tuple[Span, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged; a torn tail is no damage."""
        return not self.damage
