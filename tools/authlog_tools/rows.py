"""The terminal's history: one row an event, below the name of its day; runs of refreshes folded."""

import sys
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import groupby

from msgspec import Struct

from authlog import Change, Event, Writer
from authlog_tools import past, words
from authlog_tools.tables import clean

GLYPHS = {"set": "●", "refresh": "│", "adopt": "◆", "heal": "○", "remove": "✕", "restore": "▲"}
ASCII = {"set": "*", "refresh": "|", "adopt": "+", "heal": "o", "remove": "x", "restore": "^"}
COLOURS = {"set": 32, "refresh": 2, "adopt": 35, "heal": 36, "remove": 31, "restore": 33}  # SGR
DIM = 2
MOST = 3  # providers of one event that a row names


class Seen(Struct, frozen=True):
    """An event and what its providers were before it."""

    event: Event
    before: past.Described


class Row(Struct, frozen=True):
    """What one line says."""

    time: datetime
    kind: str
    glyph: str
    provider: str
    what: str
    writer: str
    host: str


def rows(seen: Iterable[Seen], *, fold: bool) -> Iterator[Row]:
    """Yield a row for each event, or for each run of refreshes."""
    for kind, run in groupby(seen, lambda one: one.event.kind if fold else one.event.seq):
        found = list(run)
        if kind == "refresh" and len(found) > 1:
            yield _folded(found)
        else:
            yield from map(_row, found)


def _row(one: Seen) -> Row:
    event = one.event
    names = list(event.providers)
    shifts = [past.shift(one.before.get(name), event.providers[name]) for name in names[:MOST]]
    plain = event.kind in ("init", "checkpoint", "use", "heal", "quarantine") or len(names) > MOST
    return Row(
        time=event.time,
        kind=event.kind,
        glyph=words.family(event.kind),
        provider=clean(words.joined(names, MOST)) if event.kind != "checkpoint" else "",
        what=clean(words.aside(event)) if plain else clean("; ".join(shifts)),
        writer=clean(_writer(event).program) + f"·{_writer(event).pid}",
        host=clean(_writer(event).host),
    )


def _writer(event: Event) -> Writer:
    return event.by or event.writer


def _folded(found: list[Seen]) -> Row:
    counts = Counter(name for one in found for name in one.event.providers)
    newest = found[0].event
    return Row(
        time=newest.time,
        kind=words.many(len(found), "refresh"),
        glyph="refresh",
        provider="",
        what=clean(", ".join(f"{name} {count}" for name, count in counts.most_common())),
        writer="--all",
        host="",
    )


def seen(newest_first: Iterable[Event]) -> Iterator[Seen]:
    """Yield events, newest first as they are given, with what was before each.

    Reads no further back than the changes before those that are taken.
    """
    waiting: deque[Event] = deque()
    before: dict[int, dict[str, Change]] = {}
    open_at: dict[str, int] = {}  # the event whose `before` the provider's next older change is
    for event in newest_first:
        whole = event.kind in ("init", "checkpoint")
        for name in list(open_at) if whole else event.providers:
            change = event.providers.get(name)
            later = open_at.pop(name, None)
            if later is not None and change is not None:
                before[later][name] = change
        waiting.append(event)
        before[event.seq] = {}
        open_at.update(dict.fromkeys(event.providers, event.seq))
        while waiting and waiting[0].seq not in open_at.values():
            done = waiting.popleft()
            yield Seen(done, before.pop(done.seq))
    for event in waiting:
        yield Seen(event, before[event.seq])


def drawn(found: Iterable[Row], *, width: int, colour: bool, now: datetime) -> Iterator[str]:
    """Yield the lines for a terminal of that width: below 100, 80 and 60 columns it tells less.

    A provider or a fingerprint is never cut.
    """
    days = [(day, list(run)) for day, run in groupby(found, lambda row: _day(row.time))]
    encoding = (sys.stdout.encoding or "ascii").lower().replace("-", "")
    glyphs = GLYPHS if encoding == "utf8" else ASCII
    every = [row for _, run in days for row in run]
    name = min(max((len(row.provider) for row in every), default=0), 24)
    what = min(max((len(row.what) for row in every if row.provider), default=0), 40)
    for day, run in days:
        head = words.day_name(day.toordinal(), _day(now).toordinal())
        yield f"{_styled(head, 1, colour)}  {_styled(words.many(len(run), 'event'), DIM, colour)}"
        for row in run:
            yield _line(row, (name, what), width, colour, glyphs, now)
        yield ""


def _line(
    row: Row,
    widths: tuple[int, int],
    width: int,
    colour: bool,
    glyphs: "dict[str, str]",
    now: datetime,
) -> str:
    parts = [f"{words.coarse((now - row.time).total_seconds()):>4}"]
    if width >= 80:
        parts.append(_styled(f"{row.time.astimezone():%H:%M:%S}", DIM, colour))
    label = f"{glyphs.get(row.glyph, '·' if glyphs is GLYPHS else '.')} {row.kind:10}"
    parts.append(_styled(label, COLOURS.get(row.glyph, DIM), colour))
    parts.append(f"{row.provider:{widths[0]}}" if row.provider else "")
    parts.append(f"{row.what:{widths[1]}}")
    if width >= 60:
        host = f"@{row.host}" if row.host and width >= 100 else ""
        parts.append(_styled(row.writer + host, DIM, colour))
    return "  ".join(part for part in parts if part).rstrip()


def _day(moment: datetime) -> date:
    return moment.astimezone().date()


def _styled(text: str, code: int, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text


def plain(one: Seen) -> tuple[str, ...]:
    """Return an event for programs: seq, time, kind, writer, providers, what changed."""
    event = one.event
    changed: dict[str, Change | None] = dict(event.providers)
    return (
        str(event.seq),
        event.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
        event.kind,
        clean(str(event.by or event.writer)),
        clean(",".join(changed)),
        clean("; ".join(past.shift(one.before.get(name), what) for name, what in changed.items())),
    )
