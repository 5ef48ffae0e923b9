"""What a foreign write meant. Pure.

A program that doesn't know authlog reads auth.json, changes one provider and writes all of it back,
from whatever state it read. The log knows every state there was: the one from which the file
differs least is the base, and the difference from that base is what was meant. A provider that is
missing because the writer had not seen it was not removed by anyone.

Of a file that was found (`read_intent`) nobody knows when its writer read; of a write that somebody
holds (`read_held`) it is known between which states, and that it is one write, looked at once.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from authlog import credentials
from authlog._engine import codec, text
from authlog._engine.javascript import same
from authlog._engine.snapshot import Found, Indenter

STALE_WINDOW = 5_000_000_000  # ns before the file's mtime in which a writer may have read its base
REWRITE_WINDOW = 200_000_000  # ns in which a rewrite that changed nothing explains an older state


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

    @property
    def count(self) -> int:
        return len(self.changed) + len(self.removed)


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
    if not difference.count:
        return Nothing()
    if not entries:
        return _emptied(published)
    bases = [published, *(base for base in earlier if _explains(base, entries, mtime))]
    differences = [_difference(base, entries) for base in bases]
    if difference.changed:  # who fails to read doesn't write just what is there
        differences.append(_from_nothing(entries))
    meant = min(differences, key=_unlikeliness)
    removed = () if meant.changed else meant.removed  # meant only if nothing else differs
    patch = _patch(meant, removed, current, entries)
    return Adopt(meant.base.seq, patch) if patch else Heal(meant.base.seq)


def read_held(
    newest: Shown,
    earlier: Sequence[Shown],
    current: Mapping[str, bytes],
    entries: Mapping[str, bytes],
) -> Adopt | Nothing:
    """Return what the writer of `entries` meant, who had read `newest` or one of the `earlier`.

    An earlier state that equals the entries is what a stale writer without a change leaves, and
    what remains after a logout: if a newer state explains them by removals alone, it was a logout.
    A removal beside a change is meant if the writer must have seen what it removed.
    """
    differences = [_difference(base, entries) for base in (newest, *earlier)]
    if not differences[0].count:
        return Nothing()
    readings = [one for one in differences if one.count]
    if equal := [one.base.seq for one in differences if not one.count]:
        readings = [one for one in readings if not one.changed and one.base.seq > max(equal)]
        if not readings:
            return Nothing()
    elif differences[0].changed:
        readings.append(_from_nothing(entries))
    meant = min(readings, key=lambda one: (one.count, -one.base.seq))
    removed = meant.removed
    if meant.changed:
        known = any(name not in meant.changed for name in entries)
        removed = tuple(
            name for name in removed if known and all(name in one.removed for one in differences)
        )
    patch = _patch(meant, removed, current, entries)
    return Adopt(meant.base.seq, patch) if patch else Nothing()


def without_leftover(content: bytes, states: Iterable[Shown]) -> bytes | None:
    """Return a whole object without the bytes of a longer older file behind it, None if it has not
    just these.

    opencode writes over the old file and cuts it afterwards: it may be killed in between. `states`
    are those of which the older file may have been.
    """
    written = text.first_value(content)
    rest = content[len(written) :].rstrip(b"\n")
    if rest:
        for state in states:
            for entries in (state.entries, credentials.visible_to_opencode(state.entries)):
                older = Indenter().content(entries).rstrip(b"\n")
                if older[len(written) :] == rest:
                    return written
    return None


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
    if _difference(base, entries).count or base.ended is None:
        return True
    return mtime - base.ended < REWRITE_WINDOW


def _unlikeliness(difference: _Difference) -> tuple[int, bool, int]:
    return difference.count, bool(difference.removed), -difference.base.seq


def _difference(base: Shown, entries: Mapping[str, bytes]) -> _Difference:
    """Return what is different in the entries from what the file's program saw of the base.

    A file with an entry that opencode knows is taken to be opencode's, which rewrites away what it
    does not; other files have none.
    """
    unlike = dict(entries.items() - base.entries.items())
    missing = base.entries.keys() - entries.keys()
    changed = {name for name, raw in unlike.items() if not _is_left(base.entries.get(name), raw)}
    if missing and any(map(credentials.seen_by_opencode, base.entries.values())):
        missing = {name for name in missing if credentials.seen_by_opencode(base.entries[name])}
    return _Difference(
        base,
        tuple(name for name in entries if name in changed) if changed else (),
        tuple(name for name in base.entries if name in missing) if missing else (),
    )


def _is_left(before: bytes | None, raw: bytes) -> bool:
    """Whether that is what a program leaves of an entry which it does not mean to change."""
    if before is None:
        return False
    return same(before, raw) or same(credentials.seen_by_opencode(before), raw)


def _from_nothing(entries: Mapping[str, bytes]) -> _Difference:
    """Return what a writer meant whose read had failed."""
    return _Difference(Shown(0, {}), tuple(entries), ())


def _patch(
    meant: _Difference,
    removed: Iterable[str],
    current: Mapping[str, bytes],
    entries: Mapping[str, bytes],
) -> dict[str, bytes | None]:
    """Return what to file so that the current state gets what was meant."""
    patch: dict[str, bytes | None] = {}
    for name in meant.changed:
        raw = credentials.with_unknown_members(entries[name], meant.base.entries.get(name))
        if not same(current.get(name), raw):
            patch[name] = raw
    patch.update(dict.fromkeys(name for name in removed if name in current))
    return patch


def told(found: Found, id: str) -> str:
    """Return what tells this very file, in the log with that id.

    The same bytes written again, in another file or at another time, are another write.
    """
    inode, mtime, size = found.identity
    return codec.digest(b"%d %d %d\n%b" % (inode, mtime, size, found.content), bytes.fromhex(id))
