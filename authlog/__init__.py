"""A store under every program that keeps its logins in one JSON file.

Several processes may change it at once, and none loses another's logins. What happens to each
credential is a line of an append-only log; auth.json is rebuilt from it, so that every program
which reads that file goes on working. In a dozen lines:

    from authlog import ApiKey, AuthLog, OAuth

    log = AuthLog("auth.json")                      # nothing is created until the first change
    log.set("openai", ApiKey("sk-..."))             # durable and shown when it returns
    log.set("anthropic", OAuth("refresh", "access", expires=1790000000000))
    log.update("anthropic", access="newer")         # the other members stay, known or not
    log.change({"openai": None, "groq": ApiKey("gsk-...")})  # all of it or none of it

    seq = log.seq("groq")
    log.set("groq", ApiKey("gsk-2"), expect=seq)    # Conflict if somebody else was faster
    log.get("groq")                                 # ApiKey(key=<9c1f02ab>): no secret in a repr
    for event in log.history("groq"):               # who changed it, when, from what to what
        print(event.seq, event.time, event.kind, event.writer)
    log.restore("openai", 2)                        # as it was after event 2
"""

from authlog._engine.layout import preset
from authlog.credentials import ApiKey, Credential, OAuth, Opaque, WellKnown
from authlog.errors import (
    AuthLogError,
    Conflict,
    Corruption,
    InvalidCredential,
    LockTimeout,
    LogCorrupted,
    NotDurable,
    NotErased,
    NotMaterialized,
    NotWritten,
    PublishTimeout,
    SecretErased,
    SnapshotCorrupted,
    StaleToken,
    StorageFull,
    Unacknowledged,
    UnknownFormat,
    UnsafePermissions,
)
from authlog.events import Change, Event, Found, Kind, Span, Writer
from authlog.health import Damage, Freshness, Health, SegmentHealth
from authlog.outcomes import Compaction, Extent, Repair
from authlog.store import AuthLog

__all__ = [
    "ApiKey",
    "AuthLog",
    "AuthLogError",
    "Change",
    "Compaction",
    "Conflict",
    "Corruption",
    "Credential",
    "Damage",
    "Event",
    "Extent",
    "Found",
    "Freshness",
    "Health",
    "InvalidCredential",
    "Kind",
    "LockTimeout",
    "LogCorrupted",
    "NotDurable",
    "NotErased",
    "NotMaterialized",
    "NotWritten",
    "OAuth",
    "Opaque",
    "PublishTimeout",
    "Repair",
    "SecretErased",
    "SegmentHealth",
    "SnapshotCorrupted",
    "Span",
    "StaleToken",
    "StorageFull",
    "Unacknowledged",
    "UnknownFormat",
    "UnsafePermissions",
    "WellKnown",
    "Writer",
    "preset",
]
