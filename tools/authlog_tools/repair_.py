"""Mend a damaged log from what is intact; shows what it would do first.

Every damaged file is kept in the log's quarantine. What can't be saved is stated by a checkpoint,
and nothing is made up.

for example:
  authlog repair --dry-run
"""

import argparse
import json
import sys

import msgspec

from authlog import Repair
from authlog_tools import asking, terminal
from authlog_tools.opened import open_log
from authlog_tools.tables import clean


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    asking.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    planned = log.repair(dry_run=True)
    if not planned.damage:
        _tell(planned, as_json=options.json)
        return 0
    if options.dry_run:
        _tell(planned, as_json=options.json)
        return 3
    if not options.json:
        _tell(planned, as_json=False)
    if not asking.agreed(options, str(log.path), "Do that?"):
        return 1
    done = log.repair()
    if options.json:
        _tell(done, as_json=True)
    else:
        print("mended; see authlog history, and authlog verify")
    return 0


def _tell(done: Repair, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(msgspec.to_builtins(done)))
        return
    if not done.damage:
        print(f"{done.path}: nothing is damaged, {done.events:,} events")
        return
    print("damaged")
    for damage in done.damage:
        _say(f"  {damage.path}, byte {damage.offset}: {damage.reason}")
    print("kept in quarantine")
    for name in done.kept or ("nothing",):
        print(f"  {name}")
    lost = ", ".join(
        f"{gap.first}" if gap.first == gap.last else f"{gap.first} to {gap.last}"
        for gap in done.gaps
    )
    _say(f"intact: {done.events:,} events; lost: {'events ' + lost if lost else 'none'}")
    source = "auth.json, which shows the newest state" if done.shown else "the intact events"
    names = ", ".join(map(clean, done.providers)) or "no credential"
    _say(f"filed afterwards, from {source}: {names}")
    if done.segment is not None:
        print(f"the log goes on in segment {done.segment}")


def _say(text: str) -> None:
    print(terminal.fitted(text, sys.stdout, indent="    "))
