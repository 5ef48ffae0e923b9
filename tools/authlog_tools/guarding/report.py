"""What a guard says on stderr, and counts."""

import contextlib
import sys
import time

from authlog_tools import failures


class Report:
    """Says what happened: warnings always, decisions if it is `verbose`; counts both."""

    def __init__(self, *, verbose: bool) -> None:
        self._verbose = verbose
        self.told = 0
        self.collisions = 0
        self.unseen = 0

    def note(self, text: str, *, quiet: bool) -> None:
        """Say what is done from now on, unless only what is asked for is to be said."""
        if not quiet:
            self._print(text)

    def say(self, text: str) -> None:
        """Say what was decided."""
        if self._verbose:
            self._print(text)

    def warn(self, text: str, hint: str) -> None:
        """Say what went wrong, and what to do next."""
        self._print(f"{text}\n  {hint}")

    def error(self, error: Exception) -> None:
        """Say what could not be done yet."""
        happened, hint = failures.texts(error)
        self.warn(f"not told yet: {happened}", hint)

    def collision(self, text: str, unseen: int) -> None:
        """Say that writers met in one file, and how many of their writes may be lost."""
        self.collisions += 1
        self.unseen += unseen
        self.warn(
            f"collision: {text}",
            "authlog history shows what arrived; log in again to what is missing",
        )

    def _print(self, text: str) -> None:
        now = time.strftime("%H:%M:%S")
        with contextlib.suppress(OSError):  # whoever read it may have gone
            sys.stderr.write(f"authlog: {now} {text}\n")
            sys.stderr.flush()
