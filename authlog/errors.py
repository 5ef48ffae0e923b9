"""Everything that can go wrong, as one tree.

    AuthLogError
    ├── LockTimeout (TimeoutError)      another process is writing; nothing was changed
    ├── Conflict                        the provider is not as the caller saw it (`expect=`)
    ├── Corruption
    │   ├── LogCorrupted                the log is damaged below what is known to have been synced
    │   └── SnapshotCorrupted           an auth.json without a log is not a JSON object
    ├── UnknownFormat                   written by a newer authlog; nothing is touched
    ├── InvalidCredential (ValueError)  what the caller gave can't be filed
    ├── UnsafePermissions               others could change the file
    ├── StaleToken                      restoring would replay a spent refresh token
    ├── SecretErased (LookupError)      that state's secrets are gone: erased, dropped or lost
    ├── NotWritten (OSError)            nothing was changed
    │   └── StorageFull                 ENOSPC, EDQUOT
    ├── NotErased (OSError)             a file that may hold secrets to be erased was not rewritten
    ├── NotMaterialized (OSError)       durable in the log; auth.json could not be rebuilt
    └── Unacknowledged                  in the log, not known to be durable; `settle()` tells
        ├── PublishTimeout (TimeoutError)
        └── NotDurable (OSError)        the disk refused the sync, and a new segment too

Errors carry fields and build their text when it is asked for, so they pickle. None holds a secret.
"""

import errno as _errno
import os
import shlex
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authlog.events import Event


def _reason(errno: int | None) -> str:
    return "I/O error" if errno is None else os.strerror(errno)


def _held(path: Path, timeout: float, holder: str | None) -> str:
    by = f" by {holder}" if holder else " by another process"
    return f"{path}: locked{by} (waited {timeout:g} s)"


class AuthLogError(Exception):
    """Whatever authlog raises on purpose."""


class LockTimeout(AuthLogError, TimeoutError):
    """Another process held a lock for longer than `timeout` seconds; nothing was changed."""

    def __init__(self, path: Path, timeout: float, holder: str | None = None) -> None:
        self.path, self.timeout, self.holder = self.args = path, timeout, holder

    def __str__(self) -> str:
        return f"{_held(self.path, self.timeout, self.holder)}; nothing was changed: try again"


class Conflict(AuthLogError):
    """`expect=` did not hold: the provider's last change is `actual`, a seq, not `expected`."""

    def __init__(self, provider: str, expected: int, actual: int) -> None:
        self.provider, self.expected, self.actual = self.args = provider, expected, actual

    def __str__(self) -> str:
        return (
            f"{self.provider}: changed by event {self.actual}, not {self.expected}; nothing was "
            "changed: read it again and decide anew"
        )


class Corruption(AuthLogError):
    """Bytes on disk are not what was written; they are kept as they are."""

    path: Path


class LogCorrupted(Corruption):
    """A line below what is known to have been synced is missing or not right.

    `offset` is in bytes, where the last right line of `path` ends; `seq` is that line's.
    """

    def __init__(self, path: Path, offset: int, seq: int, reason: str) -> None:
        self.path, self.offset, self.seq, self.reason = self.args = path, offset, seq, reason

    def __str__(self) -> str:
        return (
            f"{self.path}: damaged at byte {self.offset}, behind event {self.seq}: {self.reason}; "
            "nothing was changed: see `authlog verify`, mend it with `authlog repair`"
        )


class SnapshotCorrupted(Corruption):
    """An auth.json without a log is not a JSON object; `quarantined` is where a copy was put."""

    def __init__(self, path: Path, quarantined: Path | None = None) -> None:
        self.path, self.quarantined = self.args = path, quarantined

    def __str__(self) -> str:
        kept = f"; its bytes are in {self.quarantined}" if self.quarantined else ""
        return f"{self.path}: not a JSON object{kept}; it is left as it is: mend it or move it away"


class UnknownFormat(AuthLogError):
    """The log was written by a newer authlog: `found` is what this one (`known`) can't read."""

    def __init__(self, path: Path, found: str, known: str) -> None:
        self.path, self.found, self.known = self.args = path, found, known

    def __str__(self) -> str:
        return (
            f"{self.path}: written by a newer authlog (found {self.found}, known is {self.known}); "
            "nothing was touched: update authlog"
        )


class InvalidCredential(AuthLogError, ValueError):
    """What was given can't be filed; `where` is the path into it and what was expected there."""

    def __init__(self, provider: str, where: str) -> None:
        self.provider, self.where = self.args = provider, where

    def __str__(self) -> str:
        return f"{self.provider or '(no name)'}: not a credential: {self.where}"


