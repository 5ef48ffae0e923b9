"""Reads the log on a thread of its own: newest first until all is there, then what is new.

The page begins with the newest events while the others are read; lanes and counts wait for all.
"""

import threading
import time
from collections.abc import Callable
from itertools import islice

import authlog
from authlog_tools.page.index import Index, pack

AGAIN = 2.0  # s until a log that can't be read is looked at again, at least
REST = 10  # times as long as it took to read what can be read of it
SOON = 2.0  # s that one waits for an event that was just written
NEWEST = 1_200  # events that can be shown while the older ones are read
FIRST, PART = 200, 200  # events read at once: the first time, and then


class Reader:
    """What is known of a log. `index` is None until all of it was read.

    `newest` are the newest events, newest first, until then; `begun` is set when there is something
    to show. `failure` is why reading ended, if it did. Whoever looks takes a reference once and
    works on that: each is only added to.
    """

    def __init__(self, log: authlog.AuthLog, give_way: Callable[[], None]) -> None:
        self.log = log
        self.newest: list[authlog.Event] = []
        self.index: Index | None = None
        self.failure: Exception | None = None
        self.begun = threading.Event()
        self.changed: Callable[[], None] = lambda: None
        self._give_way = give_way
        self._older: list[bytes] = []
        self._ended = threading.Event()
        self._grown = threading.Condition()

    def begin(self, changed: Callable[[], None]) -> None:
        """Read from now on; `changed` is called on the reading thread whenever more is known."""
        self.changed = changed
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def end(self) -> None:
        """Stop at the next occasion."""
        self._ended.set()

    def wait_for(self, seq: int) -> None:
        """Wait until that event was read, but not for long: reading may have ended."""
        with self._grown:
            self._grown.wait_for(lambda: self.index is not None and self.index.last >= seq, SOON)

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            try:
                if self.index is None or self.failure is not None:
                    self._read_all()
                if self.index is not None:
                    self._follow(self.index)
            except (authlog.AuthLogError, OSError) as error:
                self._failed(error)
                self._ended.wait(max(AGAIN, REST * (time.monotonic() - began)))

    def _read_all(self) -> None:
        """Read everything; what could be read before a failure stays."""
        newest, older = list[authlog.Event](), list[bytes]()
        if self.index is None:
            self.newest, self._older = newest, older
        found = self.log.history(reverse=True)
        newest += islice(found, FIRST)
        if not self.begun.is_set():
            self.begun.set()
            self.changed()
        while len(newest) < NEWEST and (part := list(islice(found, PART))):
            newest += part
            self._give_way()
        while packed := [pack(event) for event in islice(found, PART)]:
            older += packed
            self._give_way()
            if self._ended.is_set():
                return
        self._take(self._indexed(newest, older))
        self.failure = None
        self.newest, self._older = [], []
        self.changed()

    def _indexed(self, newest: list[authlog.Event], older: list[bytes]) -> Index:
        """Return the index of all these, which are newest first."""
        older, newest = older.copy(), newest.copy()
        index = Index()
        while older or newest:
            index.append((older or newest).pop())
            if len(index) % PART == 0:
                self._give_way()
        return index

    def _take(self, index: Index) -> None:
        self.index = index
        self.begun.set()

    def _follow(self, index: Index) -> None:
        for event in self.log.watch(after=index.last):
            with self._grown:
                index.append(event)
                self._grown.notify_all()
            self.changed()
            if self._ended.is_set():
                return

    def _failed(self, error: Exception) -> None:
        """Keep the failure, and what was read before it as if it were all there is."""
        if self.index is None:
            self._take(self._indexed(self.newest, self._older))
        if str(self.failure) != str(error):
            self.failure = error
            self.changed()
