"""Compaction: the newest segment is closed, and closed ones lose their secrets or go altogether.

Each step leaves a log that is whole, and a process that is killed leaves the rest to the next
compaction. publish.lock is held for one segment at a time.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from authlog._engine import erasing, files, log, rotation, safety
from authlog._engine import state as states
from authlog._engine.extent import Held, Preview, filed, measured
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.materialize import show_again
from authlog._engine.publish import publish, publish_under_lock
from authlog._engine.reading import look_back
from authlog.errors import NotMaterialized
from authlog.events import Span
from authlog.outcomes import Compaction, Extent

TRIES = 10  # while another program writes into auth.json again and again

Progress = Callable[[int, int], None]  # told bytes done and bytes in all


def compact(
    handle: Handle, retain: timedelta, *, drop_history: bool, progress: Progress
) -> Compaction:
    """Do it and return what was done.

    Raises:
        NoLog: there is none.
        LogCorrupted, UnknownFormat, LockTimeout, NotMaterialized: what was done before stays done.
        OSError: the disk refused; the same.

    """
    publish(handle)
    before = look_back(handle, partial(measured, handle))
    erased: dict[int, int] = {}
    if not drop_history:
        _erase(handle, _retire(handle), retain, erased, progress)
    closed = _close(handle, drop=drop_history)
    if not drop_history:
        _erase(handle, closed[-2:], retain, erased, progress)
    erasing.drop(handle)
    with erasing.publishing(handle):
        quarantined = erasing.tidy(handle, retain)
    after = look_back(handle, partial(measured, handle))
    return Compaction(
        path=str(handle.layout.snapshot),
        before=before.extent,
        after=after.extent,
        secrets=sum(erased.values()),
        credentials=len(before.without() - after.without()),
        erased=tuple(erased),
        dropped=after.dropped,
        quarantined=quarantined,
        dry_run=False,
    )


def plan(handle: Handle, retain: timedelta, *, drop_history: bool) -> Compaction:
    """Return what `compact` would do if nobody changed anything until then; only reads.

    Raises: as `compact`.
    """
    return look_back(handle, partial(_plan, handle, retain, drop_history))


def _plan(handle: Handle, retain: timedelta, drop: bool, tail: Tail) -> Compaction:
    assert tail.state is not None
    before = measured(handle, tail)
    after, left = before.extent, before.without()
    closing = not _is_alone(tail) or (drop and _droppable(handle, tail))
    dropped = Span(first=1, last=tail.seq, hash=tail.hash) if drop and closing else tail.dropped
    preview = Preview(handle, tail, retain)
    if not drop:
        for number in handle.numbers():
            preview.add(number, closing=closing)
        left = before.without(preview.erased)
        after = Extent(after.events, after.segments, sum(preview.sizes))
    if closing:
        draft = states.checkpoint(tail.state, tail.id, preview.highest, dropped)
        line, _, _ = handle.encode(tail, draft, tail.seq)
        sizes = [*preview.sizes, len(line)]
        left = filed(tail.state) | (Held() if drop else left)
        after = Extent(1 if drop else after.events + 1, len(sizes), sum(sizes))
    return Compaction(
        path=str(handle.layout.snapshot),
        before=before.extent,
        after=after,
        secrets=sum(preview.erased.values()),
        credentials=len(before.without() - left),
        erased=tuple(preview.erased),
        dropped=dropped,
        quarantined=len(erasing.overdue(handle, retain)),
        dry_run=True,
    )


def nothing(handle: Handle, *, dry_run: bool) -> Compaction:
    """Return what is done where there is no log."""
    none = Extent(0, 0, 0)
    return Compaction(
        path=str(handle.layout.snapshot),
        before=none,
        after=none,
        secrets=0,
        credentials=0,
        erased=(),
        dropped=None,
        quarantined=0,
        dry_run=dry_run,
    )


def forget(handle: Handle, name: str) -> None:
    """Erase every secret that was ever filed under the name; what else an event of it held goes
    with it. All that is in quarantine goes too: what a damaged file holds can't be told.

    Raises: as `compact`.
    """
    publish(handle)
    _erase(handle, _close(handle, drop=False), timedelta(0), {}, of=name)
    with erasing.publishing(handle):
        erasing.tidy(handle, timedelta(0))


def _erase(
    handle: Handle,
    numbers: list[int],
    retain: timedelta,
    erased: dict[int, int],
    progress: Progress = lambda done, total: None,
    of: str | None = None,
) -> None:
    """Erase those of the segments that are due, all secrets or those of a provider; note how many
    events lost theirs.
    """
    stats = (files.stat(handle.layout.segment(number)) for number in numbers)
    sizes = [stat.st_size if stat else 0 for stat in stats]
    for place, number in enumerate(numbers):
        progress(sum(sizes[:place]), sum(sizes))
        with erasing.publishing(handle):
            found = erasing.closed(handle, number)
            if found is not None and found.is_due(handle.world.now_ns(), retain):
                _prove_newest(handle)
                if secrets := erasing.erase(handle, found, of):
                    erased[number] = secrets
    progress(sum(sizes), sum(sizes))


def _prove_newest(handle: Handle) -> None:
    """Raise LogCorrupted unless the newest segment, as it stands on disk, has what is filed."""
    segment = handle.open_segment(max(handle.numbers()), files.READ)
    safety.check(segment.path, files.stat_open(segment.file.fd))
    tail, rest = log.fold(Tail(segment), files.read_all(segment.file.fd))
    log.torn_tail(tail, rest, 0)


def _close(handle: Handle, *, drop: bool) -> list[int]:
    """Start a new segment that holds a checkpoint and nothing else, unless the newest is one;
    return the numbers of those that are closed by then.

    Raises:
        NotMaterialized: another program kept on writing into auth.json.

    """
    for _ in range(TRIES):
        with erasing.publishing(handle):
            _publish_all(handle)
            with handle.appending(cut=False) as (tail, mark):
                if mark is not None and _begin_next(handle, tail, mark, drop=drop):
                    return handle.numbers()[:-1]
    raise NotMaterialized(handle.layout.snapshot, handle.tail.seq if handle.tail else 0)


def _begin_next(handle: Handle, tail: Tail, mark: Mark, *, drop: bool) -> bool:
    """Do it while nobody appends; False if another program wrote into auth.json first.

    Whatever shows a state shows one that the new segment knows: what was appended since the publish
    is carried over, shown, and left behind in a segment of its own.
    """
    if _is_alone(tail) and not (drop and _droppable(handle, tail)):
        return erasing.retire(handle, looked=True)
    shown: Mark | None = mark
    if mark.offset != tail.offset:
        tail, mark = rotation.follow(handle, tail, mark)
        shown = show_again(handle, tail, mark)
    if shown is None:
        return False
    erasing.retire(handle, looked=True)
    dropped = Span(first=1, last=tail.seq, hash=tail.hash) if drop else None
    rotation.follow(handle, tail, shown, dropped)
    return True


def _is_alone(tail: Tail) -> bool:
    """Whether a segment holds its checkpoint and nothing else."""
    return tail.offset == tail.checkpoint == tail.checkpoint_size


def _droppable(handle: Handle, tail: Tail) -> bool:
    """Whether there are closed segments that are not stated as dropped yet."""
    return handle.numbers()[0] < tail.segment.number and (
        tail.dropped is None or tail.dropped.last < tail.seq - 1
    )


def _retire(handle: Handle) -> list[int]:
    """Return the segments that are closed by now, when what auth.json shows is not theirs alone."""
    with erasing.publishing(handle):
        _publish_all(handle)
        erasing.retire(handle, looked=True)
        return handle.numbers()[:-1]


def _publish_all(handle: Handle) -> None:
    """Publish, and look at the file that this replaced as well. Needs publish.lock."""
    publish_under_lock(handle)
    publish_under_lock(handle)
