"""Bytes that are not as they were written: found and named, or provably without effect."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, Credential, LogCorrupted, OAuth, UnknownFormat
from authlog._engine import codec

pytestmark = pytest.mark.damaged

STATE: dict[str, Credential] = {"a": ApiKey("k1"), "b": OAuth("r2", "a2", 5)}


def begun(folder: Path) -> Path:
    log = AuthLog(folder / "auth.json")
    log.set("a", STATE["a"])
    log.set("b", OAuth("r1", "a1", 5))
    log.set("b", STATE["b"])
    return log.path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a store of four events."""
    return begun(tmp_path_factory.mktemp("store")).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return the path of another such store."""
    return begun(tmp_path / "copy")


def segment(path: Path) -> Path:
    return path.parent / "auth.json.log" / "000001.jsonl"


def mark(path: Path) -> Path:
    return path.parent / "auth.json.log" / "published.json"


def lines(path: Path) -> list[bytes]:
    return segment(path).read_bytes().splitlines(keepends=True)


def flips(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the data with one bit flipped in each byte in turn, another one each time."""
    for place in range(len(data)):
        flipped = data[place] ^ (1 << place % 8)
        yield place, data[:place] + bytes([flipped]) + data[place + 1 :]


def test_a_flipped_bit_is_found_in_every_byte_of_a_log(copy: Path) -> None:
    data = segment(copy).read_bytes()
    for place, damaged in flips(data):
        segment(copy).write_bytes(damaged)
        log = AuthLog(copy)
        health = log.verify()
        assert not health.ok, place
        assert health.damage[0].path == str(segment(copy))
        assert health.damage[0].offset <= place
        assert log.all() == STATE, place  # auth.json is known to show it
        with pytest.raises((LogCorrupted, UnknownFormat)) as caught:
            log.set("c", ApiKey("k"))
        assert str(segment(copy)) in str(caught.value)
        assert segment(copy).read_bytes() == damaged


def test_nothing_is_silently_empty_when_auth_json_and_a_bit_of_the_log_are_gone(
    copy: Path,
) -> None:
    data = segment(copy).read_bytes()
    copy.unlink()
    for place, damaged in flips(data):
        segment(copy).write_bytes(damaged)
        with pytest.raises((LogCorrupted, UnknownFormat)):
            AuthLog(copy).all()
        assert not copy.exists(), place


@pytest.mark.no_cover
@pytest.mark.parametrize("with_mark", [True, False])
def test_the_last_line_cut_at_every_byte(store: Path, tmp_path: Path, with_mark: bool) -> None:
    data = segment(store / "auth.json").read_bytes()
    start = data.rindex(b"\n", 0, -1) + 1
    for end in range(start, len(data)):
        folder = tmp_path / f"{end}"
        shutil.copytree(store, folder)
        path = folder / "auth.json"
        segment(path).write_bytes(data[:end])
        if with_mark:
            _is_corruption(path, end - start)
        else:
            mark(path).unlink()
            _is_a_torn_tail(path, data[start:end])
        shutil.rmtree(folder)


def _is_corruption(path: Path, rest: int) -> None:
    assert not AuthLog(path).verify().ok
    assert AuthLog(path).all() == STATE
    with pytest.raises(LogCorrupted) as caught:
        AuthLog(path).set("c", ApiKey("k"))
    assert caught.value.seq == 3
    assert caught.value.offset == segment(path).stat().st_size - rest


def _is_a_torn_tail(path: Path, torn: bytes) -> None:
    """Without its mark the log doesn't tell that the last line was published; auth.json does."""
    health = AuthLog(path).verify()
    assert (health.ok, health.seq, health.segments[0].torn) == (True, 3, len(torn))
    log = AuthLog(path)
    log.set("c", ApiKey("k"))
    kept = path.parent / "auth.json.log" / "quarantine"
    assert [file.read_bytes() for file in kept.glob("torn-tail-*")] == ([torn] if torn else [])
    assert log.all() == {**STATE, "c": ApiKey("k")}
    assert log.verify().ok


def edited(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[3].replace(b"r2", b"r3")]


def spaced(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[1].replace(b'"salt":"', b'"salt": "'), *lines[2:]]


@pytest.mark.parametrize(
    "changed",
    [
        lambda lines: [lines[0], lines[2], lines[3]],
        lambda lines: [lines[0], lines[2], lines[1], lines[3]],
        lambda lines: [lines[0], lines[1], lines[1], lines[2], lines[3]],
        lambda lines: lines[1:],
        lambda lines: [lines[0]],
        lambda lines: [],
        edited,
        lambda lines: [lines[0], b"\n", *lines[1:]],
        spaced,
    ],
)
def test_lines_dropped_reordered_doubled_or_edited_are_found(
    copy: Path, changed: Callable[[list[bytes]], list[bytes]]
) -> None:
    segment(copy).write_bytes(b"".join(changed(lines(copy))))
    assert not AuthLog(copy).verify().ok
    with pytest.raises(LogCorrupted):
        AuthLog(copy).set("c", ApiKey("k"))


