"""Events in the words that a person would use, on a terminal and on the page."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from authlog import Change, Event, Writer

MINUTE, HOUR, DAY = 60, 3_600, 86_400  # s

FAMILY = {  # kinds that look alike: glyph and colour are the family's
    "set": "set",
    "refresh": "refresh",
    "adopt": "adopt",
    "heal": "heal",
    "remove": "remove",
    "restore": "restore",
}

MEANING = {
    "set": "logins and keys stored",
    "refresh": "tokens renewed",
    "adopt": "writes of other programs taken in",
    "heal": "stale rewrites undone",
    "remove": "logins removed",
    "restore": "earlier states brought back",
    "use": "another account shown",
    "init": "the log begins",
    "import": "an auth.json taken in whole",
    "checkpoint": "a segment begins with the whole state",
    "quarantine": "damaged bytes put aside",
}


def family(kind: str) -> str:
    """Return whose glyph and colour a kind has."""
    return FAMILY.get(kind, "other")


def writer_of(event: Event) -> Writer:
    """Return who is shown as the one who did it: the program that wrote auth.json, if known."""
    return event.by or event.writer


def coarse(seconds: float) -> str:
    """Return a duration in its largest unit: 4m, 3h, 2d."""
    if seconds < MINUTE:
        return f"{max(0, seconds):.0f}s"
    for size, unit, limit in ((MINUTE, "m", HOUR), (HOUR, "h", DAY), (DAY, "d", 1e18)):
        if seconds < limit:
            return f"{seconds // size:.0f}{unit}"
    return ""


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago it was."""
    seconds = (now - moment).total_seconds()
    return "now" if seconds < 5 else f"{coarse(seconds)} ago"


def day_name(ordinal: int, today: int) -> str:
    """Return a day's name: Today, 23 Nov."""
    day = date.fromordinal(ordinal)
    name = {0: "Today", 1: "Yesterday"}.get(today - ordinal, f"{day:%A}")
    year = "" if day.year == date.fromordinal(today).year else f" {day.year}"
    return f"{name}, {day.day} {day:%b}{year}"


def many(count: int, one: str) -> str:
    """Return a count with its noun: 1 event, 2,000 events."""
    plural = f"{one}es" if one.endswith("sh") else f"{one}s"
    return f"{count:,} {one if count == 1 else plural}"


def joined(names: Sequence[str], most: int = 3) -> str:
    """Return names as a list in a sentence."""
    if len(names) > most:
        return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


_PLAIN = {
    "init": "The log begins",
    "heal": "A stale rewrite of auth.json was undone",
    "checkpoint": "A segment begins with the whole state",
    "quarantine": "Damaged bytes were put aside",
}
_ASIDE = {
    "init": "the log begins",
    "heal": "stale rewrite undone",
    "quarantine": "damaged bytes kept",
}


def headline(event: Event, before: Mapping[str, Change | None]) -> str:
    """Return what happened as a sentence without a full stop."""
    if event.kind in _PLAIN:
        return _PLAIN[event.kind]
    who, names = writer_of(event).program, joined(list(event.providers))
    if event.kind == "adopt" and event.by is None:
        who = "another program"
    gone = bool(event.providers) and not any(event.providers.values())
    said = {
        "import": f"{who} took in {names or 'auth.json'}",
        "set": f"{who} {'changed' if any(before.values()) else 'stored'} {names}",
        "refresh": f"{who} refreshed {names}",
        "adopt": f"{who} removed {names} from auth.json"
        if gone
        else f"{who} wrote {names} into auth.json",
        "remove": f"{who} removed {names}",
        "restore": f"{who} took {names} away again" if gone else f"{who} brought back {names}",
        "use": f"{who} chose {_chosen(event)}",
    }
    return said.get(event.kind, event.kind)


def _chosen(event: Event) -> str:
    use = event.use or {}
    return joined([f"{account or 'the plain login'} for {name}" for name, account in use.items()])


def aside(event: Event) -> str:
    """Return what a row says of an event that changed no login, or too many to show."""
    logins = many(len(event.providers), "login")
    if event.kind == "import":
        return f"{logins} taken from auth.json"
    if event.kind == "checkpoint":
        return f"the whole state, {logins}"
    if event.kind == "use":
        return _chosen(event)
    return _ASIDE.get(event.kind, "")
