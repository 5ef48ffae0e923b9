"""A pager for what is longer than the screen: $AUTHLOG_PAGER, $PAGER, or less."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from types import FrameType

from authlog_tools import terminal


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add --no-pager."""
    parser.add_argument("--no-pager", action="store_true", help="print all at once")


def show(lines: Iterable[str], options: argparse.Namespace) -> None:
    """Print the lines; through the pager as soon as there are more than the screen holds."""
    coming = iter(lines)
    first = list(islice(coming, terminal.height()))  # the prompt needs a line, too
    every = chain(first, coming)
    if options.no_pager or len(first) < terminal.height() or not _paged(every):
        for line in every:
            print(line)


def _paged(lines: Iterator[str]) -> bool:
    """Whether a pager took the lines; waits for its end."""
    # Ctrl-C is the pager's to answer. A handler of ours is not handed on to it, as to ignore it is.
    before = signal.signal(signal.SIGINT, _stay)
    try:
        pager = _started()
        if pager is not None:
            _feed(pager, lines)
        return pager is not None
    finally:
        signal.signal(signal.SIGINT, before)


def _stay(number: int, frame: FrameType | None) -> None:
    pass


def _started() -> "subprocess.Popen[str] | None":
    """Return the pager, or None if none is wanted or can be had."""
    chosen = os.environ.get("AUTHLOG_PAGER", os.environ.get("PAGER"))
    command = "less" if chosen is None else chosen.strip()
    if command in ("", "cat"):
        return None
    # What git sets: quit if it fits one screen, take colours, leave the text on the screen.
    surroundings = {"LESS": "FRX", **os.environ}
    try:
        return subprocess.Popen(
            shlex.split(command), stdin=subprocess.PIPE, text=True, errors="replace",
            env=surroundings,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        if chosen is not None:
            print(f"authlog: the pager {command} can't be started: {error}", file=sys.stderr)
        return None


def _feed(pager: "subprocess.Popen[str]", lines: Iterator[str]) -> None:
    assert pager.stdin is not None
    with suppress(BrokenPipeError):  # enough was seen
        for line in lines:
            pager.stdin.write(f"{line}\n")
    with suppress(BrokenPipeError):
        pager.stdin.close()
    pager.wait()
