"""What was published, now and at any time before, while others publish, compact and drop."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

from authlog._engine import history, reading
from authlog._engine.handle import Handle, View
from authlog._engine.log import Tail
from authlog._engine.state import State
from authlog.errors import LogCorrupted
from authlog.events import Event

T = TypeVar("T")


def published(handle: Handle) -> View:
    """Return what is published, which is an answer.

    Raises: as `reading.read`.
    """
    view = reading.read(handle)
    handle.world.answered(view.tail.seq)
    return view


def look_back(handle: Handle, look: Callable[[Tail], T]) -> T:
    """Return what `look` finds; a compaction may drop old segments under its eyes."""
    while True:
        tail = published(handle).tail
        try:
            return look(tail)
        except LogCorrupted:
            if published(handle).tail.dropped == tail.dropped:
                raise


def state_at(handle: Handle, tail: Tail, when: int | datetime) -> State:
    """Return the state after an event, or after the last one up to a time."""
    seq = when if isinstance(when, int) else history.last_before(handle, tail, _ns(when))
    return history.state_at(handle, tail, seq)


def events(handle: Handle, tail: Tail, after: int, *, reverse: bool) -> Iterator[Event]:
    """Yield events; what a compaction drops meanwhile is left out."""
    end = tail.seq + 1
    while True:
        try:
            for event in history.events(handle, tail, after, reverse=reverse):
                if event.seq < end:
                    after, end = (after, event.seq) if reverse else (event.seq, end)
                    yield event
        except LogCorrupted:
            now = published(handle).tail
            if now.dropped == tail.dropped:
                raise
            tail = now
        else:
            return


def _ns(when: datetime) -> int:
    since = when.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000_000 + since.microseconds * 1_000


def state_of(tail: Tail) -> State:
    """Return the state as of a tail that was published, which has one."""
    assert tail.state is not None
    return tail.state
