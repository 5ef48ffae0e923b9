"""A file that was auth.json and has writers in it: what they do there, as far as it is seen."""

import json
import os
import time
from typing import NamedTuple

import msgspec

from authlog_tools.guarding.leased import Leased

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Reading(NamedTuple):
    """What a file held at a moment, and what it was then."""

    content: bytes
    stat: os.stat_result


class Replaced:
    """What is seen of writers in a file of their own.

    Each whole content that is met is kept: of writers that share the file, each left one.
    """

    def __init__(self, file: Leased, watch: int) -> None:
        self.file = file
        self.watch = watch
        self.opens = 0
        self.closes = 0
        self.changed = self.tried = time.monotonic()
        self._readings: list[Reading] = []
        self._distinct = 0
        self._whole = file.last.rstrip()

    def look(self) -> bool:
        """Read it, and keep what is new; return whether it has changed."""
        content = self.file.read()
        if content == self.file.last:
            return False
        self.changed = time.monotonic()
        was, self.file.last = self.file.last, content
        whole = content if _is_object(content) else _without_leftover(content, was)
        if whole is not None and whole.rstrip() != self._whole:
            self._whole = whole.rstrip()  # the same is met again when it is cut behind the object
            self._readings.append(Reading(whole, os.fstat(self.file.descriptor)))
            self._distinct += 1
        return True

    def take(self, *, closed: bool) -> list[Reading]:
        """Return what is to be told now; what the one writer left, or all that several left."""
        taken, self._readings = self._readings, []
        last = self.file.last
        found = os.fstat(self.file.descriptor)
        vain = not self._distinct and found.st_mtime_ns != self.file.was.mtime
        if closed and (vain or last.rstrip() != self._whole):  # what is left may be no whole object
            taken.append(Reading(last, found))
        return taken if self.writers != 1 else taken[-1:]

    @property
    def writers(self) -> int:
        """How many have been in it; two closes at the very same time look like one."""
        return max(self.opens, self.closes)

    @property
    def unseen(self) -> int:
        """How many writes may have been overwritten before anybody saw them."""
        return max(0, self.writers - self._distinct) if self.writers > 1 else 0


def _without_leftover(content: bytes, was: bytes) -> bytes | None:
    """Return the object that was written over a longer content and is yet to be cut behind."""
    try:
        text = content.decode()
        end = len(text[: json.JSONDecoder().raw_decode(text)[1]].encode())
    except (ValueError, RecursionError):
        return None
    return content[:end] if content[end:] == was[end:] else None


def _is_object(content: bytes) -> bool:
    """Whether it is a whole JSON object; a half-written one is not."""
    try:
        _OBJECT.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
