"""One event in full: what changed, member by member, and the proof of it."""

from datetime import UTC, datetime

from msgspec import Struct

from authlog import Change, Event
from authlog_tools.page import words
from authlog_tools.page.index import Index, marks


class Member(Struct, frozen=True):
    """A member before and after; a fingerprint, or a type or time in the open."""

    name: str
    old: str | None
    new: str | None
    secret: bool

    @property
    def same(self) -> bool:
        """Whether it stayed."""
        return self.old == self.new


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
    differences: tuple[Difference, ...]
    more: int
    previous: Event | None
    newer: int | None
    older: int | None


MOST = 40  # providers of one event that are shown


def details(index: Index, position: int) -> Details:
    """Return the event at that position in full."""
    event, before = index.events[position], index.before(position)
    shown = list(event.providers.items())[:MOST]
    older = index.events[position - 1] if position else None
    newer = index.events[position + 1] if position + 1 < len(index) else None
    return Details(
        event=event,
        family=words.family(event.kind),
        headline=words.headline(event, before),
        differences=tuple(
            Difference(name, members(before.get(name), change), _outcome(before.get(name), change),
                       _back(index, position, event, change))
            for name, change in shown
        ),
        more=len(event.providers) - len(shown),
        previous=older if older and older.hash == event.prev else None,
        newer=newer.seq if newer else None,
        older=older.seq if older else None,
    )  # fmt: skip


def members(old: Change | None, new: Change | None) -> tuple[Member, ...]:
    """Return all members of a provider before and after, in their order."""
    before, after = marks(old), marks(new)
    found = [Member("type", old.type if old else None, new.type if new else None, secret=False)]
    found += [
        Member(name, before.get(name), after.get(name), secret=True)
        for name in dict.fromkeys((*before, *after))
    ]
    found.append(Member("expires", _expiry(old), _expiry(new), secret=False))
    return tuple(member for member in found if member.old or member.new)


def moment(expires: int | None) -> datetime | None:
    """Return when a login expires, None if it doesn't or that is no time."""
    if expires is None:
        return None
    try:
        return datetime.fromtimestamp(expires / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _expiry(change: Change | None) -> str | None:
    if change is None or change.expires is None:
        return None
    found = moment(change.expires)
    return f"{found.astimezone():%Y-%m-%d %H:%M}" if found else str(change.expires)


def _outcome(old: Change | None, new: Change | None) -> str:
    if new is None:
        return "removed"
    return "added" if old is None else "changed"


def _back(index: Index, position: int, event: Event, change: Change | None) -> int | None:
    """Return the event whose state a restore brings back: before a removal, else after this."""
    if change is not None:
        return event.seq
    return index.events[position - 1].seq if position else None
