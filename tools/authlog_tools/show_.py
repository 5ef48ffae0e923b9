"""Show one event in full, without a secret: what changed, member by member, and the proof.

PROVIDER~N is the event that made the state of N changes ago: ~0 is its last change.

for example:
  authlog show 42
  authlog show anthropic~1
"""

import argparse
import json
import sys

from authlog import Event
from authlog_tools import past, terminal
from authlog_tools.decisions import explained
from authlog_tools.diff_ import tell_members
from authlog_tools.failures import Failure
from authlog_tools.opened import open_log
from authlog_tools.points import seq_of
from authlog_tools.tables import clean, event_object
from authlog_tools.words import headline, writer_of


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("seq", metavar="SEQ|PROVIDER~N")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    seq = seq_of(log, options.seq)
    event = next(log.history(after=seq - 1), None)
    if event is None or event.seq != seq:
        happened = f"there is no such event in {log.path}"
        raise Failure(options.seq, happened, "see authlog history")
    if options.json:
        print(json.dumps(event_object(event)))
        return 0
    _tell(event, past.at(log.history(), event.seq - 1), explained(log, event))
    return 0


def _tell(event: Event, before: past.Described, why: str | None) -> None:
    print(f"event {event.seq}  {event.kind}  {event.time.astimezone().isoformat(' ', 'seconds')}")
    print(f"  {clean(headline(event, {name: before.get(name) for name in event.providers}))}")
    if why is not None:
        print(terminal.fitted(f"  {clean(why)}", sys.stdout, "  "))
    writer = writer_of(event)
    print(f"  writer     {clean(str(writer))} ({clean(writer.user)})")
    if event.by is not None:
        print(f"  told by    {clean(str(event.writer))}")
    for difference in past.differences(before, past.after(before, event)):
        print(f"  {difference.outcome:10} {clean(difference.provider)}")
        tell_members(difference.members)
    if event.base is not None:
        print(f"  based on   event {event.base}")
    if event.file is not None:
        print(f"  quarantine {clean(event.file)}")
    for name, span in (("dropped", event.dropped), ("lost", event.gap)):
        if span is not None:
            print(f"  {name:10} events {span.first} to {span.last}")
    print(f"  kept       {'the history, not what was filed' if event.erased else 'whole'}")
    print(f"  hash       {event.hash}")
    print(f"  prev       {event.prev}")
