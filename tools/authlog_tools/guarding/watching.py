"""Watching an auth.json where no lease can be had: what is written is told when it has happened.

Two writes between two looks can hide one; what is seen is told, and stale rewrites are healed.
"""

import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import authlog
from authlog_tools.guarding.report import Report
from authlog_tools.tables import clean

LOOK = 0.05  # s between two looks where nothing tells that a file has changed
ANYWAY = 200  # ms after which is looked though nothing was told


def watch(
    log: authlog.AuthLog, report: Report, is_over: Callable[[], bool], begun: Callable[[], None]
) -> None:
    """Tell what other programs write until it `is_over`; `begun` is called when it is watched."""
    wait = _waiting(log.path)
    begun()
    while not is_over():
        try:
            event = log.adopt()
        except (authlog.AuthLogError, OSError) as error:
            report.error(error)  # it is tried again with the next look
            event = None
        if event is not None:
            report.told += 1
            names = ", ".join(clean(name) for name in event.providers)
            report.say(f"found: event {event.seq}, {event.kind} {names}".rstrip())
        wait()


def how() -> str:
    """Return how it is watched, in words."""
    if importlib.util.find_spec("watchfiles"):
        return "by watching"
    return f"by looking every {LOOK * 1000:.0f} ms (more with pip install 'authlog[guard]')"


def _waiting(path: Path) -> Callable[[], None]:
    """Return what waits until the file may have changed."""
    try:
        import watchfiles
    except ImportError:
        return lambda: time.sleep(LOOK)

    def concerns(change: watchfiles.Change, name: str) -> bool:
        return Path(name).name == path.name

    changes = watchfiles.watch(
        path.parent,
        watch_filter=concerns,
        debounce=1,
        step=1,
        rust_timeout=ANYWAY,
        yield_on_timeout=True,
        raise_interrupt=False,
        recursive=False,
    )
    return lambda: _wait(changes)


def _wait(changes: Iterator[object]) -> None:
    next(changes, None)
