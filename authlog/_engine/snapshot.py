"""auth.json: which file it is, what it holds, and the bytes that a state makes of it."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Raw, Struct

from authlog._engine import codec, files, text
from authlog._engine.files import Stat

Identity = tuple[int, int, int]  # inode, mtime in ns, size in bytes: null in a mark for no file

BOM = b"\xef\xbb\xbf"
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


def parse(content: bytes) -> dict[str, bytes]:
    """Return provider -> compact JSON text of a snapshot's bytes; a top-level null is absence.

    Raises:
        Undecodable: they are not one JSON object.

    """
    content = content.removeprefix(BOM)
    text.check(content, text.LINE_LIMIT)
    members = text.members(content)
    if members is None:
        raise text.Undecodable("not a JSON object")
    entries = {name: text.compact(raw) for name, raw in members.items()}
    return {name: raw for name, raw in entries.items() if raw != b"null"}


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
