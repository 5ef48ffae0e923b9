"""`authlog guard`: what programs write is told, however they are started; what it missed, too."""

import json
import os
import plistlib
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog, testing
from authlog_tools.guarding import holder
from authlog_tools.guarding.places import Places, Was

if sys.platform != "win32":
    import fcntl

LIMIT = 20.0  # s after which a test gives up
REWRITER = (sys.executable, str(Path(__file__).with_name("rewriter.py")))
KEY = ApiKey("k")
BEGINS = re.compile(r"guarding |standing by")
REPORTED = re.compile(r"collision: .* (\d+) of their writes may be lost")


class Guard:
    """`authlog guard -v` in a process of its own."""

    def __init__(self, path: Path, *options: str) -> None:
        command = [sys.executable, "-m", "authlog_tools", "guard", "--path", str(path), "-v"]
        self.process = subprocess.Popen(
            [*command, *options], stderr=subprocess.PIPE, encoding="utf-8"
        )
        self.said: list[str] = []
        self.until(BEGINS.search)

    def until(self, found: Callable[[str], object]) -> str:
        """Wait for a line."""
        assert self.process.stderr is not None
        watchdog = threading.Timer(LIMIT, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stderr:
                self.said.append(line)
                if found(line):
                    return line
        finally:
            watchdog.cancel()
        raise AssertionError(f"it ended: {self.said}")

    def told(self, provider: str) -> str:
        """Wait until it says that it told of that provider."""
        return self.until(lambda line: "event" in line and provider in line)

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it by a signal, and return how it ended."""
        self.process.send_signal(number)
        self.said += self.process.communicate(timeout=LIMIT)[1].splitlines(keepends=True)
        return self.process.returncode

    def leave(self) -> None:
        """End it if it works still."""
        if self.process.poll() is None:
            self.end()
        elif self.process.stderr is not None:
            self.process.stderr.close()

    @property
    def reported(self) -> int:
        """How many writes it said may be lost."""
        return sum(int(found[1]) for line in self.said if (found := REPORTED.search(line)))


@pytest.fixture(params=[pytest.param("leases", marks=needs.leases), "watch"])
def how(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The options for a guard of either kind."""
    return ("--watch",) if request.param == "watch" else ()


@pytest.fixture
def log(path: Path) -> AuthLog:
    """A store with one login."""
    log = AuthLog(path)
    log.set("a", KEY)
    return log


@pytest.fixture
def start(path: Path) -> Iterator[Callable[..., Guard]]:
    """Starts guards; they are ended."""
    with ExitStack() as stack:

        def begin(*options: str) -> Guard:
            guard = Guard(path, *options)
            stack.callback(guard.leave)
            return guard

        yield begin


def rewrite(*arguments: object) -> None:
    subprocess.run([*REWRITER, *map(str, arguments)], check=True, timeout=LIMIT)


def on_disk(path: Path) -> list[str]:
    return list(json.loads(path.read_bytes()))


def until(true: Callable[[], bool], log: AuthLog) -> None:
    """Wait with the log's own events: whatever is awaited comes with one."""
    for _ in log.watch(after=0):
        if true():
            return


WAYS = ("in_place", "cut", "by_rename", "made_anew", "unclosed", "by_dup", "chmodded")


@needs.posix_shell
@pytest.mark.parametrize("way", WAYS)
def test_what_a_program_writes_is_told_however_it_writes(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...], way: str
) -> None:
    guard = start(*how)
    rewrite(way, path, "b")
    guard.told("b")
    assert set(on_disk(path)) == {"a", "b"}
    assert log.get("b") == KEY
    assert guard.end() == 0
    assert path.stat().st_mode & 0o777 == 0o600


