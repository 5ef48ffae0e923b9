"""Show a credential, its secrets as fingerprints.

for example:
  authlog get anthropic
  authlog get anthropic --field access     print that member, for a script
  authlog get anthropic --reveal           print all of it as JSON
"""

import argparse
import json

import msgspec

import authlog
from authlog_tools.failures import Failure
from authlog_tools.opened import absent, open_log
from authlog_tools.tables import clean, expiry


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("provider", metavar="PROVIDER")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--reveal", action="store_true", help="print the secrets, as JSON")
    how.add_argument("--field", metavar="NAME", help="print that member's value, and only that")


def run(options: argparse.Namespace) -> int:
    """Do it."""
    log = open_log(options)
    credential = log.get(options.provider)
    if credential is None:
        raise absent(log, options.provider)
    if options.reveal:
        print(credential.raw.decode())
    elif options.field is not None:
        print(_member(options, credential.value))
    else:
        _print_masked(options, credential, _change(log, options.provider))
    return 0


def _member(options: argparse.Namespace, value: object) -> str:
    members = msgspec.convert(value, dict[str, object]) if isinstance(value, dict) else {}
    if options.field not in members:
        raise Failure(options.provider, f"has no member {options.field}", "see authlog get")
    found = members[options.field]
    return found if isinstance(found, str) else json.dumps(found)


def _change(log: authlog.AuthLog, provider: str) -> authlog.Change | None:
    """Return what the provider's last event says of it, None without a log."""
    seq = log.seq(provider)
    for event in log.history(after=seq - 1) if seq else ():
        return event.providers.get(provider.rstrip("/"))
    return None


def _print_masked(
    options: argparse.Namespace, credential: authlog.Credential, change: authlog.Change | None
) -> None:
    members = dict(change.members) if change else {}
    expires = change.expires if change else None
    if options.json:
        body = {
            "provider": options.provider,
            "type": credential.type,
            "expires": expires,
            "members": members,
        }
        print(json.dumps(body))
        return
    print(f"{clean(options.provider)}  {credential.type or ''}".rstrip())
    if change is None:
        print("  (no log yet: nothing has fingerprints)")
    shown = {} if expires is None else {"expires": f"{expires}  ({expiry(expires)})"}
    shown |= {clean(name) or "(value)": f"<{mark}>" for name, mark in members.items()}
    width = max(map(len, shown), default=0)
    for name, what in shown.items():
        print(f"  {name:{width}}  {what}")
