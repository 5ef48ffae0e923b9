"""The gate: each program that opens auth.json for writing gets a file of its own.

The kernel holds it in `open`, as we have a lease on that file. A spare with the same bytes takes
the place of the file, by one exchange, and then the lease is let go: what is written goes into the
file that was auth.json, where it is read. Nobody is held longer than that takes.
"""

import contextlib
import os
import signal
import time

from authlog_tools.guarding import kernel
from authlog_tools.guarding.deadline import Deadline
from authlog_tools.guarding.kernel import CLOSE_WRITE, MODIFY, OPEN, OVERFLOW
from authlog_tools.guarding.leased import Leased
from authlog_tools.guarding.messages import Made, Rebuild, Sync, Told, ToTeller, Vain, Wrote
from authlog_tools.guarding.places import Places
from authlog_tools.guarding.replaced import Reading, Replaced
from authlog_tools.guarding.report import Report

LINGER = 1.0  # s for which a replaced file is kept: a writer may have resolved the path before
LINGERING = 64  # replaced files that are kept at a time
BUSY = 0.01  # s after which a message is tried again to be sent
QUIET = 0.1  # s without a change after which is told what a writer left that stays
FRESH = 1_000_000_000  # ns: a younger file was not made by authlog, which makes them older

_IN_PLACE = kernel.MOVED_TO | kernel.MOVED_FROM | kernel.CREATE | kernel.DELETE | CLOSE_WRITE


