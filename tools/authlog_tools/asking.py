"""Asking before something is lost: on a terminal; elsewhere --yes says it."""

import argparse
import sys

from authlog_tools.failures import Failure


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add --yes."""
    parser.add_argument("--yes", action="store_true", help="do it without asking")


def agreed(options: argparse.Namespace, about: str, question: str) -> bool:
    """Whether the user agrees.

    Raises:
        Failure: nobody is there to be asked.

    """
    if options.yes:
        return True
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Failure(about, "needs to ask, and nobody is there to answer", "add --yes", code=2)
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
