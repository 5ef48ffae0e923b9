"""How far long work is: on stderr, only for a person who has been waiting for a while."""

import argparse
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

PATIENCE = 0.3  # s without a word
_WIDTH = 30  # columns of the bar


@contextmanager
def shown(options: argparse.Namespace, what: str) -> Generator[Callable[[int, int], None]]:
    """Give what is to be told bytes done and bytes in all."""
    begun, drawn = time.monotonic(), False
    visible = sys.stderr.isatty() and not options.quiet

    def tell(done: int, total: int) -> None:
        nonlocal drawn
        if visible and total and (drawn or time.monotonic() - begun > PATIENCE):
            drawn = True
            bar = "#" * (_WIDTH * done // total)
            percent = 100 * done // total
            print(f"\r{what}  [{bar:{_WIDTH}}] {percent:3} %", end="", file=sys.stderr, flush=True)

    try:
        yield tell
    finally:
        if drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
