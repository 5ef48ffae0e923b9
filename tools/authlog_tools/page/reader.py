"""Reads the log on a thread of its own: newest first until all is there, then what is new.

The page begins with the newest events while the others are read; lanes and counts wait for all.
"""

import threading
from collections.abc import Callable
from itertools import islice

import authlog
from authlog_tools.page.index import Index

AGAIN = 2.0  # s until a log that can't be read is looked at again
FIRST, PART = 200, 500  # events read at once: the first time, and then
LOOK = 1.0  # s that the first page may take to be asked for, before the other events are read
BREATH = 0.002  # s between two parts, for those who answer the page meanwhile


class Reader:
    """What is known of a log. `index` is None until all of it was read.

    `newest` are the events read so far, newest first, until then; `begun` is set when there is
    something to show, and `looked` by the page that shows it. `failure` is why reading ended, if it
    did. Whoever looks takes a reference once and works on that: each is only added to.
    """

    def __init__(self, log: authlog.AuthLog) -> None:
        self.log = log
        self.newest: list[authlog.Event] = []
        self.index: Index | None = None
        self.failure: Exception | None = None
        self.begun = threading.Event()
        self.looked = threading.Event()
        self.changed: Callable[[], None] = lambda: None
        self._ended = threading.Event()

    def begin(self, changed: Callable[[], None]) -> None:
        """Read from now on; `changed` is called on the reading thread whenever more is known."""
        self.changed = changed
        threading.Thread(target=self._run, name="reader", daemon=True).start()

    def end(self) -> None:
        """Stop at the next occasion."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if self.index is None or self.failure is not None:
                    self._read_all()
                self._follow()
            except (authlog.AuthLogError, OSError) as error:
                self._failed(error)
                self._ended.wait(AGAIN)

    def _read_all(self) -> None:
        """Read everything; what could be read before a failure stays."""
        newest: list[authlog.Event] = []
        if self.index is None:
            self.newest = newest
        found = self.log.history(reverse=True)
        newest += islice(found, FIRST)
        if not self.begun.is_set():
            self.begun.set()
            self.changed()
            self.looked.wait(LOOK)
        while part := list(islice(found, PART)):
            newest += part
            if self._ended.wait(BREATH):
                return
        self.index = Index(newest[::-1])
        self.begun.set()
        self.failure = None
        self.newest = []
        self.changed()

    def _follow(self) -> None:
        index = self.index
        assert index is not None  # all was read
        for event in self.log.watch(after=index.last):
            index.append(event)
            self.changed()
            if self._ended.is_set():
                return

    def _failed(self, error: Exception) -> None:
        """Keep the failure, and what was read before it as if it were all there is."""
        if self.index is None:
            self.index = Index(self.newest[::-1])
        self.begun.set()
        if str(self.failure) != str(error):
            self.failure = error
            self.changed()
