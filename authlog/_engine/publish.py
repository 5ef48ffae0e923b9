"""Publish: make events durable, materialize them, move the mark.

One publish covers every append before it, so that many processes share one sync. All of it is done
under publish.lock, in the order of DESIGN section 4. Recovery is this and nothing else.
"""

import time
from collections.abc import Callable
from pathlib import Path

from authlog._engine import erasing, files, log, rotation, snapshot, telling
from authlog._engine import mark as marks
from authlog._engine.handle import Appended, Handle
from authlog._engine.mark import Mark
from authlog._engine.materialize import Shower
from authlog._engine.snapshot import Found, Identity
from authlog._engine.text import Undecodable
from authlog.errors import LockTimeout, NotMaterialized, NotWritten
from authlog.events import Event

ROUNDS = 3  # looks at auth.json in one publish: another program may write on and on
TRIES = 2  # publishes in a row: what was written last is told by the one that comes next
WRITING = 0.1  # s that an auth.json may be unreadable because it is just being written


class Gone(Exception):
    """The appended line is not in the log and never will be."""


def publish(
    handle: Handle,
    mine: Appended | None = None,
    timeout: float | None = None,
    ready: Callable[[Path], None] | None = None,
) -> list[Event]:
    """Return when everything appended so far, `mine` with it, is durable and shown.

    `ready`: see `Shower`.

    Waits for publish.lock up to `timeout` seconds, `lock_timeout` if it is None, and returns
    without it if another process publishes `mine` meanwhile. Returns what foreign writes were told
    as on the way.

    Raises:
        NoLog: there is no segment.
        Gone: `mine` is not in the log.
        LockTimeout: another process held the lock too long.
        OSError: the disk refused the sync and a new segment too.
        NotMaterialized: durable, but auth.json could not be rebuilt.
        LogCorrupted, UnknownFormat: see `Handle.appending`.

    """
    wait = handle.lock_timeout if timeout is None else timeout
    told: list[Event] = []
    for _ in range(TRIES):
        if not handle.publish_lock.acquire(wait, lambda: _acknowledged(handle, mine)):
            break
        try:
            done = _Publish(handle, told, ready)
            looked = done.run(mine)
        finally:
            handle.publish_lock.release()
        if done.rotated:
            erasing.sweep(handle)
        if looked:
            break
    return told


def publish_under_lock(handle: Handle) -> None:
    """Do it while the caller holds publish.lock; raises as `publish`."""
    any(_Publish(handle, []).run(None) for _ in range(TRIES))


def _acknowledged(handle: Handle, mine: Appended | None) -> bool:
    """Whether another process has published `mine`: what step 1 asks, asked without the lock."""
    file = handle.mark_file
    if mine is None or file is None:
        return False
    mark = marks.decode(files.read(file.fd, marks.SIZE, 0))
    return (
        mark is not None and not mark.owes and _covers(handle, mark, mine) and handle.contains(mine)
    )


def _covers(handle: Handle, mark: Mark, mine: Appended) -> bool:
    """Whether the mark says that `mine` is durable and shown, and auth.json bears it out."""
    return (
        mark.boot is not None
        and mark.boot == handle.boot
        and mark.shown >= mine.seq
        and (mark.segment, mark.offset) >= (mine.segment.number, mine.end)
        and mark.after is not None
        and snapshot.identity(files.stat(handle.layout.snapshot)) == mark.after
    )


class _Publish:
    """One publish, under publish.lock."""

    def __init__(
        self, handle: Handle, told: list[Event], ready: Callable[[Path], None] | None = None
    ) -> None:
        self.handle = handle
        self.told = told
        self.shower = Shower(handle, handle.read_mark(), ready)
        self.tail = handle.newest(self.shower.mark)
        self.rotated = False

    def run(self, mine: Appended | None) -> bool:
        """Do it; False if auth.json was written again and again, and still is to be looked at."""
        handle, mark = self.handle, self.shower.mark
        if mine is not None:
            if not handle.contains(mine):
                raise Gone
            if mark is not None and _covers(handle, mark, mine):
                self.shower.pay(mark)
                return True
        self.first_look = handle.is_first_look(mark)
        self._recover(mark)
        self._make_durable()
        for _ in range(ROUNDS):
            self._look()
            if self.shower.show(self.tail):
                self.rotated = rotation.rotate_if_due(handle, self.tail, self.shower.mark)
                return True
        return False

    def _recover(self, mark: Mark | None) -> None:
        """Make the names durable that a crash may have left undone; judge and cut its tail."""
        handle, layout = self.handle, self.handle.layout
        if mark is None:
            handle.sync_names()
        elif mark.segment < self.tail.segment.number:
            files.sync_folder(layout.folder)
        if self.first_look:
            with handle.appending():
                pass
        if handle.syncing():
            # The kernel reports a failed sync once, and whoever it was reported to is gone.
            self._next_segment()

    def _next_segment(self) -> None:
        self.tail, self.shower.mark = rotation.next_segment(self.handle, self.shower.mark)

    def _make_durable(self) -> None:
        """Sync what was appended up to now: that, and not what comes later, is published."""
        handle, mark = self.handle, self.shower.mark
        tail, rest = log.read_to_end(handle.tail or self.tail)
        floor = marks.floor(mark, tail.segment.number)
        log.torn_tail(tail, rest, floor)
        self.tail = handle.tail = tail
        if mark is not None and floor and mark.offset == tail.offset:
            return
        handle.say_syncing(True)
        try:
            files.sync(tail.segment.file.fd)
        except OSError:
            self._next_segment()
        else:
            handle.say_syncing(False)

    def _look(self) -> None:
        """Tell what other programs wrote into auth.json, and into the file it replaced."""
        handle, shower = self.handle, self.shower
        before = len(self.told)
        identity, found = self._unknown(handle.layout.snapshot)
        if found is None:
            shower.see(identity)
        elif shower.is_shown(found, self.tail):
            shower.account(found, self.tail)
            shower.see(found.identity)
        else:
            shower.see_foreign(found, self.tail)
            self._tell(found, replaced=False)
        _, replaced = self._unknown(handle.layout.next)
        if replaced is not None:
            self._tell(replaced, replaced=True)
        if len(self.told) > before:
            self._make_durable()

    def _unknown(self, path: Path) -> tuple[Identity | None, Found | None]:
        """Return which file stands at `path`; and what, if it is neither ours nor looked at yet."""
        identity = snapshot.identity(files.stat(path))
        if identity is None or self.shower.knows(identity):
            return identity, None
        end = time.monotonic() + WRITING
        while True:
            found = snapshot.read(path)
            try:
                if found is not None:
                    snapshot.parse(found.content)
                return identity, found
            except Undecodable:
                if time.monotonic() >= end:
                    return identity, found
            time.sleep(WRITING / 20)

    def _tell(self, found: Found, *, replaced: bool) -> None:
        handle = self.handle
        try:
            appended = telling.tell(
                handle,
                self.tail,
                self.shower.mark,
                found,
                first_look=self.first_look,
                replaced=replaced,
            )
        except (NotWritten, LockTimeout) as error:
            self.shower.leave(self.tail)
            number = error.errno if isinstance(error, NotWritten) else None
            raise NotMaterialized(handle.layout.snapshot, self.tail.seq, number) from error
        self.shower.account(found, self.tail)
        if appended is not None and appended.event is not None:
            self.told.append(appended.event)
