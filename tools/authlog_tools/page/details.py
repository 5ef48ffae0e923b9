"""One event in full: what changed, member by member, and the proof of it."""

from msgspec import Struct

from authlog import Change, Event
from authlog_tools import decisions, words
from authlog_tools.page.index import Index
from authlog_tools.past import Member, members


class Difference(Struct, frozen=True):
    """What became of one provider; `back` is the seq to restore to undo or repeat it."""

    provider: str
    members: tuple[Member, ...]
    outcome: str
    back: int | None


class Details(Struct, frozen=True):
    """What the panel beside the list shows of an event."""

    event: Event
    family: str
    headline: str
    why: str | None
    differences: tuple[Difference, ...]
    more: int
    previous: Event | None
    newer: int | None
    older: int | None


MOST = 40  # providers of one event that are shown


def details(index: Index, position: int) -> Details:
    """Return the event at that position in full."""
    event, before = index[position], index.before(position)
    shown = list(event.providers.items())[:MOST]
    older = index[position - 1] if position else None
    newer = index.seq(position + 1) if position + 1 < len(index) else None
    return Details(
        event=event,
        family=words.family(event.kind),
        headline=words.headline(event, before),
        why=_why(index, position, event),
        differences=tuple(
            Difference(name, members(before.get(name), change), _outcome(before.get(name), change),
                       _back(index, position, event, change))
            for name, change in shown
        ),
        more=len(event.providers) - len(shown),
        previous=older if older and older.hash == event.prev else None,
        newer=newer,
        older=older.seq if older else None,
    )  # fmt: skip


def _why(index: Index, position: int, event: Event) -> str | None:
    """Return what was made of a foreign write, None of any other event."""
    if event.kind not in decisions.KINDS:
        return None
    base = event.seq - 1 if event.base is None else event.base
    filed = {name: change for name, (_, change) in index.state(event.seq - 1).items()}
    since = (index[at] for at in range(index.upto(base) if base else position, position))
    return decisions.decision(event, filed, since)


def _outcome(old: Change | None, new: Change | None) -> str:
    if new is None:
        return "removed"
    return "added" if old is None else "changed"


def _back(index: Index, position: int, event: Event, change: Change | None) -> int | None:
    """Return the event whose state a restore brings back: before a removal, else after this."""
    if change is not None:
        return event.seq
    return index.seq(position - 1) if position else None