def test_what_was_appended_behind_the_mark_and_is_not_right_is_kept_and_cut(copy: Path) -> None:
    good = segment(copy).read_bytes()
    for torn in (b"\0" * 700, b'{"event":{"v"', b"\n", lines(copy)[1], b"\xff\xfe\n" * 3):
        segment(copy).write_bytes(good + torn)
        log = AuthLog(copy)
        assert log.verify().segments[-1].torn == len(torn)
        assert log.all() == STATE
        log.remove("nobody")
        log.remove("nobody")
        kept = copy.parent / "auth.json.log" / "quarantine"
        assert torn in [file.read_bytes() for file in kept.iterdir()]
        assert segment(copy).read_bytes() == good


def rehashed(line: bytes, old: bytes, new: bytes) -> bytes:
    """Return the line with its event changed, and the hash that fits."""
    head, event, rest = line[:9], line[9 : line.index(b',"hash":"')], line[line.index(b',"hash"') :]
    assert event.count(old) == 1
    event = event.replace(old, new)
    return head + event + b',"hash":"' + codec.digest(event).encode() + rest[73:]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'{"v":1', b'{"v":2'),
        (b'"kind":"set"', b'"kind":"merge"'),
        (b'"seq":4', b'"new":1,"seq":4'),
    ],
)
def test_a_log_of_a_newer_authlog_is_not_touched(copy: Path, old: bytes, new: bytes) -> None:
    *before, last = lines(copy)
    segment(copy).write_bytes(b"".join(before) + rehashed(last, old, new))
    mark(copy).unlink()
    all_files = {file: file.read_bytes() for file in copy.parent.rglob("*") if file.is_file()}
    log = AuthLog(copy)
    for act in (log.all, log.verify, log.adopt, lambda: log.set("c", ApiKey("k"))):
        with pytest.raises(UnknownFormat, match="newer authlog"):
            act()
    assert {file: file.read_bytes() for file in all_files if file.suffix != ".lock"} == {
        file: data for file, data in all_files.items() if file.suffix != ".lock"
    }


def test_a_mark_that_is_damaged_or_gone_is_written_anew(copy: Path) -> None:
    for data in (b"", b"x" * 512, mark(copy).read_bytes()[:-1], mark(copy).read_bytes()[:300]):
        mark(copy).write_bytes(data)
        assert AuthLog(copy).all() == STATE
        assert json.loads(mark(copy).read_bytes())["mark"]["seq"] == 4
    mark(copy).unlink()
    assert AuthLog(copy).all() == STATE
    assert mark(copy).stat().st_size == 512


def test_a_mark_of_a_newer_authlog_is_no_mark(copy: Path) -> None:
    raw = mark(copy).read_bytes()
    body = raw[8 : raw.index(b',"hash":"', raw.index(b'"owes"'))].replace(b'"v":1', b'"v":2')
    data = b'{"mark":%b,"hash":"%b"}' % (body, codec.digest(body).encode())
    mark(copy).write_bytes(data.ljust(511) + b"\n")
    assert AuthLog(copy).all() == STATE
    other = body.replace(b'"v":2,', b"")
    data = b'{"mark":%b,"hash":"%b"}' % (other, codec.digest(other).encode())
    mark(copy).write_bytes(data.ljust(511) + b"\n")
    assert AuthLog(copy).all() == STATE


def test_a_segment_that_is_gone_is_no_empty_log(copy: Path) -> None:
    segment(copy).unlink()
    log = AuthLog(copy)
    health = log.verify()
    assert [damage.reason for damage in health.damage] == ["the segment is missing"]
    for act in (lambda: AuthLog(copy).seq(), lambda: AuthLog(copy).set("c", ApiKey("k"))):
        with pytest.raises(LogCorrupted, match="missing"):
            act()


def test_a_log_replaced_under_a_mark_is_found(copy: Path) -> None:
    other = AuthLog(copy.parent / "other.json")
    other.set("x", ApiKey("x"))
    other.set("y", ApiKey("y"))
    other.set("z", ApiKey("z"))
    folder = copy.parent / "other.json.log"
    segment(copy).write_bytes((folder / "000001.jsonl").read_bytes())
    assert not AuthLog(copy).verify().ok
    with pytest.raises(LogCorrupted):
        AuthLog(copy).seq()
