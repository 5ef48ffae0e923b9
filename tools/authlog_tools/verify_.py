"""Prove that the history is whole: read everything, change nothing. Exit code 3 on damage."""

import argparse
import json
import sys

import msgspec

from authlog_tools.opened import open_log
from authlog_tools.tables import print_rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""


def run(options: argparse.Namespace) -> int:
    """Do it."""
    health = open_log(options).verify()
    if options.json:
        print(json.dumps({**msgspec.to_builtins(health), "ok": health.ok}))
        return 0 if health.ok else 3
    print_rows(
        (
            (part.path, f"{part.events} events", f"{part.first}-{part.last}", f"torn {part.torn} B")
            for part in health.segments
        ),
        ("segment", "events", "seqs", "torn tail"),
    )
    for part in health.segments:
        if part.torn:
            print(f"{part.path}: {part.torn} bytes behind event {part.last} are a torn tail: a")
            print("  change that was never acknowledged; the next change keeps them in quarantine")
    print(f"{health.path}: {health.snapshot}")
    for damage in health.damage:
        print(f"{damage.path}: damaged at byte {damage.offset}: {damage.reason}", file=sys.stderr)
    print(f"newest: {health.seq} {health.hash}")
    print("the history is whole" if health.ok else "DAMAGED")
    return 0 if health.ok else 3
