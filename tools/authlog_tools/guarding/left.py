"""What a guard that was killed has left: files that it replaced, and a copy that was ready."""

import contextlib

from authlog import AuthLog
from authlog_tools.guarding.holder import Holder
from authlog_tools.guarding.places import Places
from authlog_tools.guarding.report import Report


def tell(log: AuthLog, places: Places, report: Report) -> None:
    """Tell what was written into files that were replaced, and remove all.

    Needs the guard's lock. Raises: as `AuthLog.tell`.
    """
    for path, was in places.left():
        found = path.stat()
        if found.st_ino == was.inode and found.st_mtime_ns != was.mtime:
            event = log.tell(path.read_bytes(), writer=None, stat=found)
            if event is not None:
                report.told += 1
                report.say(f"left by another guard: event {event.seq}, {event.kind}")
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def clear(log: AuthLog) -> None:
    """Do it if there is anything, and no guard at work.

    One that works keeps no file for longer than a second after it was replaced.
    """
    places = Places(log.path)
    if places.folder.exists() and places.left():
        lock = Holder(places.lock)
        if lock.take():
            tell(log, places, Report(verbose=False))
        lock.close()
