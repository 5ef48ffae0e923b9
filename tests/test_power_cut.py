"""A power cut at every step of every changing verb, in every way that a disk may come out of it."""

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, Credential, Event, OAuth, Unacknowledged, testing
from authlog._engine import files, opening, publish, rotation
from authlog._engine.log import Tail
from outage import SNAPSHOT, Outage, Step, Values, World, before_each_change, filed, values
from tools.proof import choices
from tools.proof.disk import FOLDER, Disk, Killed

pytestmark = pytest.mark.no_cover  # many thousand runs of the same lines

A, B, C = ApiKey("a"), ApiKey("b" * 600), ApiKey("c")  # B is longer than a sector
LOGIN = OAuth(refresh="r1", access="a1", expires=1)
REFRESHED = OAuth(refresh="r2", access="a2", expires=2)


@pytest.fixture(autouse=True)
def nobody_is_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judge an unreadable auth.json at once."""
    monkeypatch.setattr(publish, "WRITING", 0.0)
    monkeypatch.setattr(opening, "WRITING", 0.0)


def store(**credentials: Credential) -> Disk:
    """Return a disk with a log of these."""
    with Disk().mounted() as disk, testing.repeatable(World(disk)):
        AuthLog(SNAPSHOT).change(credentials)
    return disk


def setting(name: str, credential: Credential, after: Values) -> Step:
    return Step(lambda log: log.set(name, credential), after)


def in_place(content: Values) -> Callable[[AuthLog], None]:
    """Write auth.json as opencode does, which syncs nothing."""

    def run(log: AuthLog) -> None:
        fd = files.open_file(SNAPSHOT, files.WRITE | files.CREATE)
        files.truncate(fd, 0)
        files.write_all(fd, json.dumps(content).encode())
        files.close(fd)

    return run


def replacing(content: Values | bytes) -> Callable[[AuthLog], None]:
    """Write auth.json as a careful program does."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()

    def run(log: AuthLog) -> None:
        path = FOLDER / "careful.tmp"
        fd = files.open_file(path, files.WRITE | files.NEW)
        files.write_all(fd, data)
        files.sync(fd)
        files.close(fd)
        files.rename(path, SNAPSHOT)
        files.sync_folder(FOLDER)

    return run


def killed(
    disk: Disk, nth: int, change: Callable[[AuthLog], object], number: int = 0
) -> Callable[[AuthLog], None]:
    """Let another process begin a change, and kill it before its `nth` step that changes the disk.

    With an error `number` its syncs fail.
    """

    def run(log: AuthLog) -> None:
        cut, left = disk.before, nth

        def before(verb: str, path: Path) -> None:
            nonlocal left
            left -= verb in testing.CHANGING
            if left <= 0:
                disk.kill()
            elif verb == "sync" and number:
                raise OSError(number, os.strerror(number))

        disk.before = before
        with disk.process("killed"), suppress(Killed, Unacknowledged):
            change(AuthLog(SNAPSHOT))
        disk.before = cut

    return run


def test_the_first_change_of_all() -> None:
    Outage([setting("a", A, filed(a=A))], at_once=True).run(Disk())


def test_the_first_change_of_an_auth_json_that_was_there() -> None:
    disk = Disk()
    with disk.mounted():
        replacing(filed(a=A, b=B))(AuthLog(SNAPSHOT))
    Outage([setting("c", C, filed(a=A, b=B, c=C))]).run(disk)


def test_adoption_of_an_auth_json_that_was_there() -> None:
    disk = Disk()
    with disk.mounted():
        replacing(filed(a=A, b=B))(AuthLog(SNAPSHOT))
    Outage([Step(lambda log: log.adopt(), filed(a=A, b=B))]).run(disk)


def test_one_change_after_the_other() -> None:
    longer = {"type": "api", "key": "d", "more": 1}
    steps = [
        setting("b", B, filed(a=A, b=B)),
        Step(lambda log: log.update("b", key="d", more=1), {**filed(a=A), "b": longer}),
        Step(lambda log: log.remove("b"), filed(a=A)),
        Step(lambda log: log.change({"a": None, "b": B, "c": C}), filed(b=B, c=C)),
        Step(lambda log: log.restore("a", 2), filed(a=A, b=B, c=C)),
    ]
    Outage(steps).run(store(a=A))


