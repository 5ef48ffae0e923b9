"""Show what happened, newest first: when, what, to which login, from what to what, and who did it.

Words with a qualifier choose events: provider: kind: writer: since: until: type: fingerprint: seq:.
All must fit, commas stand between values, a - before a word turns it round. A word without a
qualifier is looked for in all that a row says.

Kinds are set, refresh, adopt (another program's write), heal (its stale rewrite undone), remove,
restore, use, init, import, checkpoint and quarantine.

for example:
  authlog history anthropic
  authlog history kind:adopt,heal -writer:opencode since:2d
  authlog history --follow
  authlog history --at 2026-11-20     # who was logged in then
"""

import argparse
import csv
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import chain, islice

from authlog import AuthLog
from authlog_tools import choosing, drawing, pager, past, rows, terminal, watch_
from authlog_tools.filters import Filter
from authlog_tools.opened import open_log
from authlog_tools.points import seq_of
from authlog_tools.tables import clean, event_object, print_rows, when

BACKLOG = 10  # events that --follow begins with

prepared = choosing.prepared


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    choosing.arguments(parser)
    parser.add_argument(
        "-n", "--limit", type=choosing.count, metavar="N", help="the newest N events"
    )
    parser.add_argument("--all", action="store_true", help="fold no runs of refreshes")
    parser.add_argument("--at", metavar="WHEN", help="show what was filed at a seq or time")
    parser.add_argument(
        "--follow", action="store_true", help="the newest 10 (-n), then what happens, until Ctrl-C"
    )
    parser.add_argument("--csv", action="store_true", help="print comma-separated, with a head")
    pager.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    if options.at is not None:
        return _state(log, options)
    wanted = choosing.wanted(options, log)
    if options.follow:
        return _follow(log, wanted, options)
    if options.json:
        for event in islice(filter(wanted.matches, log.history(reverse=True)), options.limit):
            print(json.dumps(event_object(event)))
        return 0
    found = (one for one in rows.seen(log.history(reverse=True)) if wanted.matches(one.event))
    newest = islice(found, options.limit)
    if options.csv:
        _csv(newest)
    elif terminal.draws():
        _show(log, newest, options)
    else:
        for one in newest:
            print("\t".join(rows.plain(one)))
    return 0


def _show(log: AuthLog, newest: Iterable[rows.Seen], options: argparse.Namespace) -> None:
    """Draw the history, or say why there is nothing to see."""
    found = rows.rows(newest, fold=not options.all)
    first = next(found, None)
    if first is None:
        none = f"no event in {log.path} fits" if log.seq() else f"{log.path} has no history yet"
        terminal.note(options, none)
        return
    lines = drawing.drawn(
        chain((first,), found),
        width=terminal.width(),
        paint=terminal.painter(options),
        now=datetime.now(UTC),
    )
    pager.show(lines, options)


def _follow(log: AuthLog, wanted: Filter, options: argparse.Namespace) -> int:
    seq = log.seq()
    found = rows.seen(event for event in log.history(reverse=True) if event.seq <= seq)
    most = BACKLOG if options.limit is None else options.limit
    first = list(islice((one for one in found if wanted.matches(one.event)), most))[::-1]
    watch_.tell(watch_.happening(log, wanted, seq), options, first)
    return 0


def _state(log: AuthLog, options: argparse.Namespace) -> int:
    seq = seq_of(log, options.at)
    state = past.at(log.history(), seq)
    if options.json:
        found = {name: {"type": c.type, "expires": c.expires} for name, c in state.items()}
        print(json.dumps({"seq": seq, "providers": found}))
        return 0
    print_rows(
        ((clean(n), past.plainly(change), when(change.expires)) for n, change in state.items()),
        ("provider", f"as of event {seq}", "expiry"),
        options,
    )
    return 0


def _csv(newest: Iterable[rows.Seen]) -> None:
    out = csv.writer(sys.stdout)
    out.writerow(("seq", "time", "kind", "writer", "providers", "changed"))
    for one in newest:
        out.writerow([_harmless(cell) for cell in rows.plain(one)])


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell
