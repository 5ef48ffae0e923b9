"""A forked child goes on with its parent's AuthLog: it neither shares nor breaks its locks."""

import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import needs
from authlog import ApiKey, AuthLog, LockTimeout, testing
from authlog._engine import lock

pytestmark = needs.fork


def in_child(act: Callable[[], object]) -> int:
    """Return the exit code of a child that does it: 0 if it went well."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001  whatever it is, the parent shall see it
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_parent_and_child_both_go_on(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", ApiKey("1"))

    def act() -> None:
        assert log.get("a") == ApiKey("1")
        assert log.set("b", ApiKey("2")).writer.pid == os.getpid()

    assert in_child(act) == 0
    event = log.set("c", ApiKey("3"))
    assert event.writer.pid == os.getpid()
    assert set(log.all()) == {"a", "b", "c"}


def test_a_child_of_a_fork_within_a_change_is_excluded_and_frees_nothing(path: Path) -> None:
    log = AuthLog(path, lock_timeout=0.1)
    log.set("a", ApiKey("1"))
    codes: list[int] = []
    held: list[bool] = []

    def fork() -> None:
        def act() -> None:
            try:
                log.set("b", ApiKey("2"))
            except LockTimeout:
                return
            raise AssertionError("it was not excluded")

        codes.append(in_child(act))
        fd = os.open(path.parent / "auth.json.log" / "append.lock", os.O_RDWR)
        held.append(not lock.try_lock(fd))
        os.close(fd)

    forked = False

    def before(verb: str) -> None:
        nonlocal forked
        if verb == "write" and not forked:
            forked = True
            fork()

    with testing.steps(before):
        log.set("c", ApiKey("3"))
    assert (codes, held) == ([0], [True])
    assert set(log.all()) == {"a", "c"}


def test_a_fork_while_a_thread_is_writing_leaves_the_child_a_store_that_works(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", ApiKey("1"))
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            log.set("t", ApiKey("2"))

    thread = threading.Thread(target=write)
    thread.start()
    codes = [in_child(partial(log.set, f"c{n}", ApiKey("3"))) for n in range(10)]
    stop.set()
    thread.join()
    assert codes == [0] * 10
    assert {f"c{n}" for n in range(10)} <= set(log.all())


def test_a_child_that_lives_on_does_not_keep_its_parents_lock(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", ApiKey("1"))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(write)
        os.read(read, 1)
        os._exit(0)
    os.close(read)
    other = AuthLog(path, lock_timeout=0.5)
    other.set("b", ApiKey("2"))
    log.set("c", ApiKey("3"))
    os.close(write)
    assert os.waitpid(child, 0)[1] == 0
