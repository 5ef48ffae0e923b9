"""Which events are asked for: qualifiers such as `provider:anthropic -kind:refresh since:2d`.

Words are joined by AND, values by OR (`kind:set,remove`), a leading `-` turns a word around. A word
without a qualifier is looked for in all that an event says. In a text that is typed as a whole,
quotes are those of a shell; a word that a shell hands over has none left.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from authlog import Event
from authlog_tools.qualifiers import TESTS, Test, said, types
from authlog_tools.times import moment
from authlog_tools.words import writer_of

NAMES = ("provider", "kind", "writer", "since", "until", "type", "fingerprint", "seq")

_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"?|'[^']*'?)+""")
_QUALIFIED = re.compile(r"(-?)([A-Za-z_]+):(.*)", re.DOTALL)


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
        self,
        text: str,
        tests: Sequence[Test],
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> None:
        self.text, self.since, self.until = text, since, until
        self.tests = tuple(tests)

    def __and__(self, other: "Filter") -> "Filter":
        return Filter(
            f"{self.text} {other.text}".strip(),
            self.tests + other.tests,
            max(filter(None, (self.since, other.since)), default=None),
            min(filter(None, (self.until, other.until)), default=None),
        )

    def matches(self, event: Event) -> bool:
        """Whether it is asked for."""
        return all(test(event) for test in self.tests)


ALL = Filter("", ())


def parse(text: str, now: datetime) -> Filter:
    """Return what the text asks for; relative times count from `now`.

    Raises:
        FilterError: a word can't be understood.

    """
    wanted = ALL
    for found in _WORD.finditer(text):
        minus, name, value = _split(found[0])
        wanted &= _filter(found[0], minus, name, _unquoted(value), now, found.start())
    return wanted


def word(text: str, now: datetime) -> Filter:
    """Return what one word asks for, a space or a quote in it taken as it is.

    Raises:
        FilterError: it can't be understood.

    """
    return _filter(text, *_split(text), now)


def qualified(name: str, value: str, now: datetime) -> Filter:
    """Return what a qualifier with that value asks for.

    Raises:
        FilterError: the value can't be understood.

    """
    return _filter(f"{name}:{value}", "", name, value, now)


def saying(text: str) -> Filter:
    """Return what asks for events that say exactly that anywhere, in whatever case."""
    wanted = text.lower()
    return Filter(text, (lambda event: any(wanted in part.lower() for part in said(event)),))


def _split(text: str) -> tuple[str, str, str]:
    """Return minus, qualifier and value; of a word without a qualifier minus, nothing and it."""
    found = _QUALIFIED.fullmatch(text)
    if found is not None:
        return found[1], found[2], found[3]
    minus = "-" if text.startswith("-") else ""
    return minus, "", text.removeprefix("-")


def _filter(text: str, minus: str, name: str, value: str, now: datetime, start: int = 0) -> Filter:
    end = start + len(text)
    if not name:
        wanted = saying(value)
    elif name in NAMES:
        try:
            wanted = _wanted(name, value, now)
        except ValueError as error:
            raise FilterError(f"{text}: {error}", text, start, end) from None
    else:
        near = difflib.get_close_matches(name, NAMES, 1, 0.4)
        advice = f"did you mean {near[0]}:?" if near else f"known are {', '.join(NAMES)}"
        message = f"{name}: is no qualifier; {advice}"
        raise FilterError(message, text, start, end, near[0] if near else None)
    if minus:
        return Filter(text, (lambda event: not wanted.matches(event),))
    return Filter(text, wanted.tests, wanted.since, wanted.until)


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
            return (writer_of(event).program,)
        case "type":
            return types(event)
        case _:
            return ()


def _wanted(name: str, value: str, now: datetime) -> Filter:
    """Return what a known qualifier asks for."""
    if name == "since":
        since = moment(value, now)
        return Filter(value, (lambda event: event.time >= since,), since=since)
    if name == "until":
        until = moment(value, now)
        return Filter(value, (lambda event: event.time <= until,), until=until)
    wanted = [part for part in value.split(",") if part]
    return Filter(value, (TESTS[name](wanted),))


def _unquoted(text: str) -> str:
    """Return the text without the quotes around its parts; the other kind of quote stays."""
    return re.sub(r"""("[^"]*"?|'[^']*'?)""", lambda found: found[0].strip(found[0][0]), text)


def _quoted(text: str) -> str:
    if not re.search(r"""[\s"']""", text):
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
