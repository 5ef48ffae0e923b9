"""Prove that the history is whole: read everything, change nothing. Exit code 3 on damage.

With --expect, prove also that it was neither rewritten nor cut since that head was noted.

for example:
  authlog verify --expect 42:9c1f...
"""

import argparse
import json
import re
import sys
from pathlib import Path

import msgspec

from authlog import AuthLog, Health, SegmentHealth
from authlog_tools import progress, terminal
from authlog_tools.failures import Failure
from authlog_tools.opened import open_log
from authlog_tools.tables import print_rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--expect", metavar="SEQ:HASH", help="what `authlog head` printed once")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    expected = _head(options.expect) if options.expect else None
    log = open_log(options)
    with progress.shown(options, "verifying") as tell:
        health = log.verify(progress=tell)
    code, said = _against(log, health, *expected) if expected else (0, "")
    code = code if health.ok else 3
    if options.json:
        print(
            json.dumps({**msgspec.to_builtins(health), "ok": code == 0, "expected": said or None})
        )
        return code
    _tell(health, options)
    if said:
        print(said)
    print("the history is whole" if health.ok else "DAMAGED: see authlog repair --dry-run")
    return code


def _head(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"(\d+):([0-9a-f]{64})", text)
    if found is None:
        raise Failure("--expect", "is not SEQ:HASH", "authlog head prints one", code=2)
    return int(found[1]), found[2]


def _against(log: AuthLog, health: Health, seq: int, hash: str) -> tuple[int, str]:
    """Return the exit code and what is to be said of a head that was noted."""
    if health.dropped is not None and seq <= health.dropped.last:
        if seq == health.dropped.last:
            same = hash == health.dropped.hash
            return (0, f"nothing was rewritten behind event {seq}") if same else (3, _other(seq))
        rest = f"what is left is chained to {health.dropped.last}:{health.dropped.hash}"
        return 1, f"event {seq} was dropped by a compaction: it can't be proved any more; {rest}"
    if any(gap.first <= seq <= gap.last for gap in health.gaps):
        return 3, f"event {seq} was lost to damage, and a repair went on without it"
    if seq > health.seq or not health.ok:
        return 3, f"event {seq} is not there: history was cut or is damaged"
    event = next(log.history(after=seq - 1), None)
    if event is not None and event.hash == hash:
        return 0, f"nothing was rewritten or cut since event {seq}"
    return 3, _other(seq)


def _other(seq: int) -> str:
    return f"event {seq} is another one: HISTORY WAS REWRITTEN"


def _tell(health: Health, options: argparse.Namespace) -> None:
    head = ("segment", "events", "seqs", "secrets erased", "torn bytes")
    print_rows(map(_row, health.segments), head, options)
    for part in health.segments:
        if part.torn:
            _say(
                f"{part.path}: {part.torn} bytes behind event {part.last} are a torn tail: a change"
                " that was never acknowledged; the next change keeps them in quarantine"
            )
    if health.dropped:
        _say(f"events {health.dropped.first} to {health.dropped.last} were dropped by a compaction")
    for gap in health.gaps:
        _say(f"events {gap.first} to {gap.last} could not be saved by a repair")
    print(f"{health.path}: {health.snapshot}")
    for damage in health.damage:
        text = f"{damage.path}: damaged at byte {damage.offset}: {damage.reason}"
        print(terminal.fitted(text, sys.stderr), file=sys.stderr)
    print(f"newest: {health.seq}:{health.hash}")


def _say(text: str) -> None:
    print(terminal.fitted(text, sys.stdout))


def _row(part: SegmentHealth) -> tuple[str, ...]:
    """Return a segment's cells; a person knows the folder."""
    name = Path(part.path).name if terminal.draws() else part.path
    seqs = f"{part.first}-{part.last}" if part.events else "none"
    return name, str(part.events), seqs, str(part.erased), str(part.torn)
