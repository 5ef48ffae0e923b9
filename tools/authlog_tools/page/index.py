"""The events in memory, in order, with what became of each provider: what all drawing reads."""

import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from authlog import Change, Event, Writer


class Index:
    """Events by position, oldest first; appended to, never changed."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self.events: list[Event] = []
        self.times: list[float] = []
        self.days: list[int] = []
        self.kinds: Counter[str] = Counter()
        self.changes: dict[str, list[int]] = {}
        self._whole: list[int] = []
        self._writers: dict[Writer, Writer] = {}
        for event in events:
            self.append(event)

    def __len__(self) -> int:
        return len(self.events)

    @property
    def last(self) -> int:
        """The newest seq, 0 without events."""
        return self.events[-1].seq if self.events else 0

    def append(self, event: Event) -> None:
        """Add the next event."""
        position = len(self.events)
        kept = self._slim(event)
        self.events.append(kept)
        self.times.append(kept.time.timestamp())
        self.days.append(day_of(kept.time))
        self.kinds[kept.kind] += 1
        for provider in kept.providers:
            self.changes.setdefault(provider, []).append(position)
        if kept.kind in ("init", "checkpoint"):
            self._whole.append(position)

    def position(self, seq: int) -> int | None:
        """Return where the event of that seq is."""
        found = bisect_left(self.events, seq, key=_seq)
        there = found < len(self.events) and self.events[found].seq == seq
        return found if there else None

    def find(self, seq: int) -> Event | None:
        """Return the event of that seq."""
        position = self.position(seq)
        return None if position is None else self.events[position]

    def upto(self, seq: int) -> int:
        """Return how many events have a seq up to that."""
        return bisect_right(self.events, seq, key=_seq)

    def became(self, provider: str, before: int) -> tuple[int, Change] | None:
        """Return what the provider was before that position, and where it became so."""
        positions = self.changes.get(provider, [])
        place = bisect_left(positions, before) - 1
        whole = bisect_left(self._whole, before) - 1
        if place < 0 or (whole >= 0 and self._whole[whole] > positions[place]):
            return None  # a whole state without it came after
        change = self.events[positions[place]].providers[provider]
        return None if change is None else (positions[place], change)

    def before(self, position: int) -> Mapping[str, Change | None]:
        """Return what each provider of an event was before it."""
        return {
            provider: found[1] if (found := self.became(provider, position)) else None
            for provider in self.events[position].providers
        }

    def state(self, seq: int) -> dict[str, tuple[int, Change]]:
        """Return provider -> (seq of its last change, what it became) after event `seq`."""
        end = self.upto(seq)
        return {
            provider: (self._last_change(provider, *found), found[1])
            for provider in self.changes
            if (found := self.became(provider, end)) is not None
        }

    def lives(self, provider: str) -> Iterator[tuple[int, Change | None]]:
        """Yield (position, what it became) for each time that the provider changed."""
        for position in self.changes.get(provider, ()):
            yield position, self.events[position].providers[provider]

    def _last_change(self, provider: str, position: int, change: Change) -> int:
        return self.events[position].seq if change.seq is None else change.seq

    def _slim(self, event: Event) -> Event:
        """Return the event with what it shares with others held once: there may be 100,000."""
        last = self.events[-1] if self.events else None
        return msgspec.structs.replace(
            event,
            writer=self._writers.setdefault(event.writer, event.writer),
            prev=last.hash if last is not None and last.hash == event.prev else event.prev,
            commitment="",
            kind=event.kind,
            providers={
                sys.intern(name): change if change is None else _slim_change(change)
                for name, change in event.providers.items()
            },
        )


def _slim_change(change: Change) -> Change:
    members = {sys.intern(name): mark for name, mark in change.members.items()}
    kind = None if change.type is None else sys.intern(change.type)
    return msgspec.structs.replace(change, members=members, type=kind)


def marks(change: Change | None) -> Mapping[str, str]:
    """Return the fingerprints of a provider's members, by name; none of an absent one."""
    return {} if change is None else change.members


def day_of(moment: datetime) -> int:
    """Return the day it is on here, as an ordinal."""
    return moment.astimezone().toordinal()


def _seq(event: Event) -> int:
    return event.seq
