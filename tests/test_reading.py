"""Reading without a lock, while marks move, vanish or tell of another log."""

import errno
from itertools import count
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, LogCorrupted, testing
from authlog._engine import log, reading
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.publish import publish
from authlog.testing import Repeatable

KEY = ApiKey("k")


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


def test_a_reader_of_a_log_that_is_just_being_begun_finds_it_or_none(tmp_path: Path) -> None:
    """Whichever of its steps the reader is at."""
    for nth in count(1):
        path, left = tmp_path / f"{nth}" / "auth.json", nth

        def before(verb: str, path: Path = path) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                AuthLog(path).set("a", KEY)

        with testing.steps(before):
            assert AuthLog(path).seq() in (0, 2)
        if left > 0:
            break
        assert AuthLog(path).all() == {"a": KEY}


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
