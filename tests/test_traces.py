"""The shortest traces that lose something under a weaker protocol, each with its rule.

Numbered as in the design. Two AuthLogs in one process stand for two processes: they share nothing
but the disk.
"""

import errno
import itertools
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, LockTimeout, LogCorrupted, NotMaterialized, testing
from authlog._engine import files, lock, rotation
from authlog.testing import Repeatable
from power import Killed, Power

KEY = ApiKey("k")


@pytest.fixture
def power(tmp_path: Path) -> Power:
    root = tmp_path / "root"
    root.mkdir(mode=0o700)
    return Power(root)


@pytest.fixture
def store(power: Power) -> Path:
    """Return the path of a store that has p1, all of it durable."""
    path = power.root / "auth.json"
    AuthLog(path).set("p1", KEY)
    power.remember()
    return path


def reboot(path: Path, boot: str = "another") -> AuthLog:
    """Return an AuthLog in another boot of the machine."""
    with testing.repeatable(Repeatable(boot=boot)):
        return AuthLog(path)


def change(log: AuthLog) -> object:
    """Change something, as one that looks first at what was published."""
    return log.set("p2", KEY)


def once(verb: str, run: Callable[[], None], *, skip: int = 0) -> Callable[[str, object], None]:
    """Return a hook that does `run` before the first such verb, or one later; once."""
    left = [skip + 1]

    def before(called: str, what: object) -> None:
        if called == verb and left[0] > 0:
            left[0] -= 1
            if left[0] == 0:
                run()

    return before


def killed() -> None:
    raise Killed


def fails() -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def kill(power: Power, verb: str, run: Callable[[], object], *, skip: int = 0) -> None:
    """Do `run` in a process that is killed before its first such verb, or one later."""
    dead, left = False, skip + 1

    def before(called: str, what: object) -> None:
        nonlocal left, dead
        if dead:
            raise Killed
        if called == verb:
            left -= 1
            if left == 0:
                dead = True
                raise Killed

    power.before = before
    with power.on(), pytest.raises(Killed):
        run()
    power.before = lambda called, what: None


def dies_at(power: Power, nth: int, run: Callable[[], object]) -> bool:
    """Whether `run` gets as far as its `nth` disk step (from 0), before which it is killed."""
    steps = 0

    def before(called: str, what: object) -> None:
        nonlocal steps
        steps += 1
        if steps > nth:
            raise Killed

    power.before = before
    try:
        with power.on():
            run()
        return False
    except Killed:
        return True
    finally:
        power.before = lambda called, what: None


def names(path: Path) -> set[str]:
    return set(AuthLog(path).all())


def test_1_a_failed_sync_of_another_process_drops_no_line_of_mine(
    power: Power, store: Path
) -> None:
    a, b = AuthLog(store), AuthLog(store)
    a.get("p1")

    def other() -> None:
        power.before = once("sync", fails)
        b.set("p3", KEY)
        power.before = lambda verb, what: None

    written = False

    def before(verb: str, what: object) -> None:
        nonlocal written
        if written and verb == "try_lock":
            written = False
            other()
        written = written or verb == "write"

    power.before = before
    with power.on():
        a.set("p2", KEY)
        power.cut()
    assert set(reboot(store).all()) == {"p1", "p2", "p3"}


def test_2_a_sync_that_failed_for_a_killed_process_is_not_believed_later(
    power: Power, store: Path
) -> None:
    def fails_and_is_killed() -> None:
        power.before = lambda verb, what: killed()
        fails()

    power.before = once("sync", fails_and_is_killed)
    with power.on():
        with pytest.raises(Killed):
            AuthLog(store).set("p2", KEY)
        power.before = lambda verb, what: None
        AuthLog(store).set("p3", KEY)
        power.cut()
    assert set(reboot(store).all()) == {"p1", "p2", "p3"}


def test_3_a_lost_page_before_a_kept_one_is_a_torn_tail(power: Power, store: Path) -> None:
    segment = store.parent / "auth.json.log" / "000001.jsonl"
    durable = segment.stat().st_size
    kill(power, "sync", lambda: AuthLog(store).set("p2", KEY))
    lost = segment.stat().st_size
    kill(power, "sync", lambda: AuthLog(store).set("p3", KEY))
    data = segment.read_bytes()
    segment.write_bytes(data[:durable] + bytes(lost - durable) + data[lost:])
    after = reboot(store)
    assert set(after.all()) == {"p1"}
    after.set("p4", KEY)
    kept = list((segment.parent / "quarantine").iterdir())
    assert [path.read_bytes() for path in kept] == [bytes(lost - durable) + data[lost:]]
    assert names(store) == {"p1", "p4"}


