"""The disk that forgets: like a real one until the power is cut; then it keeps its word."""

import errno
import os
import stat as modes
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from authlog import ApiKey, AuthLog, LockTimeout
from authlog._engine import files, lock
from tools.proof import choices
from tools.proof.disk import FOLDER, Disk, Killed

KEY = ApiKey("k")
SEEDS = range(200)


def written(path: Path, data: bytes) -> int:
    """Return the descriptor of a new file with this content; nothing is synced."""
    fd = files.open_file(path, files.APPEND | files.NEW)
    files.write_all(fd, data)
    return fd


def left(disk: Disk, name: str) -> set[bytes | None]:
    """Return what a power cut may leave of a file, in every way that is tried."""
    found: set[bytes | None] = set()
    for _, choice in choices.worth_a_look(disk, SEEDS):
        with disk.cut(choice).mounted():
            found.add(files.read_file(FOLDER / name))
    return found


# Until the power is cut


class Walk:
    """Random steps in a folder, the same on any disk: what each came to is noted."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.noted: list[object] = []
        self._random = Random(seed)
        self._fds: list[int] = []
        self._appending: list[int] = []
        self._steps: list[Callable[[], object]] = [
            self._open, self._open, self._read, self._write, self._write_at, self._truncate,
            self._stat, self._stat_open, self._names, self._move, self._move, self._unlink,
            self._make_folder, self._sync, self._set, self._lock,
        ]  # fmt: skip

    def go(self, steps: int) -> list[object]:
        for _ in range(steps):
            step = self._random.choice(self._steps)
            try:
                self.noted.append((step.__name__, step()))
            except OSError as error:
                self.noted.append((step.__name__, errno.errorcode[error.errno or 0]))
        for fd in self._fds:
            files.close(fd)
        return self.noted

    def _path(self) -> Path:
        return self.root / self._random.choice(["a", "b", "c", "f", "f/a", "f/g", "none/a"])

    def _fd(self) -> int:
        return self._random.choice([*self._fds, 999_999])

    def _open(self) -> None:
        flags = self._random.choice([files.READ, files.WRITE, files.APPEND])
        flags |= self._random.choice([0, files.CREATE, files.NEW])
        path = self._path()
        if path.name not in {"f", "g"}:  # a folder can be opened for reading, which nobody does
            self._fds.append(files.open_file(path, flags))
            if flags & os.O_APPEND:
                self._appending.append(self._fds[-1])

    def _read(self) -> bytes:
        return files.read(self._fd(), self._random.randrange(40), self._random.randrange(40))

    def _write(self) -> int:
        return files.write(self._fd(), self._random.randbytes(self._random.randrange(20)))

    def _write_at(self) -> int:
        fd, data = self._fd(), self._random.randbytes(self._random.randrange(1, 20))
        if fd in self._appending:
            return 0  # systems differ in where that goes
        return files.write_at(fd, data, self._random.randrange(40))

    def _truncate(self) -> None:
        with suppress(OSError):  # EINVAL or EBADF, of a descriptor that can only read
            files.truncate(self._fd(), self._random.randrange(40))

    def _stat(self) -> object:
        return self._told(files.stat(self._path()))

    def _stat_open(self) -> object:
        return self._told(files.stat_open(self._fd()))

    def _told(self, stat: files.Stat | None) -> object:
        if stat is None or modes.S_ISDIR(stat.st_mode):
            return stat and stat.st_mode
        same = [files.stat_open(fd).st_ino == stat.st_ino for fd in self._fds]
        return stat.st_size, stat.st_mode, stat.st_uid, same

    def _names(self) -> list[str]:
        return sorted(files.names(self._path()))

    def _move(self) -> None:
        verb = self._random.choice([files.rename, files.rename_new, files.exchange])
        one, other = self._path(), self._path()
        if not {one.name, other.name} & {"f", "g"}:  # folders are never moved
            verb(one, other)

    def _unlink(self) -> None:
        path = self._path()
        if path.name not in {"f", "g"}:
            files.unlink(path)

    def _make_folder(self) -> None:
        files.make_folder(self._path().with_name(self._random.choice(["f", "g"])))

    def _sync(self) -> None:
        files.sync(self._fd())
        files.sync_folder(self.root)

    def _set(self) -> object:
        path, fd = self._path(), self._fd()
        files.set_mtime(fd, path, 1_700_000_000_000_000_000)
        if path.name not in {"f", "g"}:
            files.set_mode(path, self._random.choice([0o600, 0o640]))
        return files.stat_open(fd).st_mtime_ns

    def _lock(self) -> bool:
        fd = self._fd()
        if self._random.random() < 0.4:
            lock.unlock(fd)
            return False
        return lock.try_lock(fd)


@pytest.mark.skipif(sys.platform == "win32", reason="a disk as POSIX has it")
@pytest.mark.parametrize("seed", range(30))
def test_it_answers_each_step_as_a_real_disk_does(tmp_path: Path, seed: int) -> None:
    real = Walk(tmp_path, seed).go(400)
    with Disk().mounted():
        assert Walk(FOLDER, seed).go(400) == real


def test_a_store_on_it_is_like_any_other() -> None:
    disk = Disk()
    real = files.open_file, lock.try_lock
    with disk.mounted():
        log = AuthLog(FOLDER / "auth.json")
        log.set("p1", KEY)
        log.set("p2", KEY)
        log.remove("p1")
        assert AuthLog(FOLDER / "auth.json").all() == {"p2": KEY}
        assert log.verify().ok
    assert (files.open_file, lock.try_lock) == real
    assert not FOLDER.exists()


def test_inode_numbers_are_used_again_but_never_twice_at_a_time() -> None:
    with Disk().mounted():
        number = files.stat_open(written(FOLDER / "a", b"")).st_ino
        files.unlink(FOLDER / "a")
        assert files.stat_open(written(FOLDER / "b", b"")).st_ino != number  # a is still open
        fd = written(FOLDER / "c", b"")
        number = files.stat_open(fd).st_ino
        files.close(fd)
        files.unlink(FOLDER / "c")
        assert files.stat_open(written(FOLDER / "d", b"")).st_ino != number  # c may come back
        files.sync_folder(FOLDER)
        assert files.stat_open(written(FOLDER / "e", b"")).st_ino == number


# Processes


def test_two_processes_on_it_exclude_each_other_until_one_is_killed() -> None:
    disk = Disk()

    def before(verb: str, path: Path) -> None:
        if verb == "write" and path.name == "000001.jsonl":
            disk.before = lambda verb, path: None
            with disk.process("b"), pytest.raises(LockTimeout):
                AuthLog(FOLDER / "auth.json", lock_timeout=0.0).set("p2", KEY)
            disk.kill("a")
            with disk.process("c"):
                AuthLog(FOLDER / "auth.json", lock_timeout=0.0).set("p3", KEY)

    with disk.mounted():
        AuthLog(FOLDER / "auth.json").set("p1", KEY)
        disk.before = before
        with disk.process("a"), pytest.raises(Killed):
            AuthLog(FOLDER / "auth.json").set("p4", KEY)
        assert AuthLog(FOLDER / "auth.json").all() == {"p1": KEY, "p3": KEY}


def test_whatever_a_killed_process_still_calls_changes_nothing() -> None:
    disk = Disk()
    with disk.mounted():
        with disk.process("a"):
            fd = written(FOLDER / "a", b"abc")
            disk.kill()
            for verb in (
                lambda: files.write(fd, b"x"),
                lambda: files.truncate(fd, 0),
                lambda: files.sync(fd),
                lambda: files.unlink(FOLDER / "a"),
                lambda: files.open_file(FOLDER / "b", files.WRITE | files.NEW),
                lambda: lock.try_lock(fd),
            ):
                with pytest.raises(Killed):
                    verb()
            files.close(fd)  # what a destructor does
        assert files.read_file(FOLDER / "a") == b"abc"
        assert files.names(FOLDER) == ["a"]


def test_a_process_that_is_killed_before_a_step_does_not_do_it() -> None:
    disk = Disk()
    with disk.mounted(), disk.process("a"):
        fd = written(FOLDER / "a", b"")
        disk.before = lambda verb, path: disk.kill() if verb == "write" else None
        with pytest.raises(Killed):
            files.write(fd, b"x")
    with disk.mounted():
        assert files.read_file(FOLDER / "a") == b""


# A power cut


def test_what_was_synced_stays_also_where_a_later_write_shares_its_sector() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"s" * 700)
        files.sync(fd)
        files.sync_folder(FOLDER)
        assert left(disk, "a") == {b"s" * 700}
        files.write(fd, b"n" * 900)
        found = left(disk, "a")
    assert all(data and data.startswith(b"s" * 700) for data in found)
    sizes = {len(data or b"") for data in found}
    assert {700, 701, 1024, 1536, 1599, 1600} <= sizes


def test_each_sector_that_was_not_synced_is_old_new_or_garbage() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"o" * 1024)
        files.sync(fd)
        files.sync_folder(FOLDER)
        files.write_at(fd, b"n" * 1024, 0)
        found = left(disk, "a")
    torn = bytes([ord("n") ^ 0x5A])
    assert found == {
        one * 512 + two * 512 for one in (b"o", b"n", torn) for two in (b"o", b"n", torn)
    }


def test_a_truncation_that_was_not_synced_may_be_undone() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"12345")
        files.sync(fd)
        files.sync_folder(FOLDER)
        files.truncate(fd, 2)
        assert left(disk, "a") == {b"12345", b"12"}
        files.sync(fd)
        assert left(disk, "a") == {b"12"}


def test_to_close_a_file_saves_nothing_and_to_sync_it_saves_no_name() -> None:
    with Disk().mounted() as disk:
        files.close(written(FOLDER / "a", b"abc"))
        assert {None, b"", b"abc", b"\0\0\0"} <= left(disk, "a")
        fd = written(FOLDER / "b", b"abc")
        files.sync(fd)
        assert left(disk, "b") == {None, b"abc"}
        files.sync_folder(FOLDER)
        assert left(disk, "b") == {b"abc"}


def test_an_exchange_may_survive_by_half_but_never_leaves_a_name_without_a_file() -> None:
    with Disk().mounted() as disk:
        for name in ("a", "b"):
            files.sync(written(FOLDER / name, name.encode()))
        files.sync_folder(FOLDER)
        files.exchange(FOLDER / "a", FOLDER / "b")
        found = set[tuple[bytes | None, bytes | None]]()
        for _, choice in choices.worth_a_look(disk, SEEDS):
            with disk.cut(choice).mounted():
                found.add((files.read_file(FOLDER / "a"), files.read_file(FOLDER / "b")))
    assert found == {(b"a", b"b"), (b"b", b"a"), (b"a", b"a"), (b"b", b"b")}


def test_what_is_in_a_folder_is_lost_with_its_name() -> None:
    with Disk().mounted() as disk:
        files.make_folder(FOLDER / "f")
        files.sync(written(FOLDER / "f" / "a", b"abc"))
        files.sync_folder(FOLDER / "f")
        assert left(disk, "f/a") == {None, b"abc"}
        files.sync_folder(FOLDER)
        assert left(disk, "f/a") == {b"abc"}


def test_a_time_that_was_set_may_be_lost_in_spite_of_a_sync() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"abc")
        files.set_mtime(fd, FOLDER / "a", 4_000_000)
        files.sync(fd)
        files.sync_folder(FOLDER)
        found = set[bool]()
        for _, choice in choices.worth_a_look(disk, SEEDS):
            with disk.cut(choice).mounted():
                stat = files.stat(FOLDER / "a")
                found.add(stat is not None and stat.st_mtime_ns == 4_000_000)
    assert found == {True, False}


def test_after_a_failed_sync_later_ones_say_that_all_is_well_and_it_is_not() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"old")
        files.sync(fd)
        files.sync_folder(FOLDER)
        files.write(fd, b"lost")
        _fail(disk, "sync")
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            files.sync(fd)
        disk.before = lambda verb, path: None
        files.write(fd, b"kept")
        files.sync(fd)
        assert files.read_file(FOLDER / "a") == b"oldlostkept"
        garbage = bytes(byte ^ 0x5A for byte in b"lost")
        assert left(disk, "a") == {b"old" + lost + b"kept" for lost in (bytes(4), garbage, b"lost")}


def _fail(disk: Disk, verb: str) -> None:
    def before(called: str, path: Path) -> None:
        if called == verb:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    disk.before = before


def test_a_disk_goes_on_after_a_cut_as_if_there_had_been_none() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"abc")
        survivor = disk.cut(choices.nothing)
        files.write(fd, b"def")
        files.sync(fd)
        files.sync_folder(FOLDER)
        with survivor.mounted():
            assert files.names(FOLDER) == []
        assert files.read_file(FOLDER / "a") == b"abcdef"


def test_steps_survive_in_order_up_to_any_of_them() -> None:
    with Disk().mounted() as disk:
        fd = written(FOLDER / "a", b"")
        files.sync_folder(FOLDER)
        for part in (b"1", b"2", b"3"):
            files.write(fd, part)
        found = list[bytes | None]()
        for step in disk.pending():
            with disk.cut(choices.up_to(step)).mounted():
                found.append(files.read_file(FOLDER / "a"))
    assert found == [b"1", b"12", b"123"]
