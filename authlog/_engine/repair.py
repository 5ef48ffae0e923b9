"""Repair: what is provably good goes on in a new segment, whose checkpoints state what is gone.

The plan is a pure function of what was read. Its steps keep every damaged file in quarantine first,
then make the new segment, then put what is intact into the place of each damaged one, the newest
first; killed anywhere, it can be run again.
"""

import contextlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec import Struct

from authlog._engine import codec, files, history, log, quarantine, rotation, snapshot
from authlog._engine import mark as marks
from authlog._engine import state as states
from authlog._engine.codec import Line, NotWhole
from authlog._engine.erasing import publishing
from authlog._engine.handle import Handle
from authlog._engine.mark import Mark
from authlog._engine.publish import publish
from authlog._engine.snapshot import NO_DIGEST, Found
from authlog._engine.state import EMPTY, Filed, State
from authlog._engine.verify import verify
from authlog.errors import SnapshotCorrupted
from authlog.events import Span
from authlog.health import Health
from authlog.outcomes import Repair


class Intact(Struct, frozen=True):
    """A whole line, as it stands in segment `number`."""

    number: int
    raw: bytes
    line: Line


class Read(Struct, frozen=True):
    """What stands on disk: the bytes of each segment, the mark, and auth.json."""

    segments: Mapping[int, bytes]
    mark: Mark | None
    found: Found | None


class Plan(Struct, frozen=True):
    """What is to be done.

    `rewritten` are damaged segments and what is intact of them; `gaps` are to be stated by new
    checkpoints behind `seq`, the newest that was ever used, chained to `hash`; `number` is the new
    segment, None if none is needed. `shown` tells that auth.json proved the state.
    """

    intact: int
    rewritten: Mapping[int, bytes]
    gaps: tuple[Span, ...]
    seq: int
    hash: str
    id: str | None
    state: State
    shown: bool
    erased: int
    dropped: Span | None
    number: int | None


def repair(handle: Handle, *, dry_run: bool) -> Repair:
    """Mend a damaged log, or say what would be done.

    Raises:
        SnapshotCorrupted: there is no log, and auth.json is not a JSON object.
        UnknownFormat: a line is of a newer authlog; nothing is touched.
        LockTimeout, OSError: it is not done; run it again.

    """
    if files.stat(handle.layout.folder) is None:
        return _mended(handle, verify(handle, None), _read(handle), dry_run=dry_run)
    with publishing(handle):
        handle.append_lock.acquire(handle.lock_timeout)
        try:
            done = _mended(handle, verify(handle, None), _read(handle), dry_run=dry_run)
        finally:
            handle.append_lock.release()
    if done.damage and not dry_run:
        handle.forget()
        publish(handle)
    return done


def _mended(handle: Handle, health: Health, read: Read, *, dry_run: bool) -> Repair:
    if health.damage and not read.segments and read.mark is None:
        raise SnapshotCorrupted(handle.layout.snapshot)
    made = plan(handle, read) if health.damage else None
    kept = {} if made is None else _to_keep(handle, read, made)
    if made is not None and not dry_run:
        _do(handle, read, made, kept)
    return Repair(
        path=str(handle.layout.snapshot),
        damage=health.damage,
        kept=tuple(path.name for path in kept),
        gaps=made.gaps if made else (),
        events=made.intact if made else health.events,
        segment=made.number if made else None,
        shown=made.shown if made else False,
        providers=tuple(made.state.filed) if made else (),
        dry_run=dry_run,
    )


def _read(handle: Handle) -> Read:
    paths = {number: handle.layout.segment(number) for number in handle.numbers()}
    return Read(
        segments={number: files.read_file(path) or b"" for number, path in paths.items()},
        mark=marks.decode(files.read_file(handle.layout.mark) or b""),
        found=snapshot.read(handle.layout.snapshot),
    )


# The plan


def plan(handle: Handle, read: Read) -> Plan:
    """Return what to do about these bytes; `handle` only spells names. Pure.

    Raises:
        UnknownFormat: a line is of a newer authlog.

    """
    whole = [line for number in read.segments for line in _whole(handle, read, number)]
    id = next((one.line.public.id for one in whole if one.line.public.id), None)
    dropped = _last_dropped(whole)
    chain = _chained(whole, id, read.mark, dropped)
    last = chain[-1].line if chain else None
    seq = last.public.seq if last else dropped.last if dropped else 0
    used = max(seq, read.mark.seq if read.mark else 0)
    state = _folded(chain)
    proved = _shown(read, id, state, seq, used + 1)
    rewritten = _rewritten(read, chain)
    gaps = _unstated(chain, dropped, used)
    newest = max([*read.segments, read.mark.segment if read.mark else 0])
    another = read.mark is not None and _contradicts(read.mark, chain)
    needed = bool(gaps) or newest in rewritten or newest not in read.segments or another
    return Plan(
        intact=len(chain),
        rewritten=rewritten,
        gaps=gaps,
        seq=used,
        hash=last.hash if last else dropped.hash or codec.NO_HASH if dropped else codec.NO_HASH,
        id=id,
        state=proved or state,
        shown=proved is not None,
        erased=max((one.line.public.erased or 0 for one in chain), default=0),
        dropped=dropped,
        number=newest + 1 if needed else None,
    )


