"""Nobody is held for long: whatever the disk does, a writer goes on after a moment."""

import os
import threading

from authlog_tools.guarding import kernel
from authlog_tools.guarding.leased import Leased
from authlog_tools.guarding.report import Report

HELD = 0.04  # s for which a writer may be held


class Deadline(threading.Thread):
    """Lets a writer go if the gate has not done so in time.

    It waits for a timer of the kernel and not for the gate's thread: as long as the gate is quick,
    it never runs.
    """

    def __init__(self, report: Report) -> None:
        super().__init__(name="deadline", daemon=True)
        self._report = report
        self._timer = kernel.timer()
        self._held: Leased | None = None

    def begin(self, file: Leased) -> None:
        """From now on a writer is held by that file's lease."""
        self._held = file
        kernel.set_timer(self._timer, HELD)

    def end(self) -> None:
        """It is not any more."""
        self._held = None
        kernel.set_timer(self._timer, 0)

    def run(self) -> None:
        """Wait for the timer."""
        while os.read(self._timer, 8):
            held, self._held = self._held, None
            if held is not None:
                held.release()
                self._report.collision(
                    "the disk is slow: a program was let in before it had a file of its own, "
                    "1 of their writes may be lost",
                    1,
                )
