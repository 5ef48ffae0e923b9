"""Rare turns of the engine, each with what it promises there."""

import errno
import json
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import MappingProxyType

import pytest

from authlog import (
    ApiKey,
    AuthLog,
    LockTimeout,
    LogCorrupted,
    NotDurable,
    NotWritten,
    OAuth,
    SecretErased,
    StorageFull,
    Unacknowledged,
    UnknownFormat,
    credentials,
    store,
    testing,
)
from authlog._engine import (
    codec,
    files,
    history,
    javascript,
    lock,
    log,
    reading,
    rotation,
    surroundings,
    text,
)
from authlog._engine.codec import Draft
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.publish import publish
from authlog._engine.state import State
from authlog.testing import Repeatable

KEY = ApiKey("k")


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


def test_every_view_hides_its_secrets_from_rich_too() -> None:
    for credential in (ApiKey("secret"), credentials.Opaque(b'{"type":"x","a":"secret"}')):
        shown = credential.__rich_repr__()
        assert "secret" not in repr(shown)
        assert [name for name, _ in shown] == ["key" if credential.type == "api" else "a"]
    assert repr(OAuth("r", "a", 5)).endswith("expires=5)")


def test_a_repr_never_fails() -> None:
    assert repr(ApiKey("secret", extra={"x": b"{"})) == "ApiKey(<not JSON>)"
    assert repr(credentials.Opaque(b"{")) == "Opaque(<not JSON>)"
    assert credentials.Opaque(b"{}").type is None
    assert repr(credentials.Opaque(b"{}")) == "Opaque()"


