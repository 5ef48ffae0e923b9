"""What a restore would do, and why it would be refused, before it is asked for."""

import shlex
from pathlib import Path

from msgspec import Struct

import authlog
from authlog_tools import words
from authlog_tools.failures import texts
from authlog_tools.page.index import Index
from authlog_tools.past import Member, members


class Plan(Struct, frozen=True):
    """From now to then; `refusal` says why not, `hint` what to do instead."""

    provider: str
    seq: int
    members: tuple[Member, ...]
    absent: bool
    command: str
    refusal: str
    hint: str


def plan(log: authlog.AuthLog, index: Index, provider: str, seq: int) -> Plan:
    """Return what bringing the provider back as after event `seq` would do."""
    now = index.became(provider, len(index))
    then = index.became(provider, index.upto(seq))
    old, new = (now[1] if now else None), (then[1] if then else None)
    refusal, hint = _refusal(log, index, provider, seq)
    if not refusal and old == new:
        refusal, hint = "It is just as it was then.", "There is nothing to restore."
    return Plan(
        provider=provider,
        seq=seq,
        members=members(old, new),
        absent=new is None,
        command=command(log.path, provider, seq),
        refusal=refusal,
        hint=hint,
    )


def command(path: Path, provider: str, seq: int) -> str:
    """Return the command line that does the same."""
    return shlex.join(["authlog", "--path", str(path), "restore", "--", provider, str(seq)])


def explained(error: Exception, index: Index, provider: str) -> tuple[str, str]:
    """Return why a restore was refused, and what to do instead."""
    if isinstance(error, authlog.StaleToken):
        spent = _refreshes(index, provider, error.seq)
        times = words.many(spent, "time") if spent else "once"
        return (
            (
                f"Refreshed {times} since. Its refresh token is spent: using it can make the "
                "issuer revoke every session of this login."
            ),
            "Log in anew. On the command line --force restores it all the same.",
        )
    if isinstance(error, authlog.SecretErased):
        return (
            f"The secrets at event {error.seq} were erased by compaction; the history stays.",
            "A newer event may still hold them; otherwise log in anew.",
        )
    return (str(error), "") if isinstance(error, ValueError) else texts(error)


def outcome(error: Exception) -> str:
    """Return what came of a restore that did not just succeed."""
    if isinstance(error, authlog.NotMaterialized):
        return "It was restored; auth.json does not show it yet."
    if isinstance(error, authlog.Unacknowledged):
        return "It is not known whether it was restored."
    return "It was refused; nothing was changed."


def _refusal(log: authlog.AuthLog, index: Index, provider: str, seq: int) -> tuple[str, str]:
    then = index.became(provider, index.upto(seq))
    try:
        log.at(seq)  # only to see whether its secrets are still there
    except (authlog.AuthLogError, ValueError, OSError) as error:
        return explained(error, index, provider)
    refresh = then[1].members.get("refresh") if then else None
    for event, change in index.changes(provider, seq):
        found = change.members.get("refresh") if change else None
        if refresh is not None and found not in (None, refresh):
            return explained(authlog.StaleToken(provider, seq, event.time), index, provider)
    return "", ""


def _refreshes(index: Index, provider: str, seq: int) -> int:
    """Return how often the provider's refresh token became another one after `seq`."""
    found = index.became(provider, index.upto(seq))
    mark = found[1].members.get("refresh") if found else None
    count = 0
    for _, change in index.changes(provider, seq):
        newer = change.members.get("refresh") if change else None
        if newer not in (None, mark):
            count, mark = count + 1, newer
    return count