@needs.leases
def test_two_programs_that_have_it_open_at_the_same_time_write_into_files_of_their_own(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    guard = start()
    content = path.read_bytes()
    with path.open("r+b") as one, path.open("r+b") as other:
        assert os.fstat(one.fileno()).st_ino != os.fstat(other.fileno()).st_ino
        assert path.read_bytes() == content
        for file, name in ((one, "b"), (other, "c")):
            file.write(
                json.dumps({**json.loads(content), name: {"type": "api", "key": "k"}}).encode()
            )
    until(lambda: {"b", "c"} <= set(log.all()), log)
    assert guard.end() == 0
    assert set(on_disk(path)) == {"a", "b", "c"}
    assert guard.reported == 0


@needs.leases
def test_a_writer_gets_in_though_another_process_publishes(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    guard = start()
    lock = log._handle.publish_lock
    lock.acquire(LIMIT)
    try:
        rewrite("in_place", path, "b")  # returns: it is not held until the lock is free
        assert on_disk(path) == ["a"]
    finally:
        lock.release()
    guard.told("b")
    assert set(on_disk(path)) == {"a", "b"}


def test_a_file_that_vanishes_comes_back(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    guard = start(*how)
    path.unlink()
    while not path.exists():
        os.sched_yield()
    assert on_disk(path) == ["a"]
    assert guard.end() == 0


def test_what_happened_while_nobody_watched_is_told_at_the_start(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    rewrite("in_place", path, "b")
    guard = start(*how)
    assert [event.kind for event in log.history()][-1] == "adopt"
    assert guard.end() == 0


def test_where_there_is_no_file_yet_the_first_write_is_told(
    path: Path, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    guard = start(*how)
    rewrite("in_place", path, "b")
    guard.told("b")
    assert guard.end() == 0
    assert AuthLog(path).get("b") == KEY


@needs.leases
def test_what_a_killed_guard_left_is_told_by_the_next(path: Path, log: AuthLog) -> None:
    """A file that was replaced and written to, and one that was only prepared."""
    places = Places(path)
    places.folder.mkdir(mode=0o700)
    rest = path.stat()
    left = places.replaced(Was(rest.st_ino, rest.st_mtime_ns))
    os.link(path, left)
    log.materialize()
    rewrite("in_place", left, "b")
    prepared = places.replaced(Was(1, 1))
    prepared.write_text("{}")
    guard = Guard(path)
    assert guard.end() == 0
    assert log.get("b") == KEY
    assert list(places.folder.iterdir()) == [places.lock]


@needs.leases
def test_compaction_takes_away_what_a_killed_guard_left(path: Path, log: AuthLog) -> None:
    places = Places(path)
    places.folder.mkdir(mode=0o700)
    prepared = places.replaced(Was(1, 1))
    prepared.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "authlog_tools", "--path", str(path)]
    subprocess.run([*command, "compact", "--retain", "0", "--yes"], check=True, timeout=LIMIT)
    assert not prepared.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(
    path: Path,
    log: AuthLog,
    start: Callable[..., Guard],
    how: tuple[str, ...],
    number: signal.Signals,
) -> None:
    guard = start(*how)
    assert guard.end(number) == (130 if number == signal.SIGINT else 0)
    assert not any("Traceback" in line for line in guard.said)


def test_it_ends_with_the_process_that_it_is_for(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    guard = start(*how, "--while", str(other.pid))
    other.communicate()
    assert guard.process.wait(LIMIT) == 0


def test_another_stands_by_and_takes_over(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    first, second = start(*how), start(*how)
    assert "standing by" in second.said[0]
    assert holder.status(Places(path).lock).pid == first.process.pid  # type: ignore[union-attr]
    first.process.kill()
    second.until(lambda line: "guarding" in line)
    rewrite("in_place", path, "b")
    second.told("b")
    first.process.communicate()
    assert second.end() == 0
    assert set(on_disk(path)) == {"a", "b"}


def test_status_tells_who_works_and_what_was_met(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    command = [sys.executable, "-m", "authlog_tools", "guard", "--status", "--path", str(path)]

    def status(*options: str) -> tuple[int, str]:
        done = subprocess.run(
            [*command, *options], check=False, capture_output=True, encoding="utf-8", timeout=LIMIT
        )
        return done.returncode, done.stdout

    assert status() == (1, f"no guard works for {path}\n")
    guard = start(*how)
    rewrite("in_place", path, "b")
    guard.told("b")
    while (found := holder.status(Places(path).lock)) is None or not found.told:
        os.sched_yield()
    code, answer = status("--json")
    said = json.loads(answer)["guard"]
    assert (code, said["pid"], said["told"]) == (0, guard.process.pid, 1)
    shown = status()[1]
    assert f"process {guard.process.pid} guards {path}" in shown
    assert "1 write told, 0 collisions reported" in shown


def test_the_units_are_ones(path: Path, tmp_path: Path) -> None:
    odd = tmp_path / 'a "b" %i $HOME'
    command = [sys.executable, "-m", "authlog_tools", "guard", "--path", str(odd), "--print-unit"]
    unit = subprocess.run([*command, "systemd"], capture_output=True, check=True, timeout=LIMIT)
    assert b"Restart=always" in unit.stdout
    plist = subprocess.run([*command, "launchd"], capture_output=True, check=True, timeout=LIMIT)
    agent = plistlib.loads(plist.stdout)
    assert agent["ProgramArguments"][-1] == str(odd)
    assert agent["KeepAlive"] is True
    if analyze := shutil.which("systemd-analyze"):
        file = tmp_path / "authlog-guard.service"
        file.write_bytes(unit.stdout)
        here = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
        subprocess.run([analyze, "--user", "verify", file], check=True, timeout=LIMIT, env=here)


def stormed(path: Path, writers: int, each: int) -> set[str]:
    """Let programs write as fast as they can; return what they say they wrote."""
    running = [
        subprocess.Popen(
            [*REWRITER, "storm", str(path), f"w{number}", str(each)],
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for number in range(writers)
    ]
    said: set[str] = set()
    for writer in running:
        said |= set(writer.communicate(timeout=LIMIT)[0].split())
    return said


@needs.leases
def test_in_a_storm_nothing_is_lost_that_was_not_reported(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    guard = start()
    said = stormed(path, 4, 25)
    assert guard.end() == 0
    lost = said - set(on_disk(path))
    assert len(said) == 100
    assert len(lost) <= guard.reported
    assert path.stat().st_mode & 0o777 == 0o600


@needs.leases
def test_a_logout_from_a_login_that_was_not_shown_yet_is_reported(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    guard = start()
    read = json.loads(path.read_bytes())
    with Path(f"{path}.log", "publish.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # what is written now is shown later
        path.write_text(json.dumps({**read, "b": {"type": "api", "key": "k"}}))
        path.write_text(json.dumps(json.loads(path.read_bytes())))  # without b: it is not there
    guard.until(lambda line: "collision" in line)
    assert guard.end() == 0
    assert guard.reported == 1
    assert set(on_disk(path)) == {"a", "b"}


@needs.leases
def test_it_ends_also_when_there_is_much_to_tell(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    log.set("large", ApiKey("k" * 40_000))
    guard = start()
    read = json.loads(path.read_bytes())
    with Path(f"{path}.log", "publish.lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for number in range(150):
            entry = {"type": "api", "key": "k"}
            path.write_text(json.dumps({**read, f"w-{number}": entry}))
        guard.process.terminate()
    assert guard.end() == 0
    assert {f"w-{number}" for number in range(150)} <= set(on_disk(path))


STUCK = """
import os, sys
from authlog_tools.guarding import kernel
from authlog_tools.main import main

def exchange(one, other):
    print("stuck", flush=True)
    os.read(0, 1)
    raise OSError(5, "Input/output error")

kernel.can_exchange = lambda folder: True
kernel.exchange = exchange
sys.exit(main(["guard", "--path", sys.argv[1]]))
"""


@needs.leases
def test_a_writer_goes_on_though_the_disk_stands_still(path: Path, log: AuthLog) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", STUCK, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as guard:
        assert guard.stdout is not None and guard.stderr is not None
        assert "guarding" in guard.stderr.readline()
        subprocess.run([*REWRITER, "in_place", str(path), "b"], check=True, timeout=LIMIT)
        assert guard.stdout.readline() == "stuck\n"
        assert "the disk is slow" in guard.stderr.readline()
        guard.terminate()
        guard.communicate("\n", timeout=LIMIT)
    assert {"a", "b"} <= set(on_disk(path))


@needs.leases
def test_authlogs_own_changes_are_never_lost_beside_a_storm(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    guard = start()
    writer = subprocess.Popen([*REWRITER, "storm", str(path), "w", "40"], stdout=subprocess.DEVNULL)
    for number in range(40):
        log.set(f"own-{number}", KEY)
    assert writer.wait(LIMIT) == 0
    assert guard.end() == 0
    assert {f"own-{number}" for number in range(40)} <= set(on_disk(path))


@needs.leases
@pytest.mark.parametrize("after", [5, 20, 35])
def test_a_guard_that_is_killed_leaves_a_whole_file_behind(
    path: Path, log: AuthLog, start: Callable[..., Guard], after: int
) -> None:
    guard = start()
    writer = subprocess.Popen(
        [*REWRITER, "storm", str(path), "w", "40"], stdout=subprocess.PIPE, encoding="utf-8"
    )
    assert writer.stdout is not None
    for _ in range(after):
        writer.stdout.readline()
    guard.process.kill()
    guard.process.wait(LIMIT)
    writer.communicate(timeout=LIMIT)
    assert isinstance(json.loads(path.read_bytes()), dict)
    assert holder.status(Places(path).lock) is None
    log.set("b", KEY)
    assert {"a", "b"} <= set(on_disk(path))
    assert path.stat().st_mode & 0o777 == 0o600
    with suppress(ValueError):
        guard.process.communicate()


def test_a_secret_is_in_nothing_that_it_says(
    path: Path, log: AuthLog, start: Callable[..., Guard], how: tuple[str, ...]
) -> None:
    guard = start(*how)
    path.write_text('{"a":{"type":"api","key":"marked-secret"},"b\\u001b[2J":1,"c":2}')
    guard.told("a")
    assert guard.end() == 0
    assert not any("marked-secret" in line or "\x1b" in line for line in guard.said)


def test_a_log_that_can_not_be_written_is_said_and_tried_again(
    path: Path, log: AuthLog, start: Callable[..., Guard]
) -> None:
    with testing.count():
        guard = start("--watch")
    segment = Path(f"{path}.log", "000001.jsonl")
    content = segment.read_bytes()
    segment.write_bytes(content[:200] + b"x" + content[201:])
    path.write_text("{}")
    guard.until(lambda line: "not told yet" in line)
    segment.write_bytes(content)
    guard.end()
