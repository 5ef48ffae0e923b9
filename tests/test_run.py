"""`authlog run`: whatever way a program writes auth.json in, nothing that it wrote is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog
from authlog_tools.commands import COMMANDS

pytestmark = needs.listeners

HERE = Path(__file__).resolve().parent
REWRITER = [sys.executable, str(HERE / "rewriter.py")]
LIMIT = 60.0  # s; far more than any of these takes


def under(path: Path, *options: str) -> list[str]:
    """Return the command line that runs what is added to it."""
    return [sys.executable, "-m", "authlog_tools", "run", "--path", str(path), *options, "--"]


def run(
    path: Path, *command: object, options: Sequence[str] = ("-q",), check: bool = True
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*under(path, *options), *map(str, command)],
        stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", check=check, timeout=LIMIT,
    )  # fmt: skip


def on_disk(path: Path) -> dict[str, dict[str, str]]:
    return dict(json.loads(path.read_text()))


def process_named(name: str, path: Path) -> int:
    """Return the process of that name among those that a test has marked, when it is there."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = [
            int(process.name)
            for process in Path("/proc").iterdir()
            if process.name.isdigit() and _is(process, name, str(path))
        ]
        return len(found) == 1

    until(is_there)
    return found[0]


def _is(process: Path, name: str, mark: str) -> bool:
    try:
        if (process / "comm").read_text().strip() != name:
            return False
        return f"TEST_RUN={mark}".encode() in (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return False


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


WAYS = [
    "in_place", "cut", "relative", "by_folder", "by_link", "by_folders_link", "by_hard_link",
    "by_openat2", "by_thread", "by_grandchild", "by_rename", "by_dup", "appended", "unclosed",
    "exclusive", "made_anew", "chmodded",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_a_write_is_told_as_an_event_whichever_way_it_is_made(path: Path, way: str) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("k"))
    inode = path.stat().st_ino
    (path.parent / "x").mkdir()
    run(path, *REWRITER, way, path, "openai")
    assert log.get("openai") == ApiKey("k")
    assert log.get("groq") == ApiKey("k")
    assert list(on_disk(path)) == ["groq", "openai"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_ino != inode, "nobody wrote into the file that others read"
    (event,) = [event for event in log.history() if event.kind == "adopt"]
    assert list(event.providers) == ["openai"]
    assert event.by is not None
    assert event.by.program.startswith("python")


def test_a_write_is_told_when_it_is_synced_too(path: Path) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("k"))
    done = run(path, *REWRITER, "synced", path, "openai", check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(on_disk(path)) == ["groq", "openai"]


def test_a_program_reads_at_once_what_it_has_written(path: Path) -> None:
    run(path, *REWRITER, "again", path, "openai", 1_000)
    log = AuthLog(path)
    assert log.get("openai") == ApiKey("999")
    assert len([event for event in log.history() if event.kind == "adopt"]) == 1_000


REDIRECTED = """
for key in 1 2 3 4 5; do
    printf '{"a":{"type":"api","key":"%s"}}' $key >"$0"
    cat "$0"
done
"""


def test_the_shells_redirections_are_told_before_the_next_command(path: Path) -> None:
    done = run(path, "sh", "-c", REDIRECTED, path)
    lines = [line.split('"')[3] for line in done.stdout.splitlines() if "key" in line]
    assert lines == ["1", "2", "3", "4", "5"]


def test_eight_programs_that_write_as_fast_as_they_can_lose_nothing(path: Path) -> None:
    script = 'for n in 1 2 3 4 5 6 7 8; do "$@" $n 25 & done; wait'
    done = run(path, "sh", "-c", script, "sh", *REWRITER, "storm", path)
    assert len(done.stdout.splitlines()) == 200
    assert set(on_disk(path)) == set(done.stdout.splitlines())


def test_two_runs_share_one_store(path: Path) -> None:
    running = [
        subprocess.Popen(
            [*under(path, "-q"), *REWRITER, "storm", str(path), name, "40"],
            stdout=subprocess.PIPE, encoding="utf-8",
        )
        for name in ("one", "other")
    ]  # fmt: skip
    log = AuthLog(path)
    for number in range(40):
        log.set(f"authlog-{number}", ApiKey("k"))
    told = [name for one in running for name in one.communicate(timeout=LIMIT)[0].split()]
    assert [one.returncode for one in running] == [0, 0]
    assert set(on_disk(path)) == {*told, *(f"authlog-{number}" for number in range(40))}
    assert len(told) == 80


def test_authlogs_own_commands_work_inside(path: Path) -> None:
    own = [sys.executable, "-m", "authlog_tools"]
    script = (
        'echo k | "$0" "$1" "$2" set openai && "$0" "$1" "$2" list && "$0" "$1" "$2" compact --yes'
    )
    env_path = f"AUTHLOG_PATH={path}"
    done = run(path, "env", env_path, "sh", "-c", script, *own)
    assert "openai" in done.stdout
    assert list(on_disk(path)) == ["openai"]
    assert [event.kind for event in AuthLog(path).history()][1] == "set"


def test_a_run_inside_a_run_for_the_same_file_is_no_second_one(path: Path) -> None:
    run(path, *under(path, "-q"), *REWRITER, "in_place", path, "openai", check=False)
    run(path, *under(path, "-q"), *REWRITER, "cut", path, "openai")
    assert list(on_disk(path)) == ["openai"]


def test_a_run_inside_a_run_for_another_file_says_why_it_can_not_be(path: Path) -> None:
    other = path.with_name("other.json")
    done = run(path, *under(other, "-q"), "true", check=False)
    assert done.returncode == 5
    assert "inside one" in done.stderr
    assert "--or-guard" in done.stderr


@pytest.mark.skipif("guard" not in COMMANDS, reason="needs authlog guard")
def test_where_it_can_not_be_a_guard_runs_beside_the_command_if_asked_for(path: Path) -> None:
    other = path.with_name("other.json")
    script = [*under(other, "--or-guard"), "sh", "-c", "echo started; exit 3"]
    done = run(path, *script, check=False)
    assert (done.returncode, done.stdout) == (3, "started\n")
    assert "`authlog guard` watches" in done.stderr


def test_what_stands_behind_the_command_is_the_commands(path: Path) -> None:
    command = [*under(path)[:-1], "-q", "echo", "-q", "--path", "x", "--", "--json"]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8", timeout=LIMIT)
    assert done.stdout == "-q --path x -- --json\n"


# What the command is to those around it


def test_the_exit_status_is_the_commands_own(path: Path) -> None:
    assert run(path, "sh", "-c", "exit 7", check=False).returncode == 7
    assert run(path, "sh", "-c", "kill -TERM $$", check=False).returncode == -signal.SIGTERM
    assert run(path, "no-such-command", check=False).returncode == 127
    folder = path.parent / "not-a-program"
    folder.write_text("x")
    done = run(path, folder, check=False)
    assert done.returncode == 126
    assert "is it executable?" in done.stderr
    folder.write_text("#!/no/such/interpreter\n")
    folder.chmod(0o755)
    assert run(path, folder, check=False).returncode == 126
    folder.write_text("echo a script without its first line\n")
    assert run(path, folder).stdout == "a script without its first line\n"


def test_the_command_is_the_process_that_was_started_and_has_no_child(path: Path) -> None:
    with subprocess.Popen(
        [*under(path, "-q"), "sh", "-c", "echo $$ $PPID; cat /proc/$$/task/*/children; exec cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8",
    ) as running:  # fmt: skip
        assert running.stdin is not None
        running.stdin.close()
        assert running.stdout is not None
        told = running.stdout.read().split()
    assert told[:2] == [str(running.pid), str(os.getpid())]
    assert len(told) == 3, "its only child is that `cat` itself"


def test_the_commands_pipes_end_when_it_ends(path: Path) -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*under(path, "-q"), "sh", "-c", "echo out; echo err >&2"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        pass_fds=[writing],
    ) as running:  # fmt: skip
        os.close(writing)
        assert running.communicate(timeout=LIMIT) == (b"out\n", b"err\n")
    with os.fdopen(reading, "rb") as end:
        assert end.read() == b"", "nobody else holds what it inherited"


ATTENDED = [sys.executable, str(HERE / "attended.py"), "run", "-q"]


@pytest.mark.parametrize("way", ["by_folder", "by_grandchild", "by_rename", "by_openat2"])
def test_where_only_a_parent_may_read_memory_one_does(path: Path, way: str) -> None:
    AuthLog(path).set("groq", ApiKey("k"))
    command = [*ATTENDED, "--path", str(path), "--", *REWRITER, way, str(path), "openai"]
    subprocess.run(command, check=True, timeout=LIMIT)
    assert list(on_disk(path)) == ["groq", "openai"]


ENDS = {
    "exit 7": 7,
    "kill -TERM $$": -signal.SIGTERM,
    "kill -KILL $$": -signal.SIGKILL,
}


@pytest.mark.parametrize("script", ENDS)
def test_a_parent_that_reads_ends_as_the_command_does(path: Path, script: str) -> None:
    command = [*ATTENDED, "--path", str(path), "--", "sh", "-c", script]
    assert subprocess.run(command, check=False, timeout=LIMIT).returncode == ENDS[script]


def test_a_parent_that_reads_passes_on_what_is_sent_to_it(path: Path) -> None:
    script = "trap 'echo caught; exit 3' USR1; echo ready; while :; do sleep 0.1; done"
    with subprocess.Popen(
        [*ATTENDED, "--path", str(path), "--", "sh", "-c", script],
        stdout=subprocess.PIPE, encoding="utf-8",
    ) as running:  # fmt: skip
        assert said(running, 1) == ["ready"]
        running.send_signal(signal.SIGUSR1)
        assert said(running, 1) == ["caught"]
        assert running.wait(LIMIT) == 3


def test_a_parent_that_reads_takes_the_command_with_it(path: Path) -> None:
    with subprocess.Popen(
        [*ATTENDED, "--path", str(path), "--", "sh", "-c", "echo $$; exec sleep 600"],
        stdout=subprocess.PIPE, encoding="utf-8",
    ) as running:  # fmt: skip
        (child,) = said(running, 1)
        running.kill()
    until(lambda: not Path(f"/proc/{child}").exists() or _state(child) == "Z")


def _state(process: str) -> str:
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_nobody_else_holds_what_the_command_inherited(path: Path) -> None:
    given, other = os.pipe()
    with subprocess.Popen(
        [*under(path, "-q"), "cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, "TEST_RUN": str(path)}, pass_fds=[given, other],
    ) as running:  # fmt: skip
        pipes = {Path(f"/proc/{running.pid}/fd/{number}").readlink() for number in (0, 1, 2, given)}
        for name in ("authlog-keep", "authlog-run"):
            process = process_named(name, path)
            folder = Path(f"/proc/{process}/fd")
            assert not pipes & {one.readlink() for one in folder.iterdir()}
            assert os.getsid(process) != os.getsid(running.pid)
            assert Path(f"/proc/{process}/cwd").readlink() == Path("/")
        running.communicate(timeout=LIMIT)
    os.close(given)
    os.close(other)


def test_signals_are_as_usual_for_the_command(path: Path) -> None:
    done = run(path, "grep", "-E", "Sig(Ign|Blk)", "/proc/self/status")
    assert {line.split()[1] for line in done.stdout.splitlines()} == {"0" * 16}


def test_quiet_says_nothing_and_otherwise_it_is_one_line(path: Path) -> None:
    assert run(path, "true").stderr == ""
    said = run(path, "true", options=[]).stderr
    assert said.startswith("authlog: ")
    assert str(path) in said
    assert "sudo" in said
    assert said.count("\n") == 1


def test_each_decision_is_said_with_v_and_no_secret(path: Path) -> None:
    AuthLog(path).set("groq", ApiKey("SECRET-1"))
    done = run(path, *REWRITER, "again", path, "openai", 3, options=["-v"])
    assert done.stderr.count("adopt openai") == 3
    assert "SECRET" not in done.stderr
    assert '"' not in done.stderr


@pytest.mark.damaged
def test_a_damaged_log_is_said_before_anything_is_started(path: Path) -> None:
    path.write_text("not an object")
    done = run(path, "echo", "started", check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert str(path) in done.stderr


def test_without_a_command_it_says_how_to_give_one(path: Path) -> None:
    assert run(path, check=False).returncode == 2


# What is killed takes nothing with it


WRITERS, EACH = 4, 100


@pytest.fixture
def storm(path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Programs that write as fast as they can, and say what was acknowledged."""
    script = f'for n in {" ".join(map(str, range(WRITERS)))}; do "$@" $n {EACH} & done; wait'
    with subprocess.Popen(
        [*under(path, "-q"), "sh", "-c", script, "sh", *REWRITER, "storm", str(path)],
        stdout=subprocess.PIPE, encoding="utf-8", env={**os.environ, "TEST_RUN": str(path)},
    ) as running:  # fmt: skip
        yield running
        running.kill()


def said(running: "subprocess.Popen[str]", lines: int) -> list[str]:
    assert running.stdout is not None
    return [running.stdout.readline().strip() for _ in range(lines)]


def all_is_kept(path: Path, running: "subprocess.Popen[str]", so_far: list[str]) -> None:
    assert running.stdout is not None
    acknowledged = {*so_far, *running.stdout.read().split()}
    assert running.wait(LIMIT) == 0
    assert len(acknowledged) == WRITERS * EACH
    assert set(on_disk(path)) == acknowledged


def test_a_killed_supervisor_loses_nothing_and_the_programs_go_on(
    path: Path, storm: "subprocess.Popen[str]"
) -> None:
    lines: list[str] = []
    for _ in range(10):
        lines += said(storm, 10)
        os.kill(process_named("authlog-run", path), signal.SIGKILL)
    all_is_kept(path, storm, lines)


def test_a_killed_keeper_loses_nothing_and_the_programs_go_on(
    path: Path, storm: "subprocess.Popen[str]"
) -> None:
    lines = said(storm, 10)
    os.kill(process_named("authlog-keep", path), signal.SIGKILL)
    all_is_kept(path, storm, lines)


def test_they_are_not_ended_by_what_ends_the_command_and_end_after_it(
    path: Path, storm: "subprocess.Popen[str]"
) -> None:
    lines = said(storm, 10)
    ours = [process_named(name, path) for name in ("authlog-keep", "authlog-run")]
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        for process in ours:
            os.kill(process, number)
    all_is_kept(path, storm, lines)
    until(lambda: not any(Path(f"/proc/{process}").exists() for process in ours))


KILLED = """
import os, sys
opened = os.open(sys.argv[1], os.O_WRONLY | os.O_TRUNC)
os.write(opened, sys.argv[2].encode())
os.kill(os.getpid(), 9)
"""


def test_what_a_killed_program_had_written_whole_is_told_and_half_is_not(path: Path) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("k"))
    whole = json.dumps({**on_disk(path), "openai": {"type": "api", "key": "k"}})
    run(path, sys.executable, "-c", KILLED, path, whole, check=False)
    until(lambda: "openai" in on_disk(path))
    run(path, sys.executable, "-c", KILLED, path, whole[:-1], check=False)
    until(lambda: [event.kind for event in log.history()][-1] == "quarantine")
    assert list(on_disk(path)) == ["groq", "openai"]


@needs.mounts
def test_a_full_disk_makes_the_programs_write_fail_and_loses_nothing(tmp_path: Path) -> None:
    place = tmp_path / "full"
    place.mkdir()
    path = place / "auth.json"
    script = f'mount -t tmpfs -o size=512k none {place} && {{ "$@"; echo $?; cat {path}; }}'
    steps = f'"$@" in_place {path} openai; "$@" refused {path} huge; "$@" in_place {path} groq'
    command = [*under(path, "-q"), "sh", "-c", steps, "sh", *REWRITER]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", *command],
        capture_output=True, encoding="utf-8", check=False, timeout=LIMIT,
    )  # fmt: skip
    assert "close 28" in done.stdout, done
    assert '"openai"' in done.stdout
    assert '"groq"' in done.stdout
    assert '"huge"' not in done.stdout
