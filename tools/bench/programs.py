"""Whole processes: how long a small program takes, and how much memory it needs at most."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from tools.bench import logins
from tools.bench.contestants import AuthLogStore, Contestant, JsonRewrite, Sqlite

_SET = """
from authlog import AuthLog, OAuth
log = AuthLog('{folder}/auth.json')
for step in range(200):
    log.set(f'provider0{step % 10}', OAuth('r' * 64, f'{step}'.ljust(1080), 1790000000000))
"""

PROGRAMS: Mapping[str, str] = {
    "`pass`": "pass",
    "`import msgspec`": "import msgspec",
    "JSON file, `json.load(...)[x]`": (
        "import json; json.load(open('{json}/auth.json'))['provider00']"
    ),
    "SQLite, `SELECT`": (
        "import sqlite3; sqlite3.connect('{sqlite}/auth.db')"
        ".execute('SELECT value FROM login WHERE provider = ?', ('provider00',)).fetchone()"
    ),
    "`import authlog`": "import authlog",
    "`AuthLog(p).get(x)`, 2 events": (
        "from authlog import AuthLog; AuthLog('{short}/auth.json').get('provider00')"
    ),
    "`AuthLog(p).get(x)`, {events} events": (
        "from authlog import AuthLog; AuthLog('{long}/auth.json').get('provider00')"
    ),
    "200 x `AuthLog(p).set(x, ...)`": _SET.replace("{folder}", "{short}"),
}

_PEAK = "\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"


class Program(Struct, frozen=True):
    """A program's time in ms and its peak of resident memory in KiB (0: not known here)."""

    name: str
    took: float
    peak: int


def prepare(folder: Path, long: Path, events: int, providers: int = 10) -> dict[str, str]:
    """Return the programs by name, and make what they read; `long` is a log of `events`."""
    first = logins.first_logins(providers)
    folders: dict[str, type[Contestant]] = {
        "json": JsonRewrite,
        "sqlite": Sqlite,
        "short": AuthLogStore,
    }
    for name, contestant in folders.items():
        (folder / name).mkdir(parents=True)
        contestant.prepare(folder / name, first)
    paths = {name: str(folder / name) for name in folders}
    return {
        name.replace("{events}", f"{events:,}"): _filled(code, {**paths, "long": str(long)})
        for name, code in PROGRAMS.items()
    }


def _filled(code: str, paths: Mapping[str, str]) -> str:
    for name, path in paths.items():
        code = code.replace("{" + name + "}", path)
    return code


def measure(name: str, code: str) -> Program:
    """Run a program twice: for its time, and for its peak of memory."""
    start = time.perf_counter_ns()
    subprocess.run([sys.executable, "-c", code], check=True)
    took = (time.perf_counter_ns() - start) / 1e6
    if sys.platform != "linux":
        return Program(name, took, 0)
    # Not getrusage: its ru_maxrss begins with that of the process it was forked from.
    said = subprocess.run([sys.executable, "-c", code + _PEAK], check=True, capture_output=True)
    return Program(name, took, int(said.stdout))
