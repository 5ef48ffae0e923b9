"""Remove a credential and destroy its secrets everywhere; that it was there stays on record.

Revoke it with its issuer as well: what was on a disk may be read from a backup or a copy. States of
other credentials that stand in the same events lose their secrets too, what is filed now does not.

for example:
  authlog forget anthropic
"""

import argparse
import json

from authlog_tools import asking
from authlog_tools.guarding import left
from authlog_tools.opened import absent, open_log, settled
from authlog_tools.tables import event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    asking.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    if next(log.history(options.provider), None) is None:
        raise absent(log, options.provider)
    question = f"Remove {options.provider} and destroy all its secrets? There is no way back."
    if not asking.agreed(options, options.provider, question):
        return 1
    left.clear(log)
    event = settled(log, lambda: log.forget(options.provider))
    if options.json:
        print(json.dumps(event_object(event) if event else None))
    elif not options.quiet:
        print(f"forgot {options.provider}: its secrets are gone, its history stays")
    return 0
