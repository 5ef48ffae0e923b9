"""What is written to: whether a person looks at it, how wide it is, and in which colours."""

import argparse
import os
import sys
import textwrap
from collections.abc import Callable
from importlib.util import find_spec
from shutil import get_terminal_size
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

Paint = Callable[[str, str], str]  # a text and one of Rich's styles -> what is written


def draws() -> bool:
    """Whether output is drawn for a person: on a terminal, if Rich is there (`authlog[cli]`).

    Otherwise it is for programs: tab-separated, without a head, times in full.
    """
    return sys.stdout.isatty() and find_spec("rich") is not None


def coloured(options: argparse.Namespace) -> bool:
    """Whether what is drawn has colours: --no-color, NO_COLOR, FORCE_COLOR and TERM say so.

    FORCE_COLOR does not make a terminal of a pipe: it is often set where a script reads it.
    Source: https://no-color.org: any value but an empty one counts.
    """
    if options.no_color or os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or os.environ.get("TERM") != "dumb"


def painter(options: argparse.Namespace) -> Paint:
    """Return what gives a text a style, if colours are wanted."""
    if not coloured(options):
        return lambda text, style: text
    from rich.color import ColorSystem
    from rich.style import Style

    # The 16 colours that a terminal's user has chosen, so that they can be read on any ground.
    return lambda text, style: Style.parse(style).render(text, color_system=ColorSystem.STANDARD)


def console(options: argparse.Namespace, *, stderr: bool = False) -> "Console":
    """Return Rich's view of the terminal; nothing in a text has a meaning for it."""
    from rich.console import Console

    return Console(
        stderr=stderr,
        color_system="standard" if coloured(options) else None,
        width=width(),  # Rich takes a dumb terminal to be 80 columns wide
        markup=False,
        emoji=False,
        highlight=False,
    )


def fitted(text: str, stream: TextIO, indent: str = "  ") -> str:
    """Return the text, broken between words if the stream is a terminal that is too narrow."""
    if not stream.isatty():
        return text
    return textwrap.fill(
        text, width(), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def width() -> int:
    """Return how many columns there are."""
    return get_terminal_size().columns


def height() -> int:
    """Return how many lines there are."""
    return get_terminal_size().lines


def note(options: argparse.Namespace, text: str) -> None:
    """Tell a person on stderr why there is nothing to see."""
    if draws() and not options.quiet:
        print(text, file=sys.stderr)
