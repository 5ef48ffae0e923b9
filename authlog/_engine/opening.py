"""The beginning of a log: its first event imports what auth.json holds."""

import contextlib
import time

from authlog._engine import codec, files, rotation, safety, snapshot
from authlog._engine.codec import Draft
from authlog._engine.handle import Handle
from authlog._engine.mark import Mark
from authlog._engine.publish import WRITING
from authlog._engine.snapshot import NO_DIGEST, Found, Reading
from authlog._engine.text import Undecodable
from authlog.errors import SnapshotCorrupted
from authlog.events import Event


def read_plain(handle: Handle) -> tuple[Found | None, Reading]:
    """Return auth.json as it is, and what it says: nothing if there is no file.

    Raises:
        SnapshotCorrupted: it is not a JSON object, and stays so for 0.1 s.
        UnsafePermissions: others could change it.

    """
    path = handle.layout.snapshot
    safety.check(path, files.stat(path))
    end = time.monotonic() + WRITING
    while True:
        found = snapshot.read(path)
        if found is None:
            return None, Reading({})
        try:
            return found, snapshot.parse(found.content)
        except Undecodable:
            if time.monotonic() >= end:
                raise SnapshotCorrupted(path) from None
        time.sleep(WRITING / 20)


def init(handle: Handle) -> Event | None:
    """Begin the log with the event `init`; None if another process began it first.

    Raises:
        LockTimeout, OSError, SnapshotCorrupted, UnsafePermissions: nothing was begun.

    """
    _make_folders(handle)
    handle.publish_lock.acquire(handle.lock_timeout)
    try:
        handle.append_lock.acquire(handle.lock_timeout)
        try:
            return None if handle.numbers() else _begin(handle)
        finally:
            handle.append_lock.release()
    finally:
        handle.publish_lock.release()


def _make_folders(handle: Handle) -> None:
    """Make the folders that are missing, 0700."""
    folder = handle.layout.folder
    missing = [path for path in (folder, *folder.parents) if files.stat(path) is None]
    safety.check_folder(handle.layout.parent)
    safety.check_folder(folder)
    for path in reversed(missing):
        with contextlib.suppress(FileExistsError):  # of another first process
            files.make_folder(path)


def _begin(handle: Handle) -> Event:
    found, said = read_plain(handle)
    draft = Draft(
        kind="init",
        id=handle.world.random(codec.ID_SIZE).hex(),
        value=said.filed,
        found=said.found,
    )
    line, public, hash = handle.encode_first(draft)
    rotation.write_segment(handle, 1, line)
    handle.sync_names()  # all of them: whoever made the folders may have been killed
    assert draft.id is not None
    identity = found.identity if found else None
    handle.move_mark(
        Mark(
            v=codec.VERSION,
            seq=1,
            segment=1,
            offset=len(line),
            hash=hash,
            boot=handle.boot,
            shown=1,
            digest=snapshot.digest(found.content, draft.id) if found else NO_DIGEST,
            before=identity,
            after=identity,
            owes=False,
        )
    )
    return codec.event_of(public, hash, erased=False)
