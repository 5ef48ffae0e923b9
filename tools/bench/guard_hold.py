"""How long `authlog guard` holds a program that opens auth.json for writing.

`python -m tools.bench.guard_hold` prints the time that such an `open` takes, without a guard and
with one, in turn within each round: median, 99th percentile and longest, in ms. Beside it another
program publishes through authlog as fast as it can, so that the disk and the locks are busy.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from authlog import ApiKey, AuthLog
from tools.bench.foreign import guard

_BUSY = """
import sys
from authlog import ApiKey, AuthLog
log = AuthLog(sys.argv[1])
n = 0
while True:
    n += 1
    log.set("busy", ApiKey(str(n)))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--opens", type=int, default=300, help="in each round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("\topens\tmedian ms\tp99 ms\tlongest ms")
    for busy in (False, True):
        held: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(options.rounds):
            for guarded in held:
                held[guarded] += _opened(options.opens, guarded=guarded, busy=busy)
        for guarded, times in held.items():
            times.sort()
            name = ("guarded" if guarded else "alone") + (", disk busy" if busy else "")
            found = statistics.median(times), times[len(times) * 99 // 100], times[-1]
            print(name, len(times), *(f"{time * 1000:.2f}" for time in found), sep="\t")


def _opened(count: int, *, guarded: bool, busy: bool) -> list[float]:
    """Return how long each open took, in s."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        path = Path(folder, "auth.json")
        AuthLog(path).set("a", ApiKey("k"))
        beside = subprocess.Popen([sys.executable, "-c", _BUSY, str(path)]) if busy else None
        try:
            with guard(path, watch=False) if guarded else nullcontext():
                return [_open(path) for _ in range(count)]
        finally:
            if beside is not None:
                beside.kill()
                beside.wait()


def _open(path: Path) -> float:
    begun = time.perf_counter()
    descriptor = os.open(path, os.O_WRONLY)
    taken = time.perf_counter() - begun
    os.close(descriptor)
    time.sleep(0.005)
    return taken


if __name__ == "__main__":
    main()
