"""The plan of a repair: what stays, what is rewritten, and what is stated as gone.

A pure function of what was read and what that proves, so that it can be shown before it is done,
judged, and comes out the same when a repair that was killed is run again.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from msgspec import Struct

from authlog._engine import codec, history, log, snapshot
from authlog._engine import state as states
from authlog._engine.evidence import Evidence, Intact, Read
from authlog._engine.mark import Mark
from authlog._engine.state import EMPTY, Filed, State
from authlog.events import Span


class Plan(Struct, frozen=True):
    """What is to be done.

    `rewritten` are damaged segments and what is intact of them; `gaps` are to be stated by new
    checkpoints behind `seq`, the newest that was ever used, chained to `hash`; `number` is the new
    segment, None if none is needed. `shown` tells that auth.json proved the state.
    """

    intact: int
    rewritten: Mapping[int, bytes]
    gaps: tuple[Span, ...]
    seq: int
    hash: str
    id: str | None
    state: State
    shown: bool
    erased: int
    dropped: Span | None
    number: int | None


def plan(read: Read, found: Evidence) -> Plan:
    """Return what to do about these bytes, of which that much is proved."""
    mark, chain, dropped = read.mark, found.chain, found.dropped
    last = chain[-1].line if chain else None
    seq = last.public.seq if last else dropped.last if dropped else 0
    used = max(seq, mark.seq if mark else 0)
    state = _folded(chain)
    proved = _shown(read, found.id, state, seq, used + 1)
    rewritten = _rewritten(read, chain)
    gaps = _unstated(chain, dropped, used)
    newest = max([*read.segments, mark.segment if mark else 0])
    another = mark is not None and _contradicts(mark, chain)
    needed = bool(gaps) or newest in rewritten or newest not in read.segments or another
    return Plan(
        intact=len(chain),
        rewritten=rewritten,
        gaps=gaps,
        seq=used,
        hash=last.hash if last else dropped.hash or codec.NO_HASH if dropped else codec.NO_HASH,
        id=found.id,
        state=proved or state,
        shown=proved is not None,
        erased=max((one.line.public.erased or 0 for one in chain), default=0),
        dropped=dropped,
        number=newest + 1 if needed else None,
    )


def _folded(chain: Sequence[Intact]) -> State:
    """Return what the lines say: values that were filed, and none in the place of an erased one."""
    state = EMPTY
    for one in chain:
        line = one.line
        if line.value is not None:
            state = states.apply(state, line) or state
        elif log.carries_state(line):
            state = EMPTY
        else:
            left = {n: filed for n, filed in state.filed.items() if n not in line.public.providers}
            state = State(left, state.use)
    return state


def _shown(read: Read, id: str | None, state: State, seq: int, new: int) -> State | None:
    """Return the state with what auth.json shows, if the mark proves that it shows the newest."""
    mark, found = read.mark, read.found
    if mark is None or found is None or id is None or mark.shown < seq or mark.shown != mark.seq:
        return None
    if snapshot.digest(found.content, id) != mark.digest:
        return None
    entries = snapshot.parse(found.content).entries  # the digest tells that we wrote it
    visible = {state.name(provider) for provider in state.shown()}
    filed = {name: one for name, one in state.filed.items() if name not in visible}
    for provider, raw in entries.items():
        name = state.name(provider)
        before = state.filed.get(name)
        same = before is not None and before.raw == raw
        filed[name] = before if before and same else Filed(raw, new, state.is_account(name))
    return State(filed, state.use)


def _unstated(chain: Sequence[Intact], dropped: Span | None, used: int) -> tuple[Span, ...]:
    """Return the gaps that no checkpoint states yet."""
    stated = [one.line.public.gap for one in chain if one.line.public.gap]
    seqs = [dropped.last if dropped else 0, *(one.line.public.seq for one in chain), used + 1]
    between = (Span(first=one + 1, last=two - 1) for one, two in pairwise(seqs) if two > one + 1)
    return tuple(gap for gap in between if not history.covers(stated, gap.first, gap.last))


def _rewritten(read: Read, chain: Sequence[Intact]) -> dict[int, bytes]:
    """Return the segments that are damaged, and the lines of each that are intact."""
    good: dict[int, list[bytes]] = {number: [] for number in read.segments}
    cut_short, number, last = set[int](), 0, 0
    for one in chain:
        if one.line.public.seq > last + 1:
            cut_short.add(number)
        number, last = max(number, one.number), one.line.public.seq
        good[number].append(one.raw)
    newest = max(good, default=0)
    if read.mark is not None and (newest, last) < (read.mark.segment, read.mark.seq):
        cut_short.add(newest)
    joined = {number: b"".join(raws) for number, raws in good.items()}
    return {
        number: data
        for number, data in joined.items()
        if not _is_as_it_was(read.segments[number], data, cut_short=number in cut_short)
    }


def _is_as_it_was(data: bytes, good: bytes, *, cut_short: bool) -> bool:
    """Whether a segment begins with its intact lines, and what follows need not be one."""
    return bool(good) and data.startswith(good) and (data == good or not cut_short)


def _contradicts(mark: Mark, chain: Sequence[Intact]) -> bool:
    """Whether the mark names another event than the one that stands there."""
    return any(one.line.public.seq == mark.seq and one.line.hash != mark.hash for one in chain)
