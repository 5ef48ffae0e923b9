"""The time axis that density and lanes share: from moments to pixels, and what to label."""

from datetime import datetime, timedelta

from msgspec import Struct

DAY = 86_400.0  # s
ROOM = 0.05  # of a filtered span, shown on either side of it
SHORTEST = 60.0  # s that an axis spans at least
APART = 78  # px between two labels


class Label(Struct, frozen=True):
    """A moment that is named."""

    x: float
    text: str


class Axis(Struct, frozen=True):
    """`first` to `last`, in s since 1970, on pixels `left` to `right`."""

    first: float
    last: float
    left: float
    right: float

    def x(self, moment: float) -> float:
        """Return where a moment is, within the axis."""
        share = (moment - self.first) / (self.last - self.first)
        return round(self.left + max(0.0, min(1.0, share)) * (self.right - self.left), 1)

    def holds(self, moment: float) -> bool:
        """Whether the moment is on it."""
        return self.first <= moment <= self.last


def axis(
    whole: tuple[float, float], since: float | None, until: float | None, left: float, right: float
) -> Axis:
    """Return the axis over all events, or over what is asked for with some room around it."""
    first, last = whole
    if since is not None or until is not None:
        low = max(first, since) if since is not None else first
        high = min(last, until) if until is not None else last
        room = max(high - low, SHORTEST) * ROOM
        first, last = low - room, max(high, low) + room
    if last - first < SHORTEST:
        first, last = first - SHORTEST / 2, last + SHORTEST / 2
    return Axis(first, last, left, right)


def weekends(axis: Axis) -> list[tuple[float, float]]:
    """Return (x, width) of each weekend, if there is room to see them."""
    if not DAY < axis.last - axis.first < 100 * DAY:
        return []
    day = _midnight(axis.first) - timedelta(days=1)
    found: list[tuple[float, float]] = []
    while day.timestamp() < axis.last:
        if day.weekday() == 5:
            start = axis.x(day.timestamp())
            end = axis.x((day + timedelta(days=2)).timestamp())
            if end > start:
                found.append((start, round(end - start, 1)))
        day += timedelta(days=1)
    return found


def labels(axis: Axis) -> list[Label]:
    """Return the moments to name, as many as there is room for."""
    room = max(2, int((axis.right - axis.left) / APART))
    step = (axis.last - axis.first) / room
    for size, shape in (
        (60, "%H:%M"), (300, "%H:%M"), (900, "%H:%M"), (3_600, "%H:%M"), (10_800, "%H:%M"),
        (21_600, "%a %H:%M"), (DAY, "%-d %b"), (7 * DAY, "%-d %b"),
        (14 * DAY, "%-d %b"),
    ):  # fmt: skip
        if step <= size:
            return _every(axis, size, shape)
    return _months(axis, step)


def _every(axis: Axis, size: float, shape: str) -> list[Label]:
    moment = _midnight(axis.first)
    if size >= 7 * DAY:
        moment -= timedelta(days=moment.weekday())
    found: list[Label] = []
    while moment.timestamp() <= axis.last:
        if axis.holds(moment.timestamp()):
            found.append(Label(axis.x(moment.timestamp()), _named(moment, shape, size)))
        moment = _next(moment, size)
    return found


def _next(moment: datetime, size: float) -> datetime:
    later = moment + timedelta(seconds=size)
    # A day that the clock is turned on has 23 or 25 hours.
    return _midnight(later.timestamp() + 7_200) if size >= DAY else later


def _named(moment: datetime, shape: str, size: float) -> str:
    midnight = (moment.hour, moment.minute) == (0, 0)
    if size < DAY and midnight:
        shape = "%a %-d %b"
    if size >= 7 * DAY:
        shape = "%a %-d %b"
    return _formatted(moment, shape)


def _months(axis: Axis, step: float) -> list[Label]:
    every = next((n for n in (1, 2, 3, 6) if step <= n * 30 * DAY), 12)
    if step > 365 * DAY:
        every = 12 * (1 + int(step / (365 * DAY)))
    first = datetime.fromtimestamp(axis.first).astimezone()
    year, month = first.year, 1
    found: list[Label] = []
    while (moment := datetime(year, month, 1).astimezone()).timestamp() <= axis.last:
        if axis.holds(moment.timestamp()):
            text = f"{moment:%Y}" if month == 1 else f"{moment:%b}"
            found.append(Label(axis.x(moment.timestamp()), text))
        year, month = year + (month - 1 + every) // 12, (month - 1 + every) % 12 + 1
    return found


def _formatted(moment: datetime, shape: str) -> str:
    # Windows has no "%-d".
    return moment.strftime(shape.replace("%-d", str(moment.day)))


def _midnight(moment: float) -> datetime:
    here = datetime.fromtimestamp(moment).astimezone()
    return datetime(here.year, here.month, here.day).astimezone()
