"""The next segment: the one way to rotate, to survive a failed sync, to compact and to repair.

It holds the lines that were not known to be synced, byte for byte, and a checkpoint of the state
after them. From the moment it has its name, the old segment is never written, synced or trusted
past the new one's first seq again. So no whole line is dropped, and no seq is used twice.
"""

import contextlib
from datetime import timedelta

from authlog._engine import codec, files, log
from authlog._engine import state as states
from authlog._engine.files import OpenFile
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.snapshot import NO_DIGEST
from authlog.errors import AuthLogError
from authlog.events import Span

ROTATE_AT = 1 << 20  # bytes behind the first checkpoint; its own length if that is more
RETENTION = timedelta(days=30)  # of superseded secrets: a segment is closed after a quarter of it


def rotate_if_due(handle: Handle, tail: Tail, mark: Mark | None) -> bool:
    """Start the next segment if it is time, and return whether it was; needs publish.lock.

    If that fails nobody needs to know: what was to be published is durable and shown.
    """
    if not _due(handle, tail):
        return False
    with contextlib.suppress(OSError, AuthLogError):
        next_segment(handle, mark)
        return True
    return False


def _due(handle: Handle, tail: Tail) -> bool:
    if tail.offset - tail.checkpoint > max(ROTATE_AT, tail.checkpoint_size):
        return True
    oldest = handle.world.now_ns() - int(RETENTION.total_seconds() / 4 * 1e9)
    return tail.checkpoint_time < codec.timestamp(oldest)


def next_segment(handle: Handle, mark: Mark | None) -> tuple[Tail, Mark]:
    """Write the next segment, make it the newest and move the mark to its end; return both.

    Needs publish.lock, takes append.lock.

    Raises:
        OSError: the disk refused; the segment was not made, or its name is not known to be durable.
        LockTimeout, LogCorrupted: see `Handle.appending`.

    """
    with handle.appending(cut=False) as (tail, _):
        return follow(handle, tail, mark)


def follow(
    handle: Handle, tail: Tail, mark: Mark | None, dropped: Span | None = None
) -> tuple[Tail, Mark]:
    """Do that, under both locks, with a checkpoint that says which events are to be `dropped`."""
    assert tail.state is not None
    carried, floor = _carried(tail, mark)
    number = tail.segment.number + 1
    erased = _erased_up_to(handle, tail)
    draft = states.checkpoint(tail.state, tail.id, erased, dropped or tail.dropped)
    line, _, _ = handle.encode(tail, draft, floor)
    write_segment(handle, number, carried + line)
    segment = handle.open_segment(number, files.APPEND)
    moved, _ = log.fold(Tail(segment), carried + line)
    handle.tail = moved
    after = _moved(tail, moved, mark)
    handle.move_mark(after)
    handle.say_syncing(False)
    return moved, after


def _erased_up_to(handle: Handle, tail: Tail) -> int:
    """Return the highest segment up to which no secret is left, from what is known of it on."""
    highest = tail.erased
    for number in handle.numbers():
        if highest < number < tail.segment.number:
            if not is_erased(files.read_file(handle.layout.segment(number)) or b""):
                break
            highest = number
    return highest


def is_erased(data: bytes) -> bool:
    """Whether no line of a segment has a secret: none can have this end within it."""
    return data.count(b'"secret":null}\n') == data.count(b"\n")


def _carried(tail: Tail, mark: Mark | None) -> tuple[bytes, int]:
    """Return the lines past the floor, and the floor."""
    if mark is not None and mark.segment == tail.segment.number:
        start, floor = mark.offset, mark.seq
    else:
        start, floor = _past_floor(tail)
    return files.read(tail.segment.file.fd, tail.offset - start, start), floor


def _past_floor(tail: Tail) -> tuple[int, int]:
    data = files.read(tail.segment.file.fd, tail.offset, 0)
    steps = log.right_lines(Tail(tail.segment), data)
    ends = {step[1].seq: step[1].offset for step in steps if not isinstance(step, log.Rest)}
    return ends[tail.floor], tail.floor


def write_segment(handle: Handle, number: int, data: bytes) -> None:
    """Return when a segment of these lines has its name on the disk; needs both locks.

    Raises:
        OSError: the disk refused; nothing is left, or a name that is not known to be durable.

    """
    path = handle.layout.segment_being_written(number)
    try:
        with contextlib.suppress(FileNotFoundError):
            files.unlink(path)  # of somebody who was killed here
        file = OpenFile(path, files.WRITE | files.NEW)
        files.write_all(file.fd, data)
        files.sync(file.fd)
    except OSError:
        with contextlib.suppress(OSError):
            files.unlink(path)
        raise
    files.rename(path, handle.layout.segment(number))
    files.sync_folder(handle.layout.folder)


def _moved(before: Tail, tail: Tail, mark: Mark | None) -> Mark:
    """Return the mark at the end of the new segment, its snapshot part unchanged.

    What was never looked at in this boot stays so: its boot is the old mark's. Who showed the last
    event shows the checkpoint too, and goes on being known when the secrets before it are erased.
    """
    shown = mark.shown if mark else 0
    if mark is not None and shown == before.seq and not mark.owes:
        shown = tail.seq
    return Mark(
        v=codec.VERSION,
        seq=tail.seq,
        segment=tail.segment.number,
        offset=tail.offset,
        hash=tail.hash,
        boot=mark.boot if mark else None,
        shown=shown,
        digest=mark.digest if mark else NO_DIGEST,
        before=mark.before if mark else None,
        after=mark.after if mark else None,
        owes=mark.owes if mark else False,
    )
