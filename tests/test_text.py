"""Text as it is read: JSON however deep, and what is none."""

from pathlib import Path

import pytest

from authlog import AuthLog
from authlog._engine import text


def deep(frames: int, run: "object") -> object:
    """Return what `run` returns, called that many frames down."""
    assert callable(run)
    found: object = run() if frames == 0 else deep(frames - 1, run)
    return found


def test_what_is_nested_is_read_however_deep_the_caller_is(path: Path) -> None:
    value: object = 1
    for _ in range(180):
        value = [value]
    AuthLog(path).set("a", {"x": value})
    fresh = AuthLog(path)
    assert deep(850, lambda: fresh.get("a")) == AuthLog(path).get("a")
    nested = b"[" * 180 + b"]" * 180
    assert deep(850, lambda: text.compact(nested)) == nested
    with pytest.raises(text.Undecodable):
        deep(850, lambda: text.compact(nested[:-1]))


def test_a_text_that_is_too_long_or_no_text_is_not_decoded() -> None:
    with pytest.raises(text.Undecodable, match="over 3 bytes"):
        text.check(b"1234", 3)
    with pytest.raises(text.Undecodable, match="not UTF-8 at byte 1"):
        text.check(b'"\xff"', 10)
    text.check(b'"\xc3\xbc"' + b"[]" * 300, 10_000)
    with pytest.raises(text.Undecodable, match="not JSON"):
        text.members(b"nonsense")
