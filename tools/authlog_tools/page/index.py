"""The events in memory, in order, with what became of each provider: what all drawing reads.

There may be 100,000. What is asked of all of them (when, which kind, until when a login was valid)
stands in columns; the rest of an event is kept packed, and unpacked (1 µs) when it is looked at.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from authlog import Change, Event
from authlog_tools import filters

WHOLE = ("init", "import", "checkpoint")  # kinds that carry a whole state
COUNTED = ("provider", "kind", "writer", "type")  # qualifiers whose values are suggested
NEVER = float("inf")  # s since 1970 at which a login expires that doesn't
GONE = float("-inf")  # the same, of one that was removed

pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Event).decode


class Life:
    """The changes of one login: at which positions, and until when it was valid from there."""

    def __init__(self) -> None:
        self.positions = array("I")
        self.ends = array("d")

    def append(self, position: int, change: Change | None) -> None:
        """Add the next change."""
        self.positions.append(position)
        self.ends.append(_end(change))


class Index:
    """Events by position, oldest first; appended to, never changed."""

    def __init__(self, events: Iterable[Event | bytes] = ()) -> None:
        self.times = array("d")
        self.days = array("I")
        self.kind_at: list[str] = []
        self.said = {name: Counter[str]() for name in COUNTED}
        self.lives: dict[str, Life] = {}
        self.own: list[int] = []  # positions of what happened to auth.json itself
        self._seqs = array("Q")
        self._packed: list[bytes] = []
        self._whole: list[int] = []
        for event in events:
            self.append(event)

    def __len__(self) -> int:
        return len(self._packed)

    def __getitem__(self, position: int) -> Event:
        return _unpack(self._packed[position])

    @property
    def kinds(self) -> Counter[str]:
        """How many events there are of each kind."""
        return self.said["kind"]

    @property
    def last(self) -> int:
        """The newest seq, 0 without events."""
        return self._seqs[-1] if self._seqs else 0

    def append(self, given: Event | bytes) -> None:
        """Add the next event, packed or not."""
        event = _unpack(given) if isinstance(given, bytes) else given
        position = len(self._packed)
        for provider, change in event.providers.items():
            if (life := self.lives.get(provider)) is None:
                life = self.lives[provider] = Life()
            life.append(position, change)
        if event.kind in WHOLE or not event.providers:
            self.own.append(position)
        if event.kind in ("init", "checkpoint"):
            self._whole.append(position)
        for name, counts in self.said.items():
            for value in filters.values(name, event):
                counts[value] += 1
        self.kind_at.append(event.kind)
        self.times.append(event.time.timestamp())
        self.days.append(day_of(event.time))
        self._seqs.append(event.seq)
        # Last: from now on it is there for those who look meanwhile.
        self._packed.append(given if isinstance(given, bytes) else pack(given))

    def seq(self, position: int) -> int:
        """Return the seq of the event at that position."""
        return self._seqs[position]

    def position(self, seq: int) -> int | None:
        """Return where the event of that seq is."""
        found = bisect_left(self._seqs, seq)
        return found if found < len(self) and self._seqs[found] == seq else None

    def find(self, seq: int) -> Event | None:
        """Return the event of that seq."""
        position = self.position(seq)
        return None if position is None else self[position]

    def upto(self, seq: int) -> int:
        """Return how many events have a seq up to that."""
        return bisect_right(self._seqs, seq, hi=len(self))

    def became(self, provider: str, before: int) -> tuple[int, Change] | None:
        """Return what the provider was before that position, and where it became so."""
        if (life := self.lives.get(provider)) is None:
            return None
        place = bisect_left(life.positions, before) - 1
        whole = bisect_left(self._whole, before) - 1
        if place < 0 or (whole >= 0 and self._whole[whole] > life.positions[place]):
            return None  # a whole state without it came after
        position = life.positions[place]
        change = self[position].providers[provider]
        return None if change is None else (position, change)

    def before(self, position: int) -> Mapping[str, Change | None]:
        """Return what each provider of an event was before it."""
        return {
            provider: found[1] if (found := self.became(provider, position)) else None
            for provider in self[position].providers
        }

    def state(self, seq: int) -> dict[str, tuple[int, Change]]:
        """Return provider -> (seq of its last change, what it became) after event `seq`."""
        end = self.upto(seq)
        return {
            provider: (self._seqs[found[0]] if found[1].seq is None else found[1].seq, found[1])
            for provider in self.lives
            if (found := self.became(provider, end)) is not None
        }

    def changes(self, provider: str, after: int) -> Iterator[tuple[Event, Change | None]]:
        """Yield the events after seq `after` that changed a provider, and what it became."""
        life = self.lives.get(provider, Life())
        first = bisect_left(life.positions, self.upto(after))
        for position in life.positions[first:]:
            event = self[position]
            yield event, event.providers[provider]


def marks(change: Change | None) -> Mapping[str, str]:
    """Return the fingerprints of a provider's members, by name; none of an absent one."""
    return {} if change is None else change.members


def day_of(moment: datetime) -> int:
    """Return the day it is on here, as an ordinal."""
    return moment.astimezone().toordinal()


def _end(change: Change | None) -> float:
    if change is None:
        return GONE
    return NEVER if change.expires is None else change.expires / 1000
