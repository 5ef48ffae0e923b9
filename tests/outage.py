"""A script of changes, the power cut at every step of it, and a judge of what survives.

The script runs once, on a disk in memory. Before each step that changes the disk, and after the
last, the power is cut in every way worth a look; each outcome that was not seen before is opened by
a fresh AuthLog in another boot, and held to what was promised up to then.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from authlog import ApiKey, AuthLog, Credential, Event, testing
from authlog._engine import files
from authlog.testing import Repeatable
from tools.proof import choices
from tools.proof.disk import FOLDER, Disk

SNAPSHOT = FOLDER / "auth.json"
NEXT = ApiKey("next")

Values = Mapping[str, object]  # provider -> what is filed, as Python values


def filed(**credentials: Credential) -> Values:
    """Return the credentials as Python values."""
    return {name: credential.value for name, credential in credentials.items()}


def values(log: AuthLog) -> Values:
    """Return the state."""
    return filed(**log.all())


class World(Repeatable):
    """Surroundings in which time is the disk's."""

    def __init__(self, disk: Disk, boot: str = "boot") -> None:
        super().__init__(disk.boots, boot=f"{boot}-{disk.boots}")
        self._disk = disk

    def now_ns(self) -> int:
        """Return the disk's time."""
        return self._disk.now

    def ticks(self) -> float:
        """Return the same in seconds."""
        return self._disk.now / 1e9


class Step(Struct, frozen=True):
    """One change, and the state after it; what isn't `acknowledged` may be lost afterwards.

    `written` is what it put into auth.json if that is no state: another program's stale write.
    """

    run: Callable[[AuthLog], Event | None]
    after: Values
    acknowledged: bool = True
    written: Values | None = None


class Promise(Struct, frozen=True):
    """What must be found after a power cut at some moment.

    The state is one of `states`. auth.json shows one that is not newer, or one of `shown`, or
    anything if it may be `torn`. The events with these hashes are
    there, whatever was `answered` up to that seq, and no event of another kind than `kinds`.
    """

    states: tuple[Values, ...]
    shown: tuple[Values, ...]
    events: tuple[str, ...]
    answered: int
    kinds: frozenset[str]
    torn: bool