class Gate:
    """Stands before one auth.json; all of it runs on one thread."""

    def __init__(self, places: Places, teller: ToTeller, report: Report) -> None:
        self._path = places.snapshot
        self._places = places
        self._teller = teller
        self._report = report
        self._deadline = Deadline(report)
        self._deadline.start()
        self._current: Leased | None = None  # probably auth.json: it is looked at first
        self._files: dict[int, Leased] = {}  # by inode: all that are leased
        self._replaced: dict[int, Replaced] = {}  # by watch: those with writers in them
        self._until: dict[int, float] = {}  # when to forget one that is not auth.json any more
        self._inotify = kernel.Inotify()
        self._folder = self._inotify.folder(self._path.parent, _IN_PLACE | kernel.ATTRIB)
        # Two watches see each of these, so that no two equal events stand together and become one.
        self._inotify.folder(places.folder, CLOSE_WRITE | OPEN)
        self._inotify.folder(places.folder.parent, CLOSE_WRITE)

    def wait(self, timeout: float) -> None:
        """Wait until something happens, and do what is to be done."""
        self.step()
        if self._teller.busy:
            self._teller.flush()
            timeout = min(timeout, BUSY)
        if signal.sigtimedwait({signal.SIGIO}, timeout) is not None:
            self._let_in_at_once()

    @property
    def stands(self) -> bool:
        """Whether auth.json is leased."""
        return any(file.is_at(self._path) for file in self._files.values())

    @property
    def has_writers(self) -> bool:
        """Whether somebody has a file open that was replaced."""
        return bool(self._replaced)

    def finish(self) -> None:
        """Hold nobody up any more, and wait until the teller has told all and ended.

        It waits for nothing but us: to take what it has made.
        """
        ended = False
        with contextlib.suppress(EOFError):
            while True:
                self._take_over()
                for file in self._files.values():
                    file.release()
                self._teller.flush()
                if not ended and not self._teller.busy:
                    self._teller.end()
                    ended = True
                signal.sigtimedwait({signal.SIGIO}, BUSY)

    def leave(self) -> None:
        """Close all files, and remove those that stand beside auth.json."""
        for file in self._files.values():
            self._close(file)
        for replaced in self._replaced.values():
            replaced.file.close()

    def step(self) -> None:
        """Do what is to be done, without waiting."""
        self._let_in()
        self._see()
        for replaced in list(self._replaced.values()):
            replaced.look()
            self._settle(replaced)
        self._prepare()
        self._forget()

    # Letting writers in

    def _let_in_at_once(self) -> None:
        """Let those in who wait for auth.json: who comes meanwhile gets the same file."""
        while self._current is not None and self._current.is_breaking():
            self._give(self._current)

    def _let_in(self) -> None:
        self._let_in_at_once()
        self._take_over()
        for file in list(self._files.values())[::-1]:  # the newest is the likeliest
            if file.is_breaking():
                self._give(file)

    def _take_over(self) -> None:
        while (received := self._teller.receive()) is not None:
            match received:
                case Made(shown), [descriptor, spare]:
                    file = Leased(self._path, descriptor, shown=shown, leased=True)
                    place = self._places.replaced(file.was)
                    file.spare = Leased(place, spare, shown=shown, leased=True)
                    self._files[file.was.inode] = self._current = file
                case Told(), _:
                    self._report.told += 1
                case Vain(), _:
                    self._report.collision(
                        f"a program changed nothing in {self._path}, which did not show the newest "
                        "logins yet: a logout from one, 1 of their writes may be lost",
                        1,
                    )
                case _:
                    raise AssertionError(received)

    def _give(self, file: Leased) -> None:
        """Give a file to those who wait for it, after another has taken its place."""
        self._deadline.begin(file)
        try:
            if file is self._current or file.is_at(self._path):
                self._swap(file)
            watch = self._inotify.file(file.descriptor, MODIFY | CLOSE_WRITE | OPEN)
        finally:
            file.release()
        self._deadline.end()
        del self._files[file.was.inode]
        self._replaced[watch] = Replaced(file, watch)

    def _swap(self, file: Leased) -> None:
        """Put the spare in the file's place."""
        place = self._places.replaced(file.was)
        try:
            spare, file.spare = file.spare or file.copied(place, os.getpid()), None
            kernel.exchange(os.fsencode(place), os.fsencode(self._path))
        except OSError as error:
            self._report.collision(
                f"no file could take the place of {self._path} ({error.strerror}), "
                "1 of their writes may be lost",
                1,
            )
            return
        if not file.is_at(place):
            # Another authlog has published in between: what it made is newer.
            kernel.exchange(os.fsencode(place), os.fsencode(self._path))
            self._files[spare.was.inode] = spare
            return
        file.path, spare.path = place, self._path
        self._files[spare.was.inode] = self._current = spare
        self._teller.send(Sync())

    def _prepare(self) -> None:
        """Have a spare ready for who comes next."""
        file = self._current
        if file is not None and file.leased and file.spare is None:
            with contextlib.suppress(OSError):  # it is tried again when it is needed, and said then
                file.spare = file.copied(self._places.replaced(file.was), os.getpid())

    # What happens

    def _see(self) -> None:
        for watch, events, name in self._inotify.read():
            self._happened(watch, events, name)

    def _happened(self, watch: int, events: int, name: bytes) -> None:
        if events & OVERFLOW:
            self._report.collision("too much happened at once to be seen", 0)
            self._look()
        elif watch == self._folder:
            if name == os.fsencode(self._path.name):
                if events & CLOSE_WRITE:
                    self._wrote_before()
                self._look()
        elif (replaced := self._replaced.get(watch)) is not None:
            replaced.opens += bool(events & OPEN)
            replaced.closes += bool(events & CLOSE_WRITE)
            replaced.look()

    def _wrote_before(self) -> None:
        """Report a write into auth.json itself: it was there before we had the lease.

        That is a moment after another authlog has published; two writes in it look like one.
        """
        self._report.collision(
            f"programs wrote into {self._path} before it was leased, 1 of their writes may be lost",
            1,
        )

    def _look(self) -> None:
        """See which file stands in auth.json's place."""
        try:
            found = os.stat(self._path, follow_symlinks=False)
        except FileNotFoundError:
            self._teller.send(Rebuild())
            return
        self._take_over()  # now: what stands there was handed over before it came there
        if found.st_mode & 0o7777 != 0o600:
            os.chmod(self._path, 0o600)
        if found.st_ino in self._files or any(
            replaced.file.was.inode == found.st_ino for replaced in self._replaced.values()
        ):
            return
        self._meet()

    def _meet(self) -> None:
        """Take a file under guard that another program put there."""
        try:
            file = Leased.at(self._path, os.getpid())
        except FileNotFoundError:
            return  # the next event tells
        if not file.leased:
            watch = self._inotify.file(file.descriptor, MODIFY | CLOSE_WRITE | OPEN)
            self._replaced[watch] = Replaced(file, watch)
            self._teller.send(Rebuild())
            return
        self._files[file.was.inode] = self._current = file
        if time.time_ns() - file.was.mtime < FRESH:
            self._teller.send(Rebuild())

    # What was written

    def _settle(self, replaced: Replaced) -> None:
        now = time.monotonic()
        if replaced.closes or now - replaced.tried > QUIET:
            replaced.tried = now
            if replaced.file.lease_again():
                self._closed(replaced)
                return
        if now - replaced.changed > QUIET:
            for reading in replaced.take(closed=False):
                self._tell(replaced, reading)

    def _closed(self, replaced: Replaced) -> None:
        """Have all told that was seen in a file, now that nobody has it open for writing."""
        file = replaced.file
        self._see()  # the last close may have come after we looked
        del self._replaced[replaced.watch]
        self._inotify.forget(replaced.watch)
        replaced.look()
        for reading in replaced.take(closed=True):
            self._tell(replaced, reading)
        if replaced.unseen:
            self._report.collision(
                f"{replaced.writers} writers met in {self._path}, "
                f"{replaced.unseen} of their writes may be lost",
                replaced.unseen,
            )
        self._files[file.was.inode] = file

    def _tell(self, replaced: Replaced, reading: Reading) -> None:
        content, stat = reading
        identity = stat.st_ino, stat.st_mtime_ns, stat.st_size
        self._teller.send(Wrote(content, identity, replaced.file.shown))

    def _forget(self) -> None:
        """Close what is not auth.json any more, when nobody will write to it any more."""
        now = time.monotonic()
        for inode, file in list(self._files.items()):
            until = self._until.setdefault(inode, now + LINGER)
            if now < until and len(self._files) <= LINGERING:
                continue
            del self._until[inode]
            if file.is_at(self._path):
                continue
            del self._files[inode]
            self._close(file)

    def _close(self, file: Leased) -> None:
        file.close()
        if file.spare is not None:
            file.spare.close()
            file.spare.path.unlink(missing_ok=True)
        if file.path != self._path:
            file.path.unlink(missing_ok=True)
