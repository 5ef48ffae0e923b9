"""`authlog run` on a real terminal: as if it were not there."""

import fcntl
import os
import pty
import re
import select
import shlex
import signal
import struct
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import pytest

import needs

pytestmark = needs.listeners

LIMIT = 60.0  # s; far more than any of these takes


class Terminal:
    """A program on a terminal of its own, and what it has printed there."""

    def __init__(self, command: Sequence[str], more: Mapping[str, str] | None = None) -> None:
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.execvpe(command[0], list(command), {**os.environ, "TERM": "dumb", **(more or {})})
        self._said = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            os.killpg(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._terminal)

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def wait_for(self, pattern: str) -> "re.Match[str]":
        """Return the first match in what is printed from here on."""
        end = time.monotonic() + LIMIT
        while not (found := re.search(pattern, self._said)):
            ready, _, _ = select.select([self._terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"waited for {pattern!r}, got {self._said!r}"
            try:
                self._said += os.read(self._terminal, 4096).decode()
            except OSError:  # the other end is closed
                raise AssertionError(f"waited for {pattern!r}, got {self._said!r}") from None
        self._said = self._said[found.end() :]
        return found

    def status(self) -> int:
        """Return its exit code, or the negative number of the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


MAIN = {
    "by itself": ["-m", "authlog_tools"],
    "attended": [str(Path(__file__).resolve().parent / "attended.py")],
}


@pytest.fixture(params=sorted(MAIN))
def under(path: Path, request: pytest.FixtureRequest) -> list[str]:
    """The command line that runs what is added to it, in both ways there are."""
    main = MAIN[request.param]
    return [sys.executable, *main, "run", "-q", "--path", str(path), "--"]


@pytest.fixture
def shell(under: list[str]) -> Iterator[Terminal]:
    """An interactive shell with job control, in which `run` is `authlog run`."""
    with Terminal(["bash", "--norc", "--noprofile", "-i"], {"PS1": "$ "}) as terminal:
        terminal.wait_for(r"\$ ")
        terminal.type(f'run() {{ {shlex.join(under)} "$@"; }}; stty -echo\n')
        terminal.wait_for(r"\$ ")
        yield terminal


def test_a_full_screen_program_has_its_terminal_and_is_told_its_size(under: list[str]) -> None:
    script = (
        "trap 'stty size; exit 3' WINCH; test -t 0 && test -t 1 && test -t 2 && stty size;"
        " echo ready; while :; do sleep 0.1; done"
    )
    command = shlex.join([*under, "bash", "-c", script])
    with Terminal(["sh", "-c", f"stty rows 30 cols 100; exec {command}"]) as terminal:
        terminal.wait_for("30 100\r\nready")
        terminal.resize(40, 120)
        terminal.wait_for("40 120")
        assert terminal.status() == 3


def test_ctrl_c_ends_the_command_and_the_shell_sees_it_as_usual(shell: Terminal) -> None:
    shell.type("run sh -c 'echo ready; exec sleep 600'; echo \"code $?\"\n")
    shell.wait_for("ready")
    shell.type("\x03")
    shell.wait_for(r"\$ ")
    shell.type('echo "code $?"\n')
    shell.wait_for("code 130")


def test_a_command_that_handles_ctrl_c_gets_it_once(shell: Terminal) -> None:
    shell.type(
        "run bash -c 'trap \"echo caught; exit 4\" INT; echo ready; while :; do sleep 0.1; done'\n"
    )
    shell.wait_for("ready")
    shell.type("\x03")
    shell.wait_for("caught")
    shell.wait_for(r"\$ ")
    shell.type('echo "code $?"\n')
    shell.wait_for("code 4")


def test_it_is_stopped_and_goes_on_in_the_foreground(shell: Terminal) -> None:
    shell.type("run sh -c 'echo ready; read line; echo \"got $line\"'\n")
    shell.wait_for("ready")
    shell.type("\x1a")
    shell.wait_for("Stopped")
    shell.type("jobs\n")
    shell.wait_for("Stopped")
    shell.type("fg\n")
    shell.wait_for("run")
    shell.type("hello\n")
    shell.wait_for("got hello")


def test_it_runs_in_the_background_and_the_shell_waits_for_it(shell: Terminal) -> None:
    shell.type("run sh -c 'exit 9' & wait $!; echo \"code $?\"\n")
    shell.wait_for("code 9")


def test_what_went_wrong_is_said_on_the_terminal_once(path: Path, under: list[str]) -> None:
    writer = str(Path(__file__).resolve().parent / "rewriter.py")
    program = [sys.executable, writer, "in_place", str(path), "openai"]
    quoted = shlex.join(program)
    script = f"{quoted}; mv {path}.log {path}.gone; echo x >{path}.log; {quoted}; echo ended"
    with Terminal([*under, "sh", "-c", script]) as terminal:
        terminal.wait_for(r"authlog: nothing is stored, python\S* is told so: ")
        terminal.wait_for("ended")
    path.with_name("auth.json.log").unlink()
    path.with_name("auth.json.gone").rename(path.with_name("auth.json.log"))
