"""Repair: what is provably good goes on in a new segment, whose checkpoints state what is gone.

The plan is a pure function of what was read (`evidence`, `salvage`). Its steps, here, keep every
damaged file in quarantine first, then make the new segment, then put what is intact into the place
of each damaged one, the newest first; killed anywhere, it can be run again.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from authlog._engine import codec, evidence, files, quarantine, rotation, salvage, snapshot
from authlog._engine import mark as marks
from authlog._engine import state as states
from authlog._engine.erasing import publishing
from authlog._engine.evidence import Read
from authlog._engine.handle import Handle
from authlog._engine.mark import Mark
from authlog._engine.publish import publish
from authlog._engine.salvage import Plan
from authlog._engine.snapshot import NO_DIGEST
from authlog._engine.verify import verify
from authlog.errors import SnapshotCorrupted
from authlog.health import Health
from authlog.outcomes import Repair


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
    made = salvage.plan(read, evidence.weigh(handle.layout, read)) if health.damage else None
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
