"""What is lost of what real opencode servers acknowledge: `python -m tools.bench.foreign`.

Two and three servers on one auth.json are asked for changes at the same time (see `storm`), without
authlog, watched, guarded and under `authlog run`. Prints, for each way, the changes acknowledged,
those that are gone or came back when all servers are stopped, and the writes of which the guard
reported that they met others and may be lost. In every way servers are killed in the middle.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterable
from pathlib import Path
from random import Random

from authlog import AuthLog
from authlog_tools.real_opencode import Opencode
from tools.bench import storm
from tools.bench.storm import Outcome

_REPORTED = re.compile(r"collision: .* (\d+) of their writes may be lost")
WAYS = ("none", "watch", "guard", "run")
AUTHLOG = (sys.executable, "-m", "authlog_tools")


def main() -> int:
    """Measure and print; 1 if `run` lost a change, or lost what no collision announced."""
    options = _arguments()
    program = options.opencode or os.environ.get("AUTHLOG_OPENCODE") or shutil.which("opencode")
    if not program:
        print("opencode is needed: --opencode, AUTHLOG_OPENCODE or the PATH", file=sys.stderr)
        return 2
    print(f"seed {options.seed}")
    print("way\tservers\tacknowledged\tlost\treported\tchanges/s")
    wrong = False
    for way in options.ways.split(","):
        for servers in (2, 3):
            outcome, reported = measured(way, Path(program), servers, options)
            speed = outcome.acknowledged / outcome.seconds
            row = (way, servers, outcome.acknowledged, len(outcome.lost), reported, f"{speed:.0f}")
            print(*row, sep="\t", flush=True)
            if options.verbose:
                print(*(f"  {lost}" for lost in outcome.lost), sep="\n")
            wrong |= len(outcome.lost) > {"run": 0, "guard": reported}.get(way, sys.maxsize)
    return int(wrong)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=300, help="for each way and row")
    parser.add_argument("--ways", default=",".join(WAYS), help="some of " + ", ".join(WAYS))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--opencode", metavar="FILE")
    parser.add_argument("-v", "--verbose", action="store_true", help="name what was lost")
    return parser.parse_args()


def measured(
    way: str, program: Path, servers: int, options: argparse.Namespace
) -> tuple[Outcome, int]:
    """Return what a storm left, and how many collisions were reported."""
    with tempfile.TemporaryDirectory() as name:
        opencode = Opencode(program, Path(name))
        path = opencode.auth_json
        path.parent.mkdir(parents=True)
        own = None
        if way == "none":
            path.write_text(json.dumps(storm.UNKNOWN))
        else:
            own = AuthLog(path, program="bench")
            own.change(storm.UNKNOWN)
        if way == "run":
            under = (*AUTHLOG, "run", "--path", str(path), "--quiet", "--")
            opencode = Opencode(program, Path(name), under)
        rounds = storm.planned(Random(options.seed), servers, options.changes, kill=True)
        guarded = guard(path, watch=way == "watch") if way in ("watch", "guard") else None
        with guarded or contextlib.nullcontext([]) as said:
            outcome = storm.storm(opencode, rounds, servers, own=own)
        return outcome, reported(said)


def reported(said: Iterable[str]) -> int:
    """Return of how many writes a guard said that they may be lost."""
    return sum(int(found[1]) for line in said if (found := _REPORTED.search(line)))


@contextlib.contextmanager
def guard(path: Path, *, watch: bool) -> Generator[list[str]]:
    """Guard the file meanwhile; gives what the guard said, once it has ended."""
    said: list[str] = []
    process = subprocess.Popen(
        [*AUTHLOG, "guard", "--path", str(path), *(["--watch"] if watch else [])],
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stderr is not None
    said.append(process.stderr.readline())  # it says first what it does
    try:
        yield said
    finally:
        process.terminate()
        said += process.communicate()[1].splitlines()


if __name__ == "__main__":
    sys.exit(main())
