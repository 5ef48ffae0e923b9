"""Verifies the whole log on a thread of its own, once it was read and whenever it is asked to."""

import threading
from collections.abc import Callable

import authlog


class Proof:
    """The last result: `health`, or `failure` if it could not be got; `running` meanwhile."""

    def __init__(self, log: authlog.AuthLog, changed: Callable[[], None]) -> None:
        self._log, self._changed = log, changed
        self._lock = threading.Lock()
        self.health: authlog.Health | None = None
        self.failure: Exception | None = None
        self.running = False

    def begin(self) -> None:
        """Verify, unless it is under way."""
        with self._lock:
            if self.running:
                return
            self.running = True
        threading.Thread(target=self._run, name="proof", daemon=True).start()

    def _run(self) -> None:
        try:
            self.health, self.failure = self._log.verify(), None
        except (authlog.AuthLogError, OSError) as error:
            self.failure = error
        finally:
            self.running = False
        self._changed()
