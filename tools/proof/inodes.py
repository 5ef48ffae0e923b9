"""Files and folders in memory: what the kernel shows, and what a power cut may leave of it.

What POSIX promises and no more. Of a file: bytes and size as of its last sync; of what was written
later each sector is old, new or garbage, and the file ends anywhere. Its time and mode may always
be lost: fdatasync needn't save them. Of a name: any of the files that it led to since its folder's
last sync, each name by itself, so that half of an exchange may survive. To sync a file saves no
name.

A sync that fails is reported once: the kernel takes the pages for clean, and later syncs say that
all is well although these bytes may be lost.
"""

import stat as modes
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, Protocol, TypeVar

from msgspec import Struct

SECTOR = 512  # bytes that a disk writes whole or not at all
DURABLE = -1  # the step of whatever can't be lost any more

T = TypeVar("T")
What = Literal["data", "size", "time", "name"]


class Decide(Protocol):
    """What a power cut leaves: decides on one of several outcomes.

    Each comes with the step that led to it; the first is that nothing of the change survives.
    `where` is the path of the file or of the name.
    """

    def __call__(self, what: What, where: Path, outcomes: Sequence[tuple[int, T]], /) -> T:
        """Return one of the outcomes."""
        ...


class Change(Struct):
    """A write at `offset`, or without data a truncation to `offset`, by the step `when`."""

    when: int
    offset: int
    data: bytes | None
    fate: Literal["pending", "synced", "lost"] = "pending"

    def apply(self, content: bytearray) -> None:
        """Do it to the content."""
        content.extend(bytes(max(self.offset - len(content), 0)))
        if self.data is None:
            del content[self.offset :]
        else:
            content[self.offset : self.offset + len(self.data)] = self.data

    def parts(self) -> Iterator["Change"]:
        """Yield what of it survives by itself: what lies in one sector."""
        if self.data is None:
            yield self
            return
        start, end = self.offset, self.offset + len(self.data)
        while start < end:
            stop = min(start - start % SECTOR + SECTOR, end)
            yield Change(self.when, start, self.data[start - self.offset : stop - self.offset])
            start = stop

    def outcomes(self) -> list[tuple[int, "Change | None"]]:
        """Return what may become of it: not done, garbage, done."""
        if self.data is None:
            return [(DURABLE, None), (self.when, self)]
        garbage = Change(self.when, self.offset, bytes(byte ^ 0x5A for byte in self.data))
        return [(DURABLE, None), (DURABLE, garbage), (self.when, self)]


class File:
    """A file: `data` is what the kernel shows, `durable` what was synced before any `changes`.

    `attributes` are the mtime in ns and the mode: the first that are durable, and the last.
    """

    def __init__(self, number: int, when: int, attributes: tuple[int, int]) -> None:
        self.number = number
        self.data = bytearray()
        self.durable = b""
        self.changes: list[Change] = []
        self.attributes = [(when, attributes)]
        self.holder: int | None = None  # the descriptor that has it locked

    @property
    def mtime(self) -> int:
        """When it was last written, in ns since 1970."""
        return self.attributes[-1][1][0]

    @property
    def mode(self) -> int:
        """Its type and permissions."""
        return self.attributes[-1][1][1]

    def change(self, change: Change, mtime: int) -> None:
        """Write or truncate."""
        self.changes.append(change)
        change.apply(self.data)
        self.touch(change.when, mtime, self.mode)

    def touch(self, when: int, mtime: int, mode: int) -> None:
        """Set the attributes."""
        self.attributes[1:] = [(when, (mtime, mode))]

    def sync(self) -> None:
        """Make durable what no failed sync has let go."""
        for change in self.changes:
            if change.fate == "pending":
                change.fate = "synced"
        if not self.unsynced():
            self.durable = bytes(self.data)
            self.changes.clear()

    def fail(self) -> None:
        """Let go what a failed sync did not write."""
        for change in self.changes:
            if change.fate == "pending":
                change.fate = "lost"

    def unsynced(self) -> set[int]:
        """Return the steps whose writes a power cut may undo."""
        return {change.when for change in self.changes if change.fate != "synced"}

    def may_lose(self) -> set[int]:
        """Return the steps that a power cut may undo."""
        return self.unsynced() | {when for when, _ in self.attributes[1:]}

    def survive(self, decide: Decide, where: Path) -> "File":
        """Return what a power cut leaves of it."""
        survivor = File(self.number, DURABLE, decide("time", where, self.attributes))
        content, least = bytearray(self.durable), len(self.durable)
        for change in self.changes:
            if change.fate == "synced":
                change.apply(content)
                least = len(content)
                continue
            for part in change.parts():
                if chosen := decide("data", where, part.outcomes()):
                    chosen.apply(content)
                    least = min(least, len(content))
        if self.unsynced():
            size = decide("size", where, self._sizes(least, len(content)))
            Change(DURABLE, size, None).apply(content)
        survivor.data, survivor.durable = content, bytes(content)
        return survivor

    def _sizes(self, least: int, written: int) -> list[tuple[int, int]]:
        """Return where it may end: as written, at a sector, a byte off, as the kernel shows it."""
        shown = len(self.data)
        ends = {*range(0, shown, SECTOR), written - 1, written + 1, shown - 1}
        between = sorted(end for end in ends if least <= end < max(written, shown))
        last = self.changes[-1].when
        return [(DURABLE, written), *((DURABLE, end) for end in between), (last, shown)]


class Folder:
    """A folder: its names, and of those that changed since its last sync what they led to."""

    mtime, mode, data = 0, modes.S_IFDIR | 0o700, b""

    def __init__(self, number: int) -> None:
        self.number = number
        self.names: dict[str, File | Folder] = {}
        self.past: dict[str, list[tuple[int, File | Folder | None]]] = {}

    def bind(self, when: int, name: str, to: "File | Folder | None") -> None:
        """Let the name lead to something else, or to nothing."""
        self.past.setdefault(name, [(DURABLE, self.names.get(name))]).append((when, to))
        if to is None:
            del self.names[name]
        else:
            self.names[name] = to

    def sync(self) -> None:
        """Make the names durable."""
        self.past.clear()

    def may_lose(self) -> set[int]:
        """Return the steps whose names a power cut may undo."""
        return {when for past in self.past.values() for when, _ in past[1:]}

    def reach(self) -> "Iterator[File | Folder]":
        """Yield it and all below it, also what a power cut may bring back."""
        yield self
        past = (to for outcomes in self.past.values() for _, to in outcomes)
        for to in (*self.names.values(), *past):
            if isinstance(to, Folder):
                yield from to.reach()
            elif to is not None:
                yield to

    def survive(self, decide: Decide, where: Path, survivors: dict[int, File]) -> "Folder":
        """Return what a power cut leaves of it and below it; each file is decided on once."""
        survivor = Folder(self.number)
        for name in sorted({*self.names, *self.past}):
            path, past = where / name, self.past.get(name)
            to = decide("name", path, past) if past else self.names[name]
            if isinstance(to, Folder):
                survivor.names[name] = to.survive(decide, path, survivors)
            elif to is not None:
                if to.number not in survivors:
                    survivors[to.number] = to.survive(decide, path)
                survivor.names[name] = survivors[to.number]
        return survivor
