"""What the supervisor says: each decision if asked to, and what went wrong."""

import contextlib
import os
import sys


class Voice:
    """Speaks to stderr if it is to be `verbose`; failures also to the terminal of the command."""

    def __init__(self, *, verbose: bool, terminal: str | None) -> None:
        self._verbose = verbose
        self._terminal = terminal
        self._warned: set[str] = set()

    def say(self, text: str) -> None:
        """Say what was decided."""
        if self._verbose:
            with contextlib.suppress(OSError):  # whoever read it may have gone
                print(f"authlog: {text}", file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Say what went wrong, once."""
        if text in self._warned:
            return
        self._warned.add(text)
        if self._verbose or self._terminal is None:
            self.say(text)
            return
        with contextlib.suppress(OSError):
            terminal = os.open(
                self._terminal, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            )
            try:
                os.write(terminal, f"\r\nauthlog: {text}\r\n".encode())
            finally:
                os.close(terminal)
