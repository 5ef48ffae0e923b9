"""What another program wrote, told at the moment it is met."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, Credential, testing
from authlog._engine import foreign, lock
from halfway import append_only

KEY = ApiKey("k")


def test_a_foreign_write_that_says_what_is_meant_already_is_healed_or_nothing(path: Path) -> None:
    one = AuthLog(path)
    one.change({"a": KEY, "b": KEY, "c": KEY})
    path.write_text("{}")
    event = one.adopt()
    assert event is not None
    assert (event.kind, event.base) == ("heal", 0)
    assert set(one.all()) == {"a", "b", "c"}
    path.write_text(
        '{"c":{"key":"k","type":"api"},"a":{"type":"api","key":"k"},"b":{"type":"api","key":"k"}}'
    )
    assert one.adopt() is None
    assert path.read_text().startswith("{\n")


def test_a_bom_is_stripped_and_a_list_is_no_snapshot(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"a":{"type":"api","key":"k"}}')
    one = AuthLog(path)
    one.set("b", KEY)
    assert set(one.all()) == {"a", "b"}
    path.write_text("[]")
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()][-1] == "quarantine"


def test_a_number_beyond_all_doubles_is_null_to_javascript() -> None:
    assert foreign.same(b'{"n":1%b}' % (b"0" * 400), b'{"n":null}')


def test_a_file_that_changes_while_it_is_read_is_read_again(path: Path) -> None:
    path.write_text('{"a":{"type":"api","key":"k"}}')
    left = 1

    def before(verb: str) -> None:
        nonlocal left
        if left:
            left -= 1
            path.write_text('{"a":{"type":"api","key":"longer"}}')

    with testing.steps(before, ("read",)):
        assert AuthLog(path).get("a") == ApiKey("longer")


def test_an_unreadable_file_that_is_just_being_written_is_looked_at_again(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    whole = '{"a":{"type":"api","key":"k"},"b":{"type":"api","key":"k"}}'
    path.write_text(whole[:20])
    reads = 0

    def before(verb: str) -> None:
        nonlocal reads
        if path.read_text() == whole[:20]:
            reads += 1
            if reads > 12:
                path.write_text(whole)

    with testing.steps(before, ("stat_open",)):
        assert set(one.all()) == {"a", "b"}
    assert "quarantine" not in {event.kind for event in one.history()}


@pytest.mark.parametrize(("age", "kept"), [(1, "a-2"), (60, "a-1")])
def test_only_a_recent_state_is_what_a_program_started_from(
    path: Path, age: int, kept: str
) -> None:
    with testing.repeatable() as here:
        one = AuthLog(path)
        one.change({"a": ApiKey("a-1"), "b": ApiKey("b-1")})
        event = one.set("a", ApiKey("a-2"))
        path.write_text('{"a":{"type":"api","key":"a-1"},"b":{"type":"api","key":"b-2"}}')
        written = event.time.timestamp() + age
        os.utime(path, (written, written))
        here.advance(age)
        one.adopt()
        assert one.all() == {"a": ApiKey(kept), "b": ApiKey("b-2")}


@pytest.mark.parametrize(
    ("retain", "base", "kept"),
    [
        (timedelta(days=30), 2, {"a": ApiKey("a-2"), "c": KEY}),
        (timedelta(0), 5, {"a": ApiKey("a-1"), "b": KEY, "c": KEY}),
    ],
)
def test_a_state_that_was_erased_is_no_base_for_a_foreign_write(
    path: Path, retain: timedelta, base: int, kept: dict[str, Credential]
) -> None:
    """Who read it before, and writes after, seems to mean all that changed since."""
    one = AuthLog(path)
    one.change({"a": ApiKey("a-1"), "b": KEY})
    read = json.loads(path.read_bytes())
    one.set("a", ApiKey("a-2"))
    one.remove("b")
    one.compact(retain=retain)
    path.write_text(json.dumps({**read, "c": {"type": "api", "key": "k"}}))
    event = one.adopt()
    assert event is not None
    assert (event.kind, event.base) == ("adopt", base)
    assert one.all() == kept


def test_an_older_auth_json_of_ours_after_a_boot_is_no_foreign_write(path: Path) -> None:
    """The exchange that put it out of place did not reach the disk."""
    with testing.repeatable() as here:
        AuthLog(path).set("a", ApiKey("1"))
        older = path.read_bytes()
        written = here.now_ns()
        AuthLog(path).set("a", ApiKey("2"))
    mark = path.parent / "auth.json.log" / "published.json"
    mark.unlink()
    path.write_bytes(older)
    os.utime(path, ns=(written, written))
    with testing.repeatable(testing.Repeatable(1, boot="another")) as here:
        here.advance(60)
        log = AuthLog(path)
        assert log.adopt() is None
        assert log.all() == {"a": ApiKey("2")}
        assert [event.kind for event in log.history()] == ["init", "set", "set"]


def test_a_rewrite_of_what_was_shown_is_no_event_while_a_newer_state_waits(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    append_only(one, path)
    path.write_text('{"a":{"type":"api","key":"k"}}')
    assert one.adopt() is None
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()] == ["init", "set", "set"]


def test_another_program_that_never_stops_is_told_by_the_next_publish(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    writes = 0

    def before(verb: str) -> None:
        nonlocal writes
        writes += 1
        path.write_text(f'{{"a":{{"type":"api","key":"k"}},"f":{{"type":"api","key":"{writes}"}}}}')

    with testing.steps(before, ("exchange",)):
        one.set("b", KEY)
        one.adopt()
    one.adopt()
    assert one.get("f") == ApiKey(f"{writes}")
    assert set(one.all()) == {"a", "b", "f"}


def test_a_foreign_file_that_can_not_be_told_at_once_is_told_later(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    path.write_text('{"a":{"type":"api","key":"k"},"f":{"type":"api","key":"k"}}')
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    assert set(one.all()) == {"a"}
    os.close(held)
    assert set(one.all()) == {"a", "f"}


def test_a_file_that_vanishes_while_it_is_looked_at_is_rebuilt(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    path.write_text("{}")

    def before(verb: str) -> None:
        path.unlink(missing_ok=True)

    with testing.steps(before, ("open_file",)):
        one.adopt()
    assert one.all() == {"a": KEY}
    one.adopt()
    assert path.exists()
