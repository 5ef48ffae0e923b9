"""What compaction did to a log, or would do."""

from msgspec import Struct

from authlog.events import Span


class Extent(Struct, frozen=True):
    """How large a log is; `bytes` are those of its segments."""

    events: int
    segments: int
    bytes: int


class Compaction(Struct, frozen=True, kw_only=True):
    """What a compaction changed, or with `dry_run` would change.

    `secrets` is how many events lost theirs, in the segments `erased`; they are the ones that are
    superseded for longer than the retention. `dropped` are the events that are gone from the log
    by now, this time's and earlier ones; `quarantined` how many files were removed from quarantine.
    """

    path: str
    before: Extent
    after: Extent
    secrets: int
    erased: tuple[int, ...]
    dropped: Span | None
    quarantined: int
    dry_run: bool
