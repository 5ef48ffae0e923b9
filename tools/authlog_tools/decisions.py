"""What was made of a foreign write, in a sentence that a person understands."""

from collections.abc import Iterable, Mapping

from authlog import AuthLog, Change, Event
from authlog_tools import past
from authlog_tools.words import joined

_HAPPENED = {"refresh": "refreshed", "remove": "removed", "restore": "brought back"}
KINDS = ("adopt", "heal", "quarantine")  # of events that foreign writes lead to
MOST = 4  # names in one list


def explained(log: AuthLog, event: Event) -> str | None:
    """Return why the event is as it is, read from the log; None if no foreign write led to it."""
    if event.kind not in KINDS:
        return None
    base = event.seq - 1 if event.base is None else event.base
    since = [one for one in log.history(after=base) if one.seq < event.seq] if base else []
    return decision(event, past.at(log.history(), event.seq - 1), since)


def decision(event: Event, before: Mapping[str, Change], since: Iterable[Event]) -> str:
    """Return what was made of the write that the event tells.

    `before` is what was filed before it, `since` what happened after its base.
    """
    who = event.by.program if event.by else "Another program"
    if event.kind == "quarantine":
        return f"{who} wrote what is no JSON object: the bytes are kept, nothing was changed"
    newer = _newest(since)
    parts = [_done(event, before)]
    if event.base == 0:
        said = f"{who} wrote a file as if there were no logins"
        kept = [name for name in before if name not in event.providers]
    else:
        said = f"{who} wrote a file based on event {event.base}"
        kept = [name for name in newer if name in before and name not in event.providers]
        if newer:
            said += f", before {_list(f'{name} was {how}' for name, how in newer.items())}"
    if kept:
        parts.insert(0, f"kept {_list(kept)}")
    if gone := [name for name in newer if name not in before and name not in event.providers]:
        parts.append(f"left {_list(gone)} removed")
    return f"{said}: {', '.join(filter(None, parts)) or 'nothing of its own'}{_beside(event)}"


def _newest(since: Iterable[Event]) -> dict[str, str]:
    """Return what happened last to each provider, oldest first."""
    found: dict[str, str] = {}
    for event in since:
        if event.kind in ("init", "checkpoint"):
            continue
        for name, change in event.providers.items():
            found.pop(name, None)
            found[name] = "removed" if change is None else _HAPPENED.get(event.kind, "stored")
    return found


def _done(event: Event, before: Mapping[str, Change]) -> str:
    groups: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    for name, change in event.providers.items():
        how = "removed" if change is None else "changed" if name in before else "added"
        groups[how].append(name)
    return ", ".join(f"{how} {_list(names)}" for how, names in groups.items() if names)


def _beside(event: Event) -> str:
    """Return what could not be taken as it stood."""
    said = ""
    if event.found and event.found.omitted:
        said += f"; left out {len(event.found.omitted)} whose names can't be filed"
    if event.found and event.found.replaced:
        said += f"; put U+FFFD for what is no Unicode in {_list(event.found.replaced)}"
    if event.file:
        said += "; bytes of an older file stood behind it and are kept"
    return said


def _list(names: Iterable[str]) -> str:
    return joined(list(names), MOST)
