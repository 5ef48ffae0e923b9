"""Which events of the index a filter finds, remembered while the filter stays the same."""

import time
from array import array
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
        self.positions = array("I")
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
        index, first, end = self._index, self._seen, len(self._index)
        every = not self.filter.text
        new = [at for at in range(first, end) if every or self.filter.matches(index[at])]
        self.positions.extend(new)
        self.days.update(index.days[at] for at in new)
        self.kinds.update(index.kind_at[at] for at in new)
        self._seen = end

    def lit(self, size: int) -> bytearray:
        """Return for each of the first `size` positions whether it was found: 1 or 0."""
        if not self.filter.text:
            return bytearray(b"\1") * size
        found = bytearray(size)
        for position in self.positions:
            if position < size:
                found[position] = 1
        return found


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
