"""What `authlog run` costs a program: run with it and without, in turn.

`python -m tools.bench.run_cost` prints a table. `each` is per call, from the program's own clock;
`whole` is a process from its start to its end.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

COUNT = 3_000  # calls that the small programs make in a run

_LOOP = """
import os, sys, time
start = time.perf_counter()
for _ in range({count}):
    {step}
print((time.perf_counter() - start) / {count} * 1e6)
"""
STEPS = {
    "open another file for writing, close": "os.close(os.open('other', os.O_WRONLY | os.O_CREAT))",
    "open a file for reading, close": "os.close(os.open('/dev/null', os.O_RDONLY))",
    "stat": "os.stat('other')",
    "rename another file": "os.rename('other', 'other')",
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.run_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, metavar="N", help="how often each: 21")
    arguments = parser.parse_args()
    opencode = os.environ.get("AUTHLOG_OPENCODE") or shutil.which("opencode")
    print("| | without | with | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="authlog-bench-") as folder:
        Path(folder, "other").touch()
        for name, step in STEPS.items():
            program = [sys.executable, "-c", _LOOP.format(count=COUNT, step=step)]
            _compare(f"{name}, µs each", program, _said, Path(folder), arguments.rounds)
        _compare("`true`, ms whole", ["true"], _took, Path(folder), arguments.rounds)
        if opencode:
            listing = [opencode, "auth", "list"]
            name = "`opencode auth list`, ms whole"
            _compare(name, listing, _took, Path(folder), arguments.rounds)


def _compare(
    name: str,
    program: list[str],
    measure: Callable[[list[str], Path], float],
    folder: Path,
    rounds: int,
) -> None:
    """Print the medians, and the median of the ratios of neighbours."""
    under = [sys.executable, "-m", "authlog_tools", "run", "-q"]
    under += ["--path", str(folder / "auth.json"), "--"]
    pairs: list[tuple[float, float]] = []
    for number in range(rounds + 1):
        if number % 2:
            plain, protected = measure(program, folder), measure([*under, *program], folder)
        else:
            protected, plain = measure([*under, *program], folder), measure(program, folder)
        pairs.append((plain, protected))
    pairs = pairs[1:]  # the first one fills caches
    medians = [statistics.median(side) for side in zip(*pairs, strict=True)]
    ratio = statistics.median(protected / plain for plain, protected in pairs)
    print(f"| {name} | {medians[0]:.1f} | {medians[1]:.1f} | {ratio:.2f} |", flush=True)


def _surroundings(folder: Path) -> dict[str, str]:
    places = {f"XDG_{name}_HOME": str(folder / name) for name in ("DATA", "CONFIG", "STATE")}
    return {**os.environ, **places, "XDG_CACHE_HOME": str(folder / "CACHE"), "HOME": str(folder)}


def _said(command: list[str], folder: Path) -> float:
    done = subprocess.run(
        command, cwd=folder, env=_surroundings(folder), check=True, capture_output=True
    )
    return float(done.stdout)


def _took(command: list[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, env=_surroundings(folder), check=True, capture_output=True)
    return (time.perf_counter() - start) * 1000


if __name__ == "__main__":
    main()
