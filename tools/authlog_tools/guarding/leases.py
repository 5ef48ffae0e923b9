"""Guarding by leases: the gate here, the teller beside it, and what a guard before has left."""

import contextlib
import os
import time
from collections.abc import Callable

import authlog
from authlog_tools.guarding import messages, teller
from authlog_tools.guarding.gate import Gate
from authlog_tools.guarding.holder import Holder
from authlog_tools.guarding.places import Places
from authlog_tools.guarding.report import Report

TICK = 0.2  # s between two looks whether to end, while nothing happens
LAST = 1.0  # s for which writers that are in a file are waited for at the end


def guard(
    log: authlog.AuthLog,
    places: Places,
    report: Report,
    lock: Holder,
    is_over: Callable[[], bool],
    begun: Callable[[], None],
) -> None:
    """Do it until it `is_over`, which is asked a few times a second; SIGIO must be blocked.

    `begun` is called when nobody can write any more without our knowing.

    Raises:
        EOFError, BrokenPipeError: the teller has died.

    """
    process, to_teller = teller.start(log, places, report, lock)
    gate = Gate(places, to_teller, report)
    try:
        to_teller.send(messages.Rebuild())
        while not gate.stands and not is_over():
            gate.wait(TICK)
        begun()
        while not is_over():
            gate.wait(TICK)
        end = time.monotonic() + LAST
        while gate.has_writers and time.monotonic() < end:
            gate.wait(TICK / 10)
        gate.finish()
    finally:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process, 0)
        gate.leave()
