"""The store that the common options name, and changes whose outcome is told."""

import argparse
import difflib
from collections.abc import Callable
from typing import TypeVar

import authlog
from authlog_tools.failures import Failure

Made = TypeVar("Made", bound=authlog.Event | None)


def open_log(options: argparse.Namespace) -> authlog.AuthLog:
    """Return the store of --path, --for, AUTHLOG_PATH or opencode."""
    path = authlog.preset(options.program) if options.program else options.path
    return authlog.AuthLog(path, program="authlog")


def absent(log: authlog.AuthLog, provider: str) -> Failure:
    """Return the failure that a provider is not there, with the nearest that is."""
    near = difflib.get_close_matches(provider, log.all(), 1)
    hint = f"did you mean {near[0]}?" if near else "authlog list shows what is there"
    return Failure(provider, f"no such credential in {log.path}", hint)


def settled(log: authlog.AuthLog, change: Callable[[], Made]) -> Made | authlog.Event:
    """Make a change; if it is not known to be durable, ask once more and say what came out.

    Raises:
        Failure: it is not in the log, or still not known.

    """
    try:
        return change()
    except authlog.Unacknowledged as error:
        try:
            durable = log.settle()
        except authlog.Unacknowledged:
            raise error from None
        if durable:
            return error.event
        raise Failure(
            str(log.path), "the change is not in the log and never will be", "try again", code=6
        ) from None
