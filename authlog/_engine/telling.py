"""Telling a foreign write as an event: what it meant, in the light of every state there was."""

from collections.abc import Callable, Mapping
from itertools import pairwise

import msgspec
from msgspec import Struct

from authlog._engine import codec, foreign, history, quarantine, snapshot
from authlog._engine.codec import Draft
from authlog._engine.foreign import Adopt, Heal, Nothing, Shown
from authlog._engine.handle import Appended, Handle
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.recent import Step
from authlog._engine.snapshot import Found, Identity, Reading
from authlog._engine.state import State
from authlog._engine.text import Undecodable
from authlog.events import Writer

Meant = Adopt | Heal | Nothing


class Held(Struct, frozen=True):
    """A foreign write that somebody holds: its bytes, and who wrote it, None if that isn't known.

    Its base is a state from seq `after` to `before`: whoever knows `after` has watched the writer,
    and holds each write once. None is the stale window, and what it meant is read as from a file
    that was found; and the newest. With the `identity` of its file it is told once, whoever else
    looks at that file.
    """

    content: bytes
    writer: Writer | None
    after: int | None = None
    before: int | None = None
    identity: Identity | None = None


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
    """Append what a foreign file meant; without an event, or None, if it says nothing.

    `first_look` is the first since a boot, `replaced` a file that a publish has put out of place:
    one that cannot be read, or says what we once said, says nothing there.

    Raises:
        NotWritten, LockTimeout: it could not be appended.

    """
    since = _Since.of(mark, tail, first_look=first_look)
    mtime = found.identity[1]
    told = foreign.told(found, tail.id)
    steps = history.recent(handle, tail, since.first, _stale(mtime))
    if _was_told(steps, told):
        return None
    if first_look or replaced:
        steps = history.everything(handle, tail)
    states = _states(steps)
    try:
        reading, file = _read(handle, found.content, [] if replaced else states)
    except Undecodable:
        return None if replaced else _quarantine(handle, found.content, None, own=False)
    past = _recall(steps, states, since, mtime, told, reading.filed)
    if past.told or past.current or (replaced and past.equal):
        return None
    if first_look and any(state.ended and mtime < state.ended for state in past.equal):
        return None  # a rename of ours that did not reach the disk

    def intent(current: Mapping[str, bytes]) -> Meant:
        return foreign.read_intent(past.published, past.earlier, current, reading.filed, mtime)

    return _append(handle, intent, reading, Draft(kind="heal", told=told, file=file), own=False)


def tell_held(handle: Handle, tail: Tail, held: Held) -> Appended | None:
    """Append what a write meant that somebody holds; without an event if it says nothing, None if
    it was told.

    Raises: as `tell`.
    """
    told = None
    if held.identity is not None:
        told = foreign.told(Found(held.identity, held.content), tail.id)
    last = tail.seq if held.before is None else min(held.before, tail.seq)
    mtime = held.identity[1] if held.identity else handle.world.now_ns()
    since = _stale(mtime)
    steps = history.recent(handle, tail, min(held.after or last, last), since)
    if told is not None and _was_told(steps, told):
        return None
    states = [
        state
        for state in _states(steps)
        if state.seq <= last and _may_be_read(state, held.after, since)
    ] or [_current(tail)]
    try:
        reading, file = _read(handle, held.content, states)
    except Undecodable:
        return _quarantine(handle, held.content, held.writer, own=True)

    def intent(current: Mapping[str, bytes]) -> Meant:
        *earlier, newest = states
        if held.after is not None:
            return foreign.read_held(newest, earlier[::-1], current, reading.filed)
        bases = [*earlier[::-1], *_files(steps, mtime)]
        meant = foreign.read_intent(newest, bases, current, reading.filed, mtime)
        return Nothing() if isinstance(meant, Heal) else meant

    draft = Draft(kind="heal", told=told, file=file, by=held.writer)
    return _append(handle, intent, reading, draft, own=True)


def _read(handle: Handle, content: bytes, states: list[Shown]) -> tuple[Reading, str | None]:
    """Return what the bytes say, and the name under which they are kept if they are damaged.

    Raises:
        Undecodable: they can't be read.

    """
    try:
        return snapshot.parse(content), None
    except Undecodable:
        whole = foreign.without_leftover(content, states)
        if whole is None:
            raise
    reading = snapshot.parse(whole)
    return reading, _keep(handle, content)


