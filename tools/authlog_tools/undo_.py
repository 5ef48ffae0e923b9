"""Take back the last change of a credential; done twice, it is there again.

for example:
  authlog undo anthropic
"""

import argparse
import json
from itertools import islice

from authlog_tools.failures import Failure
from authlog_tools.opened import absent, open_log
from authlog_tools.restore_ import brought_back, way_back
from authlog_tools.tables import clean, event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument(
        "--force", action="store_true", help="also an OAuth login that was refreshed since"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    last = list(islice(log.history(options.provider, reverse=True), 1))
    if not last:
        raise absent(log, options.provider)
    if last[0].kind == "init":
        hint = "authlog remove takes it out"
        raise Failure(options.provider, "has not changed since the log began", hint)
    seq = last[0].seq
    event = brought_back(log, options, seq - 1)
    if options.json:
        print(json.dumps(event_object(event)))
    elif not options.quiet:
        print(f"took back event {seq} of {clean(options.provider)}")
        print(way_back(options, seq))
    return 0
