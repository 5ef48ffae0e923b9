"""Bring a credential back as it was after an event, or before a time; see authlog history.

An OAuth login that was refreshed since is refused: its refresh token is spent, and using it again
can revoke the login. --force does it all the same.

for example:
  authlog restore anthropic 42
  authlog restore anthropic --before 2d
"""

import argparse
import json
import shlex
from datetime import UTC, datetime

from authlog import AuthLog, Event, StaleToken
from authlog_tools import past, points, words
from authlog_tools.failures import Failure
from authlog_tools.opened import absent, open_log, settled
from authlog_tools.tables import clean, event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    parser.add_argument("seq", metavar="SEQ", type=int, nargs="?", help="an event")
    parser.add_argument("--before", metavar="TIME", help="as it was then: 2d, 2026-11-20T10:00")
    parser.add_argument(
        "--force", action="store_true", help="also an OAuth login that was refreshed since"
    )


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    if (options.seq is None) == (options.before is None):
        hint = "see authlog restore --help"
        raise Failure(options.provider, "needs SEQ or --before TIME", hint, code=2)
    seq: int = options.seq if options.before is None else points.before(log, options.before)
    _refuse_for_nothing(log, options.provider, seq)
    event = brought_back(log, options, seq)
    if options.json:
        print(json.dumps(event_object(event)))
    elif not options.quiet:
        there = "is as it was" if event.providers.get(options.provider) else "is absent, as it was"
        print(f"{clean(options.provider)} {there} after event {seq}: event {event.seq}")
        print(way_back(options, event.seq - 1))
    return 0


def brought_back(log: AuthLog, options: argparse.Namespace, seq: int) -> Event:
    """Restore the provider as it was after that event; tell why not, and what to do.

    Raises:
        Failure: it would replay a spent refresh token; there is no such event.

    """
    provider: str = options.provider
    try:
        return settled(log, lambda: log.restore(provider, seq, force=options.force))
    except ValueError as error:
        raise Failure(provider, str(error), "see authlog history", code=2) from None
    except StaleToken as error:
        count = _refreshes(log, provider, seq)
        ago = words.ago(error.refreshed_at, datetime.now(UTC))
        times = f"once since event {seq}, {ago}"
        if count > 1:
            times = f"{count} times since event {seq}, first {ago}"
        happened = f"refreshed {times}: the refresh token of then is spent"
        hint = "using it can make the issuer revoke the login; log in anew, or add --force"
        raise Failure(provider, happened, hint, code=5, name="StaleToken") from None


def _refreshes(log: AuthLog, provider: str, seq: int) -> int:
    """Return how many refresh tokens the provider has had since."""
    then = past.at(log.history(), seq).get(provider)
    changes = (event.providers.get(provider) for event in log.history(provider, after=seq))
    tokens = {change.members.get("refresh") for change in changes if change}
    return len(tokens - {None, then.members.get("refresh") if then else None})


def _refuse_for_nothing(log: AuthLog, provider: str, seq: int) -> None:
    """Refuse to write an event that would change nothing.

    Raises:
        Failure: the provider is as it was then, or never was there.

    """
    if next(log.history(provider), None) is None:
        raise absent(log, provider)
    newest = log.seq()
    then, now = (past.at(log.history(), point).get(provider) for point in (seq, newest))
    if seq <= newest and past.members(then, now) == past.members(now, now):
        hint = f"see authlog history {provider}"
        raise Failure(provider, f"is just as it was after event {seq}", hint)


def way_back(options: argparse.Namespace, seq: int) -> str:
    """Return the command that takes a change back, in a line: of the same store."""
    return f"to take it back: {command(options, seq)}"


def command(options: argparse.Namespace, seq: int) -> str:
    """Return the command that brings the provider back as it was after that event."""
    given = [("--path", options.path), ("--for", options.program)]
    which = [f"{flag} {shlex.quote(value)} " for flag, value in given if value]
    return clean(f"authlog {''.join(which)}restore {shlex.quote(options.provider)} {seq}")
