"""Where people live: links, modes, mounts, full and read-only disks, folders that move."""

import errno
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import needs
from authlog import (
    ApiKey,
    AuthLog,
    LockTimeout,
    NotDurable,
    NotMaterialized,
    NotWritten,
    PublishTimeout,
    StorageFull,
    Unacknowledged,
    UnsafePermissions,
    preset,
    testing,
)
from authlog._engine import files, lock

KEY = ApiKey("k")


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(file.stat().st_mode) for file in folder.rglob("*") if file.is_file()}


@needs.modes
@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277])
def test_modes_are_0600_and_0700_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "deep" / "auth.json"
    before = os.umask(umask)
    try:
        log = AuthLog(path)
        log.set("a", KEY)
        path.write_text("{")
        log.get("a")
        log.set("a", ApiKey("2"))
    finally:
        os.umask(before)
    folder = path.parent / "auth.json.log"
    assert modes(tmp_path / "new") == {0o600}
    for made in (path.parent, path.parent.parent, folder, folder / "quarantine"):
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


@needs.symlinks
def test_a_linked_auth_json_stays_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real" / "auth.json", tmp_path / "link.json"
    real.parent.mkdir()
    link.symlink_to(real)
    AuthLog(link).set("a", KEY)
    assert link.is_symlink()
    assert set(json.loads(real.read_bytes())) == {"a"}
    assert (real.parent / "auth.json.log").is_dir()
    assert AuthLog(link).path == real


