"""What each login was at a point in history, from what events say in the open: no secret in it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from authlog import Change, Event

Described = Mapping[str, Change]


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
    """What became of one provider between two points, member by member."""

    provider: str
    outcome: str
    members: tuple[Member, ...]


def after(before: Described, event: Event) -> Described:
    """Return what is filed after an event."""
    if event.kind in ("init", "checkpoint"):
        before = {}
    changed = {**before, **event.providers}
    return {name: change for name, change in changed.items() if change is not None}


def at(events: Iterable[Event], seq: int) -> Described:
    """Return what was filed after the event of that seq; `events` are in order."""
    state: Described = {}
    for event in events:
        if event.seq > seq:
            break
        state = after(state, event)
    return state


def differences(before: Described, now: Described) -> list[Difference]:
    """Return what was added, changed and removed."""
    found: list[Difference] = []
    for name in dict.fromkeys((*before, *now)):
        old, new = before.get(name), now.get(name)
        changed = tuple(one for one in members(old, new) if not one.same)
        if old is None or new is None or changed:
            outcome = "added" if old is None else "removed" if new is None else "changed"
            found.append(Difference(name, outcome, changed))
    return found


def members(old: Change | None, new: Change | None) -> tuple[Member, ...]:
    """Return all members of a provider before and after, in their order."""
    before: Mapping[str, str] = old.members if old else {}
    after: Mapping[str, str] = new.members if new else {}
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


def plainly(change: Change | None) -> str:
    """Return a login in short: its type and its fingerprints."""
    if change is None:
        return "nothing"
    return " ".join([change.type or "", *change.members.values()]).strip()


def shift(old: Change | None, new: Change | None) -> str:
    """Return what changed in short: oauth 9c1f02ab -> 41d0aa17."""
    if new is None:
        return "removed"
    if old is None:
        return plainly(new)
    names = dict.fromkeys((*old.members, *new.members))
    both = [(old.members.get(name, "none"), new.members.get(name, "none")) for name in names]
    parts = [f"{before} -> {after}" for before, after in both if before != after]
    return " ".join([new.type or "", ", ".join(parts) or "unchanged"]).strip()
