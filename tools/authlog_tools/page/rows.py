"""The list: rows by day, newest first, with runs of refreshes folded."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime

from msgspec import Struct

from authlog import Change, Event
from authlog_tools import words
from authlog_tools.page.index import Index, marks
from authlog_tools.page.matching import Matches

PAGE = 60  # rows sent at once
FOLD = 4  # refreshes in a row that are worth folding
OPENED = 400  # rows that a fold shows
ABOVE = 20  # newer rows shown above an event that was linked to
SHOWN = 2  # members whose fingerprints a row shows
MAIN = ("refresh", "key", "token", "access")  # members that tell most, first


class Mark(Struct, frozen=True):
    """A fingerprint before and after, either of which may be missing."""

    old: str | None
    new: str | None


class Day(Struct, frozen=True):
    """The head of a day."""

    ordinal: int
    name: str
    count: int


class Row(Struct, frozen=True):
    """One event of the list."""

    event: Event
    family: str
    providers: str
    type: str
    mark: Mark | None
    aside: str


class Fold(Struct, frozen=True):
    """A run of refreshes, newest first."""

    newest: Event
    oldest: Event
    count: int
    providers: str


class Page(Struct, frozen=True):
    """Rows that are sent at once; `below` is the seq from which to go on, None at the end.

    `day` is that of the last row, `first` the seq of the newest row, `above` how many matches are
    newer than that.
    """

    parts: list[Day | Row | Fold]
    below: int | None = None
    above: int = 0
    day: int = 0
    first: int = 0


def page(
    index: Index,
    matches: Matches,
    start: int,
    today: int,
    *,
    end: int | None = None,
    day: int | None = None,
) -> Page:
    """Return the rows from rank `start` (0: the newest match) on, after a row of that day.

    They are a page of rows, or all up to rank `end`.
    """
    folds = set(matches.kinds) != {"refresh"}
    parts: list[Day | Row | Fold] = []
    rank, rows, last = start, 0, len(matches) if end is None else min(end, len(matches))
    while rank < last and (rows < PAGE or end is not None):
        position = _at(matches, rank)
        ordinal = index.days[position]
        if ordinal != day:
            day = ordinal
            parts.append(Day(ordinal, words.day_name(ordinal, today), matches.days[ordinal]))
        length = _run(index, matches, rank, last) if folds else 0
        if length >= FOLD:
            parts.append(_fold(index, matches, rank, length))
        else:
            length = 1
            parts.append(row(index[position], index.before(position)))
        rank += length
        rows += 1
    below = index.seq(_at(matches, rank)) if rank < len(matches) else None
    first = index.seq(_at(matches, start)) if start < len(matches) else 0
    return Page(parts, below, start, day or 0, first)


def page_above(index: Index, matches: Matches, after: int, today: int) -> Page:
    """Return the rows that are newer than event `after`: the nearest ones."""
    end = rank_of(index, matches, after)
    return page(index, matches, max(0, end - PAGE), today, end=end)


def rank_of(index: Index, matches: Matches, seq: int) -> int:
    """Return how many matches are newer than that event."""
    end = index.upto(seq)
    low, high = 0, len(matches)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if matches.positions[middle] < end else (low, middle)
    return len(matches) - low


def opened(index: Index, matches: Matches, newest: int, oldest: int) -> list[Row]:
    """Return the rows of a fold."""
    first = rank_of(index, matches, newest)
    found: list[Row] = []
    for rank in range(first, min(len(matches), first + OPENED)):
        event = index[_at(matches, rank)]
        if event.seq < oldest:
            break
        found.append(row(event, index.before(_at(matches, rank))))
    return found


def row(event: Event, before: Mapping[str, Change | None]) -> Row:
    """Return one event's row."""
    names = list(event.providers)
    one = names[0] if len(names) == 1 else None
    whole = event.kind in ("init", "import", "checkpoint")
    old, new = (before.get(one), event.providers[one]) if one is not None else (None, None)
    change = new or old
    shown = "" if whole or not names else words.joined(names, 2)
    return Row(
        event=event,
        family=words.family(event.kind),
        providers=shown,
        type=(change.type or "") if change is not None and not whole else "",
        mark=None if one is None or whole or event.kind == "heal" else _mark(old, new),
        aside=words.aside(event) or ("" if one else words.many(len(names), "login")),
    )


def early(newest: list[Event], today: int) -> Iterator[Day | Row]:
    """Yield rows of the newest events, before the older ones are read."""
    day: int | None = None
    for event in newest[:PAGE]:
        ordinal = _day(event.time)
        if ordinal != day:
            day = ordinal
            yield Day(ordinal, words.day_name(ordinal, today), 0)
        yield row(event, {})


def _day(moment: datetime) -> int:
    return moment.astimezone().toordinal()


def _at(matches: Matches, rank: int) -> int:
    return matches.positions[len(matches) - 1 - rank]


def _run(index: Index, matches: Matches, rank: int, last: int) -> int:
    """Return how many matches from that rank on, up to rank `last`, are refreshes of one day."""
    day = index.days[_at(matches, rank)]
    end = rank
    while end < last:
        position = _at(matches, end)
        if index.kind_at[position] != "refresh" or index.days[position] != day:
            break
        end += 1
    return end - rank


def _fold(index: Index, matches: Matches, rank: int, length: int) -> Fold:
    events = [index[_at(matches, rank + n)] for n in range(length)]
    counts = Counter(provider for event in events for provider in event.providers)
    most = counts.most_common(4)
    shown = [f"{name} {count:,}" for name, count in most]
    if len(counts) > len(most):
        shown.append(f"{len(counts) - len(most)} more")
    return Fold(events[0], events[-1], length, ", ".join(shown))


def _mark(old: Change | None, new: Change | None) -> Mark | None:
    """Return the fingerprint that tells most of what changed."""
    before, after = marks(old), marks(new)
    names = sorted({*before, *after}, key=_weight)
    changed = [name for name in names if before.get(name) != after.get(name)]
    for name in changed or names:
        return Mark(before.get(name), after.get(name))
    return None


def _weight(name: str) -> tuple[int, str]:
    return (MAIN.index(name) if name in MAIN else len(MAIN), name)