def _whole(handle: Handle, read: Read, number: int) -> list[Intact]:
    """Return the whole lines of a segment before its end, if its successor says where that is."""
    path = handle.layout.segment(number)
    end = None
    for other in sorted(read.segments):
        if other > number and end is None:
            end = _first_seq(read.segments[other])
    found: list[Intact] = []
    for raw in log.lines(read.segments[number]):
        with contextlib.suppress(NotWhole):
            found.append(Intact(number, raw, log.decode(path, raw)))
    return [one for one in found if end is None or one.line.public.seq < end]


def _first_seq(data: bytes) -> int | None:
    try:
        return codec.decode(next(log.lines(data), b"")).public.seq
    except (NotWhole, codec.Newer):
        return None


def _last_dropped(whole: list[Intact]) -> Span | None:
    stated = [one.line.public.dropped for one in whole if one.line.public.dropped]
    return max(stated, key=lambda span: span.last, default=None)


def _chained(
    whole: list[Intact], id: str | None, mark: Mark | None, dropped: Span | None
) -> list[Intact]:
    """Return the lines that hang together, in order; behind a gap those that are of this log."""
    by_seq: dict[int, list[Intact]] = {}
    for one in whole:
        by_seq.setdefault(one.line.public.seq, []).insert(0, one)  # a newer segment is right
    found: list[Intact] = []
    seq, hash = (dropped.last, dropped.hash) if dropped else (0, codec.NO_HASH)
    for next_seq in sorted(one for one in by_seq if one > seq):
        fitting = [one for one in by_seq[next_seq] if one.line.public.prev == hash]
        if not fitting and (next_seq > seq + 1 or not found):
            fitting = [one for one in by_seq[next_seq] if _is_ours(one, by_seq, id, mark)]
        if fitting:
            found.append(fitting[0])
            seq, hash = next_seq, fitting[0].line.hash
    return found


def _is_ours(
    one: Intact, by_seq: Mapping[int, list[Intact]], id: str | None, mark: Mark | None
) -> bool:
    """Whether a line, or one that is chained to it, proves to be of this log."""
    line: Line | None = one.line
    while line is not None:
        if id is None or line.public.id == id or (mark and mark.hash == line.hash):
            return True
        if line.value and _fits(line, id):
            return True
        after = by_seq.get(line.public.seq + 1, [])
        hash = line.hash
        line = next((next_.line for next_ in after if next_.line.public.prev == hash), None)
    return False


def _fits(line: Line, id: str) -> bool:
    """Whether the fingerprints, which are keyed with the log's id, are those of the values."""
    key, value = bytes.fromhex(id), line.value or {}
    said = [(raw, line.public.providers[name]) for name, raw in value.items()]
    both = [(raw, change) for raw, change in said if raw is not None and change is not None]
    return any(change.members for _, change in both) and all(
        codec.describe(raw, key, account=change.account, seq=change.seq) == change
        for raw, change in both
    )


def _folded(chain: list[Intact]) -> State:
    """Return what the lines say: values that were filed, and none in the place of an erased one."""
    state = EMPTY
    for one in chain:
        line = one.line
        if line.value is not None:
            state = states.apply(state, line) or state
        elif log.carries_state(line):
            state = EMPTY
        else:
            left = {n: filed for n, filed in state.filed.items() if n not in line.public.providers}
            state = State(left, state.use)
    return state


def _shown(read: Read, id: str | None, state: State, seq: int, new: int) -> State | None:
    """Return the state with what auth.json shows, if the mark proves that it shows the newest."""
    mark, found = read.mark, read.found
    if mark is None or found is None or id is None or mark.shown < seq or mark.shown != mark.seq:
        return None
    if snapshot.digest(found.content, id) != mark.digest:
        return None
    entries = snapshot.parse(found.content).entries  # the digest tells that we wrote it
    visible = {state.name(provider) for provider in state.shown()}
    filed = {name: one for name, one in state.filed.items() if name not in visible}
    for provider, raw in entries.items():
        name = state.name(provider)
        before = state.filed.get(name)
        same = before is not None and before.raw == raw
        filed[name] = before if before and same else Filed(raw, new, state.is_account(name))
    return State(filed, state.use)


