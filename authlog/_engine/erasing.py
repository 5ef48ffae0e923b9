"""Erasing: superseded secrets leave the closed segments, whole segments leave the log.

What is still filed stands in the newest checkpoint, so nothing that a closed segment holds is
needed for it. The events stay, and their hashes and commitments with them; a segment that is
dropped was stated as dropped by a checkpoint before.
"""

import contextlib
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from authlog._engine import codec, files, log, rotation, snapshot
from authlog._engine.codec import NotWhole
from authlog._engine.handle import Handle
from authlog._engine.layout import is_being_written
from authlog.errors import AuthLogError, LogCorrupted

AT_ONCE = 2  # segments that one rotation erases: each closes one, so the next ones catch up


def without_secrets(path: Path, data: bytes, end: int, of: str | None = None) -> tuple[bytes, int]:
    """Return the lines before seq `end` without their secrets, or only without those `of` a
    provider; and how many of them lost one. Pure.

    Raises:
        LogCorrupted: a line is not whole.
        UnknownFormat: it is of a newer authlog.

    """
    kept: list[bytes] = []
    secrets, seq, offset = 0, 0, 0
    for raw in log.lines(data):
        try:
            line = log.decode(path, raw)
        except NotWhole as error:
            if seq == end - 1:
                break  # a torn tail, which a newer segment has left behind
            raise LogCorrupted(path, offset, seq, str(error)) from None
        seq, offset = line.public.seq, offset + len(raw)
        if seq >= end:
            break
        if line.value is None or not (of is None or line.value.get(of)):
            kept.append(raw)
        else:
            kept.append(codec.erased(raw))
            secrets += 1
    return b"".join(kept), secrets


@contextmanager
def publishing(handle: Handle) -> Generator[None]:
    """Hold publish.lock for as long as one segment takes, so that nobody waits for all of them."""
    handle.publish_lock.acquire(handle.lock_timeout)
    try:
        yield
    finally:
        handle.publish_lock.release()


class Closed(Struct, frozen=True):
    """A segment that has a successor, as it stands on disk: it ends before the seq `end`.

    `closed_at` is the time of the successor's checkpoint, as it stands in a line.
    """

    number: int
    data: bytes
    end: int
    closed_at: str

    def is_due(self, now_ns: int, retain: timedelta) -> bool:
        """Whether its secrets have been superseded for longer than that; for none means now."""
        oldest = now_ns - int(retain.total_seconds() * 1e9)
        return not retain or self.closed_at < codec.timestamp(oldest)


def closed(handle: Handle, number: int) -> Closed | None:
    """Return a closed segment, None if it is gone or the newest.

    Raises:
        LogCorrupted: its successor doesn't say where it ends.

    """
    following = min((other for other in handle.numbers() if other > number), default=None)
    data = files.read_file(handle.layout.segment(number))
    if following is None or data is None:
        return None
    path = handle.layout.segment(following)
    after = files.read_file(path) or b""
    end = log.first_line(path, after).public.seq
    for raw in log.lines(after):
        with contextlib.suppress(NotWhole):
            line = log.decode(path, raw)
            if log.carries_state(line):
                return Closed(number, data, end, line.public.time)
    raise LogCorrupted(path, 0, 0, "no checkpoint stands in it")


def erase(handle: Handle, found: Closed, of: str | None = None) -> int:
    """Rewrite a closed segment without its secrets and without what is behind its end; return how
    many lines lost one. Needs publish.lock.

    Raises:
        LogCorrupted, UnknownFormat: nothing was changed; see `without_secrets`.
        OSError: the disk refused; the segment is as it was, or its new form not known as durable.

    """
    path = handle.layout.segment(found.number)
    data, secrets = without_secrets(path, found.data, found.end, of)
    if data != found.data:
        rotation.write_segment(handle, found.number, data)
    return secrets


def retire(handle: Handle, *, looked: bool) -> bool:
    """Make sure that no file shows a state which only the segments closed so far know: erased, it
    would read as what another program wrote. Needs publish.lock, and a publish before.

    After a power cut auth.json is the file that its synced folder names. next.json is the one it
    replaced; False if that is still to be `looked` at.
    """
    layout, mark = handle.layout, handle.read_mark()
    files.sync_folder(layout.parent)
    replaced = snapshot.identity(files.stat(layout.next))
    if replaced is not None:
        if not looked and (mark is None or mark.before != replaced):
            return False
        files.unlink(layout.next)
        files.sync_folder(layout.folder)
    return True


def drop(handle: Handle) -> None:
    """Unlink the segments that the newest checkpoint states as dropped, from the lowest.

    Raises: as `closed`; OSError.
    """
    dropped = handle.tail.dropped if handle.tail else None
    gone = False
    for number in handle.numbers() if dropped else ():
        with publishing(handle):
            found = closed(handle, number)
            if found is None or dropped is None or found.end > dropped.last + 1:
                break
            files.unlink(handle.layout.segment(number))
            gone = True
    if gone:
        files.sync_folder(handle.layout.folder)


def tidy(handle: Handle, retain: timedelta) -> int:
    """Unlink what was kept in quarantine for longer than that, and what a killed process left of a
    segment; return how many files were in quarantine. Needs publish.lock.
    """
    layout = handle.layout
    for name in files.names(layout.folder):
        if is_being_written(name):
            files.unlink(layout.folder / name)
    kept = overdue(handle, retain)
    for path in kept:
        files.unlink(path)
    if kept:
        files.sync_folder(layout.quarantine)
    return len(kept)


def overdue(handle: Handle, retain: timedelta) -> list[Path]:
    """Return the files that were kept in quarantine for longer than that; for none means all."""
    folder = handle.layout.quarantine
    oldest = handle.world.now_ns() - int(retain.total_seconds() * 1e9)
    found = ((folder / name, files.stat(folder / name)) for name in sorted(files.names(folder)))
    return [path for path, stat in found if stat and (not retain or stat.st_mtime_ns < oldest)]


def sweep(handle: Handle) -> None:
    """After a rotation, do a little of what compaction does: see `AT_ONCE`.

    If that fails nobody needs to know: the next rotation goes on with it.
    """
    with contextlib.suppress(OSError, AuthLogError):
        drop(handle)
        begun = handle.tail.erased if handle.tail else 0
        for number in [number for number in handle.numbers() if number > begun][:AT_ONCE]:
            with publishing(handle):
                found = closed(handle, number)
                if found is None or not found.is_due(handle.world.now_ns(), rotation.RETENTION):
                    break
                if retire(handle, looked=False):
                    erase(handle, found)
        with publishing(handle):
            tidy(handle, rotation.RETENTION)
