"""Reading without a lock, and without creating anything.

What is answered is what was published, never what a power cut could take back. While the mark and
auth.json are as remembered, that is one `pread` and one `stat`.
"""

import contextlib
import errno
from collections.abc import Callable
from typing import TypeVar

import msgspec

from authlog._engine import files, log, safety, snapshot
from authlog._engine import mark as marks
from authlog._engine.files import OpenFile, Stat
from authlog._engine.handle import Handle, NoLog, View
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.publish import publish
from authlog._engine.snapshot import Found
from authlog.errors import AuthLogError, LockTimeout, LogCorrupted, NotMaterialized

T = TypeVar("T")

ONLY_READ = (errno.EACCES, errno.EPERM, errno.EROFS)
FOREIGN_WAIT = 0.1  # s that a reader waits to have a foreign write told; it answers without it then
CHECK_EVERY = 1.0  # s between two looks whether the folder was replaced
TRIES = 100  # of a reader that always finds the mark moved on


def read(handle: Handle) -> View:
    """Return what was published.

    Raises:
        NoLog: there is no log.
        LogCorrupted, UnknownFormat: it can't be read.
        LockTimeout: after a boot, another process kept recovering for too long.

    """
    view, file = handle.view, handle.mark_file
    if view is not None and file is not None:
        raw = files.read(file.fd, marks.SIZE, 0)
        stat = files.stat(handle.layout.snapshot)
        if raw == view.raw and snapshot.identity(stat) in view.ours and _still_there(handle):
            return view
    return _read_anew(handle)


def look_back(handle: Handle, look: Callable[[Tail], T]) -> T:
    """Return what `look` finds behind what was published; a compaction in another process may drop
    old segments under its eyes, and then it looks again.

    Raises: as `read`.
    """
    while True:
        tail = read(handle).tail
        try:
            return look(tail)
        except LogCorrupted:
            if read(handle).tail.dropped == tail.dropped:
                raise


def _still_there(handle: Handle) -> bool:
    """Whether published.json is the file that is open; looked at once a second."""
    now = handle.world.ticks()
    if now - handle.checked < CHECK_EVERY:
        return True
    handle.checked = now
    return _is_open(handle)


def _is_open(handle: Handle) -> bool:
    """Whether it is; if not, everything that was read is forgotten."""
    there, file = files.stat(handle.layout.mark), handle.mark_file
    if there and file and there.st_ino == files.stat_open(file.fd).st_ino:
        return True
    handle.forget()
    return False


def _read_anew(handle: Handle) -> View:
    if handle.mark_file is not None:
        _is_open(handle)
    for _ in range(TRIES):
        mark, raw = _mark(handle)
        if mark is None or _needs_recovery(handle, mark):
            return _recover(handle)
        try:
            tail = _fold_to(handle, mark)
        except LogCorrupted:
            if max(handle.numbers(), default=0) > mark.segment:
                return _recover(handle)  # of a repair that was killed before it moved the mark
            if _mark(handle)[1] == raw:
                raise
            continue
        stat = files.stat(handle.layout.snapshot)
        if marks.is_ours(mark, snapshot.identity(stat)) or _mark(handle)[1] == raw:
            return _look(handle, mark, View(raw, tail, (mark.before, mark.after)), stat)
    raise LogCorrupted(handle.layout.mark, 0, 0, "it moves on whenever it is read")


def _mark(handle: Handle) -> tuple[Mark | None, bytes]:
    """Return the mark and its bytes; three looks, since it may be read while it is written."""
    raw = b""
    for _ in range(3):
        file = handle.mark_file
        if file is None:
            try:
                file = OpenFile(handle.layout.mark, files.READ)
            except (FileNotFoundError, NotADirectoryError):
                break
            safety.check(handle.layout.mark, files.stat_open(file.fd))
            handle.mark_file = file
        raw = files.read(file.fd, marks.SIZE, 0)
        if mark := marks.decode(raw):
            return mark, raw
        handle.mark_file = None
    return None, raw