def test_a_spent_refresh_token_is_in_no_auth_json_once_its_successor_is_acknowledged() -> None:
    steps = [setting("a", REFRESHED, filed(a=REFRESHED))]
    Outage(steps, at_once=True).run(store(a=LOGIN))


def test_a_foreign_login_that_is_durable() -> None:
    stale, after = filed(a=A, c=C), filed(a=A, b=B, c=C)
    steps = [
        setting("b", B, filed(a=A, b=B)),
        Step(replacing(stale), after, written=stale),
        Step(lambda log: log.adopt(), after),
        Step(replacing(filed(a=C, b=B, c=C)), filed(a=C, b=B, c=C)),
        setting("b", A, filed(a=C, b=A, c=C)),
    ]
    Outage(steps, kinds="adopt heal").run(store(a=A))


def test_a_foreign_logout_that_is_durable() -> None:
    steps = [
        setting("b", B, filed(a=A, b=B)),
        setting("c", C, filed(a=A, b=B, c=C)),
        Step(replacing(filed(b=B, c=C)), filed(b=B, c=C)),
        Step(lambda log: log.adopt(), filed(b=B, c=C)),
    ]
    Outage(steps, kinds="adopt").run(store(a=A))


def test_a_foreign_write_that_is_not() -> None:
    steps = [
        Step(in_place(filed(a=A, b=C, c=C)), filed(a=A, b=C, c=C), acknowledged=False),
        Step(lambda log: log.adopt(), filed(a=A, b=C, c=C)),
        setting("b", B, filed(a=A, b=B, c=C)),
    ]
    Outage(steps, kinds="adopt quarantine", torn=True).run(store(a=A))


def test_an_unreadable_auth_json() -> None:
    steps = [
        Step(replacing(b'{"a": '), filed(a=A)),
        setting("b", B, filed(a=A, b=B)),
    ]
    Outage(steps, kinds="quarantine", torn=True).run(store(a=A))


def due_after_each_change(handle: object, tail: Tail) -> bool:
    return tail.checkpoint < tail.offset


def test_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_due", due_after_each_change)
    Outage([setting("b", B, filed(a=A, b=B)), setting("c", C, filed(a=A, b=B, c=C))]).run(
        store(a=A)
    )


def several_states() -> Disk:
    """Return a disk with a log of three segments, in which secrets were superseded."""
    disk = store(a=A, b=C)
    with disk.mounted(), testing.repeatable(World(disk)):
        log = AuthLog(SNAPSHOT)
        log.set("a", ApiKey("a2"))
        log.compact()
        log.set("a", ApiKey("a3"))
        log.compact()
        log.set("a", A)
    return disk.cut(choices.everything)


def compacting(*, drop_history: bool = False) -> Callable[[AuthLog], None]:
    def run(log: AuthLog) -> None:
        log.compact(retain=timedelta(0), drop_history=drop_history)

    return run


def test_a_compaction_that_erases() -> None:
    state = filed(a=A, b=C)
    steps = [Step(compacting(), state), setting("b", B, filed(a=A, b=B))]
    Outage(steps, kinds="").run(several_states())


def test_a_compaction_that_drops_history() -> None:
    state = filed(a=A, b=C)
    steps = [Step(compacting(drop_history=True), state), setting("b", B, filed(a=A, b=B))]
    Outage(steps).run(several_states())


def test_a_login_that_is_forgotten() -> None:
    steps = [
        Step(lambda log: log.forget("a"), filed(b=C)),
        setting("b", B, filed(b=B)),
    ]
    Outage(steps).run(several_states())


def test_erasing_what_is_past_retention_at_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = several_states()
    monkeypatch.setattr(rotation, "_due", due_after_each_change)
    monkeypatch.setattr(rotation, "RETENTION", timedelta(0))
    Outage([setting("b", B, filed(a=A, b=B))], twice=False).run(disk)