@pytest.mark.damaged
@pytest.mark.parametrize("opened", [AuthLog, reboot])
@pytest.mark.parametrize("look", [change, AuthLog.adopt])
def test_3_a_bad_last_line_below_the_mark_is_corruption(
    store: Path, look: Callable[[AuthLog], object], opened: Callable[[Path], AuthLog]
) -> None:
    segment = store.parent / "auth.json.log" / "000001.jsonl"
    data = segment.read_bytes()
    segment.write_bytes(data[:-10] + b"X" + data[-9:])
    with pytest.raises(LogCorrupted) as caught:
        look(opened(store))
    assert (caught.value.path, caught.value.seq) == (segment, 1)
    assert segment.read_bytes() == data[:-10] + b"X" + data[-9:]
    assert not (segment.parent / "quarantine").exists()


def test_4_after_a_boot_nobody_answers_from_an_old_mark(store: Path) -> None:
    mark = store.parent / "auth.json.log" / "published.json"
    old = mark.read_bytes()
    AuthLog(store).set("p2", KEY)
    mark.write_bytes(old)
    fd = os.open(store.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(fd)
    with testing.repeatable(Repeatable(boot="another")):
        reader = AuthLog(store, lock_timeout=0.05)
    with pytest.raises(LockTimeout):
        reader.all()
    lock.unlock(fd)
    os.close(fd)
    assert set(reader.all()) == {"p1", "p2"}


def test_5_a_process_that_holds_the_old_segment_goes_on_in_the_new_one(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = AuthLog(store), AuthLog(store)
    a.set("p2", KEY)
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "ROTATE_AT", 0)
        patch.setattr(rotation, "_due", lambda handle, tail: True)
        b.set("p3", KEY)
    old = (store.parent / "auth.json.log" / "000001.jsonl").read_bytes()
    a.set("p4", KEY)
    assert (store.parent / "auth.json.log" / "000001.jsonl").read_bytes() == old
    assert set(b.all()) == names(store) == {"p1", "p2", "p3", "p4"}


def test_6_the_name_of_a_new_segment_is_durable_before_anything_in_it_is_acknowledged(
    power: Power, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(rotation, "_due", lambda handle, tail: True)
        kill(power, "sync_folder", lambda: AuthLog(store).set("p1", ApiKey("2")))
    assert (store.parent / "auth.json.log" / "000002.jsonl").exists()
    with power.on():
        acknowledged = AuthLog(store).set("p3", KEY)
        power.cut()
    assert acknowledged in reboot(store).history()


@pytest.mark.parametrize("skip", range(4))
def test_6_the_names_of_a_new_log_are_durable_before_anything_in_it_is_acknowledged(
    power: Power, skip: int
) -> None:
    path = power.root / "new" / "auth.json"
    kill(power, "sync_folder", lambda: AuthLog(path).set("p1", KEY), skip=skip)
    with power.on():
        acknowledged = AuthLog(path).set("p2", KEY)
        power.cut()
    assert acknowledged in reboot(path).history()


def test_7_what_another_process_published_is_not_cut_when_the_disk_is_full(
    power: Power, store: Path
) -> None:
    log = AuthLog(store)
    log.set("p2", KEY)
    store.write_text(json.dumps({"p1": KEY.value, "p2": KEY.value, "f1": KEY.value}))
    replaced = store.parent / "auth.json.log" / "next.json"
    replaced.write_text(json.dumps({"p1": KEY.value, "f2": KEY.value}))
    appends = 0
    segment = store.parent / "auth.json.log" / "000001.jsonl"
    real = files.write

    def write(fd: int, data: bytes) -> int:
        nonlocal appends
        if b'"kind":"adopt"' in data:
            appends += 1
            if appends == 2:
                AuthLog(store).get("p1")
                return real(fd, data[: len(data) // 2])
        return real(fd, data)

    files.write = write
    try:
        with pytest.raises(NotMaterialized):
            log.adopt()
    finally:
        files.write = real
    assert appends == 2
    assert segment.read_bytes().count(b'"kind":"adopt"') == 1
    mark = json.loads((store.parent / "auth.json.log" / "published.json").read_bytes())["mark"]
    assert mark["offset"] <= segment.stat().st_size
    assert names(store) == {"p1", "p2", "f1", "f2"}


def test_8_an_answer_rests_on_nothing_that_a_power_cut_takes_back(
    power: Power, store: Path
) -> None:
    kill(power, "try_lock", lambda: AuthLog(store).remove("p1"), skip=1)
    with power.on():
        assert AuthLog(store).remove("p1") is None
        power.cut()
    assert reboot(store).get("p1") is None


def test_9_a_token_that_was_exchanged_and_appended_is_not_spent_again(
    power: Power, store: Path
) -> None:
    kill(power, "try_lock", lambda: AuthLog(store).set("p1", ApiKey("exchanged")), skip=1)
    other = AuthLog(store)
    other.adopt()  # publish first, then look
    assert other.get("p1") == ApiKey("exchanged")


@pytest.mark.parametrize(
    ("verb", "skip"), [("write_at", 0), ("write_at", 1), ("write_at", 2), ("exchange", 0)]
)
def test_10_a_file_that_was_told_is_not_read_again_as_something_else(
    power: Power, store: Path, verb: str, skip: int
) -> None:
    log = AuthLog(store)
    one = json.loads(store.read_text())
    log.set("p2", KEY)
    store.write_text(json.dumps({**one, "p8": KEY.value}))
    kill(power, verb, lambda: AuthLog(store).get("p1"), skip=skip)
    assert names(store) == {"p1", "p2", "p8"}
    kinds = [event.kind for event in log.history() if event.kind != "checkpoint"]
    assert kinds == ["init", "set", "set", "adopt"]


def test_11_no_reader_ever_takes_our_own_file_for_a_foreign_one(power: Power, store: Path) -> None:
    writer, reader = AuthLog(store), AuthLog(store)
    writer.get("p1")
    seen = [reader.seq()]
    reading = False

    def before(verb: str, what: object) -> None:
        nonlocal reading
        assert not (reading and verb == "try_lock"), "a reader took a lock"
        if not reading:
            reading = True
            seen.append(reader.seq())
            seen.append(AuthLog(store, lock_timeout=0.01).seq())
            reading = False

    power.before = before
    with power.on():
        writer.set("p2", KEY)
        writer.set("p2", ApiKey("2"))
    assert seen == sorted(seen)
    assert {event.kind for event in writer.history()} == {"init", "set"}


def test_11_nor_does_whoever_looks_after_its_writer_was_killed(power: Power, store: Path) -> None:
    nth = 0
    for nth in itertools.count():
        if not dies_at(power, nth, lambda: AuthLog(store).set("p2", KEY)):
            break
        AuthLog(store).adopt()
    assert nth > 20
    assert {event.kind for event in AuthLog(store).history()} == {"init", "set", "checkpoint"}


def test_12_auth_json_never_shows_what_a_power_cut_takes_back(power: Power, store: Path) -> None:
    a, b = AuthLog(store), AuthLog(store)
    b.get("p1")

    def appends_and_is_killed() -> None:
        before = power.before
        power.before = once("try_lock", killed, skip=1)
        with pytest.raises(Killed):
            b.set("p3", KEY)
        power.before = before

    synced = False

    def before(verb: str, what: object) -> None:
        nonlocal synced
        if synced and verb == "write_at":
            synced = False
            appends_and_is_killed()
        synced = synced or verb == "sync"

    power.before = before
    with power.on():
        a.set("p2", KEY)
    assert set(json.loads(store.read_text())) == {"p1", "p2"}


def test_13_a_change_goes_into_the_folder_that_is_there_not_the_one_that_was(
    power: Power, store: Path
) -> None:
    log = AuthLog(store)
    log.set("p2", KEY)
    folder, aside = store.parent / "auth.json.log", store.parent / "aside"
    shutil.copytree(folder, store.parent / "older")
    log.set("p3", KEY)
    folder.rename(aside)
    before = {path.name: path.read_bytes() for path in aside.iterdir()}
    (store.parent / "older").rename(folder)
    log.set("p4", KEY)
    assert {path.name: path.read_bytes() for path in aside.iterdir()} == before
    assert {"p1", "p2", "p4"} <= names(store)
    assert {"p1", "p2", "p4"} <= set(log.all())


def test_14_a_logout_of_the_only_login_is_not_undone(store: Path) -> None:
    store.write_text("{}")
    log = AuthLog(store)
    assert log.all() == {}
    assert [event.kind for event in log.history()][-1] == "adopt"
    log.set("p2", KEY)
    assert json.loads(store.read_text()) == {"p2": KEY.value}


@pytest.mark.parametrize("power_is_cut", [True, False])
def test_15_a_torn_tail_is_neither_lost_nor_doubled_by_a_crash(
    power: Power, store: Path, power_is_cut: bool
) -> None:
    folder = store.parent / "auth.json.log"
    torn = b'{"event":{"v":1,"se'
    with (folder / "000001.jsonl").open("ab") as file:
        file.write(torn)
    power.remember()
    done = False
    for step in range(60):
        left = step

        def before(verb: str, what: object) -> None:
            nonlocal left
            if verb in testing.CHANGING or verb == "open_file":
                left -= 1
                if left < 0:
                    raise Killed

        power.before = before
        with power.on():
            try:
                reboot(store, boot=f"boot {step}").set("p2", KEY)
                done = True
            except Killed:
                pass
            if power_is_cut:
                power.cut()
        if done:
            break
    assert done
    kept = list((folder / "quarantine").iterdir())
    assert [path.read_bytes() for path in kept] == [torn]
    assert set(reboot(store, "last").all()) == {"p1", "p2"}
