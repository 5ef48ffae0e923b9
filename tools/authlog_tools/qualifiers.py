"""What each qualifier asks of an event, given its values."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import get_args

from authlog import Event, Kind
from authlog_tools.words import writer_of

KINDS: tuple[str, ...] = get_args(Kind)

Test = Callable[[Event], bool]


def said(event: Event) -> Iterable[str]:
    """Return all that a row says, part by part."""
    who = str(writer_of(event))
    return (*event.providers, event.kind, who, str(event.seq), *types(event), *_marks(event))


def types(event: Event) -> set[str]:
    """Return the types of the logins that it set."""
    return {change.type for change in event.providers.values() if change and change.type}


def _marks(event: Event) -> Iterable[str]:
    return (mark for what in event.providers.values() if what for mark in what.members.values())


def _provider(wanted: Sequence[str]) -> Test:
    return lambda event: any(
        fnmatchcase(found, want) for found in event.providers for want in wanted
    )


def _kind(wanted: Sequence[str]) -> Test:
    """Return the test for these kinds: one that there is not would find nothing for ever."""
    for want in wanted:
        if want not in KINDS:
            near = difflib.get_close_matches(want, KINDS, 1)
            advice = f"did you mean {near[0]}?" if near else f"known are {', '.join(KINDS)}"
            raise ValueError(f"{want} is no kind; {advice}")
    return lambda event: event.kind in wanted


def _writer(wanted: Sequence[str]) -> Test:
    def test(event: Event) -> bool:
        one = writer_of(event)
        names = (one.program, one.user, str(one.pid), f"{one.program}·{one.pid}", str(one))
        return any(
            want in names or ("*" in want and fnmatchcase(names[-1], want)) for want in wanted
        )

    return test


def _type(wanted: Sequence[str]) -> Test:
    return lambda event: any(found in wanted for found in types(event))


def _fingerprint(wanted: Sequence[str]) -> Test:
    return lambda event: any(mark.startswith(want) for mark in _marks(event) for want in wanted)


def _seq(wanted: Sequence[str]) -> Test:
    spans = [_range(want) for want in wanted]
    return lambda event: any(first <= event.seq <= last for first, last in spans)


def _range(text: str) -> tuple[float, float]:
    first, dots, last = text.partition("..")
    try:
        low = int(first) if first or not dots else 0
        return (low, (int(last) if last else float("inf")) if dots else low)
    except ValueError:
        raise ValueError("expected a seq or a range such as 10..20") from None


TESTS: Mapping[str, Callable[[Sequence[str]], Test]] = {
    "provider": _provider,
    "kind": _kind,
    "writer": _writer,
    "type": _type,
    "fingerprint": _fingerprint,
    "seq": _seq,
}
