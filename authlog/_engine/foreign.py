"""What a foreign write meant. Pure.

A program that doesn't know authlog reads auth.json, changes one provider and writes all of it back,
from whatever state it read. The log knows every state there was: the one from which the file
differs least is the base, and the difference from that base is what was meant. A provider that is
missing because the writer had not seen it was not removed by anyone.
"""

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from authlog import credentials
from authlog._engine import codec, text
from authlog._engine.snapshot import Found

STALE_WINDOW = 5_000_000_000  # ns before the file's mtime in which a writer may have read its base
REWRITE_WINDOW = 200_000_000  # ns in which a rewrite that changed nothing explains an older state

_value = msgspec.json.Decoder(object)


class Shown(Struct, frozen=True):
    """What auth.json showed as of `seq`, until `ended`: ns since 1970, None if it still does."""

    seq: int
    entries: Mapping[str, bytes]
    ended: int | None = None


class Adopt(Struct, frozen=True):
    """The writer started from the state of `base` and meant `patch`: None is a removal."""

    base: int
    patch: Mapping[str, bytes | None]


class Heal(Struct, frozen=True):
    """The writer started from the older state of `base` and changed nothing that still counts."""

    base: int


class Nothing(Struct, frozen=True):
    """The file says what the newest state says."""


class _Difference(Struct, frozen=True):
    base: Shown
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def read_intent(
    published: Shown,
    earlier: Iterable[Shown],
    current: Mapping[str, bytes],
    entries: Mapping[str, bytes],
    mtime: int,
) -> Adopt | Heal | Nothing:
    """Return what the writer of `entries` meant, in a file of that mtime (ns since 1970).

    `published` is what auth.json last showed, `earlier` are the states before it from which the
    writer may have started (see `is_recent`); `current` is the newest state, to which the patch is
    to be applied: it may be ahead of what was published.
    """
    difference = _difference(published, entries)
    if not difference.changed and not difference.removed:
        return Nothing()
    if not entries:
        return _emptied(published)
    bases = [published, *(base for base in earlier if _explains(base, entries, mtime))]
    differences = [_difference(base, entries) for base in bases]
    if difference.changed:  # who fails to read doesn't write just what is there
        differences.append(_Difference(Shown(0, {}), tuple(entries), ()))
    meant = min(differences, key=_unlikeliness)
    patch = _patch(meant, current, entries)
    return Adopt(meant.base.seq, patch) if patch else Heal(meant.base.seq)


def _emptied(published: Shown) -> Adopt | Heal:
    """`{}` is a logout from the only login; of several, it is what a failed read leads to."""
    if len(published.entries) == 1:
        return Adopt(published.seq, dict.fromkeys(published.entries))
    return Heal(0)


def is_recent(base: Shown, mtime: int) -> bool:
    """Whether a file of that mtime may have been written from that state, going by its age."""
    return base.ended is None or mtime - base.ended <= STALE_WINDOW


def says(state: Shown, entries: Mapping[str, bytes]) -> bool:
    """Whether the entries are what auth.json showed in that state."""
    return state.entries.keys() == entries.keys() and all(
        same(raw, entries[name]) for name, raw in state.entries.items()
    )


def _explains(base: Shown, entries: Mapping[str, bytes], mtime: int) -> bool:
    """Whether a writer that started from an older state may have left the entries.

    One that equals them is what somebody who logged in and out again within seconds has: it counts
    only for a rewrite that changed nothing, which takes no time.
    """
    difference = _difference(base, entries)
    if difference.changed or difference.removed or base.ended is None:
        return True
    return mtime - base.ended < REWRITE_WINDOW


def _unlikeliness(difference: _Difference) -> tuple[int, bool, int]:
    count = len(difference.changed) + len(difference.removed)
    return count, bool(difference.removed), -difference.base.seq


def _difference(base: Shown, entries: Mapping[str, bytes]) -> _Difference:
    seen = _as_seen(base.entries)
    return _Difference(
        base,
        changed=tuple(
            name
            for name, raw in entries.items()
            if not same(seen.get(name), raw) and not same(base.entries.get(name), raw)
        ),
        removed=tuple(name for name in seen if name not in entries),
    )


def _as_seen(entries: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the entries as the file's program sees them.

    A file with an entry that opencode knows is taken to be opencode's, which rewrites away what it
    does not; other files have none.
    """
    return credentials.visible_to_opencode(entries) or entries


def _patch(
    meant: _Difference, current: Mapping[str, bytes], entries: Mapping[str, bytes]
) -> dict[str, bytes | None]:
    """Return what to file so that the current state gets what was meant."""
    patch: dict[str, bytes | None] = {}
    for name in meant.changed:
        raw = credentials.with_unknown_members(entries[name], meant.base.entries.get(name))
        if not same(current.get(name), raw):
            patch[name] = raw
    if not meant.changed:  # a removal counts only if nothing else differs from the base
        patch.update(dict.fromkeys(name for name in meant.removed if name in current))
    return patch


def same(one: bytes | None, other: bytes | None) -> bool:
    """Whether two credentials mean the same to JavaScript, in whatever order and notation."""
    if one is None or other is None:
        return one is other
    return one == other or canonical(one) == canonical(other)


def canonical(raw: bytes) -> bytes:
    """Return a credential's JSON text as JavaScript would write it, members in one order."""
    try:
        value = text.decode(_value, raw)
    except text.Undecodable:
        return raw  # a number beyond all doubles
    return msgspec.json.encode(_as_javascript(value), order="deterministic")


def _as_javascript(value: object) -> object:
    if credentials.is_mapping(value):
        return {name: _as_javascript(item) for name, item in value.items()}
    if credentials.is_sequence(value):
        return [_as_javascript(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        double = float(value)
    except OverflowError:
        return None  # Infinity there, which is written as null
    return int(double) if double.is_integer() else double


def told(found: Found, id: str) -> str:
    """Return what tells this very file, in the log with that id.

    The same bytes written again, in another file or at another time, are another write.
    """
    inode, mtime, size = found.identity
    return codec.digest(b"%d %d %d\n%b" % (inode, mtime, size, found.content), bytes.fromhex(id))
