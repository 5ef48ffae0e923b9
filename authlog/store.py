"""AuthLog: the store of one auth.json. See the package's docstring for the life of one."""

import os
import sys
import time
import weakref
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from authlog import credentials
from authlog._engine import (
    changing,
    compaction,
    files,
    history,
    lookback,
    opening,
    reading,
    safety,
    snapshot,
    telling,
)
from authlog._engine import repair as repairing
from authlog._engine import verify as verifying
from authlog._engine.codec import Draft
from authlog._engine.handle import Appended, Handle, NoLog
from authlog._engine.layout import Layout, default_path
from authlog._engine.log import Tail
from authlog._engine.rotation import RETENTION
from authlog._engine.state import Filed, State
from authlog._engine.telling import Held
from authlog.credentials import Credential
from authlog.errors import Conflict, InvalidCredential, LogCorrupted, SecretErased, StaleToken
from authlog.events import Event, Kind, Writer
from authlog.health import Health
from authlog.outcomes import Compaction, Repair

StrPath = str | os.PathLike[str]

WATCH_EVERY = 0.02  # s between two looks at the mark

_handles: "weakref.WeakSet[Handle]" = weakref.WeakSet()


def _start_anew_in_child() -> None:
    for handle in _handles:
        handle.start_anew()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_start_anew_in_child)