def _keep(handle: Handle, content: bytes) -> str:
    path = quarantine.unreadable_snapshot(handle.layout, content)
    quarantine.keep(handle.layout, path, content)
    return path.name


def _quarantine(handle: Handle, content: bytes, by: Writer | None, *, own: bool) -> Appended:
    draft = Draft(kind="quarantine", file=_keep(handle, content), by=by)
    return handle.append(lambda state: draft, own=own)


def _append(
    handle: Handle,
    intent: Callable[[Mapping[str, bytes]], Meant],
    reading: Reading,
    heal: Draft,
    *,
    own: bool,
) -> Appended:
    """Append what is meant to the newest state; `heal` is what is said if that is no change."""

    def decide(state: State) -> Draft | None:
        meant = intent(state.shown())
        if isinstance(meant, Nothing):
            return None
        draft = msgspec.structs.replace(heal, base=meant.base)
        if isinstance(meant, Adopt):
            draft = msgspec.structs.replace(
                draft,
                kind="adopt",
                value={state.name(name): raw for name, raw in meant.patch.items()},
                accounts=frozenset(state.name(name) for name in meant.patch if name in state.use),
                found=reading.found,
            )
        return draft

    return handle.append(decide, own=own)


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
    steps: tuple[Step, ...],
    states: list[Shown],
    since: _Since,
    mtime: int,
    told: str,
    entries: Mapping[str, bytes],
) -> _Past:
    *past, current = states
    earlier = [
        state
        for state in past
        if state.seq < since.last and (state.seq >= since.first or foreign.is_recent(state, mtime))
    ]
    published = next((state for state in states if state.seq == since.last), Shown(0, {}))
    return _Past(
        _was_told(steps, told),
        foreign.says(current, entries),
        published,
        (*earlier[::-1], *_files(steps, mtime)),
        tuple(state for state in past if foreign.says(state, entries)),
    )


def _states(steps: tuple[Step, ...]) -> list[Shown]:
    """Return what auth.json showed after each event, as far as it is known, oldest first."""
    ends = [codec.time_ns(step.public.time) for step in steps[1:]]
    return [
        Shown(step.public.seq, step.shown, ended)
        for step, ended in zip(steps, [*ends, None], strict=True)
        if step.shown is not None
    ]


def _files(steps: tuple[Step, ...], mtime: int) -> list[Shown]:
    """Return what stood in files that were adopted lately, newest first: until each was told and
    replaced, others could read it, and its writer may have touched it again.
    """
    known = {step.public.seq: step.shown for step in steps}
    found: list[Shown] = []
    for before, step in pairwise(steps):
        base = known.get(step.public.base or 0, {})
        if step.public.kind == "adopt" and base is not None:
            written = _changed(base, before.shown or {}, step.shown or {})
            found.append(Shown(step.public.seq, written, codec.time_ns(step.public.time)))
    return [file for file in found[::-1] if foreign.is_recent(file, mtime)]


def _changed(
    base: Mapping[str, bytes], before: Mapping[str, bytes], after: Mapping[str, bytes]
) -> Mapping[str, bytes]:
    """Return the base with what became of the one state in the other."""
    gone = {name for name in before if name not in after}
    changed = {name: raw for name, raw in after.items() if before.get(name) != raw}
    return {name: raw for name, raw in {**base, **changed}.items() if name not in gone}


def _may_be_read(state: Shown, after: int | None, since: int) -> bool:
    if after is not None:
        return state.seq >= after
    return state.ended is None or state.ended >= since


def _was_told(steps: tuple[Step, ...], told: str) -> bool:
    return any(step.public.told == told for step in steps)


def _current(tail: Tail) -> Shown:
    assert tail.state is not None  # of a segment that was read to its end
    return Shown(tail.seq, tail.state.shown())


def _stale(mtime: int) -> int:
    """Return since when, ns since 1970, a base may have been current of a file of that mtime."""
    return mtime - foreign.STALE_WINDOW