class Outage:
    """A script, and how often the power was cut in it.

    Args:
        kinds: of events that history may show besides those that the script itself causes.
        torn: auth.json is written in place, so that a power cut may leave anything in it.
        at_once: auth.json shows a change as soon as it is acknowledged, before authlog is started.
        twice: the power is cut in each recovery, too.
        seeds: how many outcomes are drawn besides those that are worth a look.
        beside: what another process does before each cut.

    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        kinds: str = "",
        torn: bool = False,
        at_once: bool = False,
        twice: bool = True,
        seeds: int = 2,
        beside: Callable[[], object] = lambda: None,
    ) -> None:
        self._steps = steps
        self._kinds = frozenset(f"init set remove restore checkpoint {kinds}".split())
        self._torn, self._at_once, self._twice, self._seeds = torn, at_once, twice, seeds
        self._beside = beside
        self._seen = set[str]()
        self.recoveries = 0

    def run(self, disk: Disk) -> None:
        """Run the script, from what is on the disk, and judge each cut of it."""
        self._world = World(disk)
        self._states: list[Values] = []
        self._events: list[str] = []
        self._since = 0  # which state was acknowledged last
        self._written: list[Values] = []
        with disk.mounted(), testing.repeatable(self._world):
            log = AuthLog(SNAPSHOT)
            self._states.append(values(log))
            for step in self._steps:
                self._states.append(step.after)
                self._written += [step.written] if step.written else []
                before_each_change(disk, lambda: self._cut(disk))
                event = step.run(log)
                disk.before = lambda verb, path: None
                self._events += [event.hash] if event else []
                self._since = len(self._states) - 1 if step.acknowledged else self._since
            self._cut(disk)
            assert values(log) == self._states[-1]

    def _promise(self) -> Promise:
        return Promise(
            states=tuple(self._states[self._since :]),
            shown=() if self._at_once else (*self._states[: self._since], *self._written),
            events=tuple(self._events),
            answered=max(self._world.answers, default=0),
            kinds=self._kinds,
            torn=self._torn,
        )

    def _cut(self, disk: Disk) -> None:
        self._beside()
        for name, choice in choices.worth_a_look(disk, range(self._seeds)):
            twice = self._twice and "step" not in name  # these are many, and much alike
            try:
                self._recover(disk.cut(choice), self._promise(), twice=twice)
            except Exception as error:
                error.add_note(f"the power was cut before step {disk.steps}, choice: {name}")
                raise

    def _recover(self, disk: Disk, promise: Promise, *, twice: bool = False) -> None:
        """Open what survived in a new boot and judge it; if `twice`, the power is cut in that."""
        found = repr((disk.image(), promise.states, promise.events, promise.answered))
        if found in self._seen:
            return
        self._seen.add(found)
        self.recoveries += 1
        with disk.mounted(), testing.repeatable(World(disk)) as world:
            log = AuthLog(SNAPSHOT)
            assert log.verify().ok, log.verify().damage
            shown = _shown(promise)
            if twice:
                before_each_change(disk, lambda: self._cut_again(disk, promise))
            state = values(log)
            disk.before = lambda verb, path: None
            assert state in promise.states
            newest = max(place for place, one in enumerate(promise.states) if one == state)
            assert shown is None or shown in (*promise.shown, *promise.states[: newest + 1])
            if twice:
                self._cut_again(disk, _hardened(promise, state, world.answers))
            _judge(disk, log, promise, state)
            if twice:
                _goes_on(disk, log, state)

    def _cut_again(self, disk: Disk, promise: Promise) -> None:
        for choice in (choices.nothing, choices.everything, choices.drawn(disk.steps)):
            self._recover(disk.cut(choice), promise)


def before_each_change(disk: Disk, cut: Callable[[], None]) -> None:
    """Do that before each step that changes the disk."""

    def before(verb: str, path: Path) -> None:
        if verb in testing.CHANGING:
            disk.before = lambda verb, path: None
            cut()
            disk.before = before

    disk.before = before


def _shown(promise: Promise) -> Values | None:
    """Return what auth.json holds before authlog does anything, None if that may be anything."""
    if promise.torn:
        return None
    content = files.read_file(SNAPSHOT)
    return {} if content is None else msgspec.json.decode(content, type=dict[str, object])


def _hardened(promise: Promise, state: Values, answers: list[int]) -> Promise:
    """Return what is promised once this state was answered."""
    return replace(
        promise,
        states=(state,),
        shown=(*promise.shown, *promise.states),
        answered=max([promise.answered, *answers]),
    )


def _judge(disk: Disk, log: AuthLog, promise: Promise, state: Values) -> None:
    """Hold a store that was recovered to the promise."""
    history = list(log.history())
    hashes = [event.hash for event in history]
    assert log.seq() >= promise.answered
    assert [hash for hash in hashes if hash in promise.events] == list(promise.events)
    assert {event.kind for event in history} <= promise.kinds
    assert log.verify().ok, log.verify().damage
    with testing.repeatable(World(disk, "again")):
        again = AuthLog(SNAPSHOT)
    assert values(again) == state
    assert _told(again) == _told(log), "recovered once more it is another history"


def _goes_on(disk: Disk, log: AuthLog, state: Values) -> None:
    """See that the next change works, lasts and is shown."""
    log.set("next", NEXT)
    later = disk.cut(choices.nothing)
    with later.mounted(), testing.repeatable(World(later)):
        after = AuthLog(SNAPSHOT)
        assert values(after) == {**state, **filed(next=NEXT)}
        assert after.adopt() is None
        assert after.verify().snapshot == "fresh"


def _told(log: AuthLog) -> list[str]:
    return [event.hash for event in log.history() if event.kind != "checkpoint"]
