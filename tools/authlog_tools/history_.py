"""Show what happened, newest first: seq, time, kind, who, and what changed, by fingerprints."""

import argparse
import json

from authlog_tools.opened import open_log
from authlog_tools.tables import described, event_object, print_rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER", nargs="?", help="only what changed it")
    parser.add_argument("-n", "--limit", type=int, metavar="N", help="the newest N events")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    events = list(open_log(options).history(options.provider))[::-1][: options.limit]
    if options.json:
        for event in events:
            print(json.dumps(event_object(event)))
        return 0
    print_rows(
        (
            (
                str(event.seq),
                event.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
                event.kind,
                str(event.writer),
                described(event.providers),
            )
            for event in events
        ),
        ("seq", "time", "kind", "writer", "what changed"),
    )
    return 0
