"""Remove a credential; its history and a way back stay."""

import argparse
import json

from authlog_tools.opened import absent, open_log, settled
from authlog_tools.restore_ import way_back
from authlog_tools.tables import event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument(
        "--expect", type=int, metavar="SEQ", help="only if that was its last change"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    event = settled(log, lambda: log.remove(options.provider, expect=options.expect))
    if event is None:
        raise absent(log, options.provider)
    if options.json:
        print(json.dumps(event_object(event)))
    elif not options.quiet:
        print(f"{options.provider} is removed: event {event.seq}")
        print(way_back(options, event.seq - 1))
    return 0
