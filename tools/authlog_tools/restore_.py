"""Bring a credential back as it was after an event, or before a time; see authlog history.

An OAuth login that was refreshed since is refused: its refresh token is spent, and using it again
can revoke the login. --force does it all the same.

for example:
  authlog restore anthropic 42
  authlog restore anthropic --before 2d
"""

import argparse
import json
import shlex

from authlog_tools import points
from authlog_tools.failures import Failure
from authlog_tools.opened import open_log, settled
from authlog_tools.tables import clean, event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument("seq", metavar="SEQ", type=int, nargs="?")
    parser.add_argument("--before", metavar="TIME", help="as it was then: 2d, 2026-11-20T10:00")
    parser.add_argument(
        "--force", action="store_true", help="also an OAuth login that was refreshed since"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    if (options.seq is None) == (options.before is None):
        hint = "see authlog restore --help"
        raise Failure(options.provider, "needs SEQ or --before TIME", hint, code=2)
    seq: int = options.seq if options.before is None else points.before(log, options.before)
    try:
        event = settled(log, lambda: log.restore(options.provider, seq, force=options.force))
    except ValueError as error:
        raise Failure(options.provider, str(error), "see authlog history", code=2) from None
    if event is not None and options.json:
        print(json.dumps(event_object(event)))
    elif event is not None and not options.quiet:
        there = "is as it was" if event.providers.get(options.provider) else "is absent, as it was"
        print(f"{clean(options.provider)} {there} after event {seq}: event {event.seq}")
        print(way_back(options, event.seq - 1))
    return 0


def way_back(options: argparse.Namespace, seq: int) -> str:
    """Return the command that takes a change back, in a line: of the same store."""
    return f"to take it back: {command(options, seq)}"


def command(options: argparse.Namespace, seq: int) -> str:
    """Return the command that brings the provider back as it was after that event."""
    given = [("--path", options.path), ("--for", options.program)]
    which = [f"{flag} {shlex.quote(value)} " for flag, value in given if value]
    return clean(f"authlog {''.join(which)}restore {shlex.quote(options.provider)} {seq}")
