"""Lose logins without authlog, and none with it.

Several processes write logins into one file in a temporary folder: first as opencode does it (read
all, change one, write all), then the same through authlog. With --opencode the first half is done
by real `opencode serve` processes.
"""

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

from authlog import ApiKey, AuthLog
from authlog_tools import real_opencode
from authlog_tools.failures import Failure
from authlog_tools.tables import described, print_rows

LOGINS = 10  # that each process stores, one after another

_begin: list[Barrier] = []

Stored = list[tuple[str, str]]  # the provider and key of each acknowledged login


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--processes", type=int, default=8, metavar="N", help="how many write: 8")
    parser.add_argument("--opencode", metavar="PATH", help="the program to drive in the first half")


def run(options: argparse.Namespace) -> int:
    """Do it; 1 if authlog lost a login."""
    if options.processes < 1:
        raise Failure("--processes", "at least one process has to write", code=2)
    with tempfile.TemporaryDirectory(prefix="authlog-demo-") as folder:
        without, with_authlog = Path(folder, "without.json"), Path(folder, "auth.json")
        if options.opencode:
            stored, found = real_opencode.store(Path(options.opencode), Path(folder), LOGINS)
        else:
            stored = _race(_as_opencode_does, without, options.processes)
            found = _keys(without)
        lost = _lost(stored, found)
        kept = _race(_through_authlog, with_authlog, options.processes)
        missing = _lost(kept, _keys(with_authlog))
        _report(options, (len(stored), lost), (len(kept), missing), AuthLog(with_authlog))
    return 1 if missing else 0


def _race(write: Callable[[Path, int], Stored], path: Path, processes: int) -> Stored:
    """Return what the processes stored, all of them at the same time."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, _ready, (context.Barrier(processes),)) as pool:
        parts = pool.starmap(write, [(path, n) for n in range(processes)], chunksize=1)
    return [login for part in parts for login in part]


def _ready(barrier: Barrier) -> None:
    """Keep the barrier of this process's pool: it can be given at the start only."""
    _begin.append(barrier)


def _as_opencode_does(path: Path, number: int) -> Stored:
    stored: Stored = []
    for name, key in _logins(number):
        try:
            entries = json.loads(path.read_text())
        except (OSError, ValueError):
            entries = {}  # a failed read counts as "no logins" there
        entries[name] = {"type": "api", "key": key}
        time.sleep(0.001)  # a program does something between reading and writing
        with path.open("r+" if path.exists() else "w") as file:
            file.write(json.dumps(entries, indent=2))
            file.truncate()
        stored.append((name, key))
    return stored


def _through_authlog(path: Path, number: int) -> Stored:
    log = AuthLog(path, program=f"demo-{number}")
    stored: Stored = []
    for name, key in _logins(number):
        log.set(name, ApiKey(key))
        stored.append((name, key))
    return stored


def _logins(number: int) -> Iterator[tuple[str, str]]:
    """Yield the logins to store, each when all processes are about to store theirs."""
    for n in range(LOGINS):
        _begin[0].wait()
        yield f"provider-{number}-{n}", f"key-{number}-{n}"


def _keys(path: Path) -> dict[str, str]:
    """Return provider -> key as they stand in the file; a program reads an unreadable one as {}."""
    try:
        return {name: entry["key"] for name, entry in json.loads(path.read_text()).items()}
    except (OSError, ValueError):
        return {}


def _lost(stored: Stored, found: dict[str, str]) -> int:
    return sum(found.get(name) != key for name, key in stored)


def _report(
    options: argparse.Namespace, without: tuple[int, int], through: tuple[int, int], log: AuthLog
) -> None:
    if options.json:
        halves = {"without": without, "authlog": through}
        rows = {name: {"acknowledged": all, "lost": lost} for name, (all, lost) in halves.items()}
        print(json.dumps(rows))
        return
    how = "real opencode servers" if options.opencode else "read all, change one, write all"
    print(f"{options.processes} processes store {LOGINS} logins each, at the same time:\n")
    print(f"{'':34}{'acknowledged':>13}{'lost':>6}")
    print(f"{how:34}{without[0]:13}{without[1]:6}")
    print(f"{'through authlog':34}{through[0]:13}{through[1]:6}")
    if not options.quiet:
        events = list(log.history())
        print(f"\nWhat authlog wrote down (the newest 8 of {len(events)} events):\n")
        print_rows(
            (
                (str(event.seq), event.kind, str(event.writer), described(event.providers))
                for event in events[:-9:-1]
            ),
            ("seq", "kind", "writer", "what changed"),
            options,
        )
