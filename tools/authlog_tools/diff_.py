"""Compare two points in history: what was added, changed and removed, by fingerprints.

A point is a seq, a time (2d, 2026-11-20, 2026-11-20T10:00) or PROVIDER~N, N of its changes ago.
Exit code 0 if they are the same, 1 if they differ.

for example:
  authlog diff 40 42
  authlog diff 2d anthropic~0
"""

import argparse
import json

import msgspec

from authlog_tools import past
from authlog_tools.opened import open_log
from authlog_tools.past import Member
from authlog_tools.points import seq_of
from authlog_tools.tables import clean

SIGN = {"added": "+", "removed": "-", "changed": "~"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("a", metavar="A", help="the earlier point")
    parser.add_argument("b", metavar="B", help="the later one")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    one, other = seq_of(log, options.a), seq_of(log, options.b)
    found = past.differences(past.at(log.history(), one), past.at(log.history(), other))
    if options.json:
        print(json.dumps({"from": one, "to": other, "changes": msgspec.to_builtins(found)}))
        return 1 if found else 0
    for difference in found:
        print(f"{SIGN[difference.outcome]} {clean(difference.provider)}  {difference.outcome}")
        tell_members(difference.members)
    if not found and not options.quiet:
        print(f"event {one} and event {other} have the same logins")
    return 1 if found else 0


def tell_members(members: tuple[Member, ...]) -> None:
    """Print members before and after."""
    for member in members:
        name = clean(member.name) or "value"
        print(f"    {name:14} {clean(member.old or 'none')} -> {clean(member.new or 'none')}")
