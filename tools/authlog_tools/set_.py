"""Store a credential: the secret comes from a hidden prompt or from standard input.

for example:
  authlog set openai                       asks for the key
  pass openai | authlog set openai
  authlog set anthropic --entry < entry.json
"""

import argparse
import getpass
import json
import sys

import msgspec

import authlog
from authlog_tools.failures import Failure
from authlog_tools.opened import open_log, settled
from authlog_tools.tables import event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument("--stdin", action="store_true", help="read standard input, a terminal too")
    parser.add_argument("--entry", action="store_true", help="what is read is a whole JSON entry")
    parser.add_argument(
        "--expect", type=int, metavar="SEQ", help="only if that was its last change"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    credential = _credential(options, _read(options))
    event = settled(log, lambda: log.set(options.provider, credential, expect=options.expect))
    if options.json:
        print(json.dumps(event_object(event)))
    elif not options.quiet:
        print(f"{options.provider} is stored: event {event.seq}", file=sys.stderr)
    return 0


def _read(options: argparse.Namespace) -> str:
    if options.stdin or not sys.stdin.isatty():
        return sys.stdin.read().strip()
    what = "Entry (JSON)" if options.entry else "Secret"
    return getpass.getpass(f"{what} for {options.provider}: ").strip()


def _credential(options: argparse.Namespace, secret: str) -> authlog.ApiKey | dict[str, object]:
    if not secret:
        raise Failure(options.provider, "nothing was given to store", "nothing changed", code=2)
    if not options.entry:
        return authlog.ApiKey(secret)
    try:
        return msgspec.json.decode(secret, type=dict[str, object])
    except (msgspec.DecodeError, ValueError):
        # The decoder's own text may quote what it was given.
        raise Failure(
            options.provider, "the entry is not a JSON object", "see --help", code=2
        ) from None
