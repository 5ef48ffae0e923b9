"""The log: which lines stand in it, and what is none of them."""

import errno
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, LogCorrupted, NotWritten, StorageFull, UnknownFormat
from authlog._engine import codec, files, log, text
from authlog._engine.log import Tail

KEY = ApiKey("k")


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


def test_a_tail_knows_where_it_stands(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    handle = one._handle
    segment = handle.open_segment(1, files.READ)
    tail, rest = log.fold(Tail(segment), files.read_all(segment.file.fd))
    assert (tail.seq, rest, tail.floor, tail.checkpoint_size) == (2, None, 1, tail.checkpoint)
    *_, last = log.right_lines(tail, b"torn")
    assert last == log.Rest(b"torn", "not JSON")
