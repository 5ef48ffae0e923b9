"""An event and its line. (specification to come)"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

from authlog._engine import text
from authlog.events import Change, Event, Found, Kind, Span, Writer

VERSION = 1
NO_HASH = "0" * 64  # `prev` of the first event
SALT_SIZE = 16  # bytes
ID_SIZE = 16  # bytes

_OPEN_TYPE = re.compile(rb'"([a-z0-9_-]{1,32})"')
_INTEGER = re.compile(rb"-?\d{1,19}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotWhole(ValueError):
    """The bytes are no whole line; says why."""


class Newer(Exception):
    """The line is whole and of a newer authlog; says what isn't known."""


class Public(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The public part of a line, in the order in which it is written."""

    v: int
    seq: int
    synced: int
    time: str
    kind: Kind
    writer: Writer
    providers: dict[str, Change | None]
    id: str | None = None
    use: dict[str, str | None] | None = None
    told: str | None = None
    base: int | None = None
    found: Found | None = None
    dropped: Span | None = None
    gap: Span | None = None
    file: str | None = None
    by: Writer | None = None
    erased: int | None = None
    commitment: str
    prev: str


class Line(Struct, frozen=True):
    """A whole line, decoded. `value` is provider -> JSON text, None if its secrets are erased."""

    public: Public
    hash: str
    value: Mapping[str, bytes | None] | None


class Draft(Struct, frozen=True, kw_only=True):
    """An event to be: what its line will say, before it has a seq.

    `value` maps each provider to its compact JSON text, None for removed. `accounts` are those of
    them that are accounts; `seqs` are their last changes, for a checkpoint.
    """

    kind: Kind
    value: Mapping[str, bytes | None] = {}
    accounts: frozenset[str] = frozenset()
    seqs: Mapping[str, int] = {}
    id: str | None = None
    use: dict[str, str | None] | None = None
    told: str | None = None
    base: int | None = None
    found: Found | None = None
    file: str | None = None


class _Frame(Struct):
    event: Raw
    hash: str
    secret: Raw


class _Secret(Struct):
    salt: str
    value: Raw


_frame = msgspec.json.Decoder(_Frame)
_secret = msgspec.json.Decoder(_Secret)
_public = msgspec.json.Decoder(Public)
_version = msgspec.json.Decoder(dict[str, Raw])


def digest(data: bytes, key: bytes = b"") -> str:
    """Return BLAKE2b-256 of `data` as 64 hex digits."""
    return blake2b(data, digest_size=32, key=key).hexdigest()


def fingerprint(member: bytes | Raw, key: bytes) -> str:
    """Return the 8 hex digits that stand for a member's JSON text in the log with that id."""
    return blake2b(bytes(member), digest_size=4, key=key).hexdigest()


def timestamp(now_ns: int) -> str:
    """Return ns since 1970 as it stands in a line: UTC with six digits of a second."""
    moment = _EPOCH + timedelta(microseconds=now_ns // 1000)
    return moment.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def time_ns(time: str) -> int:
    """Return ns since 1970 of a line's time."""
    since = datetime.fromisoformat(time) - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def describe(raw: bytes, key: bytes, *, account: bool = False, seq: int | None = None) -> Change:
    """Return what the public part says of a credential, given as compact JSON text."""
    members = text.members(raw)
    if members is None:
        members = {"": Raw(raw)}
    kind = _OPEN_TYPE.fullmatch(bytes(members.get("type", b"")))
    expires = bytes(members.get("expires", b""))
    open_expires = _INTEGER.fullmatch(expires) is not None and abs(int(expires)) < 1 << 63
    return Change(
        type=kind[1].decode() if kind else None,
        expires=int(expires) if open_expires else None,
        members={
            name: fingerprint(member, key)
            for name, member in members.items()
            if not (kind and name == "type") and not (open_expires and name == "expires")
        },
        account=account,
        seq=seq,
    )


def encode(
    draft: Draft, *, seq: int, synced: int, prev: str, id: str, time: str, writer: Writer, salt: bytes
) -> tuple[bytes, Public, str]:
    """Return the line of an event, its public part and its hash.

    `id` is the log's, 32 hex digits; `time` as `timestamp` gives it; `salt` 16 random bytes.
    """
    key = bytes.fromhex(id)
    value = _joined(draft.value)
    public = Public(
        v=VERSION,
        seq=seq,
        synced=synced,
        time=time,
        kind=draft.kind,
        writer=writer,
        providers={
            name: None
            if raw is None
            else describe(raw, key, account=name in draft.accounts, seq=draft.seqs.get(name))
            for name, raw in draft.value.items()
        },
        id=draft.id,
        use=draft.use,
        told=draft.told,
        base=draft.base,
        found=draft.found,
        file=draft.file,
        commitment=digest(salt + value),
        prev=prev,
    )
    event = msgspec.json.encode(public)
    hash = digest(event)
    secret = b'{"salt":"%b","value":%b}' % (salt.hex().encode(), value)
    return _framed(event, hash, secret), public, hash


def _joined(value: Mapping[str, bytes | None]) -> bytes:
    return msgspec.json.encode(
        {name: None if raw is None else Raw(raw) for name, raw in value.items()}
    )


def _framed(event: bytes, hash: str, secret: bytes) -> bytes:
    return b'{"event":%b,"hash":"%b","secret":%b}\n' % (event, hash.encode(), secret)


def decode(line: bytes) -> Line:
    """Return what a line says, from its first byte to its line break.

    Raises:
        NotWhole: it is not whole: cut, changed, or something else altogether.
        Newer: it is whole, and something in it is unknown here.
    """
    try:
        text.check(line, text.LINE_LIMIT)
        frame = text.decode(_frame, line)
    except text.Undecodable as error:
        raise NotWhole(str(error)) from None
    event, secret = bytes(frame.event), bytes(frame.secret)
    if _framed(event, frame.hash, secret) != line:
        raise NotWhole("the frame is not exact")
    if digest(event) != frame.hash:
        raise NotWhole("the hash does not fit the event")
    public = _decode_public(event)
    return Line(public, frame.hash, None if secret == b"null" else _decode_secret(secret, public))


def _decode_public(event: bytes) -> Public:
    try:
        public = text.decode(_public, event)
    except text.Undecodable as error:
        raise Newer(_version_found(event) or str(error)) from None
    if public.v != VERSION:
        raise Newer(f"version {public.v}")
    if msgspec.json.encode(public) != event:
        _hold_to_form(event)
    return public


def _version_found(event: bytes) -> str | None:
    try:
        version = bytes(text.decode(_version, event).get("v", b"none"))
    except text.Undecodable:
        return None
    return None if version == b"%d" % VERSION else f"version {version.decode()[:20]}"


def _hold_to_form(event: bytes) -> None:
    """Refuse members out of order or repeated; other escapes in strings are fine."""
    import json  # only for lines that this authlog didn't write

    def pairs(found: list[tuple[str, object]]) -> tuple[str, ...]:
        return tuple(name for name, _ in found)

    names = json.loads(event, object_pairs_hook=pairs)
    order = [name for name in Public.__struct_fields__ if name in names]
    if list(names) != order:
        raise Newer("members in another order, or repeated")


def _decode_secret(secret: bytes, public: Public) -> Mapping[str, bytes | None]:
    try:
        parts = text.decode(_secret, secret)
        raw = bytes(parts.value)
        salt = bytes.fromhex(parts.salt)
        value = text.members(raw)
    except ValueError:  # Undecodable is one
        raise NotWhole("the secret is not one") from None
    if b'{"salt":"%b","value":%b}' % (parts.salt.encode(), raw) != secret:
        raise NotWhole("the frame of the secret is not exact")
    if digest(salt + raw) != public.commitment:
        raise NotWhole("the commitment does not fit the secret")
    if value is None or value.keys() != public.providers.keys():
        raise NotWhole("the secret is of other providers than the event")
    return {name: None if bytes(of) == b"null" else bytes(of) for name, of in value.items()}


def event_of(public: Public, hash: str, *, erased: bool) -> Event:
    """Return the event as callers see it: without the log's id and without a secret."""
    return Event(
        seq=public.seq,
        time=datetime.fromisoformat(public.time),
        kind=public.kind,
        writer=public.writer,
        providers=public.providers,
        hash=hash,
        prev=public.prev,
        commitment=public.commitment,
        synced=public.synced,
        erased=erased,
        use=public.use,
        told=public.told,
        base=public.base,
        found=public.found,
        dropped=public.dropped,
        gap=public.gap,
        file=public.file,
        by=public.by,
    )
