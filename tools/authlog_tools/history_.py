"""Show what happened, newest first: when, what, to which login, from what to what, and who did it.

Words with a qualifier choose events; all must fit, values are joined by commas, - turns one round:
provider: kind: writer: since: until: type: fingerprint: seq:. Another word is looked for anywhere.

for example:
  authlog history anthropic
  authlog history kind:adopt,heal -writer:opencode since:2d
  authlog history --follow
  authlog history --at 2026-11-20     # who was logged in then
"""

import argparse
import csv
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from shutil import get_terminal_size

from authlog import AuthLog
from authlog_tools import filters, past, rows
from authlog_tools.failures import Failure
from authlog_tools.filters import Filter
from authlog_tools.opened import open_log
from authlog_tools.points import seq_of
from authlog_tools.tables import clean, event_object, expiry, print_rows

FLAGS = ("provider", "kind", "writer", "since", "until")
_NEGATED = re.compile(r"-[a-z]+:.*", re.DOTALL)


def prepared(given: list[str]) -> list[str]:
    """Return the arguments with -kind:refresh as what it is: a word, no option."""
    return [f"--word={one}" if _NEGATED.fullmatch(one) else one for one in given]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("words", metavar="PROVIDER|QUALIFIER", nargs="*", help="which events")
    parser.add_argument("--word", action="append", default=[], help=argparse.SUPPRESS)
    for name in FLAGS:
        parser.add_argument(f"--{name}", metavar="VALUE", help=f"the same as {name}:VALUE")
    parser.add_argument("--grep", metavar="TEXT", help="events that say that anywhere")
    parser.add_argument("-n", "--limit", type=int, metavar="N", help="the newest N events")
    parser.add_argument("--all", action="store_true", help="fold no runs of refreshes")
    parser.add_argument("--at", metavar="WHEN", help="show what was filed at a seq or time")
    parser.add_argument("--follow", action="store_true", help="go on with what happens from now on")
    parser.add_argument("--csv", action="store_true", help="print comma-separated, with a head")
    parser.add_argument("--no-pager", action="store_true", help="print all at once")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    if options.at is not None:
        return _state(log, options)
    wanted = _wanted(log, options)
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
    elif sys.stdout.isatty():
        _show(list(_lines(list(newest), options)), options)
    else:
        for one in newest:
            print("\t".join(rows.plain(one)))
    return 0


def _wanted(log: AuthLog, options: argparse.Namespace) -> Filter:
    """Return what is asked for, by flags and by words."""
    words: list[str] = list(options.words)
    if words and ":" not in words[0] and not words[0].startswith("-"):
        name = words[0]
        if any(name in event.providers for event in log.history(name)):
            words[0] = f"provider:{_quoted(name)}"
    words += options.word
    given = {name: getattr(options, name) for name in FLAGS}
    words += [f"{name}:{_quoted(value)}" for name, value in given.items() if value is not None]
    words += [f'"{options.grep}"'] if options.grep else []
    try:
        return filters.parse(" ".join(words), datetime.now(UTC))
    except filters.FilterError as error:
        raise Failure("history", str(error), "see authlog history --help", code=2) from None


def _quoted(value: str) -> str:
    return f'"{value}"' if any(character.isspace() for character in value) else value


def _state(log: AuthLog, options: argparse.Namespace) -> int:
    seq = seq_of(log, options.at)
    state = past.at(log.history(), seq)
    if options.json:
        found = {name: {"type": c.type, "expires": c.expires} for name, c in state.items()}
        print(json.dumps({"seq": seq, "providers": found}))
        return 0
    print_rows(
        ((clean(n), past.plainly(change), expiry(change.expires)) for n, change in state.items()),
        ("provider", f"as of event {seq}", "expiry"),
    )
    return 0


def _follow(log: AuthLog, wanted: Filter, options: argparse.Namespace) -> int:
    seq = log.seq()
    state = past.at(log.history(), seq)
    for event in log.watch(after=seq):
        one = rows.Seen(event, state)
        state = past.after(state, event)
        if not wanted.matches(event):
            continue
        if options.json:
            print(json.dumps(event_object(event)), flush=True)
        elif sys.stdout.isatty():
            print(list(_lines([one], options))[1], flush=True)
        else:
            print("\t".join(rows.plain(one)), flush=True)
    return 0


def _lines(newest: list[rows.Seen], options: argparse.Namespace) -> Iterator[str]:
    found = rows.rows(newest, fold=not options.all)
    width = get_terminal_size().columns
    return rows.drawn(found, width=width, colour=_coloured(options), now=datetime.now(UTC))


def _coloured(options: argparse.Namespace) -> bool:
    if os.environ.get("NO_COLOR") or options.no_color:
        return False
    return bool(os.environ.get("FORCE_COLOR")) or os.environ.get("TERM") != "dumb"


def _show(lines: list[str], options: argparse.Namespace) -> None:
    """Print the lines, through a pager if they are more than the screen holds."""
    surroundings = os.environ
    pager = surroundings.get("AUTHLOG_PAGER", surroundings.get("PAGER", "less"))
    if options.no_pager or pager in ("", "cat") or len(lines) < get_terminal_size().lines:
        print("\n".join(lines))
        return
    try:
        shown = subprocess.Popen(
            shlex.split(pager),
            stdin=subprocess.PIPE,
            text=True,
            env={"LESS": "FRX", **surroundings},
        )
    except OSError:
        print("\n".join(lines))
        return
    with suppress(BrokenPipeError):
        shown.communicate("\n".join(lines))


def _csv(newest: Iterable[rows.Seen]) -> None:
    out = csv.writer(sys.stdout)
    out.writerow(("seq", "time", "kind", "writer", "providers", "changed"))
    for one in newest:
        out.writerow([_harmless(cell) for cell in rows.plain(one)])


def _harmless(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") else cell