def test_after_a_fork_everything_is_opened_anew(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    store._start_anew_in_child()
    assert one.get("a") == KEY
    assert one.set("b", KEY).seq == 3


def test_a_kill_point_kills(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "kill", kill)
    with testing.kill_at(5), pytest.raises(KeyboardInterrupt):
        AuthLog(path).set("a", KEY)


def test_without_sync_nothing_is_synced(path: Path) -> None:
    with testing.count(("sync", "sync_folder")) as seen, testing.without_sync():
        AuthLog(path).set("a", KEY)
    assert seen == []
    assert AuthLog(path).get("a") == KEY


def test_the_writer_is_named_by_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/opencode"])
    writer = surroundings.Surroundings().writer(None)
    assert (writer.program, writer.pid) == ("opencode", os.getpid())
    assert (writer.host, str(writer)) == (
        socket.gethostname(),
        f"opencode·{os.getpid()}@{socket.gethostname()}",
    )
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert surroundings.Surroundings().writer("x").user == "987654"


def test_without_a_boot_id_every_open_recovers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_BOOT", Path("/nowhere/boot_id"))
    AuthLog(path).set("a", KEY)
    other = AuthLog(path)
    assert other.get("a") == KEY
    other.set("b", KEY)
    assert {event.kind for event in AuthLog(path).history()} == {"init", "set"}


def test_a_lock_that_the_system_does_not_have_is_an_error(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.try_lock(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.unlock(fd)
    path.unlink()


def test_a_holder_is_named_as_far_as_the_kernel_tells(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("{}")
    fd = os.open(path, os.O_RDWR)
    inode = path.stat().st_ino

    def says(pid: int) -> None:
        lines = f"1: -> FLOCK ADVISORY WRITE 7 00:01:{inode} 0 EOF\n"
        lines += "2: FLOCK ADVISORY WRITE 8 00:01:1 0 EOF\n"
        lines += f"3: FLOCK ADVISORY WRITE {pid} 00:01:{inode} 0 EOF\n"

        def read_text(file: Path) -> str:
            if str(file) == "/proc/locks":
                return lines
            raise FileNotFoundError

        monkeypatch.setattr(Path, "read_text", read_text)

    says(99)
    assert lock.holder(fd) == "process 99"
    says(0)
    assert lock.holder(fd) is None
    os.close(fd)
    other = os.open(path.with_name("other"), os.O_RDWR | os.O_CREAT)
    assert lock.holder(other) is None

    def refuses(file: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuses)
    assert lock.holder(other) is None
    os.close(other)


def test_a_thread_of_ours_that_holds_the_lock_is_named_so(path: Path) -> None:
    held = lock.Lock(path, lambda: None)
    held.acquire(1.0)
    with pytest.raises(LockTimeout, match="another thread of this process"):
        held.acquire(0.01)
    held.release()
    path.unlink()


def test_what_stands_first_in_a_segment_is_an_init_only_in_the_first(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    folder = path.parent / "auth.json.log"
    second = folder / "000002.jsonl"
    second.write_bytes((folder / "000001.jsonl").read_bytes())
    second.chmod(0o600)
    assert not AuthLog(path).verify().ok
    with pytest.raises(LogCorrupted, match="stands first in segment 2"):
        AuthLog(path).set("b", KEY)
    second.unlink()


def rotated(path: Path, monkeypatch: pytest.MonkeyPatch) -> AuthLog:
    """Return a store of two segments."""
    one = AuthLog(path)
    one.set("a", KEY)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "ROTATE_AT", 0)
        one.set("a", ApiKey("2"))
    one.set("a", ApiKey("3"))
    return one


@pytest.mark.damaged
def test_segments_that_do_not_join_are_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:-1]))
    assert "the file ends here" in [damage.reason for damage in one.verify().damage]
    with pytest.raises(LogCorrupted, match="the file ends here"):
        list(one.history())
    first.write_bytes(b"".join(lines[:1]) + b"nonsense\nmore\n" + lines[2])
    found = [damage.offset for damage in one.verify().damage]
    assert found[:2] == [len(lines[0]), len(lines[0]) + len("nonsense\n")]
    with pytest.raises(LogCorrupted, match="not JSON"):
        list(one.history())
    other = AuthLog(path.with_name("other.json"))
    other.set("a", KEY)
    other.set("a", KEY)
    first.write_bytes((path.parent / "other.json.log" / "000001.jsonl").read_bytes())
    assert any("segment before" in damage.reason for damage in one.verify().damage)
    with pytest.raises(LogCorrupted, match="segment before"):
        list(one.history())
    assert one.get("a") == ApiKey("3")


@pytest.mark.damaged
def test_a_segment_without_a_right_first_line_is_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    second = path.parent / "auth.json.log" / "000002.jsonl"
    second.write_bytes(b"X" + second.read_bytes()[1:])
    assert not one.verify().ok
    with pytest.raises(LogCorrupted):
        list(AuthLog(path).history())


def test_what_stands_behind_the_end_of_a_closed_segment_is_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    with first.open("ab") as file:
        file.write(b"torn")
    health = one.verify()
    assert (health.ok, health.segments[0].torn) == (True, 4)
    assert [event.seq for event in one.history()] == [1, 2, 3, 4, 5]


def test_history_starts_at_the_segment_that_it_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    assert [event.seq for event in one.history(after=4)] == [5]
    with testing.count(("read",)) as all_of_it:
        one.at(2)
    assert one.at(4) == {"a": ApiKey("2")}
    assert all_of_it


def test_a_checkpoint_from_which_nothing_is_known_is_no_newest_one(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    lines = segment.read_bytes().splitlines(keepends=True)
    erased = lines[0][: lines[0].index(b',"secret":')] + b',"secret":null}\n'
    segment.write_bytes(erased + lines[1])
    (path.parent / "auth.json.log" / "published.json").unlink()
    with pytest.raises(LogCorrupted, match="no checkpoint stands before it"):
        AuthLog(path).set("b", KEY)
    segment.write_bytes(b"".join(lines))


def test_a_line_of_a_newer_authlog_behind_a_bad_one_is_not_cut(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    whole = segment.read_bytes()
    event = b'{"v":2}'
    newer = b'{"event":%b,"hash":"%b","secret":null}\n' % (event, codec.digest(event).encode())
    segment.write_bytes(whole + b"torn\n" + newer)
    with pytest.raises(UnknownFormat):
        AuthLog(path).set("b", KEY)
    assert segment.read_bytes() == whole + b"torn\n" + newer
    segment.write_bytes(whole)


def test_a_synced_line_behind_a_bad_one_makes_it_corruption(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.set("a", ApiKey("2"))
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    whole = segment.read_bytes()
    one.set("a", ApiKey("3"))
    lines = segment.read_bytes().splitlines(keepends=True)
    (path.parent / "auth.json.log" / "published.json").unlink()
    segment.write_bytes(lines[0] + b"X" + lines[1][1:] + b"".join(lines[2:]))
    with pytest.raises(LogCorrupted, match="was synced"):
        AuthLog(path).set("b", KEY)
    segment.write_bytes(whole)


def test_an_event_that_would_not_fit_a_line_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    monkeypatch.setattr(text, "LINE_LIMIT", 2_000)
    with pytest.raises(NotWritten, match="File too large"):
        one.set("a", {"x": "y" * 3_000})
    assert one.get("a") == KEY


def test_a_short_write_changes_nothing_even_if_it_can_not_be_cut(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    real = files.write

    def short(fd: int, data: bytes) -> int:
        return real(fd, data[:50])

    def refuses(fd: int, size: int) -> None:
        raise OSError(errno.EIO, "")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", short)
        patch.setattr(files, "truncate", refuses)
        with pytest.raises(StorageFull):
            one.set("a", ApiKey("2"))
        assert one.settle() is False
    assert one.verify().segments[0].torn == 50
    one.set("a", ApiKey("3"))
    assert one.at(3) == {"a": ApiKey("3")}


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


def test_a_restore_of_what_was_erased_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    lines = first.read_bytes().splitlines(keepends=True)
    erased = [line[: line.index(b',"secret":')] + b',"secret":null}\n' for line in lines]
    first.write_bytes(b"".join(erased))
    with pytest.raises(SecretErased, match="secrets of a at event 2"):
        one.restore("a", 2)
    health = one.verify()
    assert (health.ok, health.segments[0].erased) == (True, 3)
    with pytest.raises(SecretErased):
        AuthLog(path).at(1)


def test_surroundings_that_repeat_write_the_same_bytes(tmp_path: Path) -> None:
    written: list[bytes] = []
    for name in ("one", "other"):
        with testing.repeatable():
            AuthLog(tmp_path / name / "auth.json").set("a", KEY)
        written.append((tmp_path / name / "auth.json.log" / "000001.jsonl").read_bytes())
    assert written[0] == written[1]
    answers = Repeatable()
    with testing.repeatable(answers):
        AuthLog(tmp_path / "one" / "auth.json").get("a")
    assert answers.answers == [2]


def test_a_tail_reads_on_in_a_file_that_was_replaced(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.set("a", ApiKey("2"))
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    data = segment.read_bytes()
    handle = one._handle
    assert handle.tail is not None
    shorter = data[: data.rindex(b"\n", 0, -1) + 1]
    with segment.open("r+b") as file:
        file.truncate(len(shorter))
    tail, rest = log.read_to_end(handle.tail)
    assert (tail.seq, rest) == (2, None)
    other = AuthLog(path.with_name("other.json"))
    for n in range(4):
        other.set("a", ApiKey(f"{n}"))
    with segment.open("r+b") as file:
        file.write((path.parent / "other.json.log" / "000001.jsonl").read_bytes())
    tail, rest = log.read_to_end(handle.tail)
    assert (tail.seq, rest) == (5, None)
    segment.write_bytes(data)


def test_all_of_a_file_is_read_also_if_it_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"1234")
    fd = os.open(path, os.O_RDONLY)
    size = 2

    class Smaller:
        st_size = size

    with monkeypatch.context() as patch:
        patch.setattr(files, "stat_open", lambda fd: Smaller())
        assert files.read_all(fd) == b"1234"
    assert files.read_all(fd, 1) == b"234"
    assert files.read_all(fd, 9) == b""
    os.close(fd)
    path.unlink()


def test_a_tail_knows_where_it_stands(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    handle = one._handle
    segment = handle.open_segment(1, files.READ)
    tail, rest = log.fold(Tail(segment), files.read_all(segment.file.fd))
    assert (tail.seq, rest, tail.floor, tail.checkpoint_size) == (2, None, 1, tail.checkpoint)
    *_, last = log.right_lines(tail, b"torn")
    assert last == log.Rest(b"torn", "not JSON")


@pytest.mark.parametrize(
    "entry", ['{"type":"oauth","refresh":"r"}', '{"type":"api","key":5}', '{"type":"api"}', "[]"]
)
def test_an_entry_of_a_wrong_shape_is_opaque(path: Path, entry: str) -> None:
    path.write_text(f'{{"a":{entry}}}')
    assert AuthLog(path).get("a") == credentials.Opaque(entry.encode())


def test_a_bom_is_stripped_and_a_list_is_no_snapshot(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"a":{"type":"api","key":"k"}}')
    one = AuthLog(path)
    one.set("b", KEY)
    assert set(one.all()) == {"a", "b"}
    path.write_text("[]")
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()][-1] == "quarantine"


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


def test_a_number_beyond_all_doubles_is_null_to_javascript() -> None:
    assert javascript.same(b'{"n":1%b}' % (b"0" * 400), b'{"n":null}')


def test_a_rename_without_the_call_falls_back_to_a_link(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_call(old: Path, new: Path, flag: int) -> None:
        raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(files._atomic, "_rename", no_such_call)
    one = AuthLog(path)
    one.set("a", KEY)
    assert one.set("b", KEY).seq == 3
    assert set(AuthLog(path).all()) == {"a", "b"}
    path.with_name("file").write_text("")
    with pytest.raises(FileExistsError):
        files.rename_new(path.with_name("file"), path)


def test_a_system_without_the_call_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files._atomic, "_libc", object(), raising=False)
    with pytest.raises(OSError) as caught:
        files.exchange(path, path)
    assert caught.value.errno == errno.ENOSYS


def test_a_reader_in_another_file_than_the_segment_is_read_anew(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    reader = AuthLog(path)
    assert reader.get("a") == KEY
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    copy = segment.with_name("copy")
    copy.write_bytes(segment.read_bytes())
    copy.chmod(0o600)
    copy.replace(segment)
    assert reader.set("b", KEY).seq == 3
    assert set(AuthLog(path).all()) == {"a", "b"}


def test_a_line_that_a_next_segment_did_not_carry_is_gone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    appended = _append_only(one, path)
    other = AuthLog(path)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_carried", lambda tail, mark: (b"", 2))
        patch.setattr(rotation, "ROTATE_AT", 0)
        segment = path.parent / "auth.json.log" / "000001.jsonl"
        with segment.open("r+b") as file:
            file.truncate(appended)
        other.set("c", KEY)
    assert one.settle() is False


def _hold_publish_lock(path: Path) -> int:
    """Return a descriptor that holds publish.lock until it is closed."""
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    return held


def _append_only(
    one: AuthLog,
    path: Path,
    patch: Mapping[str, credentials.Credential] = MappingProxyType({"b": KEY}),
) -> int:
    """Append a change that is not published; return where it begins."""
    begins = (path.parent / "auth.json.log" / "000001.jsonl").stat().st_size
    held = _hold_publish_lock(path)
    with pytest.raises(Unacknowledged):
        one.change(patch)
    os.close(held)
    return begins


def _die_at(verb: str) -> AbstractContextManager[None]:
    """Let a publish end before its first such step and leave behind what a killed one does."""

    def dies(called: str) -> None:
        if called == verb:
            raise KeyboardInterrupt

    return testing.steps(dies)


def test_a_publish_that_died_before_the_exchange_has_not_shown_my_change(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    _append_only(one, path)
    with _die_at("exchange"), pytest.raises(KeyboardInterrupt):
        AuthLog(path).adopt()
    assert b'"b"' not in path.read_bytes()
    assert one.settle() is True
    assert b'"b"' in path.read_bytes()


def test_nobody_who_waits_takes_another_line_for_his(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    begins = _append_only(one, path)
    os.truncate(path.parent / "auth.json.log" / "000001.jsonl", begins)
    AuthLog(path).set("c", ApiKey("a longer one than that which was cut"))
    held = _hold_publish_lock(path)
    with pytest.raises(Unacknowledged):
        one.settle()
    os.close(held)
    assert one.settle() is False


def test_nobody_who_waits_is_answered_while_a_folder_sync_is_owed(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.change({"a": OAuth("r-1", "a-1", 1), "b": KEY})
    _append_only(one, path, {"a": OAuth("r-2", "a-2", 2)})
    with _die_at("sync_folder"), pytest.raises(KeyboardInterrupt):
        AuthLog(path).adopt()
    assert b"r-2" in path.read_bytes()
    held = _hold_publish_lock(path)
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


def test_a_rewrite_of_what_was_shown_is_no_event_while_a_newer_state_waits(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    _append_only(one, path)
    path.write_text('{"a":{"type":"api","key":"k"}}')
    assert one.adopt() is None
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()] == ["init", "set", "set"]


def test_a_line_that_a_next_segment_carried_is_found_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    _append_only(one, path)
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


def test_without_a_mark_and_a_rebuilt_auth_json_the_first_look_is_still_to_come(
    path: Path,
) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    (path.parent / "auth.json.log" / "published.json").unlink()
    path.unlink()
    fresh = AuthLog(path)
    with (
        testing.fail_at(1, errno.EACCES, verbs=("rename_new",)),
        testing.fail_at(1, errno.ENOSPC, verbs=("set_mtime",)),
    ):
        assert fresh.get("a") == KEY
    assert not path.exists()
    assert AuthLog(path).adopt() is None
    assert path.exists()


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


def test_a_reader_that_meets_a_moving_mark_looks_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, reader = AuthLog(path), AuthLog(path)
    one.set("a", KEY)
    reader.get("a")
    one.set("a", ApiKey("2"))
    reads, busy = 0, False

    def before(verb: str) -> None:
        nonlocal reads, busy
        if busy:
            return
        reads += 1
        if reads in (3, 5):  # the mark was read, the segment and auth.json are yet to be
            busy = True
            one.set("a", ApiKey(f"{reads}"))
            busy = False

    with testing.steps(before, ("read",)):
        assert reader.get("a") == ApiKey("5")
    monkeypatch.setattr(reading, "TRIES", 0)
    one.set("a", ApiKey("6"))
    with pytest.raises(LogCorrupted, match="moves on"):
        reader.seq()


def test_a_mark_without_its_log_is_no_empty_store(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    segment = path.parent / "auth.json.log" / "000001.jsonl"
    mark = segment.with_name("published.json")
    data, was = segment.read_bytes(), mark.read_bytes()
    segment.unlink()
    with testing.repeatable(Repeatable(boot="another")), pytest.raises(LogCorrupted):
        AuthLog(path).seq()
    mark.write_bytes(b"garbage")
    with pytest.raises(LogCorrupted, match="the segment is missing"):
        AuthLog(path).seq()
    segment.write_bytes(data)
    segment.chmod(0o600)
    mark.write_bytes(was)


def test_a_reader_that_may_not_recover_says_why(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    (path.parent / "auth.json.log" / "published.json").unlink()
    with testing.fail_at(1, errno.EIO, times=9, verbs=("sync_folder",)), pytest.raises(OSError):
        AuthLog(path).get("a")
    with testing.fail_at(1, errno.EACCES, times=99, verbs=("write_at",)):
        assert AuthLog(path).get("a") == KEY
    mark = path.parent / "auth.json.log" / "published.json"
    left = 1

    def vanishes(verb: str) -> None:
        nonlocal left
        if left and mark.exists():
            left -= 1
            mark.unlink()

    reader = AuthLog(path)
    with testing.steps(vanishes, ("names",)):
        assert reader.get("a") == KEY


def test_a_foreign_file_that_can_not_be_told_at_once_is_told_later(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    path.write_text('{"a":{"type":"api","key":"k"},"f":{"type":"api","key":"k"}}')
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    assert set(one.all()) == {"a"}
    os.close(held)
    assert set(one.all()) == {"a", "f"}


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


def test_a_restore_looks_again_if_the_provider_was_changed_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = AuthLog(path), AuthLog(path)
    one.set("a", ApiKey("1"))
    one.set("a", ApiKey("2"))
    real, looks = history.state_at, list[int]()

    def state_at(handle: Handle, end: Tail, seq: int) -> State:
        looks.append(seq)
        if len(looks) == 1:
            other.set("a", ApiKey("3"))
        return real(handle, end, seq)

    monkeypatch.setattr(history, "state_at", state_at)
    assert one.restore("a", 2).seq == 5
    assert looks == [2, 2]
    assert one.get("a") == ApiKey("1")


def test_settle_tells_of_a_change_that_is_durable_and_not_shown(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    _append_only(one, path)
    with testing.fail_at(1, errno.EIO, times=9, verbs=("exchange",)):
        assert one.settle() is True
    with testing.fail_at(1, errno.EIO, times=9, verbs=("sync",)), pytest.raises(NotDurable):
        one.set("c", KEY)
    with testing.fail_at(1, errno.EIO, times=9, verbs=("sync",)), pytest.raises(NotDurable):
        one.settle()
    assert one.settle() is True


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


@pytest.mark.damaged
def test_a_log_that_was_changed_behind_a_reader_is_read_anew(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    one.get("a")
    folder = path.parent / "auth.json.log"
    other = AuthLog(path.with_name("other.json"))
    for n in range(5):
        other.set("a", ApiKey(f"{n}"))
    for name in ("000001.jsonl", "published.json"):  # in the files that are open
        data = (path.parent / "other.json.log" / name).read_bytes()
        with (folder / name).open("r+b") as file:
            file.write(data)
    assert one.get("a") == KEY  # which auth.json says: a foreign file to that log
    assert one.at(6) == {"a": ApiKey("4")}
    (folder / "000001.jsonl").write_bytes(b"X" + (folder / "000001.jsonl").read_bytes()[1:])
    path.write_text("{}")
    with pytest.raises(LogCorrupted):
        AuthLog(path).get("a")
    lines = (path.parent / "other.json.log" / "000001.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "000001.jsonl").write_bytes(lines[0] + b"X" + lines[1])
    with pytest.raises(LogCorrupted):
        AuthLog(path).get("a")


def test_a_reader_that_finds_another_log_than_its_mark_says_looks_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, reader = AuthLog(path), AuthLog(path)
    one.set("a", KEY)
    real, folds = log.fold, list[int]()

    def fold(tail: Tail, data: bytes) -> tuple[Tail, log.Rest | None]:
        folds.append(tail.seq)
        if len(folds) == 1:
            with monkeypatch.context() as patch:
                patch.setattr(log, "fold", real)
                one.set("a", ApiKey("2"))
            return Tail(tail.segment), None
        return real(tail, data)

    monkeypatch.setattr(log, "fold", fold)
    assert reader.get("a") == ApiKey("2")


def test_a_mark_that_vanishes_again_leaves_a_reader_what_is_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    mark = path.parent / "auth.json.log" / "published.json"

    def publish_and_lose(handle: Handle, timeout: float | None = None) -> None:
        publish(handle, timeout=timeout)
        handle.mark_file = None
        mark.unlink()

    monkeypatch.setattr(reading, "publish", publish_and_lose)
    path.write_text('{"a":{"type":"api","key":"k"},"f":{"type":"api","key":"k"}}')
    assert set(one.all()) == {"a"}
    assert set(AuthLog(path).all()) == {"a", "f"}
