"""Verifies the whole log on a thread of its own, once it was read and whenever it is asked to."""

import threading
from collections.abc import Callable

import authlog


class Proof:
    """The last result: `health`, or `failure` if it could not be got; `running` meanwhile.

    It is begun for a reading of the log; one that was read anew, after a repair, is another.
    """

    def __init__(
        self, log: authlog.AuthLog, changed: Callable[[], None], give_way: Callable[[], None]
    ) -> None:
        self._log, self._changed, self._give_way = log, changed, give_way
        self._lock = threading.Lock()
        self.health: authlog.Health | None = None
        self.failure: Exception | None = None
        self.running = False
        self._reading: object = None

    def is_of_another(self, reading: object) -> bool:
        """Whether it was not begun for this reading."""
        return self._reading is not reading

    def begin(self, reading: object) -> None:
        """Verify, unless it is under way."""
        with self._lock:
            if self.running:
                return
            self.running, self._reading = True, reading
        threading.Thread(target=self._run, name="proof", daemon=True).start()

    def _run(self) -> None:
        try:
            self.health = self._log.verify(progress=lambda done, total: self._give_way())
            self.failure = None
        except (authlog.AuthLogError, OSError) as error:
            self.failure = error
        finally:
            self.running = False
        self._changed()
