"""A history as a terminal shows it: rows in columns, below the names of their days."""

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, groupby, islice

from msgspec import Struct

from authlog_tools import words
from authlog_tools.rows import Row
from authlog_tools.terminal import Paint

GLYPHS = {"set": "●", "refresh": "│", "adopt": "◆", "heal": "○", "remove": "✕", "restore": "▲"}
ASCII = {"set": "*", "refresh": "|", "adopt": "+", "heal": "o", "remove": "x", "restore": "^"}
STYLES = {
    "set": "green", "refresh": "dim", "adopt": "magenta",
    "heal": "cyan", "remove": "red", "restore": "yellow",
}  # fmt: skip
PAGE = 50  # rows that decide how wide the columns are
HINT = "--all shows each"
_INDENT = " " * 8  # of what does not fit beside its provider


class Columns(Struct, frozen=True):
    """Which columns there are, and how wide: the screen, kind, provider and what changed."""

    width: int
    kind: int
    provider: int
    what: int
    live: bool
    time: bool
    writer: bool
    host: bool


def columns(first: Sequence[Row], width: int, *, live: bool = False) -> Columns:
    """Return the columns for rows like the first ones.

    Below 100, 80 and 60 columns, or where these rows need the room, the writer's host, the time and
    the writer are left out, in this order. A live row keeps its time, which does not age.
    """
    shown = [row for row in first if row.events == 1]
    kind = max((len(row.kind) for row in first), default=10)
    provider = min(max((len(row.provider) for row in shown), default=16), 24)
    what = min(max((len(row.what) for row in shown), default=26), 48)
    writer = max((len(row.writer) for row in shown), default=16)
    host = max((len(row.host) for row in shown), default=8) + 1
    need = 4 + 2 + 10 + 2 + kind + 2 + provider + 2 + what + 2 + writer + host
    kept: list[bool] = []
    for enough, gain in ((100, host), (80, 10), (60, writer + 2)):
        kept.append(width >= enough and need <= width)
        need -= 0 if kept[-1] else gain
    return Columns(width, kind, provider, what, live, live or kept[1], kept[2], kept[0])


def drawn(found: Iterable[Row], *, width: int, paint: Paint, now: datetime) -> Iterator[str]:
    """Yield the lines, newest day first; a provider or a fingerprint is never cut."""
    coming = iter(found)
    first = list(islice(coming, PAGE))
    shape, hint = columns(first, width), HINT
    for day, run in groupby(chain(first, coming), lambda row: _day(row.time)):
        there = list(run)
        if there[0] is not first[0]:
            yield ""
        count = words.many(sum(row.events for row in there), "event")
        yield f"{_head(day, now, paint)}  {paint(count, 'dim')}"
        for row in there:
            yield from _lines(row, shape, paint, now, hint if row.events > 1 else "")
            hint = "" if row.events > 1 else hint


def live(found: Iterable[Row], shape: Columns, paint: Paint) -> Iterator[str]:
    """Yield the lines of each row as it comes, oldest first."""
    shown = None
    for row in found:
        day, now = _day(row.time), datetime.now().astimezone()
        if day != shown:
            yield _head(day, now, paint)
        shown = day
        yield from _lines(row, shape, paint, now, "")


def _lines(row: Row, shape: Columns, paint: Paint, now: datetime, hint: str) -> Iterator[str]:
    """Yield the row's line, and what does not fit into it below."""
    parts = _before(row, shape, now)
    where = f"{row.provider:{shape.provider}}" if row.provider else ""
    who = row.writer + (f"@{row.host}" if row.host and shape.host else "")
    cells = [
        *parts,
        (where, ""),
        (f"{row.what:{shape.what}}" if row.provider else row.what, ""),
        (who if shape.writer else "", "dim"),
        (hint, "dim"),
    ]
    cells = [(text, style) for text, style in cells if text.strip()]
    if hint and _length(cells) > shape.width:
        cells.pop()
    if _length(cells) <= shape.width:
        yield _joined(cells, paint)
        return
    short = [*parts, (where, ""), (row.writer if shape.width >= 60 else "", "dim")]
    yield _joined([(text, style) for text, style in short if text.strip()], paint)
    yield from _wrapped(row.what, shape.width)


def _before(row: Row, shape: Columns, now: datetime) -> list[tuple[str, str]]:
    """Return the cells before the provider: when, and the kind with its glyph."""
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    glyphs, other = (GLYPHS, "·") if encoding == "utf8" else (ASCII, ".")
    kind = f"{glyphs.get(row.glyph, other)} {row.kind:{shape.kind}}"
    ago = "" if shape.live else f"{words.coarse((now - row.time).total_seconds()):>4}"
    time = f"{row.time.astimezone():%H:%M:%S}" if shape.time else ""
    return [(ago, ""), (time, "dim"), (kind, STYLES.get(row.glyph, "dim"))]


def _wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the text in lines that fit; what became of what stays on one."""
    room = width - len(_INDENT)
    if len(text) <= room:
        yield _INDENT + text
        return
    whole = text.replace(" -> ", "\0->\0")
    lines = textwrap.wrap(whole, max(room, 1), break_long_words=False, break_on_hyphens=False)
    yield from (_INDENT + line.replace("\0", " ") for line in lines)


def _length(cells: Sequence[tuple[str, str]]) -> int:
    return len("  ".join(text for text, _ in cells).rstrip())


def _joined(cells: Sequence[tuple[str, str]], paint: Paint) -> str:
    last = len(cells) - 1
    return "  ".join(
        paint(text.rstrip() if place == last else text, style) if style
        else text.rstrip() if place == last else text
        for place, (text, style) in enumerate(cells)
    )  # fmt: skip


def _head(day: date, now: datetime, paint: Paint) -> str:
    return paint(words.day_name(day.toordinal(), _day(now).toordinal()), "bold")


def _day(moment: datetime) -> date:
    return moment.astimezone().date()
