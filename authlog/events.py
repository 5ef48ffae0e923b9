"""What happened: the public part of a line of the log, without its secrets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Struct

Kind = Literal[
    "init", "set", "remove", "use", "refresh", "adopt", "heal",
    "restore", "import", "checkpoint", "quarantine",
]  # fmt: skip


class Writer(Struct, frozen=True, forbid_unknown_fields=True):
    """Who did it."""

    program: str
    pid: int
    host: str
    user: str

    def __str__(self) -> str:
        return f"{self.program}·{self.pid}@{self.host}"


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What became of one provider, without a secret.

    `type` and `expires` (ms since 1970, UTC) are in the open where they are what they should be;
    `members` maps every other member of the credential to its fingerprint (8 hex digits; a value
    that is not an object has the one member ""). `seq` is the provider's last change and stands
    only in checkpoints.
    """

    type: str | None = None
    expires: int | None = None
    members: Mapping[str, str]
    account: bool = False
    seq: int | None = None


class Found(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What of a foreign file could not be filed as it stood.

    `omitted` are names that can't be filed, `replaced` providers in which U+FFFD stands for a lone
    surrogate.
    """

    omitted: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


class Span(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Events from `first` to `last`, seqs; `hash` is the last one's, where it is known."""

    first: int
    last: int
    hash: str | None = None


class Event(Struct, frozen=True, kw_only=True):
    """One event: who changed which providers, when and why.

    `providers` maps each provider that changed to what it became, None where it was removed.
    `hash` and `prev` chain it to the event before; `commitment` binds it to its secrets, which are
    `erased` or not. The rest is None unless the kind has it: see `authlog._engine.codec`.
    """

    seq: int
    time: datetime
    kind: Kind
    writer: Writer
    providers: Mapping[str, Change | None]
    hash: str
    prev: str
    commitment: str
    synced: int
    erased: bool = False
    use: Mapping[str, str | None] | None = None
    told: str | None = None
    base: int | None = None
    found: Found | None = None
    dropped: Span | None = None
    gap: Span | None = None
    file: str | None = None
    by: Writer | None = None
