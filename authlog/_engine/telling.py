"""Telling a foreign write as an event: what it meant, in the light of every state there was."""

from collections.abc import Mapping

from msgspec import Struct

from authlog import credentials, events
from authlog._engine import codec, foreign, history, quarantine, snapshot
from authlog._engine.codec import Draft
from authlog._engine.foreign import Adopt, Nothing, Shown
from authlog._engine.handle import Appended, Handle
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.snapshot import Found
from authlog._engine.state import State
from authlog._engine.text import Undecodable


class _Past(Struct, frozen=True):
    """What the log knows that bears on a file: whether it was told, and what auth.json showed.

    `current` is whether the newest state says what the file says, `equal` the earlier ones that do.
    """

    told: bool
    current: bool
    published: Shown
    earlier: tuple[Shown, ...]
    equal: tuple[Shown, ...]


def tell(
    handle: Handle, tail: Tail, mark: Mark | None, found: Found, *, first_look: bool, replaced: bool
) -> Appended | None:
    """Append what a foreign file meant; None if it says nothing.

    `first_look` is the first since a boot, `replaced` a file that a publish has put out of place:
    one that cannot be read, or says what we once said, says nothing there.

    Raises:
        NotWritten, LockTimeout: it could not be appended.

    """
    try:
        content = snapshot.parse(found.content)
    except Undecodable:
        return None if replaced else _quarantine(handle, found)
    omitted = tuple(name for name in content if not credentials.can_be_filed(name))
    entries = {name: raw for name, raw in content.items() if name not in omitted}
    past = _recall(handle, tail, _Since.of(mark, tail, first_look=first_look), found, entries)
    if past.told or past.current or (replaced and past.equal):
        return None
    mtime = found.identity[1]
    if first_look and any(state.ended and mtime < state.ended for state in past.equal):
        return None  # a rename of ours that did not reach the disk
    return _append(handle, tail.id, found, past, entries, omitted)


def _quarantine(handle: Handle, found: Found) -> Appended:
    path = quarantine.unreadable_snapshot(handle.layout, found.content)
    quarantine.keep(handle.layout, path, found.content)
    draft = Draft(kind="quarantine", file=path.name)
    return handle.append(lambda state: draft, own=False)


def _append(
    handle: Handle,
    id: str,
    found: Found,
    past: _Past,
    entries: Mapping[str, bytes],
    omitted: tuple[str, ...],
) -> Appended | None:
    said: list[Draft] = []
    told = foreign.told(found, id)

    def decide(state: State) -> Draft | None:
        intent = foreign.read_intent(
            past.published, past.earlier, state.shown(), entries, found.identity[1]
        )
        if isinstance(intent, Nothing):
            return None
        draft = Draft(kind="heal", told=told, base=intent.base)
        if isinstance(intent, Adopt):
            draft = Draft(
                kind="adopt",
                value={state.name(name): raw for name, raw in intent.patch.items()},
                accounts=frozenset(state.name(name) for name in intent.patch if name in state.use),
                told=told,
                base=intent.base,
                found=events.Found(omitted=omitted) if omitted else None,
            )
        said.append(draft)
        return draft

    appended = handle.append(decide, own=False)
    return appended if said else None


class _Since(Struct, frozen=True):
    """Which states auth.json may last have shown: from the seq `first` to `last`.

    After a boot the mark may be old, or gone: auth.json may show anything that came later.
    """

    first: int
    last: int

    @classmethod
    def of(cls, mark: Mark | None, tail: Tail, *, first_look: bool) -> "_Since":
        first = mark.shown if mark is not None else tail.floor
        return cls(first, tail.seq if first_look else first)


def _recall(
    handle: Handle, tail: Tail, since: _Since, found: Found, entries: Mapping[str, bytes]
) -> _Past:
    told = foreign.told(found, tail.id)
    published, earlier, equal = Shown(0, {}), list[Shown](), list[Shown]()
    before: State | None = None
    was_told = False
    for line, at in history.Past(handle, tail).walk():
        public = line.public
        was_told = was_told or public.told == told
        if before is not None:
            past = Shown(public.seq - 1, before.shown(), codec.time_ns(public.time))
            if foreign.says(past, entries):
                equal.append(past)
            may_be = past.seq >= since.first or foreign.is_recent(past, found.identity[1])
            if public.seq <= since.last and may_be:
                earlier.append(past)
        before = at.state
        if public.seq == since.last and at.state is not None:
            published = Shown(public.seq, at.state.shown())
    current = before is not None and foreign.says(Shown(0, before.shown()), entries)
    return _Past(was_told, current, published, tuple(earlier[::-1]), tuple(equal))