class AuthLog:
    """The logins in one auth.json, which several processes may change at once.

    Reading takes no lock and creates nothing. A change returns when it is durable and auth.json
    shows it; each is one event. Threads may share an AuthLog, a forked child may go on with its
    parent's, and any number of them may be open on one file.

    Args:
        path: the auth.json, which need not exist; None for `AUTHLOG_PATH`, else opencode's own.
        program: the name under which changes are told; None for that of this process.
        lock_timeout: seconds to wait for another process before giving up.

    """

    def __init__(
        self, path: StrPath | None = None, *, program: str | None = None, lock_timeout: float = 10.0
    ) -> None:
        self._handle = Handle(
            Layout(default_path() if path is None else Path(path)), program, lock_timeout
        )
        self._views: dict[str, tuple[bytes, Credential]] = {}
        _handles.add(self._handle)

    def __repr__(self) -> str:
        return f"AuthLog({str(self.path)!r})"

    @property
    def path(self) -> Path:
        """The snapshot: the real file behind a symbolic link."""
        return self._handle.layout.snapshot

    # Reading

    def get(self, provider: str) -> Credential | None:
        """Return the credential filed under `provider`, None if there is none.

        Raises:
            SnapshotCorrupted, LogCorrupted, UnknownFormat: it is not known.
            UnsafePermissions: others could have written it.

        """
        state = self._state()
        filed = state.filed.get(state.name(provider))
        if filed is None and provider.endswith("/"):
            filed = state.filed.get(state.name(provider.rstrip("/")))
        return None if filed is None else self._view(provider, filed.raw)

    def all(self) -> dict[str, Credential]:
        """Return every credential by the name it is filed under.

        Raises: as `get`.
        """
        return self._views_of(self._state())

    def seq(self, provider: str | None = None) -> int:
        """Return the seq of the last change to `provider`, 0 if it is absent; without one, the
        newest published seq, 0 if there is no log.

        Raises: as `get`.
        """
        try:
            tail = lookback.published(self._handle).tail
        except NoLog:
            return 0
        if provider is None:
            return tail.seq
        return _last_change(lookback.state_of(tail), provider)

    def at(self, when: int | datetime) -> dict[str, Credential]:
        """Return the state after event `when`, or after the last event up to that time.

        A datetime without a zone is local time.

        Raises:
            SecretErased: its secrets were erased or lost, or the event dropped.
            ValueError: there is no such event.

        """
        try:
            state = lookback.look_back(
                self._handle, lambda tail: lookback.state_at(self._handle, tail, when)
            )
        except NoLog:
            if isinstance(when, int) and when != 0:
                raise ValueError(f"there is no event {when}: there is no log yet") from None
            return {}
        return self._views_of(state)

    def history(
        self, provider: str | None = None, *, after: int = 0, reverse: bool = False
    ) -> Iterator[Event]:
        """Yield what was published, oldest first: all events, or those that changed `provider`.

        With `reverse` newest first; then a segment of the log is read when it is come to.

        Raises:
            LogCorrupted, UnknownFormat: a line can't be read; what comes before it is yielded.

        """
        try:
            tail = lookback.published(self._handle).tail
        except NoLog:
            return
        name = None if provider is None else lookback.state_of(tail).name(provider.rstrip("/"))
        for event in lookback.events(self._handle, tail, after, reverse=reverse):
            if name is None or (name in event.providers and event.kind != "checkpoint"):
                yield event

    def watch(self, after: int | None = None) -> Iterator[Event]:
        """Yield every event after seq `after`, or from now on, as it is published; blocks for the
        next one, and sees it within 20 ms.
        """
        seen = self.seq() if after is None else after
        while True:
            if self.seq() > seen:
                for event in self.history(after=seen):
                    seen = event.seq
                    yield event
            else:
                time.sleep(WATCH_EVERY)

    def verify(self, *, progress: Callable[[int, int], None] | None = None) -> Health:
        """Read everything and return how it stands; changes nothing.

        `progress` is told how many bytes were read, of how many.

        Raises:
            UnknownFormat: a line is of a newer authlog.

        """
        return verifying.verify(self._handle, progress)

    # Changing: durable on return, one event each

    def set(
        self,
        provider: str,
        credential: Credential | Mapping[str, object],
        *,
        expect: int | None = None,
    ) -> Event:
        """File a credential, in the place of the one there was.

        A typed view keeps the members it doesn't know of a credential of the same type. With
        `expect` it is filed only if the provider's last change is that seq (0: it is absent).

        Raises:
            InvalidCredential, Conflict, LockTimeout, NotWritten, Corruption, UnknownFormat,
            UnsafePermissions: nothing was changed.
            Unacknowledged: it is in the log, and `settle` tells whether it is durable.
            NotMaterialized: it is durable, and auth.json could not be rebuilt.

        """
        name = credentials.provider_name(provider)
        given = _given(name, credential)

        def decide(state: State) -> Draft | Exception | None:
            if refusal := _unexpected(state, name, expect):
                return refusal
            return _draft("set", state, {name: _merged(state, name, given)})

        return _event(changing.change(self._handle, decide))

    def update(self, provider: str, **members: object) -> Event:
        """Change members of a credential and keep the others, known or not; None removes one.

        Raises:
            KeyError: there is no such credential.
            Otherwise as `set`.

        """
        name = credentials.provider_name(provider)
        given = credentials.encoded_members(name, members)

        def decide(state: State) -> Draft | Exception | None:
            filed = state.filed.get(state.name(name))
            if filed is None:
                return KeyError(name)
            try:
                raw = credentials.updated(name, filed.raw, given)
            except InvalidCredential as error:
                return error
            return _draft("set", state, {name: raw})

        return _event(changing.change(self._handle, decide))

    def remove(self, provider: str, *, expect: int | None = None) -> Event | None:
        """Remove a credential; None if there was none. Its history stays, and a way back.

        Raises: as `set`.
        """
        name = credentials.provider_name(provider)

        def decide(state: State) -> Draft | Exception | None:
            if refusal := _unexpected(state, name, expect):
                return refusal
            if state.name(name) not in state.filed:
                return None
            return _draft("remove", state, {name: None})

        return changing.change(self._handle, decide)

    def change(self, patch: Mapping[str, Credential | Mapping[str, object] | None]) -> Event:
        """Change several providers at once, all or none; None removes one.

        Raises: as `set`.
        """
        given = {
            credentials.provider_name(provider): None
            if credential is None
            else _given(credentials.provider_name(provider), credential)
            for provider, credential in patch.items()
        }
        if not given or len(given) != len(patch):
            raise ValueError("a change needs providers, each of them once")

        def decide(state: State) -> Draft | Exception | None:
            raws = {
                name: None if what is None else _merged(state, name, what)
                for name, what in given.items()
            }
            return _draft("set" if any(raws.values()) else "remove", state, raws)

        return _event(changing.change(self._handle, decide))

    def restore(self, provider: str, seq: int, *, force: bool = False) -> Event:
        """Bring a credential back as it was after event `seq`; if it was absent, it is removed.

        Raises:
            StaleToken: it is an OAuth login that was refreshed since, and `force` is not set: the
                spent refresh token could revoke the login.
            SecretErased: its secrets were erased or lost.
            ValueError: there is no such event.
            Otherwise as `set`.

        """
        name = credentials.provider_name(provider)
        while True:
            tail = changing.begun(self._handle).tail
            looked = _last_change(lookback.state_of(tail), name)
            filed = self._filed_at(name, seq, tail, force=force)

            def decide(
                state: State, filed: Filed | None = filed, looked: int = looked
            ) -> Draft | Exception | None:
                if _last_change(state, name) != looked:
                    return _Changed()
                return _draft("restore", state, {name: filed.raw if filed else None})

            try:
                return _event(changing.change(self._handle, decide))
            except _Changed:
                continue  # its history is another one now: look again

    def adopt(self) -> Event | None:
        """Tell what other programs wrote into auth.json now, not at the next change.

        Returns the newest event told, None if there was nothing to tell. Without a log it begins
        one and returns `init`.

        Raises:
            LockTimeout, NotWritten, Corruption, UnknownFormat, NotMaterialized: as `set`.

        """
        told = changing.told(self._handle, None, None)
        return told[-1] if told else None

    def materialize(
        self, *, ready: Callable[[Path], None] | None = None, timeout: float | None = None
    ) -> Event | None:
        """Rebuild auth.json in a new file, also if it shows the newest state already: a program
        that has the old one open writes into that.

        `ready` is called with the path of the new file before that takes auth.json's place; it
        must be quick and not use this AuthLog. `timeout` stands for `lock_timeout`.

        Raises: as `adopt`.
        """
        told = changing.told(self._handle, ready or (lambda path: None), timeout)
        return told[-1] if told else None

    def tell(
        self,
        content: bytes,
        *,
        writer: Writer | None,
        after: int | None = None,
        before: int | None = None,
        stat: os.stat_result | None = None,
        ready: Callable[[Path], None] | None = None,
    ) -> Event | None:
        """Tell a write of a program that doesn't know authlog, held by a caller who watched it.

        `content` is all that the program wrote, in a file of its own, and `writer` is the program,
        None if that isn't known. It had read a state from seq `after` to `before`, by whoever
        watched it and tells each write once; by default one of the last 5 seconds, and what could
        be two things takes no login away. With the `stat` of its file it is told once, also if
        others find that file. Returns the event, `adopt`, or `quarantine` if it is not a JSON
        object; None if nothing is to be changed. `ready` is called with the new auth.json of that
        event, as by `materialize`.

        Raises: as `set`.
        """
        handle = self._handle
        held = Held(content, writer, after, before, snapshot.identity(stat))

        def append() -> Appended | None:
            return lookback.look_back(
                self._handle, lambda tail: telling.tell_held(handle, tail, held)
            )

        appended = changing.appended(self._handle, append)
        if appended is None:
            return None
        changing.acknowledge(self._handle, appended, None if appended.event is None else ready)
        handle.world.answered(appended.seq)
        return appended.event

    def compact(
        self,
        *,
        retain: timedelta = RETENTION,
        drop_history: bool = False,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Compaction:
        """Start a new segment, and erase the secrets that were superseded for longer than `retain`
        from the closed ones; zero means all that are not filed any more. The events stay.

        Files that were in quarantine for longer go too. With `drop_history` all closed segments go,
        however young; a checkpoint states which events they held. Others read and write meanwhile.
        With `dry_run` nothing is changed. `progress` is told how many bytes are done, of how many.

        Raises:
            LogCorrupted, UnknownFormat, UnsafePermissions: nothing more was erased.
            LockTimeout, NotErased, NotMaterialized: the same; run it again.

        """
        if retain < timedelta(0):
            raise ValueError("a retention is not negative")
        handle = self._handle
        if not handle.numbers():
            return compaction.nothing(handle, dry_run=dry_run)
        try:
            if dry_run:
                return compaction.plan(handle, retain, drop_history=drop_history)
            return compaction.compact(
                handle,
                retain,
                drop_history=drop_history,
                progress=progress or (lambda done, total: None),
            )
        except OSError as error:
            raise changing.not_erased(handle, error) from error

    def repair(self, *, dry_run: bool = False) -> Repair:
        """Mend a damaged log from what is provably good; with `dry_run` say what would be done.

        Every damaged file is kept in quarantine. Intact events stay; those that could not be saved
        are stated as a gap by a checkpoint in a new segment. What auth.json says is taken as it is
        if it is known to be the newest, else told as another program's write.

        Raises:
            SnapshotCorrupted: there is no log, and auth.json is not a JSON object.
            UnknownFormat, UnsafePermissions, LockTimeout: nothing was changed.
            NotWritten, StorageFull, NotMaterialized: it is not done yet: run it again.

        """
        try:
            safety.check(self.path, files.stat(self.path))
            return repairing.repair(self._handle, dry_run=dry_run)
        except OSError as error:
            raise changing.refused(self._handle, error) from error

    def forget(self, provider: str) -> Event:
        """Remove a credential and destroy every secret it ever had, in all files of the log, at
        once; the events stay. What is in quarantine goes too, for it can't be told whose it is.

        An event that changed other credentials as well, or a checkpoint, loses their secrets with
        it: states of that time can't be brought back. A disk may keep what was on it: flash and
        file systems that copy on write overwrite nothing at once.

        Raises:
            KeyError: there never was such a credential.
            NotErased: it is removed, and not all of its secrets are erased yet: call it again.
            Otherwise as `set`.

        """
        name = credentials.provider_name(provider)
        filed = lookback.state_of(changing.begun(self._handle).tail).name(name)
        if not any(filed in event.providers for event in self.history()):
            raise KeyError(name)

        def decide(state: State) -> Draft:
            return _draft("remove", state, {name: None})

        event = _event(changing.change(self._handle, decide))
        try:
            compaction.forget(self._handle, filed)
        except OSError as error:
            raise changing.not_erased(self._handle, error) from error
        return event

    def settle(self) -> bool:
        """Tell whether the last change made by this thread is durable, after Unacknowledged or a
        signal.

        True: it is. False: it is not in the log and never will be.

        Raises:
            Unacknowledged: it is still not known; try again.

        """
        return changing.settle(self._handle)

    # Inside

    def _state(self) -> State:
        """Return the state to answer from: the log's, else that of an auth.json without one."""
        try:
            return lookback.state_of(lookback.published(self._handle).tail)
        except NoLog:
            entries = opening.read_plain(self._handle)[1].entries
        except LogCorrupted as error:
            entries = reading.shown_despite(self._handle, error)
        return State({name: Filed(raw, 0) for name, raw in entries.items()}, {})

    def _view(self, name: str, raw: bytes) -> Credential:
        kept = self._views.get(name)
        if kept is None or kept[0] != raw:
            self._views[name] = kept = (raw, credentials.parse(raw))
        return kept[1]

    def _views_of(self, state: State) -> dict[str, Credential]:
        return {name: self._view(name, filed.raw) for name, filed in state.filed.items()}

    def _filed_at(self, name: str, seq: int, tail: Tail, *, force: bool) -> Filed | None:
        handle = self._handle
        try:
            state = lookback.look_back(
                self._handle, lambda tail: history.state_at(handle, tail, seq)
            )
            filed = state.filed.get(lookback.state_of(tail).name(name))
        except SecretErased as error:
            raise SecretErased(error.seq, name) from None
        if filed is not None and filed.refresh is not None and not force:
            for event in self.history(name, after=seq):
                change = event.providers[lookback.state_of(tail).name(name)]
                refresh = change.members.get("refresh") if change else None
                if refresh not in (None, filed.refresh):
                    raise StaleToken(name, seq, event.time)
        return filed


class _Changed(Exception):
    """The provider was changed while its history was looked at."""


def _last_change(state: State, provider: str) -> int:
    filed = state.filed.get(state.name(provider)) or state.filed.get(
        state.name(provider.rstrip("/"))
    )
    return filed.seq if filed else 0


def _unexpected(state: State, provider: str, expect: int | None) -> Conflict | None:
    actual = _last_change(state, provider)
    return None if expect in (None, actual) else Conflict(provider, expect or 0, actual)


def _given(name: str, credential: Credential | Mapping[str, object]) -> Credential | bytes:
    """Return a view as it is, anything else as JSON text: no caller's code runs under a lock."""
    if isinstance(credential, Credential):
        credentials.to_text(name, credential)
        return credential
    return credentials.to_text(name, credential)


def _merged(state: State, name: str, given: Credential | bytes) -> bytes:
    if isinstance(given, bytes):
        return given
    filed = state.filed.get(state.name(name))
    return credentials.to_text(name, given, filed.raw if filed else None)


def _draft(kind: Kind, state: State, raws: Mapping[str, bytes | None]) -> Draft:
    value = {state.name(name): raw for name, raw in raws.items()}
    return Draft(
        kind=kind,
        value=value,
        accounts=frozenset(name for name in value if state.is_account(name)),
    )


def _event(event: Event | None) -> Event:
    assert event is not None  # only `remove` decides on nothing
    return event
