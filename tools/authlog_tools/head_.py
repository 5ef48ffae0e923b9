"""Print the newest event's seq and hash; noted elsewhere, it proves later that nothing was changed.

for example:
  authlog head                        # 42:9c1f...
  authlog verify --expect 42:9c1f...  # another day
"""

import argparse
import json

from authlog_tools.failures import Failure
from authlog_tools.opened import open_log


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing."""


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    newest = next(log.history(reverse=True), None)
    if newest is None:
        raise Failure(str(log.path), "there is no log yet", "the first change begins it")
    if options.json:
        print(json.dumps({"seq": newest.seq, "hash": newest.hash}))
    else:
        print(f"{newest.seq}:{newest.hash}")
    return 0
