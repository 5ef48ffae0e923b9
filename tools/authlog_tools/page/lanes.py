"""A lane: the life of one login as lines, and what happened to it as marks."""

from bisect import bisect_left
from collections import Counter

from msgspec import Struct

from authlog_tools import words
from authlog_tools.page.axis import Axis
from authlog_tools.page.index import GONE, NEVER, WHOLE, Index, Life

COLUMN = 3  # px that a refresh takes
SHAPE = 11  # px within which marks would cover each other
TALL = 4.5  # px of a refresh above and below the line


class Shape(Struct, frozen=True):
    """A mark of a rare kind."""

    x: float
    family: str
    lit: bool
    title: str


class Lane(Struct, frozen=True):
    """Lines and ticks are path data; `ghosts` are ticks of what was not found."""

    name: str
    y: float
    valid: str
    expired: str
    ticks: str
    bars: str
    ghosts: str
    shapes: list[Shape]
    lit: bool
    status: str
    tone: str


def lane(index: Index, name: str, line: Axis, lit: bytearray, y: float, now: float) -> Lane:
    """Return one login's lane."""
    life = index.lives[name]
    valid, expired = _lines(index, life, line, now)
    ticks, ghosts, shapes = set[int](), set[int](), _Shapes()
    before = GONE
    for position, end in zip(life.positions, life.ends, strict=False):
        known, before = before != GONE, end
        kind, moment = index.kind_at[position], index.times[position]
        if not line.first <= moment <= line.last or (known and kind in WHOLE):
            continue
        x = line.x(moment)
        if kind == "refresh":
            (ticks if lit[position] else ghosts).add(int(x / COLUMN))
        else:
            gone = kind == "adopt" and end == GONE
            shapes.add(index, position, x, "remove" if gone else words.family(kind), lit)
    status, tone = _status(life.ends[-1], now)
    single, runs = _ticks(ticks, y)
    ghost, ghost_runs = _ticks(ghosts - ticks, y)
    marks = shapes.found()
    return Lane(
        name=name,
        y=y,
        valid=valid.path(y),
        expired=expired.path(y),
        ticks=single,
        bars=runs,
        ghosts=ghost + ghost_runs,
        shapes=marks,
        lit=bool(ticks) or any(shape.lit for shape in marks),
        status=status,
        tone=tone,
    )


def log_lane(index: Index, line: Axis, lit: bytearray, y: float) -> Lane | None:
    """Return the lane of what happened to auth.json itself; None if nothing did."""
    shapes = _Shapes()
    for position in index.own:
        moment = index.times[position]
        if line.holds(moment):
            shapes.add(index, position, line.x(moment), words.family(index.kind_at[position]), lit)
    marks = shapes.found()
    found = any(shape.lit for shape in marks)
    return Lane("", y, "", "", "", "", "", marks, found, "", "") if marks else None


class _Shapes:
    """Marks of rare kinds. Where they would cover each other one stands for all: what was found
    before what was not, then the family that is rarest here; the log's own doings come last.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, bool, int], Shape] = {}
        self._counts: Counter[str] = Counter()

    def add(self, index: Index, position: int, x: float, family: str, lit: bytearray) -> None:
        shown = bool(lit[position])
        self._counts[family] += 1
        place = (family, shown, int(x / SHAPE))
        if place not in self._found:
            title = f"{index.kind_at[position]} {index.seq(position)}"
            self._found[place] = Shape(x, family, shown, title)

    def found(self) -> list[Shape]:
        kept, taken = list[Shape](), list[float]()
        for shape in sorted(self._found.values(), key=self._rank):
            place = bisect_left(taken, shape.x)
            if all(abs(x - shape.x) >= SHAPE for x in taken[max(0, place - 1) : place + 1]):
                taken.insert(place, shape.x)
                kept.append(shape)
        return sorted(kept, key=_place)

    def _rank(self, shape: Shape) -> tuple[bool, bool, int, float]:
        return not shape.lit, shape.family == "other", self._counts[shape.family], -shape.x


def _lines(index: Index, life: Life, line: Axis, now: float) -> "tuple[_Runs, _Runs]":
    """Return while the login was valid, and while it was there and had expired."""
    valid, expired = _Runs(), _Runs()
    starts = [index.times[position] for position in life.positions]
    untils = [*starts[1:], max(now, starts[-1])]
    for start, until, given in zip(starts, untils, life.ends, strict=False):
        if given == GONE or until <= line.first or start >= line.last:
            continue
        end = min(until, max(start, given))
        if end > start:
            valid.add(line.x(start), line.x(end))
        if until > end:
            expired.add(line.x(end), line.x(until))
    return valid, expired


def _status(end: float, now: float) -> tuple[str, str]:
    """Return how the login stands now, in a word or two, and its tone."""
    if end == GONE:
        return "removed", "gone"
    if end == NEVER:
        return "valid", "valid"
    if end > now:
        return f"{words.coarse(end - now)} left", "valid"
    return f"expired {words.coarse(now - end)}", "expired"


def _place(shape: Shape) -> float:
    return shape.x


def _ticks(columns: set[int], y: float) -> tuple[str, str]:
    """Return single refreshes as strokes, and what lies side by side as bars."""
    single, runs = list[str](), list[str]()
    top, bottom = round(y - TALL, 1), round(y + TALL, 1)
    ordered = sorted(columns)
    start = 0
    for place, column in enumerate(ordered):
        if place + 1 < len(ordered) and ordered[place + 1] == column + 1:
            continue
        first, last = ordered[start] * COLUMN, (column + 1) * COLUMN
        if place - start < 2:
            single += [
                f"M{one * COLUMN + 1.5:g} {top}V{bottom}" for one in ordered[start : place + 1]
            ]
        else:
            runs.append(f"M{first} {top}H{last}V{bottom}H{first}z")
        start = place + 1
    return "".join(single), "".join(runs)


class _Runs:
    """Stretches of one line, joined where no gap could be seen."""

    def __init__(self) -> None:
        self._found: list[list[float]] = []

    def add(self, first: float, last: float) -> None:
        if self._found and first - self._found[-1][1] < 1:
            self._found[-1][1] = max(self._found[-1][1], last)
        else:
            self._found.append([first, last])

    def path(self, y: float) -> str:
        return "".join(f"M{first:g} {y:g}H{last:g}" for first, last in self._found)
