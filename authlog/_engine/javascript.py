"""JSON as JavaScript reads it, which is how opencode reads auth.json. Pure.

It takes what msgspec refuses: a lone surrogate in an escape, and bytes that are not UTF-8, for
which it reads U+FFFD. And it knows no numbers but doubles: what it reads and writes back may be
another number, which nobody meant to change.

Source: ECMA-262, JSON.parse and Number::toString; WHATWG Encoding, UTF-8 decode; tried in Node.
"""

import re
from functools import lru_cache

import msgspec

from authlog import credentials
from authlog._engine import text

REPLACEMENT = "\ufffd".encode()

_ESCAPES = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: fine
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\."
)
_NONCHARACTERS = range(0xFDD0, 0xFDF0)  # code points that no text is made of
_value = msgspec.json.Decoder(object)


def marked(content: bytes) -> tuple[bytes, bytes]:
    """Return the JSON text with a mark in each place where JavaScript would read U+FFFD, and the
    mark: UTF-8 of a code point that did not stand in the text before.

    A BOM is left out. The text is as it was if there is no such place.
    """
    content = content.removeprefix(text.BOM)
    lowered = content.lower()
    character = next(
        chr(code)
        for code in _NONCHARACTERS
        if b"\\u%x" % code not in lowered and chr(code).encode() not in content
    )
    mark = character.encode()
    decoded = content.decode(errors="surrogateescape")
    bare = re.sub("[\udc80-\udcff]+", character, decoded).encode()
    return _ESCAPES.sub(lambda found: mark if found[1] else found[0], bare), mark


def same(one: bytes | None, other: bytes | None) -> bool:
    """Whether two credentials mean the same to JavaScript, in whatever order and notation."""
    if one is None or other is None:
        return one is other
    return one == other or canonical(one) == canonical(other)


@lru_cache(1024)
def canonical(raw: bytes) -> bytes:
    """Return a credential's JSON text as JavaScript would write it, members in one order."""
    try:
        value = text.decode(_value, raw)
    except text.Undecodable:
        return raw  # a number beyond all doubles
    return msgspec.json.encode(_as_javascript(value), order="deterministic")


def _as_javascript(value: object) -> object:
    if credentials.is_mapping(value):
        return {name: _as_javascript(item) for name, item in value.items()}
    if credentials.is_sequence(value):
        return [_as_javascript(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    try:
        double = float(value)
    except OverflowError:
        return None  # Infinity there, which is written as null
    return int(double) if double.is_integer() else double
