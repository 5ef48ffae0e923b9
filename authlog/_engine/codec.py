r"""An event and its line: the format, byte by byte.

A segment is UTF-8 text of lines. A line is one JSON object, ends in one line break and has no
other, and is framed exactly so, without whitespace between its tokens:

    {"event":EVENT,"hash":HASH,"secret":SECRET}

EVENT is the public part and never changes once it is written. HASH is BLAKE2b-256 of its bytes, 64
hex digits. SECRET is the part that can be erased: `null` once it is, and until then

    {"salt":SALT,"value":VALUE}

with 16 random bytes as 32 hex digits, and the change itself. A member more, fewer, twice or in
another place makes a line that is not whole: one flipped bit must not read as "erased".

VALUE maps each provider that changed to its credential, null for removed. The state after an event
is `{**state, **value}` without the nulls; that of an `init` or a `checkpoint` is its VALUE.
Credentials are carried as the bytes they are, less the whitespace between tokens.

EVENT has these members in this order:

    v           1
    seq         1, 2, 3 ... over the whole life of the log
    synced      a seq up to which the log was known to be synced when this was written: that of the
                last right mark the writer read; 0 in `init`; in a checkpoint, the floor it was
                made from. Lines that are carried over into the next segment keep theirs
    time        when, by the writer's clock: UTC, six digits of a second, "Z"
    kind        init set remove use refresh adopt heal restore import checkpoint quarantine
    writer      {"program","pid","host","user"}
    providers   for each provider in VALUE: null for removed, else
                {"type"?,"expires"?,"members","account"?,"seq"?}. `type` is a string of at most 32
                of a-z 0-9 _ -, `expires` an integer of at most 64 bits; whatever else stands there
                is fingerprinted. `members`: the fingerprint of each other member; of a value that
                is no object, {"": fingerprint}. `account`: true for a credential that auth.json
                does not show under its own name. `seq`: its last change, in a checkpoint
    id          32 hex digits, the log's own; in `init` and every checkpoint. No output shows it
    use         {provider: account or null}: which account auth.json shows as the provider from now
                on; in a checkpoint, all of them
    told        in `adopt` and `heal`: BLAKE2b-256, keyed with the id, of the foreign file:
                "<inode> <mtime in ns> <size>\n" in ASCII, then its bytes
    base        in `adopt` and `heal`: the seq of the state that the foreign writer had read
    found       {"omitted"?,"replaced"?}: names that could not be filed and were left out; providers
                in which U+FFFD stands for a lone surrogate
    dropped     {"first","last","hash"}: the events that a compaction dropped
    gap         {"first","last"}: the events that a repair could not save
    file        the name of the file in quarantine; in `adopt`: of one in which bytes of an older,
                longer file stood behind a whole object
    by          the foreign program, as `writer`, where it is known
    erased      in a checkpoint: the highest segment whose secrets are erased
    commitment  BLAKE2b-256 of the salt's 16 bytes and the bytes of VALUE
    prev        the HASH of the event before; 64 zeros in `init`

`use`, `heal` and `quarantine` have the VALUE {}. A fingerprint is BLAKE2b of 4 bytes, keyed with
the id's 16 bytes, over a member's JSON text as it stands in VALUE, as 8 hex digits.

A line is whole if the frame is exact and both hash and commitment fit; right if also its seq and
prev follow the line before. A whole line with a `v`, a kind or a member that is not listed here was
written by a newer authlog: nothing is done to its log. The frame never changes.

A log of two events, written by alice's pid 1 on box in the program "test". The id is also the key
of the fingerprint of "k1" (with its quotes), 85fa1502:

    {"event":{"v":1,"seq":1,"synced":0,"time":"2026-09-21T14:13:21.000000Z","kind":"init","w
        riter":{"program":"test","pid":1,"host":"box","user":"alice"},"providers":{},"id":"cd072
        cd8be6f9f62ac4c09c28206e7e3","commitment":"3e1e6757e6358e3fca6b8bea4a68aa42095834b493032
        921939511ab71ef0fcd","prev":"00000000000000000000000000000000000000000000000000000000000
        00000"},"hash":"4987df19640ff14facc9ed1fbc6946e708c8bcc3bee2c950e9986b87629d12f0","secre
        t":{"salt":"5594aa6b342f5d0a3a5e4842fab428f7","value":{}}}
    {"event":{"v":1,"seq":2,"synced":1,"time":"2026-09-21T14:13:22.000000Z","kind":"set","wr
        iter":{"program":"test","pid":1,"host":"box","user":"alice"},"providers":{"groq":{"type"
        :"api","members":{"key":"85fa1502"}}},"commitment":"1ff3a2c2668595437699002c48b17f6a1283
        f0c818e1c7c0905d06f48e04d61c","prev":"4987df19640ff14facc9ed1fbc6946e708c8bcc3bee2c950e9
        986b87629d12f0"},"hash":"8cf201faaae4ad99322a3aa0a7b14a8b8b8937b2926f9cb71b836f1663236e0
        9","secret":{"salt":"62e6e282e5c1657c78c3a967b36711eb","value":{"groq":{"type":"api","ke
        y":"k1"}}}}

(each line is broken here; in the log it is one)

Checked before anything is decoded: UTF-8 of the whole line, 64 MiB a line, 200 levels of nesting;
and 1 MiB a credential before it is written.

Where this says more than the design or something else: `erased` stands behind `by`; a digest of 64
zeros in the mark stands for no auth.json; a mark that a rotation or a failed materialization moves
before anybody looked at auth.json keeps the boot it had, so that the first look is still to come;
where auth.json is written in place, the mark is synced; the empty state is the base of a foreign
write only if the file holds something new; a file that says what the newest state says costs no
event; after a boot auth.json may show any state from the mark's `shown` on; each checkpoint says
anew what was `erased` and `dropped`, so the newest one is enough; a repair writes a checkpoint for
each gap, behind the newest seq that was ever published and chained to the newest intact event, and
beyond a gap the state of a segment is unknown until its next checkpoint; `before` in the mark stays
the file at next.json also where a publish keeps auth.json; a secret is erased only when no file
shows a state that its segment alone knows; where auth.json shows the last event before a
checkpoint, `shown` in the mark goes on to the checkpoint. Of a foreign write that is held (by who
gave its writer a file of its own) it is known that it is one write, looked at once: then a tie goes
to the newest state, an earlier state that equals it counts only if no newer one explains it by
removals alone, a removal beside a change is meant if every state that the writer can have read had
what it removed, and one that changes nothing costs no event. Behind a whole object, the bytes of a
longer older file are no part of it. A file that was adopted lately counts as a state, too: until it
was replaced others could read it, and an ftruncate that changes nothing gives it another mtime. A
guard has a folder of its own beside the segments, `guard/`: its lock, and files that were or are to
be auth.json.
"""

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
    dropped: Span | None = None
    gap: Span | None = None
    file: str | None = None
    by: Writer | None = None
    erased: int | None = None


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
    draft: Draft,
    *,
    seq: int,
    synced: int,
    prev: str,
    id: str,
    time: str,
    writer: Writer,
    salt: bytes,
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
        dropped=draft.dropped,
        gap=draft.gap,
        file=draft.file,
        by=draft.by,
        erased=draft.erased,
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
    if b'{"salt":"%b","value":%b}' % (salt.hex().encode(), raw) != secret:
        raise NotWhole("the frame of the secret is not exact")
    if digest(salt + raw) != public.commitment:
        raise NotWhole("the commitment does not fit the secret")
    if value is None or value.keys() != public.providers.keys():
        raise NotWhole("the secret is of other providers than the event")
    return {name: None if bytes(of) == b"null" else bytes(of) for name, of in value.items()}


def erased(line: bytes) -> bytes:
    """Return a whole line without its secret; one that has none as it is."""
    frame = text.decode(_frame, line)
    return _framed(bytes(frame.event), frame.hash, b"null")


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
