"""Bring a credential back as it was after an event; `authlog history` shows the events."""

import argparse
import json

from authlog_tools.failures import Failure
from authlog_tools.opened import open_log, settled
from authlog_tools.tables import event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument("seq", metavar="SEQ", type=int)
    parser.add_argument(
        "--force", action="store_true", help="also an OAuth login that was refreshed since"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    try:
        event = settled(
            log, lambda: log.restore(options.provider, options.seq, force=options.force)
        )
    except ValueError as error:
        raise Failure(options.provider, str(error), "see authlog history", code=2) from None
    if event is not None and options.json:
        print(json.dumps(event_object(event)))
    elif event is not None and not options.quiet:
        there = "is as it was" if event.providers.get(options.provider) else "is absent, as it was"
        print(f"{options.provider} {there} after event {options.seq}: event {event.seq}")
        print(f"to take it back: authlog restore {options.provider} {event.seq - 1}")
    return 0
