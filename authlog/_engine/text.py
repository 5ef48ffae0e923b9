"""JSON text, checked before it is decoded and carried as the bytes it is.

msgspec looks neither at the UTF-8 of what it skips nor at a depth of its own: it counts the
caller's stack frames. So both are checked here first, and every failure is one error.
"""

import re
import threading
from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

DEPTH_LIMIT = 200  # nested arrays and objects; msgspec fails at about 1,000 stack frames
CREDENTIAL_LIMIT = 1 << 20  # bytes; the largest seen is under 8 KiB
LINE_LIMIT = 64 << 20  # bytes, of a line of the log and of auth.json

T = TypeVar("T")
BOM = b"\xef\xbb\xbf"

# An unclosed string reaches to the end, so that no byte is looked at twice.
_STRINGS_AND_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
_members = msgspec.json.Decoder(dict[str, Raw])


class Undecodable(ValueError):
    """The bytes are not the JSON they should be. Its text shows none of them."""


def check(text: bytes, limit: int) -> None:
    """Raise Undecodable if `text` is over `limit` bytes, not UTF-8 or nested too deep."""
    if len(text) > limit:
        raise Undecodable(f"over {limit} bytes")
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise Undecodable(f"not UTF-8 at byte {error.start}") from None
    if text.count(b"{") + text.count(b"[") > DEPTH_LIMIT:
        _check_depth(text)


def _check_depth(text: bytes) -> None:
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        match found.group():
            case b"[" | b"{":
                depth += 1
                if depth > DEPTH_LIMIT:
                    raise Undecodable(f"nested deeper than {DEPTH_LIMIT}")
            case b"]" | b"}":
                depth -= 1
            case _:
                pass


def first_value(text: bytes) -> bytes:
    """Return the text up to the end of its first array or object; all of it if none ends."""
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        match found.group():
            case b"[" | b"{":
                depth += 1
            case b"]" | b"}":
                depth -= 1
                if depth == 0:
                    return text[: found.end()]
            case _:
                pass
    return text


def decode(decoder: "msgspec.json.Decoder[T]", text: bytes) -> T:
    """Return what `decoder` makes of `text`, which `check` has passed.

    Raises:
        Undecodable: the text is not what the decoder expects; says where, never what stands there.

    """
    return _whatever_the_stack(lambda: decoder.decode(text))


def members(text: bytes | Raw) -> dict[str, Raw] | None:
    """Return the members of a JSON object, each as the bytes it is; None for any other value.

    Raises:
        Undecodable: it is not JSON.

    """
    text = bytes(text)
    if text.lstrip(b" \t\r\n").startswith(b"{"):
        return decode(_members, text)
    compact(text)
    return None


def compact(text: bytes | Raw) -> bytes:
    """Return the JSON text without whitespace between its tokens, so without line breaks.

    Numbers, escapes and the order of members stay as they are.

    Raises:
        Undecodable: it is not JSON.

    """
    return _whatever_the_stack(lambda: msgspec.json.format(bytes(text), indent=-1))


def indented(text: bytes) -> bytes:
    """Return compact JSON text with two spaces more for each level, as people read it."""
    return _whatever_the_stack(lambda: msgspec.json.format(text, indent=2))


def _whatever_the_stack(run: Callable[[], T]) -> T:
    try:
        return _or_undecodable(run)
    except RecursionError:
        # The depth was checked: it is the caller's stack that is deep, and a thread has its own.
        outcome: list[T | Undecodable] = []

        def again() -> None:
            try:
                outcome.append(_or_undecodable(run))
            except Undecodable as error:
                outcome.append(error)

        thread = threading.Thread(target=again)
        thread.start()
        thread.join()
        if isinstance(outcome[0], Undecodable):
            raise outcome[0] from None
        return outcome[0]


def _or_undecodable(run: Callable[[], T]) -> T:
    try:
        return run()
    except msgspec.ValidationError as error:
        # Only these two texts show where and what was expected and nothing of what stands there.
        text = str(error)
        told = text.startswith(("Expected", "Object missing"))
        raise Undecodable(text if told else "not what it should be") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Undecodable("not JSON") from None
