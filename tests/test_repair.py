"""Repair: what is intact goes on, what is gone is stated, and nothing is invented."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authlog import (
    ApiKey,
    AuthLog,
    AuthLogError,
    LogCorrupted,
    SecretErased,
    SnapshotCorrupted,
    Span,
    StorageFull,
    testing,
)
from authlog._engine import codec, files, rotation
from authlog._engine.log import Tail

pytestmark = pytest.mark.damaged

WRITTEN = {"a": {f"A{n}" for n in range(6)}, "b": {f"B{n}" for n in range(6)}}
LAST = {"a": ApiKey("A5"), "b": ApiKey("B5")}


def due_after_four_events(handle: object, tail: Tail) -> bool:
    return tail.offset - tail.checkpoint > 2200


def made(path: Path) -> AuthLog:
    """Return a log of twelve sets in several segments."""
    due, rotation._due = rotation._due, due_after_four_events
    try:
        log = AuthLog(path)
        for n in range(6):
            log.set("a", ApiKey(f"A{n}"))
            log.set("b", ApiKey(f"B{n}"))
    finally:
        rotation._due = due
    return log


@pytest.fixture
def store(path: Path) -> AuthLog:
    return made(path)


def segments(path: Path) -> list[Path]:
    return sorted((path.parent / "auth.json.log").glob("0*.jsonl"))


def mark(path: Path) -> Path:
    return path.parent / "auth.json.log" / "published.json"


def quarantined(path: Path) -> set[bytes]:
    folder = path.parent / "auth.json.log" / "quarantine"
    return {file.read_bytes() for file in folder.iterdir()} if folder.is_dir() else set()


def lines(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines(keepends=True)


def seq_of(raw: bytes) -> int:
    return codec.decode(raw).public.seq


def judged(path: Path, *, lost: set[int]) -> AuthLog:
    """Repair the store and hold it to the promise: exactly these events are lost."""
    before = {file: file.read_bytes() for file in [*segments(path)]}
    hashes = {seq_of(raw): raw[raw.index(b'"hash":"') :][8:72] for raw in WHOLE[path]}
    planned = AuthLog(path).repair(dry_run=True)
    assert before == {file: file.read_bytes() for file in before}
    done = AuthLog(path).repair()
    assert (planned.gaps, planned.kept, planned.providers) == (done.gaps, done.kept, done.providers)
    log = AuthLog(path)
    health = log.verify()
    assert health.ok, health.damage
    gone = {seq for gap in health.gaps for seq in range(gap.first, gap.last + 1)}
    assert gone == lost
    for file, data in before.items():
        as_it_was = file.exists() and file.read_bytes().startswith(data)
        assert as_it_was or data in quarantined(path)
    events = {event.seq: event.hash.encode() for event in log.history()}
    assert {seq: hash for seq, hash in hashes.items() if seq not in lost}.items() <= events.items()
    assert not lost & events.keys()
    assert [event.seq for event in log.history(reverse=True)] == sorted(events, reverse=True)
    again = AuthLog(path).repair()
    assert (again.damage, again.kept, again.segment) == ((), (), None)
    seq = log.seq()
    log.set("next", ApiKey("next"))
    assert log.seq() == seq + 1
    assert AuthLog(path).get("next") == ApiKey("next")
    assert json.loads(path.read_bytes()).keys() >= {"next", *done.providers}
    return log


WHOLE: dict[Path, list[bytes]] = {}


@pytest.fixture(autouse=True)
def what_was_written(request: pytest.FixtureRequest) -> None:
    if "store" in request.fixturenames:
        path: Path = request.getfixturevalue("path")
        request.getfixturevalue("store")
        WHOLE[path] = [raw for file in segments(path) for raw in lines(file)]


def newest_lines(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    file = segments(path)[-1]
    file.write_bytes(b"".join(change(lines(file))))


def flipped(raw: bytes) -> bytes:
    return raw.replace(b'"salt":"', b'"salt":"0')


def test_there_is_several_of_everything(store: AuthLog, path: Path) -> None:
    assert [len(lines(file)) for file in segments(path)] == [6, 6, 3]


def test_nothing_is_done_where_nothing_is_damaged(store: AuthLog, path: Path) -> None:
    content = {file: file.read_bytes() for file in segments(path)}
    done = store.repair()
    assert (done.damage, done.kept, done.gaps, done.segment) == ((), (), (), None)
    assert content == {file: file.read_bytes() for file in content}
    nothing = AuthLog(path.parent / "other.json").repair()
    assert (nothing.events, nothing.providers) == (0, ())


@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_line_of_a_closed_segment(store: AuthLog, path: Path, place: int) -> None:
    file = segments(path)[1]
    found = lines(file)
    seq = seq_of(found[place])
    found[place] = flipped(found[place])
    file.write_bytes(b"".join(found))
    log = judged(path, lost={seq})
    assert {name: log.get(name) for name in LAST} == LAST
    with pytest.raises(SecretErased):
        log.at(seq)


def test_the_first_line_of_all(store: AuthLog, path: Path) -> None:
    file = segments(path)[0]
    file.write_bytes(b"".join([b"x" * 40 + b"\n", *lines(file)[1:]]))
    log = judged(path, lost={1})
    assert log.all() == {**LAST, "next": ApiKey("next")}
    with pytest.raises(SecretErased):
        log.at(2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_closed_segment_that_is_missing(store: AuthLog, path: Path, which: int) -> None:
    file = segments(path)[which]
    gone = {seq_of(raw) for raw in lines(file)} - {
        seq_of(raw) for other in segments(path) if other != file for raw in lines(other)
    }
    file.unlink()
    log = judged(path, lost=gone)
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_a_closed_segment_of_which_nothing_is_left(store: AuthLog, path: Path) -> None:
    file = segments(path)[1]
    gone = {seq_of(raw) for raw in lines(file)}
    file.write_bytes(b"\0" * file.stat().st_size)
    log = judged(path, lost=gone)
    assert not file.exists()
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_the_newest_segment_that_is_missing(store: AuthLog, path: Path) -> None:
    file = segments(path)[-1]
    gone = {seq_of(raw) for raw in lines(file)}
    file.unlink()
    log = judged(path, lost=gone)
    assert log.all() == {**LAST, "next": ApiKey("next")}  # auth.json proved it


def test_everything_but_the_mark_and_auth_json(store: AuthLog, path: Path) -> None:
    seq = store.seq()
    for file in segments(path):
        file.unlink()
    log = judged(path, lost=set(range(1, seq + 1)))
    assert log.all() == {**LAST, "next": ApiKey("next")}
    assert next(log.history()).seq == seq + 1


def test_everything_but_the_mark(store: AuthLog, path: Path) -> None:
    for file in [*segments(path), path]:
        file.unlink()
    log = judged(path, lost=set(range(1, store._handle.tail.seq + 1)))  # type: ignore[union-attr]
    assert log.all() == {"next": ApiKey("next")}


def dropped(found: list[bytes]) -> list[bytes]:
    return [*found[:1], *found[2:]]


def cut(found: list[bytes]) -> list[bytes]:
    return found[:1]


def emptied(found: list[bytes]) -> list[bytes]:
    return []


def half(found: list[bytes]) -> list[bytes]:
    return [*found[:-1], found[-1][:40]]


def edited(found: list[bytes]) -> list[bytes]:
    return [*found[:-1], found[-1].replace(b'"key":"', b'"key":"Z')]


def zeroed(found: list[bytes]) -> list[bytes]:
    return [*found[:1], b"\0" * sum(map(len, found[1:]))]


def without_checkpoint(found: list[bytes]) -> list[bytes]:
    return [flipped(found[0]), *found[1:]]


@pytest.mark.parametrize(
    "change", [dropped, cut, emptied, half, edited, zeroed, without_checkpoint]
)
@pytest.mark.parametrize("proved", [True, False])
def test_the_newest_segment(
    store: AuthLog,
    path: Path,
    proved: bool,
    change: Callable[[list[bytes]], list[bytes]],
) -> None:
    store.set("a", ApiKey("A4"))
    store.set("a", ApiKey("A5"))
    store.set("b", ApiKey("B4"))
    WHOLE[path] = [raw for file in segments(path) for raw in lines(file)]
    if not proved:
        path.unlink()
    before = segments(path)[-1]
    intact = {seq_of(raw) for raw in lines(before)}
    newest_lines(path, change)
    left = {seq_of(raw) for file in segments(path) for raw in lines(file) if is_whole(raw)}
    log = judged(path, lost=intact - left)
    state = log.all()
    assert state.pop("next") == ApiKey("next")
    if proved:
        assert state == {"a": ApiKey("A5"), "b": ApiKey("B4")}
    for name, credential in state.items():
        assert credential.value["key"] in WRITTEN[name]  # type: ignore[index]


def is_whole(raw: bytes) -> bool:
    try:
        codec.decode(raw)
    except codec.NotWhole:
        return False
    return True


def reordered(found: list[bytes]) -> list[bytes]:
    return [found[0], *found[:0:-1]]


def doubled(found: list[bytes]) -> list[bytes]:
    return [line for line in found for _ in range(2)]


def interrupted(found: list[bytes]) -> list[bytes]:
    return [line for raw in found for line in (b"\n", raw)]


@pytest.mark.parametrize("change", [reordered, doubled, interrupted])
@pytest.mark.parametrize("which", [0, 1, -1])
def test_lines_that_are_all_there_and_not_in_order_lose_nothing(
    store: AuthLog, path: Path, which: int, change: Callable[[list[bytes]], list[bytes]]
) -> None:
    store.set("a", ApiKey("A4"))
    store.set("a", ApiKey("A5"))
    store.set("b", ApiKey("B4"))
    store.set("b", ApiKey("B5"))
    WHOLE[path] = [raw for file in segments(path) for raw in lines(file)]
    file = segments(path)[which]
    file.write_bytes(b"".join(change(lines(file))))
    assert not AuthLog(path).verify().ok
    log = judged(path, lost=set())
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_lines_of_another_log_are_no_part_of_this_one(store: AuthLog, path: Path) -> None:
    other = AuthLog(path.parent / "other" / "auth.json")
    for n in range(20):
        other.set("x", ApiKey(f"X{n}"))
    foreign = lines(path.parent / "other" / "auth.json.log" / "000001.jsonl")
    newest = segments(path)[-1]
    gone = {seq_of(raw) for raw in lines(newest)[1:]}
    newest.write_bytes(b"".join([lines(newest)[0], *foreign[store.seq() - 3 :]]))
    log = judged(path, lost=gone)
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_a_line_that_was_moved_to_another_segment_comes_back(store: AuthLog, path: Path) -> None:
    one, other = segments(path)[0], segments(path)[-1]
    moved = lines(one)[2]
    one.write_bytes(b"".join([*lines(one)[:2], *lines(one)[3:]]))
    other.write_bytes(b"".join([lines(other)[0], moved, *lines(other)[1:]]))
    assert judged(path, lost=set()).all() == {**LAST, "next": ApiKey("next")}


def test_a_mark_that_tells_of_another_event_is_kept_and_replaced(
    store: AuthLog, path: Path
) -> None:
    raw = mark(path).read_bytes()
    body = raw[8 : raw.index(b',"hash":"', raw.index(b'"owes"'))]
    body = body.replace(b'"hash":"', b'"hash":"0')[: len(body) + 1]
    at = body.index(b'"hash":"')
    body = body[: at + 8 + 64] + body[at + 8 + 65 :]
    data = b'{"mark":%b,"hash":"%b"}' % (body, codec.digest(body).encode())
    mark(path).write_bytes(data.ljust(511) + b"\n")
    assert not AuthLog(path).verify().ok
    log = judged(path, lost=set())
    assert data.ljust(511) + b"\n" in quarantined(path)
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_damage_in_several_segments(store: AuthLog, path: Path) -> None:
    gone = set[int]()
    for file in segments(path):
        found = lines(file)
        gone.add(seq_of(found[1]))
        file.write_bytes(b"".join([found[0], flipped(found[1]), *found[2:]]))
    log = judged(path, lost=gone)
    assert log.all() == {**LAST, "next": ApiKey("next")}


def test_damage_again_behind_a_gap(store: AuthLog, path: Path) -> None:
    test_damage_in_several_segments(store, path)
    file = segments(path)[0]
    found = lines(file)
    known = {seq for gap in AuthLog(path).verify().gaps for seq in range(gap.first, gap.last + 1)}
    WHOLE[path] = []
    file.write_bytes(b"".join([found[0], *found[2:]]))
    judged(path, lost={*known, seq_of(found[1])})


def test_erased_and_dropped_events_stay_as_they_are(store: AuthLog, path: Path) -> None:
    from datetime import timedelta

    store.compact(retain=timedelta(0))
    WHOLE[path] = [raw for file in segments(path) for raw in lines(file)]
    file = segments(path)[1]
    found = lines(file)
    file.write_bytes(b"".join([*found[:1], *found[2:]]))
    judged(path, lost={seq_of(found[1])})
    log = AuthLog(path)
    log.compact(drop_history=True)
    log.set("a", ApiKey("A1"))
    log.set("a", ApiKey("A2"))
    WHOLE[path] = [raw for file in segments(path) for raw in lines(file)]
    newest = lines(segments(path)[-1])
    segments(path)[-1].write_bytes(b"".join([newest[0], flipped(newest[1]), newest[2]]))
    AuthLog(path).repair()
    health = AuthLog(path).verify()
    assert (health.ok, health.gaps) == (
        True,
        (Span(first=seq_of(newest[1]), last=seq_of(newest[1])),),
    )
    assert AuthLog(path).get("a") == ApiKey("A2")


def test_a_state_whose_secrets_are_nowhere_is_not_made_up(store: AuthLog, path: Path) -> None:
    store.forget("a")
    segments(path)[-1].unlink()
    path.unlink()
    AuthLog(path).repair()
    log = AuthLog(path)
    assert log.verify().ok
    assert log.get("a") is None


def test_what_auth_json_says_is_told_where_it_is_not_proved(store: AuthLog, path: Path) -> None:
    newest_lines(path, emptied)
    mark(path).unlink()
    path.write_text('{"a": {"type": "api", "key": "A5"}, "new": {"type": "api", "key": "N"}}')
    with pytest.raises(LogCorrupted, match="authlog repair"):
        AuthLog(path).set("c", ApiKey("c"))
    AuthLog(path).repair()
    log = AuthLog(path)
    assert (log.get("a"), log.get("new")) == (ApiKey("A5"), ApiKey("N"))
    assert log.verify().ok


def test_a_foreign_write_is_told_behind_a_repair_and_not_taken_for_ours(
    store: AuthLog, path: Path
) -> None:
    entries = json.loads(path.read_bytes())
    newest_lines(path, half)
    path.write_text(json.dumps({**entries, "new": {"type": "api", "key": "N"}}))
    assert not AuthLog(path).repair().shown
    log = AuthLog(path)
    assert log.get("new") == ApiKey("N")
    assert [event.kind for event in log.history("new")] == ["adopt"]


def test_an_auth_json_without_a_log_is_left_as_it_is(path: Path) -> None:
    path.write_text("{ no")
    for dry_run in (True, False):
        with pytest.raises(SnapshotCorrupted):
            AuthLog(path).repair(dry_run=dry_run)
    assert path.read_text() == "{ no"
    assert list(path.parent.iterdir()) == [path]


def test_a_disk_that_refuses_leaves_a_repair_that_can_be_run_again(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest_lines(path, half)

    def full(fd: int, data: bytes) -> int:
        raise OSError(28, "")

    monkeypatch.setattr(files, "write", full)
    with pytest.raises(StorageFull):
        store.repair()
    monkeypatch.undo()
    assert not AuthLog(path).verify().ok
    judged(path, lost={15})


def test_instances_that_were_open_before_go_on(store: AuthLog, path: Path) -> None:
    other = AuthLog(path)
    other.all()
    newest_lines(path, half)
    store.repair()
    assert other.all() == LAST
    other.set("c", ApiKey("c"))
    assert store.get("c") == ApiKey("c")


def test_readers_find_a_repair_that_was_killed_before_it_moved_the_mark(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest_lines(path, half)

    def unlucky(fd: int, data: bytes, offset: int) -> int:
        raise OSError(5, "")

    monkeypatch.setattr(files, "write_at", unlucky)
    with pytest.raises(AuthLogError):
        store.repair()
    monkeypatch.undo()
    reader = AuthLog(path)
    assert reader.seq() > 14
    assert reader.all() == LAST
    assert reader.verify().ok


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32), hits=st.integers(1, 4))
def test_whatever_is_damaged_nothing_is_invented(seed: int, hits: int) -> None:
    chance = random.Random(seed)
    with TemporaryDirectory() as folder, testing.without_sync():
        path = Path(folder) / "auth.json"
        made(path)
        for _ in range(hits):
            harm(chance, path)
        images = {f: f.read_bytes() for f in segments(path)}
        plans = [AuthLog(path).repair(dry_run=True) for _ in range(2)]
        assert plans[0] == plans[1]
        assert images == {f: f.read_bytes() for f in images}
        AuthLog(path).repair()
        log = AuthLog(path)
        assert log.verify().ok, log.verify().damage
        for name, credential in log.all().items():
            assert credential.value["key"] in WRITTEN[name]  # type: ignore[index]
        list(log.history())
        log.set("c", ApiKey("c"))
        assert log.get("c") == ApiKey("c")


def harm(chance: random.Random, path: Path) -> None:
    """Do something to one of the files."""
    file = chance.choice(segments(path) or [mark(path)])
    data = file.read_bytes() if file.exists() else b""
    found = data.splitlines(keepends=True)
    match chance.randrange(6):
        case 0 if data:
            at = chance.randrange(len(data))
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
        case 1:
            data = data[: chance.randrange(len(data) + 1)]
        case 2 if found:
            data = b"".join(found[:-1])
        case 3:
            chance.shuffle(found)
            data = b"".join(found)
        case 4 if len(segments(path)) > 1:
            file.unlink()
            return
        case _:
            mark(path).unlink(missing_ok=True)
            return
    file.write_bytes(data)
