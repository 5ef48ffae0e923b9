"""A real terminal around a command: its size, its keys, Ctrl-C, and what is on its screen."""

import errno
import os
import select
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyte

_OURS = ("NO_COLOR", "FORCE_COLOR", "PAGER", "AUTHLOG_PAGER", "LESS", "COLUMNS", "LINES")
PATIENCE = 60.0  # s without a word until something is taken to hang
CTRL_C = "\x03"
AUTHLOG = (sys.executable, "-m", "authlog_tools")


class Terminal:
    """A command that runs in a terminal of its own, which is its controlling one."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 100,
        lines: int = 40,
        given: Mapping[str, str] | None = None,
    ) -> None:
        import fcntl
        import pty
        import termios

        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        kept = {name: value for name, value in os.environ.items() if name not in _OURS}
        # The first terminal that the leader of a session opens is the one whose Ctrl-C it gets.
        self._process = subprocess.Popen(
            ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(follower), *command],
            stdin=follower,
            stdout=follower,
            stderr=follower,
            env={**kept, "TERM": "xterm", **(given or {})},
            start_new_session=True,
        )
        os.close(follower)
        self._size = columns, lines
        self._said = b""

    @property
    def said(self) -> str:
        """What was written so far, escape codes and all."""
        return self._said.decode(errors="replace")

    @property
    def screen(self) -> list[str]:
        """The lines that are on the screen, to the last that is not empty."""
        screen = pyte.Screen(*self._size)
        pyte.ByteStream(screen).feed(self._said)
        return "\n".join(line.rstrip() for line in screen.display).rstrip().split("\n")

    def type(self, keys: str) -> None:
        """Type these keys; see `CTRL_C`."""
        os.write(self._leader, keys.encode())

    def until(self, text: str, keys: str = "") -> None:
        """Wait until that is written; meanwhile type the keys, now and again if they get lost."""
        while text not in self.said:
            if keys and not select.select([self._leader], [], [], 0.2)[0]:
                self.type(keys)
                continue
            assert self._read(), f"ended without {text!r}: {self.said}"

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        while self._read():
            pass
        os.close(self._leader)
        return self._process.wait()

    def _read(self) -> bool:
        if not select.select([self._leader], [], [], PATIENCE)[0]:
            self._process.kill()
            raise AssertionError(f"says nothing any more: {self.said}")
        try:
            more = os.read(self._leader, 4096)
        except OSError as error:
            if error.errno != errno.EIO:  # nobody is there any more
                raise
            return False
        self._said += more
        return bool(more)


def terminal(
    path: Path,
    *arguments: object,
    columns: int = 100,
    lines: int = 40,
    given: Mapping[str, str] | None = None,
) -> Terminal:
    """Run `authlog` on the store at `path` in a terminal; `given` are variables."""
    command = [*AUTHLOG, *map(str, arguments)]
    surroundings = {"AUTHLOG_PATH": str(path), **(given or {})}
    return Terminal(command, columns=columns, lines=lines, given=surroundings)
