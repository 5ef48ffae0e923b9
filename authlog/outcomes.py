"""What a compaction or a repair did to a log, or would do."""

from msgspec import Struct

from authlog.events import Span
from authlog.health import Damage


class Extent(Struct, frozen=True):
    """How large a log is; `bytes` are those of its segments."""

    events: int
    segments: int
    bytes: int


class Compaction(Struct, frozen=True, kw_only=True):
    """What a compaction changed, or with `dry_run` would change.

    `secrets` is how many events lost theirs, in the segments `erased`; they are the ones that are
    superseded for longer than the retention. `credentials` is how many credentials stood in events
    and stand in none any more, erased or dropped; one that several events held counts once, and
    what was in quarantine is not counted. `dropped` are the events that are gone from the log
    by now, this time's and earlier ones; `quarantined` how many files were removed from quarantine.
    """

    path: str
    before: Extent
    after: Extent
    secrets: int
    credentials: int
    erased: tuple[int, ...]
    dropped: Span | None
    quarantined: int
    dry_run: bool


class Repair(Struct, frozen=True, kw_only=True):
    """What a repair did about the `damage`, or with `dry_run` would do; nothing if there is none.

    `kept` are the files that were put into quarantine, `events` how many are intact, `gaps` those
    that could not be saved, which the new `segment` states (None: none was needed). The state is
    that of the intact events; if it was `shown` by an auth.json that is known to be the newest, it
    is that. `providers` are the ones that are filed afterwards.
    """

    path: str
    damage: tuple[Damage, ...]
    kept: tuple[str, ...]
    gaps: tuple[Span, ...]
    events: int
    segment: int | None
    shown: bool
    providers: tuple[str, ...]
    dry_run: bool
