"""Which events of the index a filter finds, remembered while the filter stays the same."""

import time
from collections import Counter
from datetime import UTC, datetime

from authlog_tools import filters
from authlog_tools.page.index import Index

FRESH = 60.0  # s that relative times of a filter may be off
KEPT = 8  # filters remembered


class Matches:
    """The positions that a filter finds in an index, oldest first, and counts of them."""

    def __init__(self, index: Index, text: str) -> None:
        self.filter = filters.parse(text, datetime.now(UTC))
        self.positions: list[int] = []
        self.days: Counter[int] = Counter()
        self.kinds: Counter[str] = Counter()
        self.made = time.monotonic()
        self._index = index
        self._seen = 0
        self.extend()

    def __len__(self) -> int:
        return len(self.positions)

    def extend(self) -> None:
        """Look at what came since."""
        index, every = self._index, not self.filter.text
        end = len(index)
        for position in range(self._seen, end):
            event = index.events[position]
            if every or self.filter.matches(event):
                self.positions.append(position)
                self.days[index.days[position]] += 1
                self.kinds[event.kind] += 1
        self._seen = end


class Matcher:
    """Finds what filters find in one index."""

    def __init__(self, index: Index) -> None:
        self.index = index
        self._kept: dict[str, Matches] = {}

    def find(self, text: str) -> Matches:
        """Return what the filter finds.

        Raises:
            filters.FilterError: a word can't be understood.

        """
        found = self._kept.pop(text, None)
        if found is None or time.monotonic() - found.made > FRESH:
            found = Matches(self.index, text)
        else:
            found.extend()
        self._kept[text] = found
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return found
