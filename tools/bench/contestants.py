"""The stores that are compared, each as somebody would write it who has just that store.

All of them acknowledge a set when it is durable. None but authlog keeps an auth.json that other
programs can read *and* a history; the limit keeps neither.
"""

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Protocol

import msgspec

from authlog import AuthLog, OAuth
from tools.bench.logins import Login, id_of

WAIT = 10.0  # s that authlog and SQLite wait for another process


class Contestant(Protocol):
    """A store as one process has it open.

    `replaced` is which write's login the last set found in its place, None if it didn't look.
    """

    name: ClassVar[str]
    replaced: str | None

    @classmethod
    def prepare(cls, folder: Path, logins: Mapping[str, Login]) -> None:
        """Make the store in an empty folder, with these logins."""
        ...

    def __init__(self, folder: Path) -> None: ...

    def set(self, provider: str, login: Login) -> str:
        """Store a login; it is durable on return. Returns what `log` lists of it."""
        ...

    def get(self, provider: str) -> str | None:
        """Return which write the provider's login is from."""
        ...

    def log(self) -> list[str] | None:
        """Return what is known of every set there ever was; None if the store doesn't keep it."""
        ...


class Limit:
    """One write of authlog's own line at the end of a file, and one fdatasync: no store at all."""

    name: ClassVar[str] = "limit: append + fdatasync"
    replaced: str | None = None

    @classmethod
    def prepare(cls, folder: Path, logins: Mapping[str, Login]) -> None:
        AuthLogStore.prepare(folder, logins)
        name, login = next(iter(logins.items()))
        AuthLogStore(folder).set(name, login)
        line = (folder / "auth.json.log" / "000001.jsonl").read_bytes().splitlines(keepends=True)[1]
        (folder / "line").write_bytes(line)
        (folder / "log").touch()

    def __init__(self, folder: Path) -> None:
        line = (folder / "line").read_bytes()
        start = line.index(b'"access":"', line.index(b'"secret":')) + len(b'"access":"')
        self._before, self._after = line[:start], line[line.index(b'"', start) :]
        self._path = folder / "log"
        self._fd = os.open(self._path, os.O_RDWR | os.O_APPEND)

    def set(self, provider: str, login: Login) -> str:
        os.write(self._fd, self._before + login.access.encode() + self._after)
        _sync(self._fd)
        return login.id

    def get(self, provider: str) -> str | None:
        written = [id for id in self.log() if id.startswith(f"{provider}-")]
        return written[-1] if written else None

    def log(self) -> list[str]:
        lines = self._path.read_bytes().splitlines()
        return [id_of(line[len(self._before) :].decode()) for line in lines]


class AuthLogStore:
    """authlog, by its public API."""

    name: ClassVar[str] = "authlog"
    replaced: str | None = None

    @classmethod
    def prepare(cls, folder: Path, logins: Mapping[str, Login]) -> None:
        AuthLog(folder / "auth.json").change({name: _view(of) for name, of in logins.items()})

    def __init__(self, folder: Path) -> None:
        self._log = AuthLog(folder / "auth.json", program="bench", lock_timeout=WAIT)

    def set(self, provider: str, login: Login) -> str:
        event = self._log.set(provider, _view(login))
        return f"{event.seq} {event.hash}"

    def get(self, provider: str) -> str | None:
        credential = self._log.get(provider)
        return id_of(credential.access) if isinstance(credential, OAuth) else None

    def log(self) -> list[str]:
        return [f"{event.seq} {event.hash}" for event in self._log.history()]


class Sqlite:
    """SQLite: an event row and a projection row in one transaction."""

    name: ClassVar[str] = "SQLite, WAL, synchronous=FULL"
    replaced: str | None = None

    @classmethod
    def prepare(cls, folder: Path, logins: Mapping[str, Login]) -> None:
        connection = sqlite3.connect(folder / "auth.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(
            "CREATE TABLE event (seq INTEGER PRIMARY KEY, time TEXT, kind TEXT, writer TEXT,"
            " provider TEXT, value TEXT)"
        )
        connection.execute("CREATE TABLE login (provider TEXT PRIMARY KEY, value TEXT)")
        connection.close()
        store = cls(folder)
        for name, login in logins.items():
            store.set(name, login)

    def __init__(self, folder: Path) -> None:
        self._connection = sqlite3.connect(folder / "auth.db", isolation_level=None, timeout=WAIT)
        self._connection.execute("PRAGMA synchronous=FULL")
        self._writer = f"bench {os.getpid()}"

    def set(self, provider: str, login: Login) -> str:
        value = msgspec.json.encode(login).decode()
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        event = execute(
            "INSERT INTO event (time, kind, writer, provider, value)"
            " VALUES (strftime('%Y-%m-%dT%H:%M:%fZ'), 'set', ?, ?, ?)",
            (self._writer, provider, value),
        )
        execute("INSERT OR REPLACE INTO login VALUES (?, ?)", (provider, value))
        execute("COMMIT")
        return f"{event.lastrowid} {login.id}"

    def get(self, provider: str) -> str | None:
        found = self._connection.execute(
            "SELECT value FROM login WHERE provider = ?", (provider,)
        ).fetchone()
        return msgspec.json.decode(found[0], type=Login).id if found else None

    def log(self) -> list[str]:
        rows = self._connection.execute("SELECT seq, value FROM event")
        return [f"{seq} {msgspec.json.decode(value, type=Login).id}" for seq, value in rows]


class JsonRewrite:
    """What programs do with their auth.json: read all, change one, write all; no lock.

    More careful than most of them: a file beside it, synced, then renamed.
    """

    name: ClassVar[str] = "JSON rewrite, no lock"

    @classmethod
    def prepare(cls, folder: Path, logins: Mapping[str, Login]) -> None:
        (folder / "auth.json").write_text(json.dumps(msgspec.to_builtins(logins), indent=2))

    def __init__(self, folder: Path) -> None:
        self.replaced: str | None = None
        self._path = folder / "auth.json"
        self._temp = folder / f"auth.json.{os.getpid()}"

    def set(self, provider: str, login: Login) -> str:
        logins = self._read()
        found = logins.get(provider)
        self.replaced = id_of(found["access"]) if found else None
        logins[provider] = msgspec.to_builtins(login)
        with self._temp.open("w") as file:
            json.dump(logins, file, indent=2)
            file.flush()
            _sync(file.fileno())
        self._temp.replace(self._path)
        return login.id

    def get(self, provider: str) -> str | None:
        found = self._read().get(provider)
        return id_of(found["access"]) if found else None

    def log(self) -> list[str] | None:
        return None

    def _read(self) -> dict[str, dict[str, str]]:
        logins: dict[str, dict[str, str]] = json.loads(self._path.read_bytes())
        return logins


CONTESTANTS: tuple[type[Contestant], ...] = (Limit, AuthLogStore, Sqlite, JsonRewrite)


def _view(login: Login) -> OAuth:
    return OAuth(login.refresh, login.access, login.expires)


def _sync(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)
