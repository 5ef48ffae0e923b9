"""Which acknowledged sets a store has lost. Pure."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import inf

from msgspec import Struct


class Write(Struct, frozen=True):
    """One acknowledged set: begun at `start`, acknowledged at `end`, ns on one clock for all.

    `receipt` is what the store's log lists of it; `replaced` is the write whose login it found
    there, None if it didn't look.
    """

    provider: str
    id: str
    receipt: str
    start: int
    end: int
    replaced: str | None


def lost(
    writes: Sequence[Write], log: Iterable[str] | None, final: Mapping[str, str | None]
) -> frozenset[str]:
    """Return the ids of acknowledged writes that were lost.

    From the log, if there is one, each must be in it once. And whoever looks at a provider, the
    next set of it or in the end `final` (provider -> id), must not find a login whose set had ended
    before another began that was acknowledged by then. Sets may be lost without anybody having
    looked: without a log it is a lower bound.
    """
    return _not_in(log, writes) | _not_seen(writes, final)


def _not_in(log: Iterable[str] | None, writes: Sequence[Write]) -> frozenset[str]:
    if log is None:
        return frozenset()
    listed = Counter(log)
    return frozenset(write.id for write in writes if listed[write.receipt] != 1)


def _not_seen(writes: Sequence[Write], final: Mapping[str, str | None]) -> frozenset[str]:
    ended = {write.id: write.end for write in writes}
    by_provider: defaultdict[str, list[Write]] = defaultdict(list)
    for write in sorted(writes, key=lambda write: write.end):
        by_provider[write.provider].append(write)
    looks: list[tuple[str, str | None, float]] = [
        (write.provider, write.replaced, write.start)
        for write in writes
        if write.replaced is not None
    ]
    looks.extend((provider, seen, inf) for provider, seen in final.items())
    gone: set[str] = set()
    for provider, seen, when in looks:
        before = by_provider[provider]
        place = bisect_left(before, when, key=lambda write: write.end)
        if place and before[place - 1].start > ended.get(seen or "", -inf):
            gone.add(before[place - 1].id)
    return frozenset(gone)
