"""Which events `history` and `watch` are asked for: by flags, and by words with qualifiers."""

import argparse
import difflib
import re
from datetime import UTC, datetime

from authlog import AuthLog
from authlog_tools import filters
from authlog_tools.failures import Failure
from authlog_tools.filters import Filter

FLAGS = ("provider", "kind", "writer", "since", "until")
_NEGATED = re.compile(r"-[a-z]+:.*", re.DOTALL)


def prepared(given: list[str]) -> list[str]:
    """Return the arguments with -kind:refresh as what it is: a word, no option."""
    return [f"--word={one}" if _NEGATED.fullmatch(one) else one for one in given]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the words and flags."""
    parser.add_argument("words", metavar="PROVIDER|QUALIFIER", nargs="*", help="which events")
    parser.add_argument("--word", action="append", default=[], help=argparse.SUPPRESS)
    for name in FLAGS:
        parser.add_argument(f"--{name}", metavar="VALUE", help=f"the same as {name}:VALUE")
    parser.add_argument("--grep", metavar="TEXT", help="events that say exactly that anywhere")


def count(text: str) -> int:
    """Return how many events are meant."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is no number of events")
    return int(text)


def wanted(options: argparse.Namespace, log: AuthLog, *, coming: bool = False) -> Filter:
    """Return what is asked for.

    A first word that has no qualifier names a provider, if there ever was one of that name. If
    nothing says it, it is misspelt, unless the events are still coming.

    Raises:
        Failure: a word can't be understood.

    """
    now = datetime.now(UTC)
    words = [*options.words, *options.word]
    flags = {name: getattr(options, name) for name in FLAGS}
    found = filters.ALL
    if words and ":" not in words[0] and not words[0].startswith("-"):
        found = _first(log, words.pop(0), coming=coming)
    try:
        for word in words:
            found &= filters.word(word, now)
        for name, value in flags.items():
            found &= filters.ALL if value is None else filters.qualified(name, value, now)
    except filters.FilterError as error:
        about, _, said = str(error).partition(": ")
        happened, _, hint = said.rpartition("; ")
        help = f"see authlog {options.command} --help"
        raise Failure(about, happened or said, hint if happened else help, code=2) from None
    return found & (filters.saying(options.grep) if options.grep else filters.ALL)


def _first(log: AuthLog, word: str, *, coming: bool) -> Filter:
    """Return what a first word without a qualifier asks for."""
    if any(word in event.providers for event in log.history(word, reverse=True)):
        return Filter(word, (lambda event: word in event.providers,))
    anywhere, names = filters.saying(word), set[str]()
    for event in log.history(reverse=True):
        if anywhere.matches(event):
            return anywhere
        names.update(event.providers)
    if coming:
        return anywhere
    near = difflib.get_close_matches(word, names, 1)
    hint = f"did you mean {near[0]}?" if near else "authlog history shows all there is"
    raise Failure(word, f"no event in {log.path} names it", hint)
