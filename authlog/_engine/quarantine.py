"""Keeping what was damaged, before anything is done to it."""

import contextlib
from pathlib import Path

from authlog._engine import codec, files
from authlog._engine.layout import Layout
from authlog._engine.log import Tail


def torn_tail(layout: Layout, tail: Tail, torn: bytes) -> Path:
    """Return where the bytes behind a tail are kept: the same bytes in the same place once."""
    return layout.torn_tail(tail.segment.number, tail.offset, codec.digest(torn)[:16])


def unreadable_snapshot(layout: Layout, content: bytes) -> Path:
    """Return where the bytes of an unreadable snapshot are kept."""
    return layout.unreadable_snapshot(codec.digest(content)[:16])


def damaged_segment(layout: Layout, number: int, data: bytes) -> Path:
    """Return where the bytes of a damaged segment are kept."""
    return layout.damaged_segment(number, codec.digest(data)[:16])


def replaced_mark(layout: Layout, raw: bytes) -> Path:
    """Return where the mark of a log is kept that a repair gives another one."""
    return layout.replaced_mark(codec.digest(raw)[:16])


def replaced_snapshot(layout: Layout, content: bytes) -> Path:
    """Return where the bytes of a next.json are kept of which nobody knows any more whose it is."""
    return layout.replaced_snapshot(codec.digest(content)[:16])


def keep(layout: Layout, path: Path, data: bytes) -> None:
    """Return when the bytes are durable at `path`, also if they were there before.

    A power cut in between leaves no more than a file to be written again.
    """
    with contextlib.suppress(FileExistsError):
        files.make_folder(layout.quarantine)
    file = files.OpenFile(path, files.WRITE | files.CREATE)
    if files.read_all(file.fd) != data:
        files.truncate(file.fd, 0)
        files.write_all(file.fd, data)
    files.sync(file.fd)
    files.sync_folder(layout.quarantine)
    files.sync_folder(layout.folder)
