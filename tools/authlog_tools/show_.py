"""Show one event in full, without a secret."""

import argparse
import json

from authlog_tools.failures import Failure
from authlog_tools.opened import open_log
from authlog_tools.tables import clean, described, event_object


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("seq", metavar="SEQ", type=int)


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    event = next(iter(log.history(after=options.seq - 1)), None)
    if event is None or event.seq != options.seq:
        raise Failure(str(options.seq), f"there is no such event in {log.path}", "see history")
    if options.json:
        print(json.dumps(event_object(event)))
        return 0
    print(f"event {event.seq}  {event.kind}  {event.time.isoformat()}")
    print(f"  writer     {clean(str(event.writer))} ({clean(event.writer.user)})")
    for name, change in event.providers.items():
        print(f"  changed    {clean(described({name: change}))}")
    if event.base is not None:
        print(f"  based on   event {event.base}")
    if event.file is not None:
        print(f"  quarantine {event.file}")
    print(f"  hash       {event.hash}")
    print(f"  prev       {event.prev}")
    return 0