def _unstated(chain: list[Intact], dropped: Span | None, used: int) -> tuple[Span, ...]:
    """Return the gaps that no checkpoint states yet."""
    stated = [one.line.public.gap for one in chain if one.line.public.gap]
    seqs = [dropped.last if dropped else 0, *(one.line.public.seq for one in chain), used + 1]
    between = (Span(first=one + 1, last=two - 1) for one, two in pairwise(seqs) if two > one + 1)
    return tuple(gap for gap in between if not history.covers(stated, gap.first, gap.last))


def _rewritten(read: Read, chain: list[Intact]) -> dict[int, bytes]:
    """Return the segments that are damaged, and the lines of each that are intact."""
    good: dict[int, list[bytes]] = {number: [] for number in read.segments}
    cut_short, number, last = set[int](), 0, 0
    for one in chain:
        if one.line.public.seq > last + 1:
            cut_short.add(number)
        number, last = max(number, one.number), one.line.public.seq
        good[number].append(one.raw)
    newest = max(good, default=0)
    if read.mark is not None and (newest, last) < (read.mark.segment, read.mark.seq):
        cut_short.add(newest)
    joined = {number: b"".join(raws) for number, raws in good.items()}
    return {
        number: data
        for number, data in joined.items()
        if not _is_as_it_was(read.segments[number], data, cut_short=number in cut_short)
    }


def _is_as_it_was(data: bytes, good: bytes, *, cut_short: bool) -> bool:
    """Whether a segment begins with its intact lines, and what follows need not be one."""
    return bool(good) and data.startswith(good) and (data == good or not cut_short)


def _contradicts(mark: Mark, chain: list[Intact]) -> bool:
    """Whether the mark names another event than the one that stands there."""
    return any(one.line.public.seq == mark.seq and one.line.hash != mark.hash for one in chain)


# Its steps


def _to_keep(handle: Handle, read: Read, made: Plan) -> dict[Path, bytes]:
    """Return what goes into quarantine, and as what."""
    layout = handle.layout
    kept = {
        quarantine.damaged_segment(layout, number, read.segments[number]): read.segments[number]
        for number in sorted(made.rewritten)
    }
    if made.number is not None and (raw := files.read_file(layout.mark)):
        kept[quarantine.replaced_mark(layout, raw)] = raw
    if made.number is not None and (content := files.read_file(layout.next)) is not None:
        kept[quarantine.replaced_snapshot(layout, content)] = content
    return kept


def _do(handle: Handle, read: Read, made: Plan, kept: Mapping[Path, bytes]) -> None:
    for path, data in kept.items():
        quarantine.keep(handle.layout, path, data)
    mark = read.mark
    if made.number is not None:
        name = next((path.name for path in kept), None)
        data, mark = _new_segment(handle, read, made, name)
        rotation.write_segment(handle, made.number, data)
    for number in sorted(made.rewritten, reverse=True):
        if made.rewritten[number]:
            rotation.write_segment(handle, number, made.rewritten[number])
        else:
            files.unlink(handle.layout.segment(number))
            files.sync_folder(handle.layout.folder)
    if made.number is not None and mark is not None:
        with contextlib.suppress(FileNotFoundError):
            files.unlink(handle.layout.next)  # the states that tell what it meant may be gone
        handle.read_mark()
        handle.move_mark(mark)


def _new_segment(handle: Handle, read: Read, made: Plan, file: str | None) -> tuple[bytes, Mark]:
    """Return the lines of the new segment, and the mark at its end."""
    assert made.number is not None
    id = made.id or handle.world.random(codec.ID_SIZE).hex()
    seq, hash, lines = made.seq, made.hash, list[bytes]()
    for gap in made.gaps or (None,):
        draft = states.checkpoint(made.state, id, made.erased, made.dropped)
        draft = msgspec.structs.replace(draft, gap=gap, file=file)
        line, public, hash = handle.encode_behind(seq, hash, draft, made.seq)
        seq = public.seq
        lines.append(line)
    old = read.mark if made.shown else None
    mark = Mark(
        v=codec.VERSION,
        seq=seq,
        segment=made.number,
        offset=sum(map(len, lines)),
        hash=hash,
        boot=old.boot if old else None,
        shown=old.shown if old else 0,
        digest=old.digest if old else NO_DIGEST,
        before=old.before if old else None,
        after=old.after if old else None,
        owes=True,
    )
    return b"".join(lines), mark
