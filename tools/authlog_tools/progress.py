"""How far long work is: on stderr, only for a person who has been waiting for a while."""

import argparse
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec

from authlog_tools import terminal

PATIENCE = 0.3  # s without a word

Tell = Callable[[int, int], None]


@contextmanager
def shown(options: argparse.Namespace, what: str) -> Generator[Tell]:
    """Give what is to be told bytes done and bytes in all; what it drew is erased at the end."""
    begun, draw = time.monotonic(), None
    visible = sys.stderr.isatty() and not options.quiet and find_spec("rich") is not None
    with ExitStack() as drawn:

        def tell(done: int, total: int) -> None:
            nonlocal draw
            if draw is None and visible and time.monotonic() - begun > PATIENCE:
                draw = drawn.enter_context(_bar(options, what))
            if draw is not None:
                draw(done, total)

        yield tell


@contextmanager
def _bar(options: argparse.Namespace, what: str) -> Generator[Tell]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = terminal.console(options, stderr=True)
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
