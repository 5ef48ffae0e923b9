"""Which events are asked for: qualifiers such as `provider:anthropic -kind:refresh since:2d`.

Words are joined by AND, values by OR (`kind:set,remove`), a leading `-` turns a word around. A word
without a qualifier is looked for in all that an event says. Quotes are those of a shell.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase

from msgspec import Struct

from authlog import Event

NAMES = ("provider", "kind", "writer", "since", "until", "type", "fingerprint", "seq")

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"?|'[^']*'?)+""")
_QUALIFIED = re.compile(r"(-?)([A-Za-z_]+):(.*)", re.DOTALL)
_SPAN = re.compile(r"(?:\d+[smhdw])+")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}

Test = Callable[[Event], bool]


class FilterError(ValueError):
    """A word that can't be understood: where it stands, and the nearest qualifier."""

    def __init__(
        self, message: str, word: str, start: int, end: int, nearest: str | None = None
    ) -> None:
        super().__init__(message)
        self.word, self.start, self.end, self.nearest = word, start, end, nearest


class Suggestion(Struct, frozen=True):
    """What a word could become, and how many events it would find."""

    text: str
    count: int


class Filter:
    """What an event has to be."""

    def __init__(
        self, text: str, tests: Sequence[Test], since: datetime | None, until: datetime | None
    ) -> None:
        self.text, self.since, self.until = text, since, until
        self._tests = tests

    def matches(self, event: Event) -> bool:
        """Whether it is asked for."""
        return all(test(event) for test in self._tests)


def parse(text: str, now: datetime) -> Filter:
    """Return what the text asks for; relative times count from `now`.

    Raises:
        FilterError: a word can't be understood.

    """
    tests: list[Test] = []
    since: list[datetime] = []
    until: list[datetime] = []
    words = list(_WORD.finditer(text))
    for found in words:
        word = found[0]
        qualified = _QUALIFIED.fullmatch(word)
        if qualified is None:
            tests.append(_free(word))
            continue
        minus, name, value = qualified.groups()
        if name not in NAMES:
            raise _unknown(word, name, found.start())
        try:
            test = _test(name, _unquoted(value), now)
        except ValueError as error:
            message = f"{word}: {error}"
            raise FilterError(message, word, found.start(), found.end()) from None
        tests.append(_negated(test) if minus else test)
        if name in ("since", "until") and not minus:
            (since if name == "since" else until).append(moment(_unquoted(value), now))
    return Filter(
        " ".join(found[0] for found in words),
        tests,
        max(since, default=None),
        min(until, default=None),
    )


def counted(events: Sequence[Event], word: str) -> list[Suggestion]:
    """Return what the word being typed could become, most frequent first."""
    name = word.removeprefix("-").partition(":")[0]
    counts = Counter(found for event in events for found in values(name, event))
    return suggested(counts, len(events), word)


def suggested(counts: Counter[str], total: int, word: str) -> list[Suggestion]:
    """Return the same from the counts of the values that the word's qualifier finds."""
    minus = "-" if word.startswith("-") else ""
    name, colon, value = word.removeprefix("-").partition(":")
    if not colon:
        names = [known for known in NAMES if known.startswith(name)]
        return [Suggestion(f"{minus}{known}:", total) for known in names]
    *kept, last = value.split(",")
    head = minus + name + ":" + "".join(f"{one}," for one in kept)
    return [
        Suggestion(head + _quoted(found), count)
        for found, count in counts.most_common()
        if found.startswith(last.strip("\"'")) and found != last
    ]


def values(name: str, event: Event) -> Iterable[str]:
    """Return what an event has for a qualifier whose values can be counted; else nothing."""
    match name:
        case "provider":
            return event.providers
        case "kind":
            return (event.kind,)
        case "writer":
            return (event.writer.program,)
        case "type":
            return {change.type for change in event.providers.values() if change and change.type}
        case _:
            return ()


def _test(name: str, value: str, now: datetime) -> Test:  # noqa: PLR0911  one for each name
    if name == "since":
        since = moment(value, now)
        return lambda event: event.time >= since
    if name == "until":
        until = moment(value, now)
        return lambda event: event.time <= until
    wanted = [part for part in value.split(",") if part]
    match name:
        case "provider":
            return lambda event: any(
                fnmatchcase(found, want) for found in event.providers for want in wanted
            )
        case "kind":
            return lambda event: event.kind in wanted
        case "writer":
            return lambda event: any(_wrote(event, want) for want in wanted)
        case "type":
            return lambda event: any(found in wanted for found in values("type", event))
        case "fingerprint":
            return lambda event: any(
                mark.startswith(want) for mark in _marks(event) for want in wanted
            )
        case _:
            spans = [_range(want) for want in wanted]
            return lambda event: any(first <= event.seq <= last for first, last in spans)


def _wrote(event: Event, want: str) -> bool:
    writer = event.writer
    return want in (writer.program, writer.user) or ("*" in want and fnmatchcase(str(writer), want))


def _range(text: str) -> tuple[float, float]:
    first, dots, last = text.partition("..")
    try:
        low = int(first) if first or not dots else 0
        return (low, (int(last) if last else float("inf")) if dots else low)
    except ValueError:
        raise ValueError("expected a seq or a range such as 10..20") from None


def duration(text: str) -> timedelta:
    """Return a length of time such as 30d, 2d6h or 0.

    Raises:
        ValueError: it is none.

    """
    if text != "0" and not _SPAN.fullmatch(text):
        raise ValueError(f"{text}: expected a length of time such as 30d, 2d6h or 0")
    parts = re.findall(r"(\d+)([smhdw])", text)
    return sum((timedelta(**{_UNITS[unit]: int(n)}) for n, unit in parts), timedelta())


def moment(text: str, now: datetime) -> datetime:
    """Return a moment such as 2d (ago), today, 2026-11-20 or 2026-11-20T10:00, in UTC.

    Raises:
        ValueError: it is none.

    """
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "today":
        return midnight.astimezone(UTC)
    if text == "yesterday":
        return (midnight - timedelta(days=1)).astimezone(UTC)
    if _SPAN.fullmatch(text):
        return now - duration(text)
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        raise ValueError("expected a time such as 2d, 2026-11-20 or 2026-11-20T10:00") from None


def _free(word: str) -> Test:
    wanted, turned = _unquoted(word.removeprefix("-")).lower(), word.startswith("-")

    def test(event: Event) -> bool:
        said = (*event.providers, event.kind, str(event.writer), str(event.seq), *_marks(event))
        return any(wanted in part.lower() for part in said) is not turned

    return test


def _marks(event: Event) -> Iterable[str]:
    return (mark for what in event.providers.values() if what for mark in what.members.values())


def _negated(test: Test) -> Test:
    return lambda event: not test(event)


def _unknown(word: str, name: str, start: int) -> FilterError:
    near = difflib.get_close_matches(name, NAMES, 1, 0.4)
    nearest = near[0] if near else None
    advice = f"; did you mean {nearest}:?" if nearest else f"; known are {', '.join(NAMES)}"
    message = f"{name}: is no qualifier{advice}"
    return FilterError(message, word, start, start + len(word), nearest)


def _unquoted(text: str) -> str:
    return text.replace('"', "").replace("'", "")


def _quoted(text: str) -> str:
    return f'"{text}"' if re.search(r"[\s']", text) else text
