"""A lane: the life of one login as lines, and what happened to it as marks."""

from msgspec import Struct

from authlog import Change
from authlog_tools import words
from authlog_tools.page.axis import Axis
from authlog_tools.page.index import Index

COLUMN = 3  # px that a refresh takes
SHAPE = 8  # px within which marks of one family would cover each other
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
    valid, expired = _Runs(), _Runs()
    ticks, ghosts = set[int](), set[int]()
    shapes: dict[tuple[str, int], Shape] = {}
    since: tuple[float, Change | None] = (line.first, None)
    for position, change in index.lives(name):
        moment, event = index.times[position], index.events[position]
        _live(line, valid, expired, since, moment)
        known, since = since[1] is not None, (moment, change)
        if not line.holds(moment) or (known and event.kind in ("init", "import", "checkpoint")):
            continue
        x = line.x(moment)
        if event.kind == "refresh":
            (ticks if lit[position] else ghosts).add(int(x / COLUMN))
            continue
        family = words.family(event.kind)
        if change is None and family == "adopt":
            family = "remove"
        title = f"{event.kind} {event.seq}"
        place = (family, int(x / SHAPE))
        if place not in shapes or lit[position]:
            shapes[place] = Shape(x, family, bool(lit[position]), title)
    _live(line, valid, expired, since, max(now, since[0]))
    status, tone = _status(since[1], now)
    single, runs = _ticks(ticks, y)
    ghost, ghost_runs = _ticks(ghosts, y)
    return Lane(
        name=name,
        y=y,
        valid=valid.path(y),
        expired=expired.path(y),
        ticks=single,
        bars=runs,
        ghosts=ghost + ghost_runs,
        shapes=sorted(shapes.values(), key=_place),
        lit=bool(ticks) or any(shape.lit for shape in shapes.values()),
        status=status,
        tone=tone,
    )


def log_lane(index: Index, line: Axis, lit: bytearray, y: float) -> Lane | None:
    """Return the lane of what happened to auth.json itself; None if nothing did."""
    shapes: dict[tuple[str, int], Shape] = {}
    for position, event in enumerate(index.events):
        own = not event.providers or event.kind in ("init", "import", "checkpoint")
        if own and line.holds(index.times[position]):
            x, family = line.x(index.times[position]), words.family(event.kind)
            place = (family, int(x / SHAPE))
            if place not in shapes or lit[position]:
                title = f"{event.kind} {event.seq}"
                shapes[place] = Shape(x, family, bool(lit[position]), title)
    if not shapes:
        return None
    marks = sorted(shapes.values(), key=_place)
    found = any(shape.lit for shape in marks)
    return Lane("", y, "", "", "", "", "", marks, found, "", "")


def _live(
    line: Axis,
    valid: "_Runs",
    expired: "_Runs",
    since: tuple[float, Change | None],
    until: float,
) -> None:
    """Add the life from one change to the next."""
    start, change = since
    if change is None or until <= line.first or start >= line.last:
        return
    end = until if change.expires is None else min(until, max(start, change.expires / 1000))
    if end > start:
        valid.add(line.x(start), line.x(end))
    if until > end:
        expired.add(line.x(end), line.x(until))


def _status(change: Change | None, now: float) -> tuple[str, str]:
    """Return how the login stands now, in a word or two, and its tone."""
    if change is None:
        return "removed", "gone"
    if change.expires is None:
        return "valid", "valid"
    left = change.expires / 1000 - now
    if left > 0:
        return f"{words.coarse(left)} left", "valid"
    return f"expired {words.coarse(-left)}", "expired"


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
