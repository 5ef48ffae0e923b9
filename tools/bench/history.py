"""How fast `authlog history` shows a long history: `python -m tools.bench.history [EVENTS]`.

Makes a store, and times whole processes that show all of it: to a pipe, as JSON and as CSV; to a
terminal folded, with every event, and until its first line. Bytecode is compiled before.
"""

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import authlog
import authlog_tools
from tools.bench.alone import make_log

COMMAND = (sys.executable, "-m", "authlog_tools", "history", "--no-pager")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=10_000)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--store", type=Path, help="an auth.json to measure instead")
    options = parser.parse_args()
    for package in (authlog, authlog_tools):
        compileall.compile_dir(Path(str(package.__file__)).parent, quiet=1)
    with tempfile.TemporaryDirectory(prefix="authlog-bench-") as folder:
        made = Path(folder, "log")
        if options.store is None:
            make_log(made, options.events)
        _measure(options.store or made / "auth.json", options.rounds)


def _measure(path: Path, rounds: int) -> None:
    os.environ["AUTHLOG_PATH"] = str(path)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    ways: dict[str, Callable[[], float]] = {
        "a bare Python": lambda: _piped(sys.executable, "-c", ""),
        "to a pipe": lambda: _piped(*COMMAND),
        "--json": lambda: _piped(*COMMAND, "--json"),
        "--csv": lambda: _piped(*COMMAND, "--csv"),
        "kind:remove, finds few": lambda: _piped(*COMMAND, "kind:remove"),
        "-n 20": lambda: _piped(*COMMAND, "-n", "20"),
        "a terminal, runs folded": lambda: _drawn(*COMMAND),
        "a terminal, --all": lambda: _drawn(*COMMAND, "--all"),
        "a terminal, first line": lambda: _drawn(*COMMAND, "--all", only_first=True),
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            took[name].append(way())
    print(f"{_events()} events, {rounds} rounds, ms          median      min")
    for name, seconds in took.items():
        print(f"{name:36} {statistics.median(seconds) * 1000:8.0f} {min(seconds) * 1000:8.0f}")


def _events() -> str:
    done = subprocess.run(COMMAND, check=True, capture_output=True, text=True)
    return f"{len(done.stdout.splitlines()):,}"


def _piped(*command: str) -> float:
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _drawn(*command: str, only_first: bool = False) -> float:
    """Return how long it takes to show everything, or the first of it, to a terminal."""
    import pty

    leader, follower = pty.openpty()
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=follower, stderr=follower) as process:
        os.close(follower)
        took = 0.0
        while True:
            try:
                data = os.read(leader, 65_536)
            except OSError:  # the terminal's way to say that nobody is there any more
                break
            if not data:
                break
            took = took or time.perf_counter() - begun
        os.close(leader)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return took if only_first else time.perf_counter() - begun


if __name__ == "__main__":
    main()
