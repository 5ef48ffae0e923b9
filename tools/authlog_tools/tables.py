"""Columns on a terminal, tab-separated lines elsewhere; times and changes in words."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

import authlog
from authlog_tools import past, terminal

_SOME = ("by", "base", "file", "told", "use", "found", "dropped", "gap")  # of some kinds only


def print_rows(
    rows: Iterable[Sequence[str]], head: Sequence[str], options: argparse.Namespace
) -> None:
    """Print rows: in columns below a head, if they are drawn; for programs with tabs."""
    found = ([clean(cell) for cell in row] for row in rows)
    if not terminal.draws():
        for row in found:
            print("\t".join(row))
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in found:
        table.add_row(*row)
    terminal.console(options).print(table)


def clean(text: str) -> str:
    """Return the text without what would move a terminal's cursor: names come from anywhere."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "�" for character in text)


def expiry(expires: int | None) -> str:
    """Return when a login expires, given in ms since 1970, in words."""
    if expires is None:
        return ""
    moment = past.moment(expires)
    if moment is None:
        return f"expires {expires}"
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"expires in {span(seconds)}" if seconds >= 0 else f"expired {span(-seconds)} ago"


def when(expires: int | None) -> str:
    """Return when a login expires: in words if a person looks, as a time for programs."""
    if terminal.draws():
        return expiry(expires)
    moment = past.moment(expires)
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else str(expires or "")


def span(seconds: float) -> str:
    """Return a duration in its largest unit."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"


def described(changes: Mapping[str, authlog.Change | None]) -> str:
    """Return what an event did to its providers: type and fingerprints, never a secret."""
    return ", ".join(
        f"{name} removed" if change is None else f"{name} {_change(change)}".rstrip()
        for name, change in changes.items()
    )


def _change(change: authlog.Change) -> str:
    return " ".join([change.type or "", *change.members.values()]).strip()


def event_object(event: authlog.Event) -> dict[str, object]:
    """Return an event for programs: what it says in the open, by name."""
    found: dict[str, object] = {
        "seq": event.seq,
        "time": event.time.isoformat().replace("+00:00", "Z"),
        "kind": event.kind,
        "writer": msgspec.to_builtins(event.writer),
        "providers": {name: _object(change) for name, change in event.providers.items()},
        "hash": event.hash,
        "prev": event.prev,
        "erased": event.erased,
    }
    more = {name: getattr(event, name) for name in _SOME}
    return found | {
        name: msgspec.to_builtins(value) for name, value in more.items() if value is not None
    }


def _object(change: authlog.Change | None) -> dict[str, object] | None:
    if change is None:
        return None
    return {
        "type": change.type,
        "expires": change.expires,
        "members": dict(change.members),
    }
