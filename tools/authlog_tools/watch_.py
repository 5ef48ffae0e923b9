"""Print events as they happen, one per line, until Ctrl-C; takes the qualifiers of history.

What a program that does not know authlog writes into auth.json is an event as soon as it is told:
at the next change, or by a guard.

for example:
  authlog watch
  authlog watch kind:adopt,heal
  authlog watch anthropic -n 1 && echo it changed
  authlog watch --json | jq -r .kind
"""

import argparse
import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from authlog import AuthLog
from authlog_tools import choosing, drawing, past, rows, terminal
from authlog_tools.filters import Filter
from authlog_tools.opened import open_log
from authlog_tools.tables import event_object

prepared = choosing.prepared


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    choosing.arguments(parser)
    parser.add_argument(
        "-n", "--limit", type=choosing.count, metavar="N", help="end after N events"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    wanted = choosing.wanted(options, log, coming=True)
    if options.limit != 0:
        tell(islice(happening(log, wanted, log.seq()), options.limit), options)
    return 0


def happening(log: AuthLog, wanted: Filter, after: int) -> Iterator[rows.Seen]:
    """Yield what is asked for of what happens behind that seq, in its order; blocks."""
    state = past.at(log.history(), after)
    for event in log.watch(after=after):
        one = rows.Seen(event, state)
        state = past.after(state, event)
        if wanted.matches(event):
            yield one


def tell(
    found: Iterable[rows.Seen], options: argparse.Namespace, first: Sequence[rows.Seen] = ()
) -> None:
    """Print events as they come, those of `first` before."""
    every = chain(first, found)
    lines: Iterator[str]
    if options.json:
        lines = (json.dumps(event_object(one.event)) for one in every)
    elif terminal.draws():
        columns = drawing.columns(list(map(rows.row, first)), terminal.width(), live=True)
        lines = drawing.live(map(rows.row, every), columns, terminal.painter(options))
    else:
        lines = ("\t".join(rows.plain(one)) for one in every)
    for line in lines:
        print(line, flush=True)
