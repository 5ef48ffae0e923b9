"""auth.json: which file it is, what it holds, and the bytes that a state makes of it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from authlog import credentials, events
from authlog._engine import codec, files, javascript, text
from authlog._engine.files import Stat

Identity = tuple[int, int, int]  # inode, mtime in ns, size in bytes: null in a mark for no file

NO_DIGEST = "0" * 64  # of a snapshot that isn't there


class Found(Struct, frozen=True):
    """A file as it was found: its identity and its bytes."""

    identity: Identity
    content: bytes


def identity(stat: Stat | None) -> Identity | None:
    """Return what tells this file in this form from any other; None for no file."""
    return (stat.st_ino, stat.st_mtime_ns, stat.st_size) if stat else None


def read(path: Path) -> Found | None:
    """Return the file at `path`, None if there is none; read anew if it changes meanwhile."""
    while True:
        try:
            file = files.OpenFile(path, files.READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        before = identity(files.stat_open(file.fd))
        content = files.read_all(file.fd)
        after = identity(files.stat_open(file.fd))
        if after is not None and before == after:
            return Found(after, content)


class Reading(Struct, frozen=True):
    """What a snapshot's bytes say: provider -> compact JSON text; a top-level null is absence.

    `omitted` are names of them that can't be filed, `replaced` those of providers in which U+FFFD
    stands for what is no Unicode: opencode reads and writes it so.
    """

    entries: dict[str, bytes]
    omitted: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()

    @property
    def filed(self) -> dict[str, bytes]:
        """The entries that can be filed."""
        return {name: raw for name, raw in self.entries.items() if name not in self.omitted}

    @property
    def found(self) -> events.Found | None:
        """What an event says of a file that can't be filed as it stands."""
        if not self.omitted and not self.replaced:
            return None
        return events.Found(omitted=self.omitted, replaced=self.replaced)


def parse(content: bytes) -> Reading:
    """Return what a snapshot's bytes say, read as JavaScript reads them.

    Raises:
        Undecodable: they are not one JSON object.

    """
    plain = content.removeprefix(text.BOM)
    try:
        reading = Reading(_entries(plain))
    except text.Undecodable:
        marked, mark = javascript.marked(plain)
        if marked == plain:
            raise
        reading = _marked(_entries(marked), mark)
    unfit = tuple(name for name in reading.entries if not credentials.can_be_filed(name))
    return (
        msgspec.structs.replace(reading, omitted=(*reading.omitted, *unfit)) if unfit else reading
    )


def _entries(content: bytes) -> dict[str, bytes]:
    text.check(content, text.LINE_LIMIT)
    members = text.members(content)
    if members is None:
        raise text.Undecodable("not a JSON object")
    entries = {name: text.compact(raw) for name, raw in members.items()}
    return {name: raw for name, raw in entries.items() if raw != b"null"}


def _marked(found: dict[str, bytes], mark: bytes) -> Reading:
    """Return the entries with U+FFFD for the mark; a name that has one can't be filed."""

    def read(marked: bytes) -> bytes:
        return marked.replace(mark, javascript.REPLACEMENT)

    entries = {read(name.encode()).decode(): read(raw) for name, raw in found.items()}
    return Reading(
        entries,
        tuple(read(name.encode()).decode() for name in found if mark in name.encode()),
        tuple(name for name, raw in found.items() if mark in raw and mark not in name.encode()),
    )


def digest(content: bytes, id: str) -> str:
    """Return what tells a snapshot's bytes in the log with that id."""
    return codec.digest(content, bytes.fromhex(id))


class Indenter:
    """Makes a snapshot's bytes; keeps each provider's text, so that the whole is a join."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[bytes, bytes]] = {}

    def content(self, shown: Mapping[str, bytes]) -> bytes:
        """Return the bytes for what auth.json shows: an indented JSON object."""
        texts = {name: self._text(name, raw) for name, raw in shown.items()}
        self._texts = texts
        if not texts:
            return b"{}\n"
        return b"{\n%b\n}\n" % b",\n".join(text for _, text in texts.values())

    def _text(self, name: str, raw: bytes) -> tuple[bytes, bytes]:
        kept = self._texts.get(name)
        if kept is not None and kept[0] == raw:
            return kept
        member = text.indented(msgspec.json.encode({name: Raw(raw)}))
        return raw, member[2:-2]  # without the braces and line breaks around the one member
