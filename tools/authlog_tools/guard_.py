"""Protect an auth.json from programs that don't know authlog, however they are started.

On Linux the kernel holds whoever opens the file for writing, for as long as it takes to give it a
file of its own; what is written there is told as an event. Programs that write at the same moment
may meet in one file: then one write may hide another, which is reported here. Elsewhere the file is
watched: two writes between two looks can hide one. `authlog run` misses none.

One guard works at a time; others stand by and take over when it ends.

for example:
  authlog guard
  authlog guard --for codex -v
  authlog guard --print-unit > ~/.config/systemd/user/authlog-guard.service
  authlog guard --status
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from authlog import AuthLog
from authlog_tools import words
from authlog_tools.failures import Failure
from authlog_tools.guarding import holder, left, watching
from authlog_tools.guarding.holder import Holder, Status
from authlog_tools.guarding.places import Places
from authlog_tools.guarding.report import Report
from authlog_tools.opened import open_log

INTERRUPTED = 130


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("-v", "--verbose", action="store_true", help="say each decision on stderr")
    parser.add_argument("--watch", action="store_true", help="watch, also where leases can be had")
    parser.add_argument(
        "--while", dest="other", type=int, metavar="PID", help="end when that process has ended"
    )
    parser.add_argument("--status", action="store_true", help="tell whether one works; 1 if none")
    parser.add_argument(
        "--print-unit",
        nargs="?",
        choices=("systemd", "launchd"),
        const="launchd" if sys.platform == "darwin" else "systemd",
        help="print what starts a guard with the session",
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    places = Places(log.path)
    if options.status:
        return _tell_status(places, as_json=options.json)
    if options.print_unit:
        from authlog_tools.guarding import units

        print(units.printed(options.print_unit, log.path), end="")
        return 0
    return _guard(log, places, options)


def _tell_status(places: Places, *, as_json: bool) -> int:
    found = holder.status(places.lock)
    if as_json:
        print(json.dumps({"guard": msgspec.to_builtins(found)}))
    elif found is None:
        print(f"no guard works for {places.snapshot}")
    else:
        since = words.ago(datetime.fromtimestamp(found.since, UTC), datetime.now(UTC))
        print(f"process {found.pid} guards {places.snapshot}: {found.how}, begun {since}")
        told = words.many(found.told, "write")
        print(f"{told} told, {words.many(found.collisions, 'collision')} reported")
    return 0 if found else 1


def _guard(log: AuthLog, places: Places, options: argparse.Namespace) -> int:
    report = Report(verbose=options.verbose)
    stop = _Stop(options.other)
    lock = Holder(places.lock)
    if not lock.take():
        report.note(f"another guard works for {log.path}; standing by", quiet=options.quiet)
        while not lock.take():
            if stop.event.wait(holder.STAND_BY) or stop.is_over():
                return stop.code
    log.materialize()  # what was written before is told, and there is a file to guard
    by_leases = not options.watch and _has_leases(places)
    how = "by leases" if by_leases else watching.how()
    status = Status(os.getpid(), time.time(), how)

    def begun() -> None:
        lock.say(status)
        report.note(f"guarding {log.path} {how}: {_not_promised(by_leases)}", quiet=options.quiet)

    def is_over() -> bool:
        nonlocal status
        now = msgspec.structs.replace(status, told=report.told, collisions=report.collisions)
        if now != status:
            status = now
            lock.say(status)
        return stop.is_over()

    if by_leases:
        _by_leases(log, places, report, lock, is_over, begun)
    else:
        watching.watch(log, report, is_over, begun)
    with contextlib.suppress(OSError):
        log.adopt()
    return stop.code


def _by_leases(
    log: AuthLog,
    places: Places,
    report: Report,
    lock: Holder,
    is_over: Callable[[], bool],
    begun: Callable[[], None],
) -> None:
    from authlog_tools.guarding import leases

    left.tell(log, places, report)
    try:
        leases.guard(log, places, report, lock, is_over, begun)
    except (EOFError, BrokenPipeError):
        happened = "the process that tells what was written has died"
        raise Failure(str(log.path), happened, "start authlog guard again", code=6) from None


def _has_leases(places: Places) -> bool:
    """Whether a lease on the file holds up who writes, and another can take its place: tried."""
    if sys.platform != "linux":
        return False
    from authlog_tools.guarding import kernel

    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})  # by which leases announce writers
    return kernel.can_exchange(places.folder) and kernel.has_leases(places.snapshot)


def _not_promised(by_leases: bool) -> str:
    if by_leases:
        return "programs that write at the same moment may meet; that is reported"
    return "two writes between two looks can hide one"


class _Stop:
    """Whether to end: by a signal, or because another process has ended."""

    def __init__(self, other: int | None) -> None:
        self.event = threading.Event()
        self.code = 0
        self._other = other
        signal.signal(signal.SIGTERM, lambda number, frame: self._end(0))
        signal.signal(signal.SIGINT, lambda number, frame: self._end(INTERRUPTED))

    def _end(self, code: int) -> None:
        self.code = code
        self.event.set()

    def is_over(self) -> bool:
        """Whether it is time."""
        return self.event.is_set() or (self._other is not None and not _lives(self._other))


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended and nobody has asked how (Linux). Source: man 5 proc_pid_stat."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[
            0
        ] in ("Z", "X")
    except (OSError, IndexError):
        return False
