"""What the overview shows: density of all and of what was found, and a lane for each login.

Everything is decided by pixels: however many events there are, a lane has no more marks than it has
room, and runs of refreshes become bars.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from msgspec import Struct

from authlog_tools import words
from authlog_tools.page.axis import Axis, Label, axis, labels, weekends
from authlog_tools.page.index import Index
from authlog_tools.page.lanes import Lane, lane, log_lane
from authlog_tools.page.matching import Matches

ORDER = ("refresh", "set", "restore", "heal", "adopt", "remove", "other")  # from the bottom up
BAR = 6  # px of a bar with its gap
NARROW = 560  # px below which it is drawn for a phone
LANES = 12  # shown unless more are asked for


class Bar(Struct, frozen=True):
    """One family's part of a bar of the density."""

    x: float
    y: float
    height: float
    family: str


class Overview(Struct, frozen=True):
    """The whole drawing, in pixels."""

    width: int
    height: int
    axis: Axis
    base: float
    foot: float
    ghosts: list[tuple[float, float, float]]
    bars: list[Bar]
    bar: float
    weekends: list[tuple[float, float]]
    labels: list[Label]
    lanes: list[Lane]
    hidden: int
    shade: tuple[float, float] | None
    narrow: bool
    log_lane: Lane | None


TOP, DENSITY, GAP, FOOT = 12, 44, 12, 26  # px


def overview(index: Index, matches: Matches, width: int, *, every: bool) -> Overview:
    """Return the drawing at that width, of all lanes or of as many as are shown at first."""
    narrow = width < NARROW
    left, right = (126, 94) if narrow else (152, 92)
    given = matches.filter
    now = datetime.now(UTC).timestamp()
    line = axis(
        (min(index.times[0], index.times[-1]), max(now, index.times[-1])),
        given.since.timestamp() if given.since else None,
        given.until.timestamp() if given.until else None,
        left,
        width - right,
    )
    lit = matches.lit(len(index))
    names = _chosen(index, lit, every=every)
    step, first = (18, TOP + DENSITY + GAP) if narrow else (20, TOP + DENSITY + GAP)
    drawn = [
        lane(index, name, line, lit, first + step * (n + 0.5), now) for n, name in enumerate(names)
    ]
    own = log_lane(index, line, lit, first + step * (len(names) + 0.5))
    foot = first + step * (len(names) + (own is not None)) + 4
    ghosts, bars, bar = _density(index, line, lit, TOP + DENSITY)
    return Overview(
        width=width,
        height=int(foot + FOOT),
        axis=line,
        base=TOP + DENSITY,
        foot=foot,
        ghosts=ghosts,
        bars=bars,
        bar=bar,
        weekends=weekends(line),
        labels=labels(line),
        lanes=drawn,
        hidden=len(index.lives) - len(names),
        shade=_shade(line, given.since, given.until),
        narrow=narrow,
        log_lane=own,
    )


def _chosen(index: Index, lit: bytearray, *, every: bool) -> list[str]:
    """Return whose lanes are shown: in the order they came, the busiest if there are too many."""
    names = list(index.lives)
    if every or len(names) <= LANES:
        return names
    busy = {name: sum(lit[place] for place in index.lives[name].positions) for name in names}
    best = set(sorted(names, key=lambda name: -busy[name])[:LANES])
    return [name for name in names if name in best]


def _density(
    index: Index, line: Axis, lit: bytearray, base: float
) -> tuple[list[tuple[float, float, float]], list[Bar], float]:
    count = max(1, int((line.right - line.left) / BAR))
    every, found = [0] * count, [dict[str, int]() for _ in range(count)]
    scale = count / (line.last - line.first)
    families = {kind: words.family(kind) for kind in index.kinds}
    for moment, kind, shown in zip(index.times, index.kind_at, lit, strict=False):
        if not line.first <= moment <= line.last:
            continue
        n = min(count - 1, int((moment - line.first) * scale))
        every[n] += 1
        if shown:
            name = families[kind]
            found[n][name] = found[n].get(name, 0) + 1
    high, wide = max(every, default=0) or 1, (line.right - line.left) / count
    ghosts: list[tuple[float, float, float]] = []
    bars: list[Bar] = []
    for n, total in enumerate(every):
        x = round(line.left + n * wide + 0.5, 1)
        if total > sum(found[n].values()):
            height = round(max(2.0, total / high * DENSITY), 1)
            ghosts.append((x, round(base - height, 1), height))
        bars += _stack(x, base, found[n], high)
    return ghosts, bars, round(max(1.5, wide - 1), 1)


def _stack(x: float, base: float, found: dict[str, int], high: int) -> list[Bar]:
    y, bars = base, list[Bar]()
    for family in ORDER:
        if family in found:
            height = round(max(2.5, found[family] / high * DENSITY), 1)
            y = max(1.0, round(y - height, 1))
            bars.append(Bar(x, y, height, family))
    return bars


def _shade(
    line: Axis, since: datetime | None, until: datetime | None
) -> tuple[float, float] | None:
    if since is None and until is None:
        return None
    first = line.x(since.timestamp()) if since else line.left
    last = line.x(until.timestamp()) if until else line.right
    return first, max(first, last)


def nearest(index: Index, positions: Sequence[int], moment: float) -> int | None:
    """Return the seq of the event among these that is nearest to a moment."""
    found = min(positions, key=lambda place: abs(index.times[place] - moment), default=None)
    return None if found is None else index.seq(found)
