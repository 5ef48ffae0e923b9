"""Publishing: who is answered what, when another was faster, died, or the disk refused."""

import errno
import json
import os
from functools import partial
from pathlib import Path

import pytest

from authlog import (
    ApiKey,
    AuthLog,
    LogCorrupted,
    NotDurable,
    NotWritten,
    OAuth,
    Unacknowledged,
    testing,
)
from authlog._engine import lock, rotation
from authlog._engine.codec import Draft
from authlog._engine.publish import publish
from authlog._engine.state import State
from halfway import append_only, die_at, hold_publish_lock

KEY = ApiKey("k")


def _drafted(draft: Draft, state: State) -> Draft:
    return draft


def test_a_use_of_no_account_shows_the_plain_one_again(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.set("a@work", ApiKey("w"))
    handle = one._handle
    for account, shown in (("work", ApiKey("w")), (None, KEY), ("nobody", None)):
        draft = Draft(kind="use", use={"a": account})
        publish(handle, handle.append(partial(_drafted, draft)))
        assert one.get("a") == shown
        assert ("a" in path.read_text()) is (shown is not None)
    one.set("a", ApiKey("n"))
    assert one.get("a@nobody") == ApiKey("n")


def test_a_change_that_vanishes_before_it_is_published_is_not_durable(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    size = segment.stat().st_size

    def vanishes(verb: str) -> None:
        if verb == "write":
            return
        if segment.stat().st_size > size:
            with segment.open("r+b") as file:
                file.truncate(size)

    with testing.steps(vanishes), pytest.raises(NotDurable):
        one.set("a", ApiKey("2"))
    assert one.settle() is False
    assert one.get("a") == KEY


def test_damage_that_is_met_after_the_append_is_unacknowledged(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    other = path.parent / "auth.json.log" / "000003.jsonl"
    damaged = False

    def damages(verb: str) -> None:
        nonlocal damaged
        if verb == "write":
            damaged = True
        elif damaged and not other.exists():
            for number in (2, 3):
                (other.parent / f"00000{number}.jsonl").write_bytes(b"nonsense\n")

    with testing.steps(damages), pytest.raises(Unacknowledged, match="settle") as caught:
        one.set("a", ApiKey("2"))
    assert caught.value.event.seq == 3
    for number in (2, 3):
        (other.parent / f"00000{number}.jsonl").unlink()
    assert AuthLog(path).get("a") in (KEY, ApiKey("2"))


def test_a_line_that_a_next_segment_did_not_carry_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    appended = append_only(one, path)
    other = AuthLog(path)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_carried", lambda tail, mark: (b"", 2))
        patch.setattr(rotation, "ROTATE_AT", 0)
        segment = path.parent / "auth.json.log" / "000001.jsonl"
        with segment.open("r+b") as file:
            file.truncate(appended)
        other.set("c", KEY)
    assert one.settle() is False


def test_a_publish_that_died_before_the_exchange_has_not_shown_my_change(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    append_only(one, path)
    with die_at("exchange"), pytest.raises(KeyboardInterrupt):
        AuthLog(path).adopt()
    assert b'"b"' not in path.read_bytes()
    assert one.settle() is True
    assert b'"b"' in path.read_bytes()


def test_nobody_who_waits_takes_another_line_for_his(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    begins = append_only(one, path)
    os.truncate(path.parent / "auth.json.log" / "000001.jsonl", begins)
    AuthLog(path).set("c", ApiKey("a longer one than that which was cut"))
    held = hold_publish_lock(path)
    with pytest.raises(Unacknowledged):
        one.settle()
    os.close(held)
    assert one.settle() is False


def test_nobody_who_waits_is_answered_while_a_folder_sync_is_owed(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.change({"a": OAuth("r-1", "a-1", 1), "b": KEY})
    append_only(one, path, {"a": OAuth("r-2", "a-2", 2)})
    with die_at("sync_folder"), pytest.raises(KeyboardInterrupt):
        AuthLog(path).adopt()
    assert b"r-2" in path.read_bytes()
    held = hold_publish_lock(path)
    with pytest.raises(Unacknowledged):
        one.settle()
    os.close(held)
    assert one.settle() is True


def test_what_another_program_writes_just_before_the_exchange_is_shown_on_return(
    path: Path,
) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    wrote = False

    def writes(verb: str) -> None:
        nonlocal wrote
        if verb == "exchange" and not wrote:
            wrote = True
            path.write_text('{"a":{"type":"api","key":"k"},"f":{"type":"api","key":"f"}}')

    with testing.steps(writes):
        one.set("b", KEY)
    assert wrote
    assert set(json.loads(path.read_bytes())) == {"a", "b", "f"}


def test_a_line_that_a_next_segment_carried_is_found_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    append_only(one, path)
    with testing.fail_at(1, errno.EIO, verbs=("sync",)):
        AuthLog(path).set("c", KEY)
    assert one.settle() is True
    assert set(one.all()) == {"a", "b", "c"}


def test_without_a_mark_a_failed_sync_carries_what_is_past_the_floor(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.set("a", ApiKey("2"))
    (path.parent / "auth.json.log" / "published.json").unlink()
    with testing.fail_at(1, errno.EIO, verbs=("sync",)):
        AuthLog(path).set("b", KEY)
    assert [event.seq for event in AuthLog(path).history()] == [1, 2, 3, 4, 5]
    second = path.parent / "auth.json.log" / "000002.jsonl"
    assert second.read_bytes().count(b"\n") == 3  # events 3 and 4, and the checkpoint
    assert AuthLog(path).at(3) == {"a": ApiKey("2")}
    assert AuthLog(path).at(2) == {"a": KEY}


def test_a_folder_replaced_in_the_middle_of_a_publish_is_left_alone(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    handle = one._handle
    begun = False

    def before(verb: str) -> None:
        nonlocal begun
        if verb == "set_mtime" and not begun:
            begun = True
            handle.forget()

    with testing.steps(before), pytest.raises(Unacknowledged):
        one.set("a", ApiKey("2"))
    assert one.settle() is True
    assert one.get("a") == ApiKey("2")


def test_an_answer_that_rests_on_what_can_not_be_published_is_refused(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.get("a")
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    whole = segment.read_bytes()
    with (
        testing.fail_at(1, errno.EIO, times=99, verbs=("exchange", "write_at")),
        pytest.raises(NotDurable),
    ):
        one.set("b", KEY)
    with testing.fail_at(1, errno.EIO, times=99, verbs=("write_at",)), pytest.raises(NotWritten):
        one.remove("nobody")
    size = segment.stat().st_size

    def vanishes(verb: str) -> None:
        if segment.stat().st_size == size:
            with segment.open("r+b") as file:
                file.truncate(len(whole))

    with testing.steps(vanishes, ("stat_open",)):
        assert one.remove("nobody") is None
    assert set(one.all()) == {"a"}


def test_an_answer_that_rests_on_a_line_that_vanished_is_refused(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.set("b", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    whole = segment.read_bytes()
    shorter = whole[: whole.rindex(b"\n", 0, -1) + 1]
    locks = 0

    def vanishes() -> None:
        with segment.open("r+b") as file:
            file.truncate(len(shorter))

    real = lock.try_lock

    def try_lock(fd: int) -> bool:
        nonlocal locks
        locks += 1
        if locks == 2:  # publish.lock: the answer was decided
            vanishes()
        return real(fd)

    lock.try_lock = try_lock
    try:
        with pytest.raises(NotWritten):
            one.remove("nobody")
    finally:
        lock.try_lock = real
    segment.write_bytes(whole)


@pytest.mark.damaged
def test_an_answer_that_rests_on_damage_is_refused(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    real, locks = lock.try_lock, list[int]()

    def try_lock(fd: int) -> bool:
        locks.append(fd)
        if len(locks) == 2:  # publish.lock: the answer was decided
            segment.with_name("000002.jsonl").write_bytes(b"nonsense")
        return real(fd)

    lock.try_lock = try_lock
    try:
        with pytest.raises(LogCorrupted):
            one.remove("nobody")
    finally:
        lock.try_lock = real


def test_settle_tells_of_a_change_that_is_durable_and_not_shown(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    append_only(one, path)
    with testing.fail_at(1, errno.EIO, times=9, verbs=("exchange",)):
        assert one.settle() is True
    with testing.fail_at(1, errno.EIO, times=9, verbs=("sync",)), pytest.raises(NotDurable):
        one.set("c", KEY)
    with testing.fail_at(1, errno.EIO, times=9, verbs=("sync",)), pytest.raises(NotDurable):
        one.settle()
    assert one.settle() is True
