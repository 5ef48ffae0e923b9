"""Tells open pages what is new, as server-sent events: few, small, and resumable."""

import asyncio
from collections.abc import AsyncIterator, Callable

EVERY = 0.25  # s between two messages at least: what comes in between is told at once
QUIET = 15.0  # s after which a comment shows that the connection is alive
RETRY = 1_000  # ms until a page whose connection was lost asks again


class Bell:
    """Rung on any thread; wakes all who wait on the server's."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._ended = False

    def hang(self) -> None:
        """Hang it where the server runs."""
        self._loop = asyncio.get_running_loop()

    def ring(self) -> None:
        """Wake all who wait."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake)

    def end(self) -> None:
        """End all streams: a server that is asked to stop waits for them."""
        self._ended = True
        self.ring()

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def stream(
        self, told: Callable[[], tuple[int, str]], seen: tuple[int, str] | None
    ) -> AsyncIterator[str]:
        """Yield a message whenever what `told` returns, a seq and its text, is another one."""
        rung = asyncio.Event()
        self._waiting.add(rung)
        try:
            yield f"retry: {RETRY}\n\n"
            while not self._ended:
                rung.clear()
                if (now := told()) != seen:
                    seen = now
                    yield f"event: news\nid: {now[0]}\ndata: {now[1]}\n\n"
                    await asyncio.sleep(EVERY)
                try:
                    await asyncio.wait_for(rung.wait(), QUIET)
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._waiting.discard(rung)
