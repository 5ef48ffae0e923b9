"""What is known of a log at this moment: its events, what a filter finds, and whether it is whole.

Every look is at one `Known`: it changes on the reader's thread only by being added to.
"""

import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import authlog
from authlog_tools import filters
from authlog_tools.failures import texts
from authlog_tools.page.index import Index, day_of
from authlog_tools.page.matching import Matcher, Matches
from authlog_tools.page.proof import Proof
from authlog_tools.page.reader import Reader
from authlog_tools.page.view import View

Values = Mapping[str, object]  # what a template is filled with


class Known:
    """A log as its reader and its proof know it."""

    def __init__(self, log: authlog.AuthLog, reader: Reader, proof: Proof) -> None:
        self.log, self.reader, self.proof = log, reader, proof
        self._matcher = Matcher(Index())

    @property
    def loading(self) -> bool:
        """Whether older events are still being read."""
        return self.reader.index is None

    @property
    def index(self) -> Index:
        """All events that were read; none until the first reading has ended."""
        return self._newest_matcher().index

    def find(self, text: str) -> tuple[Index, Matches]:
        """Return the events and which of them the filter finds.

        Raises:
            filters.FilterError: a word of it can't be understood.

        """
        matcher = self._newest_matcher()
        return matcher.index, matcher.find(text)

    def found(self, text: str) -> tuple[Index, Matches]:
        """Return the same; a filter that can't be understood finds nothing."""
        try:
            return self.find(text)
        except filters.FilterError:
            return self.index, Matches(Index(), "")

    def early(self, text: str) -> list[authlog.Event]:
        """Return what the filter finds among the newest events, while the others are read."""
        try:
            wanted = filters.parse(text, datetime.now(UTC))
        except filters.FilterError:
            return []
        return [event for event in list(self.reader.newest) if wanted.matches(event)]

    def failure(self) -> Values | None:
        """Return why not all of the log could be read."""
        error = self.reader.failure
        if error is None:
            return None
        happened, hint = texts(error)
        damaged = error if isinstance(error, authlog.LogCorrupted) else None
        return {"happened": happened, "hint": hint, "damaged": damaged}

    def common(self) -> Values:
        """Return what every template may name."""
        now = datetime.now(UTC)
        path = str(self.log.path)
        return {"path": path, "quoted_path": shlex.quote(path), "now": now, "today": day_of(now)}

    def news(self) -> dict[str, object]:
        """Return what an open page needs to see whether it is behind."""
        health, failure = self.proof.health, self.reader.failure
        return {
            "seq": self.index.last,
            "total": len(self.index),
            "loading": self.loading,
            "begun": self.reader.begun.is_set(),
            "failed": str(failure) if failure else "",
            "proof": "running" if self.proof.running else "",
            "verified": health.seq if health and health.ok else 0,
        }

    def _newest_matcher(self) -> Matcher:
        index = self.reader.index
        if index is not None and self._matcher.index is not index:
            self._matcher = Matcher(index)
        return self._matcher


Fill = Callable[[Known, View], Values]