class UnsafePermissions(AuthLogError):
    """Others could change `path`; `owner` is the user id it belongs to."""

    def __init__(self, path: Path, mode: int, owner: int) -> None:
        self.path, self.mode, self.owner = self.args = path, mode, owner

    def __str__(self) -> str:
        name = shlex.quote(str(self.path))
        if self.mode & 0o002:
            return f"{self.path}: every user may write to it; mend it with: chmod o-w {name}"
        return (
            f"{self.path}: belongs to user {self.owner}, not to you; "
            f"mend it with: chown {_own_uid()} {name}"
        )


def _own_uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


class StaleToken(AuthLogError):
    """The OAuth login was refreshed at `refreshed_at`: its older refresh token is spent."""

    def __init__(self, provider: str, seq: int, refreshed_at: datetime) -> None:
        self.provider, self.seq, self.refreshed_at = self.args = provider, seq, refreshed_at

    def __str__(self) -> str:
        return (
            f"{self.provider}: refreshed at {self.refreshed_at.isoformat()}, after {self.seq}: its "
            "refresh token is spent, using it can revoke the login; log in anew, or force it"
        )


class SecretErased(AuthLogError, LookupError):
    """The secrets of that state are gone: erased or dropped by a compaction, or lost to damage."""

    def __init__(self, seq: int, provider: str | None = None) -> None:
        self.seq, self.provider = self.args = seq, provider

    def __str__(self) -> str:
        whose = f" of {self.provider}" if self.provider else ""
        return (
            f"the secrets{whose} at event {self.seq} are gone: erased, or lost to damage; "
            "see `authlog history`"
        )


class NotWritten(AuthLogError, OSError):
    """The disk refused to write `path`; nothing was changed."""

    def __init__(self, path: Path, errno: int | None) -> None:
        self.args = path, errno
        self.path, self.errno = path, errno

    def __str__(self) -> str:
        return f"{self.path}: not written ({_reason(self.errno)}); nothing was changed"


class StorageFull(NotWritten):
    """No space is left (ENOSPC) or allowed (EDQUOT); nothing was changed."""

    def __str__(self) -> str:
        return f"{super().__str__()}: free some space and try again"


class NotErased(AuthLogError, OSError):
    """A compaction got no further than `path`; no login was changed by it."""

    def __init__(self, path: Path, errno: int | None) -> None:
        self.args = path, errno
        self.path, self.errno = path, errno

    def __str__(self) -> str:
        return (
            f"{self.path}: not compacted any further ({_reason(self.errno)}); every login is as it "
            "was, some secrets may not be erased yet: mend the cause and run it again"
        )


class NotMaterialized(AuthLogError, OSError):
    """The change `seq` is durable in the log; auth.json (`path`) could not be rebuilt."""

    def __init__(self, path: Path, seq: int, errno: int | None = None) -> None:
        self.args = path, seq, errno
        self.path, self.seq, self.errno = path, seq, errno

    def __str__(self) -> str:
        return (
            f"{self.path}: could not be rebuilt ({_reason(self.errno)}) and is as it was; event "
            f"{self.seq} is durable in the log: mend the cause, the next change rebuilds the file"
        )


class Unacknowledged(AuthLogError):
    """The change `event` is in the log but not known to be durable; `settle()` tells."""

    def __init__(self, event: "Event") -> None:
        self.event = event
        self.args = (event,)

    def __str__(self) -> str:
        return f"event {self.event.seq} is in the log, not known to be durable: settle() tells"


class PublishTimeout(Unacknowledged, TimeoutError):
    """Another process held the publish lock for longer than `timeout` seconds."""

    def __init__(self, event: "Event", path: Path, timeout: float, holder: str | None) -> None:
        self.event, self.path, self.timeout, self.holder = self.args = event, path, timeout, holder

    def __str__(self) -> str:
        return (
            f"{_held(self.path, self.timeout, self.holder)}; event {self.event.seq} is in the log, "
            "not known to be durable: settle() tells"
        )


class NotDurable(Unacknowledged, OSError):
    """The disk refused to sync `path`, and a new segment too."""

    def __init__(self, event: "Event", path: Path, errno: int | None) -> None:
        self.args = event, path, errno
        self.event, self.path, self.errno = event, path, errno

    def __str__(self) -> str:
        return (
            f"{self.path}: could not be synced ({_reason(self.errno)}); event {self.event.seq} is "
            "not known to be durable: mend the disk, then settle() tells"
        )


def not_written(path: Path, error: OSError) -> NotWritten:
    """Return the error for a write to `path` that the disk refused with `error`."""
    full = error.errno in (_errno.ENOSPC, getattr(_errno, "EDQUOT", None))
    return (StorageFull if full else NotWritten)(path, error.errno)
