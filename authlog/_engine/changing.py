"""One change: decided under a lock, appended, published; and what it means if that fails."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from authlog._engine import files, lookback, opening, reading, safety
from authlog._engine.codec import Draft
from authlog._engine.handle import Appended, Handle, NoLog, View
from authlog._engine.publish import Gone, publish
from authlog._engine.state import State
from authlog.errors import (
    AuthLogError,
    LockTimeout,
    NotDurable,
    NotErased,
    NotMaterialized,
    NotWritten,
    PublishTimeout,
    Unacknowledged,
    not_written,
)
from authlog.events import Event

T = TypeVar("T")


def change(handle: Handle, decide: Callable[[State], Draft | Exception | None]) -> Event | None:
    """Append what is decided on and publish it; a refusal is raised when it is as durable as
    the state it rests on.
    """
    refusals: list[Exception] = []

    def drafted(state: State) -> Draft | None:
        outcome = decide(state)
        if isinstance(outcome, Exception):
            refusals.append(outcome)
            return None
        return outcome

    mine = _append(handle, drafted)
    acknowledge(handle, mine)
    handle.world.answered(mine.seq)
    if refusals:
        raise refusals[0]
    return mine.event


def _append(handle: Handle, decide: Callable[[State], Draft | None]) -> Appended:
    def append() -> Appended:
        with contextlib.suppress(NoLog):
            reading.read(handle)  # what another program wrote comes before it
        return handle.append(decide)

    return appended(handle, append)


def appended(handle: Handle, append: Callable[[], T]) -> T:
    """Return what `append` does, to a log that is begun if there is none."""
    handle.mine.appended = None
    try:
        safety.check(handle.layout.snapshot, files.stat(handle.layout.snapshot))
        while True:
            try:
                return append()
            except (NoLog, FileNotFoundError):
                opening.init(handle)
    except OSError as error:
        raise refused(handle, error) from error


def acknowledge(
    handle: Handle, mine: Appended, ready: Callable[[Path], None] | None = None
) -> None:
    """Return when the line is durable and shown; `ready`: see `Shower`.

    Raises:
        NotMaterialized, NotWritten, LockTimeout: without an event, nothing was changed.
        Unacknowledged: it is in the log, and not known to be durable.

    """
    event, path = mine.event, mine.segment.path
    try:
        publish(handle, mine, ready=ready)
    except NotMaterialized as error:
        raise NotMaterialized(error.path, mine.seq, error.errno) from error
    except LockTimeout as error:
        if event is None:
            raise
        raise PublishTimeout(event, error.path, error.timeout, error.holder) from error
    except (Gone, NoLog) as error:
        if event is None:
            raise NotWritten(path, None) from error
        raise NotDurable(event, path, None) from error
    except OSError as error:
        if event is None:
            raise refused(handle, error) from error
        raise NotDurable(event, path, error.errno) from error
    except AuthLogError as error:
        if event is None:
            raise
        raise Unacknowledged(event) from error


def settle(handle: Handle) -> bool:
    """Tell whether the last change of this thread is durable; see `AuthLog.settle`."""
    mine: Appended | None = getattr(handle.mine, "appended", None)
    if mine is None:
        return False
    try:
        acknowledge(handle, mine)
    except NotMaterialized:
        return True
    except NotDurable as error:
        if isinstance(error.__cause__, Gone | NoLog):
            return False
        raise
    return True


def told(
    handle: Handle, ready: Callable[[Path], None] | None, timeout: float | None
) -> list[Event]:
    """Publish, and return what other programs' writes were told as."""
    try:
        safety.check(handle.layout.snapshot, files.stat(handle.layout.snapshot))
        while True:
            try:
                return publish(handle, timeout=timeout, ready=ready)
            except (NoLog, FileNotFoundError):
                event = opening.init(handle)
                if ready is None:
                    return [event] if event else []
    except OSError as error:
        raise refused(handle, error) from error


def begun(handle: Handle) -> View:
    """Return what was published, of a log that is begun if there is none."""
    try:
        return lookback.published(handle)
    except NoLog:
        told(handle, None, None)
        return lookback.published(handle)


def refused(handle: Handle, error: OSError) -> OSError:
    """Return the error of our tree for one of the disk's, before anything was changed."""
    return error if isinstance(error, AuthLogError) else not_written(handle.layout.folder, error)


def not_erased(handle: Handle, error: OSError) -> OSError:
    """Return the same while something is erased."""
    if isinstance(error, AuthLogError):
        return error
    return NotErased(handle.layout.folder, error.errno)