def _needs_recovery(handle: Handle, mark: Mark) -> bool:
    """Whether a crash may have left more than the mark knows of: it is of another boot."""
    if mark.boot is not None and mark.boot == handle.boot:
        return False
    newest = max(handle.numbers(), default=0)
    if mark.segment > newest:
        path = handle.layout.segment(mark.segment)
        raise LogCorrupted(path, 0, 0, "the mark names this segment, and it is missing")
    stat = files.stat(handle.layout.segment(mark.segment))
    return mark.segment < newest or stat is None or stat.st_size > mark.offset


def _recover(handle: Handle) -> View:
    """Publish what is there, and answer that; a store that can't be written is only read."""
    marked = files.stat(handle.layout.mark)  # before the segments: who begins a log makes it last
    if not handle.numbers():
        if marked:
            raise LogCorrupted(handle.layout.segment(1), 0, 0, "the segment is missing")
        raise NoLog
    try:
        publish(handle)
    except NotMaterialized:
        pass  # what is asked for is in the log
    except OSError as error:
        if isinstance(error, LockTimeout) or error.errno not in ONLY_READ:
            raise
        return _only_read(handle)
    mark, raw = _mark(handle)
    if mark is None:
        return _only_read(handle)
    return handle.see(View(raw, _fold_to(handle, mark), (mark.before, mark.after)))


def _only_read(handle: Handle) -> View:
    """Return what stands in a store that this user may not write: up to the last right line.

    Raises:
        LogCorrupted: see `log.torn_tail`.

    """
    mark, _ = _mark(handle)
    segment = handle.open_segment(max(handle.numbers()), files.READ)
    tail, rest = log.fold(Tail(segment), files.read_all(segment.file.fd))
    log.torn_tail(tail, rest, marks.floor(mark, segment.number))
    return View(b"", tail, ())


def _fold_to(handle: Handle, mark: Mark) -> Tail:
    """Return the tail that the mark points to.

    Raises:
        LogCorrupted: what stands there is not what the mark says.

    """
    view = handle.view
    if view and view.tail.segment.number == mark.segment and view.tail.offset <= mark.offset:
        tail = _fold(view.tail, mark)
        if tail.hash == mark.hash and tail.state is not None:
            return tail
    tail = _fold(Tail(handle.open_segment(mark.segment, files.READ)), mark)
    if tail.hash != mark.hash or tail.state is None:
        reason = f"event {mark.seq} was published and is not here"
        raise LogCorrupted(tail.segment.path, tail.offset, tail.seq, reason)
    return tail


def _fold(tail: Tail, mark: Mark) -> Tail:
    data = files.read(tail.segment.file.fd, mark.offset - tail.offset, tail.offset)
    return log.fold(tail, data)[0]


def _look(handle: Handle, mark: Mark, view: View, stat: Stat | None) -> View:
    """Return the view after a look at auth.json; what another program wrote is told first."""
    safety.check(handle.layout.snapshot, stat)
    identity = snapshot.identity(stat)
    if marks.is_ours(mark, identity):
        return handle.see(view)
    found = snapshot.read(handle.layout.snapshot)
    if found and snapshot.digest(found.content, view.tail.id) == mark.digest:
        return handle.see(msgspec.structs.replace(view, ours=(*view.ours, found.identity)))
    with contextlib.suppress(AuthLogError, OSError):
        publish(handle, timeout=FOREIGN_WAIT)
        published, raw = _mark(handle)
        if published is not None:
            tail = _fold_to(handle, published)
            return handle.see(View(raw, tail, (published.before, published.after)))
    return view


def shown_despite(handle: Handle, error: LogCorrupted) -> dict[str, bytes]:
    """Return the entries of an auth.json that shows all that was published, of a damaged log.

    Raises:
        LogCorrupted: `error`, if auth.json is not known to.

    """
    mark, _ = _mark(handle)
    found = snapshot.read(handle.layout.snapshot)
    if mark is None or found is None or mark.shown != mark.seq:
        raise error
    if mark.after != found.identity and _digest(handle, mark, found) != mark.digest:
        raise error
    return snapshot.parse(found.content).entries


def _digest(handle: Handle, mark: Mark, found: Found) -> str | None:
    """Return the digest of auth.json, if the log's id stands in the damaged segment's first line.

    Raises:
        LogCorrupted: it does not.

    """
    path = handle.layout.segment(mark.segment)
    line = log.first_line(path, files.read_file(path) or b"")
    return snapshot.digest(found.content, line.public.id) if line.public.id else None
