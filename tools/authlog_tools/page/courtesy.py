"""Lets long work on other threads wait while somebody is being answered.

Python runs one thread at a time: reading 100,000 events would double the time to the first row.
"""

import threading

from starlette.types import ASGIApp, Receive, Scope, Send

LONGEST = 1.0  # s that work waits: an answer that takes longer waits for something else
LIVE = "/live"  # the one answer that never ends


class Courtesy:
    """Counts the requests that are being answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answering = 0
        self._idle = threading.Event()
        self._idle.set()
        self._patient = True

    def give_way(self) -> None:
        """Wait until nobody is being answered, but not for long, and not again for the same."""
        if self._patient:
            self._patient = self._idle.wait(LONGEST)

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return the application, each answer of which is counted."""

        async def answering(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["path"] == LIVE:
                await app(scope, receive, send)
                return
            self._count(1)
            try:
                await app(scope, receive, send)
            finally:
                self._count(-1)

        return answering

    def _count(self, by: int) -> None:
        with self._lock:
            self._answering += by
            if self._answering:
                self._idle.clear()
            else:
                self._idle.set()
                self._patient = True
