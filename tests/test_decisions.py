"""What was made of a foreign write, in sentences."""

import json
from pathlib import Path

import pytest

from authlog import AuthLog, Writer
from authlog_tools.decisions import explained

OPENCODE = Writer("opencode", 7, "box", "alice")


def api(key: str) -> dict[str, object]:
    return {"type": "api", "key": key}


def bytes_of(**entries: str) -> bytes:
    return json.dumps({name: api(key) for name, key in entries.items()}).encode()


@pytest.fixture
def log(path: Path) -> AuthLog:
    log = AuthLog(path)
    log.change({"anthropic": api("1"), "groq": api("1")})
    return log


def why(log: AuthLog, content: bytes, after: int, before: int) -> str | None:
    event = log.tell(content, writer=OPENCODE, after=after, before=before)
    assert event is not None
    return explained(log, event)


def test_a_write_from_the_newest_state(log: AuthLog) -> None:
    said = why(log, bytes_of(anthropic="2", groq="1", openai="1"), 2, 2)
    assert said == "opencode wrote a file based on event 2: added openai, changed anthropic"


def test_a_stale_write_says_what_was_kept(log: AuthLog) -> None:
    log.set("anthropic", api("2"))
    log.remove("groq")
    said = why(log, bytes_of(anthropic="1", groq="1", openai="1"), 2, 2)
    assert said == (
        "opencode wrote a file based on event 2, before anthropic was stored and groq was removed: "
        "kept anthropic, added openai, left groq removed"
    )


def test_a_removal(log: AuthLog) -> None:
    assert why(log, bytes_of(groq="1"), 2, 2) == (
        "opencode wrote a file based on event 2: removed anthropic"
    )


def test_a_write_after_a_failed_read(log: AuthLog) -> None:
    assert why(log, bytes_of(openai="1"), 2, 2) == (
        "opencode wrote a file as if there were no logins: kept anthropic and groq, added openai"
    )


def test_what_is_no_json(log: AuthLog) -> None:
    assert why(log, b"{", 2, 2) == (
        "opencode wrote what is no JSON object: the bytes are kept, nothing was changed"
    )


def test_what_could_not_be_taken_as_it_stood(log: AuthLog) -> None:
    content = b'{"anthropic":{"type":"api","key":"1"},"groq":{"type":"api","key":"\\ud800"},"":1}'
    assert why(log, content, 2, 2) == (
        "opencode wrote a file based on event 2: changed groq; left out 1 whose names can't be "
        "filed; put U+FFFD for what is no Unicode in groq"
    )


def test_a_stale_rewrite_that_was_found(log: AuthLog, path: Path) -> None:
    path.write_text("{}")
    event = log.adopt()
    assert event is not None
    assert explained(log, event) == (
        "Another program wrote a file as if there were no logins: kept anthropic and groq"
    )


def test_no_foreign_write(log: AuthLog) -> None:
    assert explained(log, log.set("a", api("1"))) is None