def test_a_compaction_that_was_killed_before_the_next_one_went_on() -> None:
    for nth in range(1, 60, 3):
        disk = several_states()
        steps = [
            Step(killed(disk, nth, compacting()), filed(a=A, b=C)),
            Step(compacting(), filed(a=A, b=C)),
        ]
        Outage(steps, twice=False, seeds=0).run(disk)


@pytest.mark.parametrize("number", [2, 3])
def test_a_repair(number: int) -> None:
    """Of a closed segment, and of the newest one; the power is cut again in the next repair."""
    disk = several_states()
    path = FOLDER / "auth.json.log" / f"{number:06d}.jsonl"
    with disk.mounted():
        whole = files.read_file(path) or b""
        at = whole.rindex(b'"salt":"') + 10
        damaged = whole[:at] + b"X" + whole[at + 1 :]
        fd = files.open_file(path, files.WRITE)
        files.write_at(fd, damaged, 0)
        files.close(fd)
    disk = disk.cut(choices.everything)
    seen = set[str]()

    def judge(survived: Disk, *, again: bool) -> None:
        found = repr(survived.image())
        if found in seen:
            return
        seen.add(found)
        with survived.mounted(), testing.repeatable(World(survived)):
            if again:
                before_each_change(survived, lambda: judge_each(survived, again=False))
            AuthLog(SNAPSHOT).repair()
            survived.before = lambda verb, path: None
            log = AuthLog(SNAPSHOT)
            assert log.verify().ok, log.verify().damage
            assert len(log.verify().gaps) == 1
            assert values(log) == filed(a=A, b=C)
            folder = FOLDER / "auth.json.log" / "quarantine"
            assert damaged in [files.read_file(folder / name) for name in files.names(folder)]

    def judge_each(on: Disk, *, again: bool) -> None:
        for _, choice in choices.worth_a_look(on, range(1 if again else 0)):
            judge(on.cut(choice), again=again)

    with disk.mounted(), testing.repeatable(World(disk)):
        before_each_change(disk, lambda: judge_each(disk, again=True))
        AuthLog(SNAPSHOT).repair()
        disk.before = lambda verb, path: None
        judge_each(disk, again=False)
    assert len(seen) > 20


def test_an_auth_json_that_is_a_mount() -> None:
    disk = store(a=A, b=B)
    disk.pinned = frozenset({SNAPSHOT})
    other = ApiKey("c" * 600)
    steps = [
        setting("b", other, filed(a=A, b=other)),
        setting("a", other, filed(a=other, b=other)),
        Step(lambda log: log.remove("b"), filed(a=other)),
    ]
    Outage(steps, torn=True, kinds="quarantine").run(disk)


def test_a_sync_that_fails() -> None:
    disk = store(a=A)

    def run(log: AuthLog) -> Event:
        cut, failed = disk.before, False

        def before(verb: str, path: Path) -> None:
            nonlocal failed
            cut(verb, path)
            disk.before = before
            if verb == "sync" and not failed:
                failed = True
                raise OSError(errno.EIO, "")

        disk.before = before
        return log.set("b", B)

    steps = [Step(run, filed(a=A, b=B)), setting("c", C, filed(a=A, b=B, c=C))]
    Outage(steps).run(disk)


def test_what_a_reader_was_answered() -> None:
    disk = store(a=A)
    with disk.mounted(), testing.repeatable(World(disk)) as world:
        reader = AuthLog(SNAPSHOT, lock_timeout=0.0)

    def beside() -> None:
        with disk.process("reader"):
            reader.all()
        outage._world.answers += world.answers

    outage = Outage([setting("b", B, filed(a=A, b=B))], beside=beside)
    outage.run(disk)


@pytest.mark.parametrize("number", [0, errno.EIO])
def test_a_process_that_was_killed_before_the_next_one_went_on(number: int) -> None:
    for nth in range(1, 20):
        disk = store(a=A)
        steps = [
            Step(
                killed(disk, nth, lambda log: log.set("b", C), number),
                filed(a=A, b=C),
                acknowledged=False,
            ),
            setting("b", B, filed(a=A, b=B)),
        ]
        Outage(steps, twice=False, seeds=0).run(disk)