@needs.modes
def test_what_others_may_write_is_refused_with_the_command_that_mends_it(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    folder = path.parent / "auth.json.log"
    for file in (path, folder, folder / "published.json", folder / "append.lock"):
        mode = file.stat().st_mode
        file.chmod(mode | 0o002)
        with pytest.raises(UnsafePermissions, match="chmod o-w") as caught:
            AuthLog(path).set("a", KEY)
        assert caught.value.path == file
        subprocess.run(shlex.split(str(caught.value).rpartition("with: ")[2]), check=True)
        assert file.stat().st_mode == mode
    log.set("b", KEY)


@needs.root
def test_what_belongs_to_somebody_else_is_refused(path: Path) -> None:
    path.write_text("{}")
    os.chown(path, 12345, 12345)
    for act in (lambda: AuthLog(path).set("a", KEY), lambda: AuthLog(path).all()):
        with pytest.raises(UnsafePermissions, match="belongs to user 12345") as caught:
            act()
    assert (caught.value.owner, caught.value.mode & 0o002) == (12345, 0)
    assert path.read_text() == "{}"


def test_a_folder_that_everybody_may_write_to_is_refused(path: Path) -> None:
    path.parent.chmod(0o777)
    with pytest.raises(UnsafePermissions):
        AuthLog(path).set("a", KEY)
    assert not path.exists()


def test_a_lock_that_is_held_too_long_names_its_holder_and_changes_nothing(path: Path) -> None:
    log = AuthLog(path, lock_timeout=0.05)
    log.set("a", KEY)
    held = os.open(path.parent / "auth.json.log" / "append.lock", os.O_RDWR)
    assert lock.try_lock(held)
    with pytest.raises(LockTimeout, match="nothing was changed") as caught:
        log.set("a", ApiKey("2"))
    assert (caught.value.path.name, caught.value.timeout) == ("append.lock", 0.05)
    if sys.platform == "linux":
        assert str(os.getpid()) in str(caught.value.holder)
    os.close(held)
    assert log.get("a") == KEY


def test_a_publish_that_waits_too_long_is_unacknowledged_and_settles_later(path: Path) -> None:
    log = AuthLog(path, lock_timeout=0.05)
    log.set("a", KEY)
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    with pytest.raises(PublishTimeout, match="settle"):
        log.set("a", ApiKey("2"))
    with pytest.raises(PublishTimeout):
        log.settle()
    with pytest.raises(LockTimeout):
        log.remove("nobody")
    with pytest.raises(LockTimeout):
        log.adopt()
    assert log.get("a") == KEY
    os.close(held)
    log.set("b", KEY)
    assert log.get("a") == ApiKey("2")


def test_an_error_at_any_step_keeps_its_promise(path: Path) -> None:
    for number in (errno.EIO, errno.ENOSPC, errno.EACCES):
        for nth in range(1, 200):
            AuthLog(path).set("a", KEY)
            log = AuthLog(path)
            log.get("a")
            value = ApiKey(f"{nth}")
            try:
                with testing.fail_at(nth, number):
                    log.set("a", value)
            except NotMaterialized:
                assert log.get("a") == value
            except StorageFull:
                assert number == errno.ENOSPC
                log.adopt()
                assert log.get("a") == KEY
            except NotWritten:
                assert number != errno.ENOSPC
                log.adopt()
                assert log.get("a") == KEY
            except Unacknowledged:
                assert log.settle() is (log.get("a") == value)
            else:
                assert AuthLog(path).get("a") == value
                if _steps_left(path, nth):
                    continue
                break
            assert log.verify().ok


def _steps_left(path: Path, nth: int) -> bool:
    """Whether a change has that many steps: some may fail without an error."""
    with testing.count() as seen:
        AuthLog(path).set("a", KEY)
    return len(seen) > nth


def test_a_disk_that_refuses_every_sync_acknowledges_nothing(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    with (
        testing.fail_at(1, errno.EIO, times=99, verbs=("sync",)),
        pytest.raises(NotDurable) as caught,
    ):
        log.set("a", ApiKey("2"))
    assert caught.value.event.seq == 3
    assert AuthLog(path).get("a") == KEY
    assert log.settle() is True
    assert log.get("a") == ApiKey("2")
    assert [event.kind for event in log.history()] == ["init", "set", "set", "checkpoint"]


def test_a_sync_that_fails_once_costs_nobody_an_error(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    with testing.fail_at(1, errno.EIO, verbs=("sync",)):
        log.set("a", ApiKey("2"))
    assert AuthLog(path).get("a") == ApiKey("2")
    assert len(log.verify().segments) == 2


def test_a_rotation_that_fails_says_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from authlog._engine import rotation

    log = AuthLog(path)
    log.set("a", KEY)
    monkeypatch.setattr(rotation, "ROTATE_AT", 0)
    with testing.fail_at(1, errno.ENOSPC, verbs=("rename",)):
        log.set("a", ApiKey("2" * 2000))
    assert len(log.verify().segments) == 1
    log.set("a", ApiKey("3"))
    assert len(log.verify().segments) == 2
    assert log.at(2) == {"a": KEY}
    assert [event.seq for event in log.history()] == [1, 2, 3, 4, 5]


def test_an_old_checkpoint_is_rotated_by_its_age(path: Path) -> None:
    with testing.repeatable() as world:
        log = AuthLog(path)
        log.set("a", KEY)
        world.advance(8 * 86_400)
        log.set("a", ApiKey("2"))
    assert len(log.verify().segments) == 2


def test_a_rename_that_is_refused_is_written_in_place(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    inode = path.stat().st_ino
    with testing.fail_at(1, errno.EBUSY, times=99, verbs=("exchange",)):
        log.set("a", ApiKey("2" * 3000))
        log.set("b", KEY)
        assert path.stat().st_ino == inode
        assert set(json.loads(path.read_bytes())) == {"a", "b"}
    assert [event.kind for event in log.history()] == ["init", "set", "set", "set"]
    log.set("c", KEY)
    assert path.stat().st_ino != inode


@pytest.mark.parametrize("foreign", [False, True])
def test_without_an_exchange_it_replaces(path: Path, foreign: bool) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    calls = 0
    real = files.exchange

    def exchange(one: Path, other: Path) -> None:
        nonlocal calls
        calls += 1
        if foreign and calls == 1:
            entries = json.loads(path.read_bytes())
            path.write_text(json.dumps({**entries, "f": KEY.value}))
        raise OSError(errno.EINVAL, "")

    files.exchange = exchange
    try:
        log.set("b", KEY)
    finally:
        files.exchange = real
    assert set(log.all()) == {"a", "b"} | ({"f"} if foreign else set())
    assert set(json.loads(path.read_bytes())) == set(log.all())


def test_a_file_that_appears_where_there_was_none_is_adopted(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    path.unlink()
    left = 1

    def before(verb: str) -> None:
        nonlocal left
        if left:
            left -= 1
            path.write_text(json.dumps({"a": KEY.value, "f": KEY.value}))

    with testing.steps(before, ("rename_new",)):
        log.set("b", KEY)
    assert set(log.all()) == {"a", "b", "f"}


def test_a_rename_that_may_not_replace_falls_back_to_a_link(path: Path) -> None:
    one, other = path.with_name("one"), path.with_name("other")
    one.write_text("1")
    files.rename_new(one, other)
    one.write_text("2")
    with pytest.raises(FileExistsError):
        files.rename_new(one, other)
    assert (one.read_text(), other.read_text()) == ("2", "1")


def test_another_program_that_writes_on_and_on_is_left_for_the_next_publish(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    writes = 0

    def before(verb: str) -> None:
        nonlocal writes
        if writes < 20:
            writes += 1
            entries = json.loads(path.read_bytes())
            path.write_text(json.dumps({**entries, f"f{writes}": KEY.value}))

    with testing.steps(before, ("exchange",)):
        log.set("b", KEY)
    seen = writes
    log.adopt()
    log.adopt()
    assert {"a", "b", *(f"f{n}" for n in range(1, seen + 1))} == set(log.all())


def test_an_unreadable_auth_json_is_kept_in_quarantine_and_rebuilt(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    path.write_bytes(b'{"a": {"type":')
    assert log.all() == {"a": KEY}
    *_, event = log.history()
    assert event.kind == "quarantine"
    assert event.file is not None
    kept = path.parent / "auth.json.log" / "quarantine" / event.file
    assert kept.read_bytes() == b'{"a": {"type":'
    assert set(json.loads(path.read_bytes())) == {"a"}


def test_a_foreign_write_that_can_not_be_told_is_left_alone(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    path.write_text(json.dumps({"a": KEY.value, "f": KEY.value}))
    before = path.read_bytes()
    with testing.fail_at(1, errno.ENOSPC, verbs=("write",)), pytest.raises(NotMaterialized):
        log.adopt()
    assert path.read_bytes() == before
    event = log.adopt()
    assert event is not None
    assert (event.kind, event.base) == ("adopt", 2)


def test_a_name_that_can_not_be_filed_is_left_out_and_said(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    path.write_text('{"a": {"type": "api", "key": "k"}, "__proto__": {}, "f": {"x": 1}}')
    event = log.adopt()
    assert event is not None
    assert event.found is not None
    assert (set(event.providers), event.found.omitted) == ({"f"}, ("__proto__",))


def test_what_is_written_into_the_file_that_was_replaced_is_told_too(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    with path.open("r+") as file:  # a program that had it open before we replaced it
        log.set("b", KEY)
        file.write(json.dumps({"a": KEY.value, "f": KEY.value}))
        file.truncate()
    log.set("c", KEY)
    assert set(log.all()) == {"a", "b", "c", "f"}


def test_a_touched_copied_or_restored_file_of_ours_is_no_foreign_one(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    os.utime(path)
    assert log.all() == {"a": KEY}
    shutil.copy(path, path.with_name("copy"))
    path.with_name("copy").replace(path)
    assert AuthLog(path).all() == {"a": KEY}
    log.set("a", KEY)
    os.utime(path)
    assert log.adopt() is None
    assert {event.kind for event in log.history()} == {"init", "set"}


def test_the_folder_may_vanish_under_an_open_instance(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    shutil.rmtree(path.parent / "auth.json.log")
    event = log.set("b", KEY)
    assert event.seq == 2
    assert set(log.all()) == {"a", "b"}


def test_a_folder_replaced_by_an_older_copy_is_noticed_by_a_reader(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    shutil.copytree(path.parent, path.parent / "older")
    log.set("b", KEY)
    shutil.rmtree(path.parent / "auth.json.log")
    (path.parent / "older" / "auth.json.log").rename(path.parent / "auth.json.log")
    (path.parent / "older" / "auth.json").replace(path)
    assert log.all() == {"a": KEY}
    assert log.set("c", KEY).seq == 3


def in_namespace(script: str, *arguments: object) -> str:
    """Return what Python prints behind mounts of its own: `script` is shell; `$0 CODE` runs it."""
    command = ["unshare", "-m", "sh", "-euc", script, sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@needs.mounts
def test_a_mounted_auth_json_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "outside.json").write_text("{}")
    path = tmp_path / "in" / "auth.json"
    path.parent.mkdir()
    path.write_text("{}")
    code = (
        "import sys; from authlog import *; log = AuthLog(sys.argv[1]);"
        "[log.set(name, ApiKey('k')) for name in 'abc'];"
        "print(*log.all(), *[event.kind for event in log.history()], log.verify().snapshot)"
    )
    mount = f'mount --bind {tmp_path}/outside.json "$2"; exec "$0" -c "$1" "$2"'
    assert in_namespace(mount, code, path).split() == [*"abc", "init", *["set"] * 3, "fresh"]
    assert set(json.loads((tmp_path / "outside.json").read_bytes())) == set("abc")
    path.write_bytes((tmp_path / "outside.json").read_bytes())


@needs.mounts
@pytest.mark.parametrize("with_mark", [True, False])
def test_a_store_on_a_read_only_disk_can_be_read(path: Path, with_mark: bool) -> None:
    AuthLog(path).set("a", KEY)
    if not with_mark:
        (path.parent / "auth.json.log" / "published.json").unlink()
    code = (
        "import sys; from authlog import *; log = AuthLog(sys.argv[1])\n"
        "print(*log.all(), log.seq(), AuthLog(sys.argv[2]).all())\n"
        "for path in sys.argv[1:]:\n"
        "    try: AuthLog(path).set('b', ApiKey('k'))\n"
        "    except NotWritten as error: print('refused', error.errno)\n"
        "    try: AuthLog(path).adopt()\n"
        "    except NotWritten as error: print('refused', error.errno)\n"
    )
    mount = 'mount --bind "$3" "$3"; mount -o remount,bind,ro "$3"; exec "$0" -c "$1" "$2" "$4"'
    printed = in_namespace(mount, code, path, path.parent, path.parent / "no" / "auth.json")
    assert printed.split("\n")[:-1] == ["a 2 {}", *[f"refused {errno.EROFS}"] * 4]


@needs.mounts
def test_a_full_disk_changes_nothing_and_says_so(tmp_path: Path) -> None:
    code = (
        "import sys; from authlog import *; log = AuthLog(sys.argv[1]); kept = 0\n"
        "try:\n"
        "    while True: log.set('a', {'x': 'y' * 3000, 'n': kept}); kept += 1\n"
        "except (StorageFull, NotMaterialized) as error: print(type(error).__name__)\n"
        "assert kept > 3 and log.verify().ok\n"
        "assert AuthLog(sys.argv[1]).get('a') == log.get('a')\n"
    )
    mount = 'mount -t tmpfs -o size=128k,mode=700 none "$2"; exec "$0" -c "$1" "$2/auth.json"'
    assert in_namespace(mount, code, tmp_path).strip() in ("StorageFull", "NotMaterialized")


def test_presets_name_the_files_of_the_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    for name in ("CODEX_HOME", "CLAUDE_CONFIG_DIR", "AUTHLOG_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert {name: str(preset(name).relative_to(tmp_path)) for name in (
        "opencode", "opencode-mcp", "codex", "claude", "gemini"
    )} == {
        "opencode": "data/opencode/auth.json",
        "opencode-mcp": "data/opencode/mcp-auth.json",
        "codex": ".codex/auth.json",
        "claude": ".claude/.credentials.json",
        "gemini": ".gemini/oauth_creds.json",
    }  # fmt: skip
    assert AuthLog().path == preset("opencode")
    monkeypatch.setenv("AUTHLOG_PATH", str(tmp_path / "mine.json"))
    assert AuthLog().path == tmp_path / "mine.json"
    with pytest.raises(ValueError, match="no preset is called 'nano'"):
        preset("nano")
