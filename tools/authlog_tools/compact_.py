"""Erase superseded secrets from the log and start a new segment; the history and its proof stay.

A secret is superseded when another one took its place. By itself the log erases those that were
superseded more than 30 days ago. Files in quarantine go after the same time.

for example:
  authlog compact --dry-run
  authlog compact --retain 0          # whatever is not filed any more, now
  authlog compact --drop-history      # the older events too
"""

import argparse
import json
import sys
from datetime import datetime, timedelta

import msgspec

from authlog import Compaction
from authlog_tools import asking, progress, tables, terminal, words
from authlog_tools.failures import Failure
from authlog_tools.guarding import left
from authlog_tools.opened import open_log
from authlog_tools.times import duration


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument(
        "--retain", metavar="TIME", default="30d", help="keep superseded secrets that long (30d)"
    )
    parser.add_argument(
        "--drop-history", action="store_true", help="drop all closed segments with their events"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    asking.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    try:
        retain = duration(options.retain)
    except ValueError as error:
        raise Failure("--retain", str(error), "authlog compact --help", code=2) from None
    planned = log.compact(retain=retain, drop_history=options.drop_history, dry_run=True)
    if options.dry_run:
        _tell(planned, options, retain)
        return 0
    if _takes_something(planned):
        if not options.yes and sys.stderr.isatty():
            print(terminal.fitted(_sentence(planned), sys.stderr), file=sys.stderr)
        if not asking.agreed(options, "compact", "There is no way back to them. Go on?"):
            return 1
    left.clear(log)
    with progress.shown(options, "compacting") as tell:
        done = log.compact(retain=retain, drop_history=options.drop_history, progress=tell)
    _tell(done, options, retain)
    return 0


def _takes_something(planned: Compaction) -> bool:
    return bool(planned.secrets or planned.quarantined) or (
        planned.after.events < planned.before.events
    )


def _sentence(planned: Compaction) -> str:
    parts: list[str] = []
    if planned.secrets:
        parts.append(f"the secrets of {planned.secrets:,} events")
    if planned.after.events < planned.before.events and planned.dropped:
        parts.append(f"the events {planned.dropped.first} to {planned.dropped.last}")
    if planned.quarantined:
        parts.append(f"{planned.quarantined} files in quarantine")
    return f"This removes {', '.join(parts)}."


def _tell(done: Compaction, options: argparse.Namespace, retain: timedelta) -> None:
    if options.json:
        print(json.dumps(msgspec.to_builtins(done)))
        return
    for name in ("events", "segments", "bytes"):
        before, after = getattr(done.before, name), getattr(done.after, name)
        print(f"{name:11} {before:>12,} -> {after:,}")
    would = "would be " if done.dry_run else ""
    since = _cutoff(retain)
    if done.secrets:
        told = f"{done.credentials:,} {would}erased, superseded {since}; those of "
        segments = f"segment{'s' * (len(done.erased) > 1)} {_ranges(done.erased)}"
        told += f"{words.many(done.secrets, 'event')} in {segments}"
    else:
        told = f"none to erase: none was superseded {since}"
    _row("secrets", told)
    if done.dropped:
        _row("dropped", f"events {done.dropped.first} to {done.dropped.last}")
    if done.quarantined:
        _row("quarantine", f"{words.many(done.quarantined, 'file')} {would}removed")


def _row(name: str, told: str) -> None:
    print(terminal.fitted(f"{name:11} {told}", sys.stdout, " " * 12))


def _cutoff(retain: timedelta) -> str:
    """Return since when a secret has to be superseded, in words."""
    if not retain:
        return "by now"
    then, now = datetime.now().astimezone() - retain, datetime.now().astimezone()
    day = words.day_name(then.toordinal(), now.toordinal())
    return f"more than {tables.span(retain.total_seconds())} ago (before {day})"


def _ranges(numbers: tuple[int, ...]) -> str:
    """Return 1-3, 5 of 1, 2, 3, 5."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ", ".join("-".join(map(str, ends)) for ends in found)
