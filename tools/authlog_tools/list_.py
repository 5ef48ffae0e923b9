"""List the providers, one per line: name, type, when it expires, seq of its last change."""

import argparse
import json

import authlog
from authlog_tools import terminal
from authlog_tools.opened import open_log
from authlog_tools.tables import print_rows, when


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    found = log.all()
    if options.json:
        print(json.dumps([_object(log, name, what) for name, what in found.items()]))
        return 0
    if not found:
        terminal.note(options, f"no credential is filed in {log.path}")
        return 0
    print_rows(
        (
            (name, what.type or "", when(_expires(what)), str(log.seq(name)))
            for name, what in found.items()
        ),
        ("provider", "type", "expires", "seq"),
        options,
    )
    return 0


def _expires(credential: authlog.Credential) -> int | None:
    return credential.expires if isinstance(credential, authlog.OAuth) else None


def _object(log: authlog.AuthLog, name: str, credential: authlog.Credential) -> dict[str, object]:
    return {
        "provider": name,
        "type": credential.type,
        "expires": _expires(credential),
        "seq": log.seq(name),
    }
