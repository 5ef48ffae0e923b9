"""Tell how a credential came to be as it is now, or why it is gone and what brings it back.

for example:
  authlog why anthropic
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from itertools import takewhile

from authlog import AuthLog, Event, SecretErased
from authlog_tools import past, terminal
from authlog_tools.opened import absent, open_log
from authlog_tools.restore_ import command
from authlog_tools.tables import clean, event_object
from authlog_tools.words import ago, many

RECENT = 5  # changes that are told one by one


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    events = list(log.history(options.provider))
    if not events:
        raise absent(log, options.provider)
    if options.json:
        print(json.dumps([event_object(event) for event in events]))
        return 0
    name = _filed_as(options.provider, events[-1])
    for sentence in sentences(log, name, events):
        print(terminal.fitted(clean(sentence), sys.stdout))
    if events[-1].providers.get(name) is None:
        print(clean(_way_back(log, options, name, events)))
    return 0


def _filed_as(provider: str, last: Event) -> str:
    """Return the name under which the event knows the provider: an account's, perhaps."""
    base = provider.partition("@")[0]
    names = [name for name in last.providers if name.partition("@")[0] == base]
    return provider if provider in last.providers or not names else names[0]


def sentences(log: AuthLog, name: str, events: list[Event]) -> list[str]:
    """Return the life of a provider, in sentences."""
    now, last = datetime.now(UTC), events[-1]
    told: list[str] = []
    recent = events
    if len(events) > RECENT + 1:
        recent = events[-RECENT:]
        told.append(_one(events[0], name, None, now))
        told.append(f"Then it changed {many(len(events) - RECENT - 1, 'time')}.")
    before = past.at(log.history(), recent[0].seq - 1).get(name)
    for event in recent:
        told.append(_one(event, name, past.plainly(before) if before else None, now))
        before = event.providers.get(name)
    if last.providers.get(name) is not None:
        told.append(f"So it is {past.plainly(last.providers[name])} now, as of event {last.seq}.")
    return told


def _way_back(log: AuthLog, options: argparse.Namespace, name: str, events: list[Event]) -> str:
    """Return the command that brings back what is gone, or why none does."""
    gone = takewhile(lambda event: event.providers.get(name) is None, reversed(events))
    seq = min(event.seq for event in gone) - 1  # of the last state in which it was there
    if seq < events[0].seq:
        return "So it is gone, and was never there."
    try:
        log.at(seq)
    except SecretErased:
        return "So it is gone, and its secrets were erased: log in anew."
    return f"So it is gone. To bring it back: {command(options, seq)}"


def _one(event: Event, name: str, before: str | None, now: datetime) -> str:
    change = event.providers.get(name)
    now_is = past.plainly(change)
    who = (event.by or event.writer).program
    user = event.writer.user
    foreign = f"a program that {event.writer.program} watched" if event.by is None else who
    gone = change is None
    did = {
        "init": "It was in auth.json when the log began",
        "import": "It was taken in with a whole auth.json",
        "set": f"{who} ({user}) {'changed' if before else 'stored'} it: {now_is}",
        "refresh": f"{who} refreshed it: {now_is}",
        "remove": f"{who} ({user}) removed it",
        "adopt": f"{foreign} took it out of auth.json" if gone
        else f"{foreign} wrote it into auth.json: {now_is}",
        "restore": f"{who} ({user}) took it away again, as it was before" if gone
        else f"{who} ({user}) brought back an earlier state: {now_is}",
    }.get(event.kind, f"{event.kind} by {who}")  # fmt: skip
    return f"{did} ({ago(event.time, now)}, event {event.seq})."
