"""Rebuilding auth.json from a state: beside it first, then both names are exchanged in one step."""

import contextlib
import errno
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from authlog._engine import codec, files, snapshot
from authlog._engine import mark as marks
from authlog._engine.files import OpenFile
from authlog._engine.handle import Handle, View
from authlog._engine.log import Tail
from authlog._engine.mark import Mark
from authlog._engine.snapshot import NO_DIGEST, Found, Identity
from authlog.errors import NotMaterialized

AGE = 2_000_000_000  # ns by which our file is older than it is: any later write has another mtime


def show_again(handle: Handle, tail: Tail, mark: Mark) -> Mark | None:
    """Make auth.json show a tail while nobody appends, and return the mark; None if another program
    wrote into auth.json: that is to be told first. Needs both locks.

    Raises: as `Shower.show`.
    """
    shower = Shower(handle, mark)
    identity = snapshot.identity(files.stat(handle.layout.snapshot))
    if identity is not None and not shower.knows(identity):
        return None
    shower.see(identity)
    return shower.mark if shower.show(tail) else None


class Shower:
    """What one publish has seen of auth.json, and what it makes of it. Needs publish.lock.

    With `ready` auth.json gets a new file in any case, and `ready` is called with its path before
    it takes the place.
    """

    def __init__(
        self, handle: Handle, mark: Mark | None, ready: Callable[[Path], None] | None = None
    ) -> None:
        self.handle = handle
        self.mark = mark
        self.ready = ready
        self.seen: Identity | None = None
        self.digest: str | None = None
        self.foreign = False
        self._known: dict[Identity, str | None] = {}  # and the digest of what was read there
        self._generation = handle.generation

    # Looking

    def knows(self, identity: Identity) -> bool:
        """Whether a file of that identity needs no look: it is ours, or was told just now."""
        mark = self.mark
        return identity in self._known or (mark is not None and marks.is_ours(mark, identity))

    def account(self, found: Found, tail: Tail) -> None:
        """Note that the file was told, or says nothing."""
        self._known[found.identity] = snapshot.digest(found.content, tail.id)

    def is_shown(self, found: Found, tail: Tail) -> bool:
        """Whether the file holds the bytes that we published last: touched, copied or restored."""
        mark = self.mark
        return mark is not None and snapshot.digest(found.content, tail.id) == mark.digest

    def see(self, identity: Identity | None) -> None:
        """Take note of an auth.json that is known, or of none."""
        self.seen = identity
        if identity is None or self.mark is None or identity != self.mark.after:
            self.digest = self._known.get(identity) if identity else None
        else:
            self.digest = self.mark.digest

    def see_foreign(self, found: Found, tail: Tail) -> None:
        """Take note of an auth.json that another program wrote; its bytes are durable then."""
        self.foreign = True
        path = self.handle.layout.snapshot
        with contextlib.suppress(FileNotFoundError):
            file = OpenFile(path, files.READ)
            files.sync(file.fd)
        self.account(found, tail)
        self.see(found.identity)

    # Showing

    def show(self, tail: Tail) -> bool:
        """Make auth.json show the tail's state and move the mark to it.

        False if another program wrote in between: look again.

        Raises:
            NotMaterialized: the disk refused; the mark is moved, auth.json is as it was.
            OSError: the disk refused to move the mark.

        """
        assert tail.state is not None
        content = self.handle.indenter.content(tail.state.shown())
        digest = snapshot.digest(content, tail.id)
        try:
            if self.ready is None and self.seen is not None and self.digest == digest:
                self._keep(tail, digest)
            elif not self._replace(tail, content, digest):
                return False
        except OSError as error:
            if self.mark is None or self.mark.hash != tail.hash:
                raise  # not even the mark was moved: no reader would see the change
            raise NotMaterialized(self.handle.layout.snapshot, tail.seq, error.errno) from error
        assert self.mark is not None
        ours = self.mark.before, self.mark.after
        self.handle.see(View(marks.encode(self.mark), tail, ours))
        return True

    def _keep(self, tail: Tail, digest: str) -> None:
        if self.foreign:
            files.set_mode(self.handle.layout.snapshot, 0o600)
        before = self.mark.before if self.mark else None  # the file at next.json stays known
        mark = self._mark(tail, digest, before or self.seen, self.seen, owes=self.foreign)
        self._move(mark)
        self.pay(mark)

    def _replace(self, tail: Tail, content: bytes, digest: str) -> bool:
        try:
            after = self._write_next(content)
            if self.ready is not None:
                self.ready(self.handle.layout.next)
        except OSError:
            self.leave(tail)
            raise
        shown = self.mark.shown if self.mark else 0
        owes = self.foreign or self.seen is None or tail.spent > shown
        mark = self._mark(tail, digest, self.seen, after, owes=owes)
        self._move(mark)
        try:
            if not self._exchange():
                return False
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EXDEV):
                raise
            mark = self._write_in_place(tail, content, digest)
        self.pay(mark)
        return True

    def _write_next(self, content: bytes) -> Identity | None:
        path = self.handle.layout.next
        with contextlib.suppress(FileNotFoundError):
            files.unlink(path)
        file = OpenFile(path, files.WRITE | files.NEW)
        files.write_all(file.fd, content)
        files.set_mtime(file.fd, path, self.handle.world.now_ns() - AGE)
        files.sync(file.fd)
        return snapshot.identity(files.stat_open(file.fd))

    def _exchange(self) -> bool:
        """Put next.json in the place of auth.json; False if that wasn't what was seen."""
        layout = self.handle.layout
        try:
            if self.seen is None:
                files.rename_new(layout.next, layout.snapshot)
                return True
            files.exchange(layout.next, layout.snapshot)
        except (FileExistsError, FileNotFoundError):
            return False
        except OSError as error:
            if error.errno not in files.NO_SUCH_CALL:
                raise
            if snapshot.identity(files.stat(layout.snapshot)) != self.seen:
                return False
            files.rename(layout.next, layout.snapshot)
            return True
        return snapshot.identity(files.stat(layout.next)) == self.seen

    def _write_in_place(self, tail: Tail, content: bytes, digest: str) -> Mark:
        """Overwrite a file that can't be renamed onto: one that is mounted by itself.

        While that goes on readers may see half of it. The log is the truth, and the mark says that
        whatever stands there is ours and has yet to be written. Here it is synced: after a power
        cut half old, half new may well be a JSON object.
        """
        path = self.handle.layout.snapshot
        file = OpenFile(path, files.WRITE)
        now = snapshot.identity(files.stat_open(file.fd))
        assert now is not None
        self._move(self._mark(tail, digest, self.seen, marks.being_written(now), owes=False))
        self.handle.sync_mark()
        offset = 0
        while offset < len(content):
            offset += files.write_at(file.fd, content[offset:], offset)
        files.truncate(file.fd, len(content))
        files.set_mtime(file.fd, path, self.handle.world.now_ns() - AGE)
        files.sync(file.fd)
        after = snapshot.identity(files.stat_open(file.fd))
        mark = self._mark(tail, digest, after, after, owes=False)
        self._move(mark)
        self.handle.sync_mark()
        return mark

    # The mark

    def leave(self, tail: Tail) -> None:
        """Move the mark to the tail; auth.json is left as it is, and so is what the mark says.

        An auth.json that nobody looked at since a boot stays so: the mark keeps that boot.
        """
        mark = self.mark
        if mark is None:
            moved = self._mark(tail, NO_DIGEST, None, None, owes=False)
            self._move(msgspec.structs.replace(moved, shown=0, boot=None))
        else:
            self._move(
                msgspec.structs.replace(
                    mark,
                    seq=tail.seq,
                    segment=tail.segment.number,
                    offset=tail.offset,
                    hash=tail.hash,
                )
            )

    def pay(self, mark: Mark) -> None:
        """Sync auth.json's folder if the mark owes it."""
        if mark.owes:
            files.sync_folder(self.handle.layout.parent)
            self._move(msgspec.structs.replace(mark, owes=False))

    def _mark(
        self,
        tail: Tail,
        digest: str,
        before: Identity | None,
        after: Identity | None,
        *,
        owes: bool,
    ) -> Mark:
        return Mark(
            v=codec.VERSION,
            seq=tail.seq,
            segment=tail.segment.number,
            offset=tail.offset,
            hash=tail.hash,
            boot=self.handle.boot,
            shown=tail.seq,
            digest=digest,
            before=before,
            after=after,
            owes=owes,
        )

    def _move(self, mark: Mark) -> None:
        if self.handle.generation != self._generation:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))  # the folder was replaced
        if mark != self.mark:
            self.handle.move_mark(mark)
            self.mark = mark
