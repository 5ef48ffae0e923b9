"""A store against a plain dict, with crashes, foreign writes, restarts and rotations in between."""

import json
import os
import tempfile
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from authlog import ApiKey, AuthLog, OAuth, testing
from authlog._engine import rotation

pytestmark = pytest.mark.no_cover  # what chance covers is another thing each time

NAMES = st.sampled_from(["a", "b", "c", "d"])
CREDENTIALS = st.one_of(
    st.builds(ApiKey, st.text("xyz", min_size=1, max_size=3)),
    st.builds(OAuth, st.sampled_from("rst"), st.sampled_from("ab"), st.integers(0, 9)),
)

Values = dict[str, object]


def merged(now: object, credential: ApiKey | OAuth) -> object:
    """Return what is filed of a view in the place of `now`: `note` is what no view knows."""
    value = msgspec.convert(credential.value, Values)
    if isinstance(now, dict) and "note" in now and now["type"] == credential.type:
        value["note"] = now["note"]
    return value


class Crash(BaseException):
    """Stands for SIGKILL."""


class Store(RuleBasedStateMachine):
    """What is filed, and what has been at each seq that was answered."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "auth.json"
        self.log = AuthLog(self.path)
        self.model: Values = {}
        self.past: dict[int, Values] = {}
        self.rotate_at = rotation.ROTATE_AT

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            rotation.ROTATE_AT = self.rotate_at
            assert self.log.verify().ok
            self.folder.cleanup()

    def shown(self) -> Values:
        """Return what auth.json holds."""
        if not self.path.exists():
            return {}
        return msgspec.json.decode(self.path.read_bytes(), type=Values)

    def remember(self) -> None:
        self.past[self.log.seq()] = dict(self.model)

    @rule(name=NAMES, credential=CREDENTIALS)
    def set(self, name: str, credential: ApiKey | OAuth) -> None:
        self.log.set(name, credential)
        self.model[name] = merged(self.model.get(name), credential)
        self.remember()

    @rule(name=NAMES, note=st.integers(0, 3))
    def update(self, name: str, note: int) -> None:
        now = self.model.get(name)
        if isinstance(now, dict):
            self.log.update(name, note=note)
            self.model[name] = {**now, "note": note}
            self.remember()

    @rule(name=NAMES)
    def remove(self, name: str) -> None:
        event = self.log.remove(name)
        assert (event is None) is (name not in self.model)
        self.model.pop(name, None)
        self.remember()

    @rule(patch=st.dictionaries(NAMES, st.none() | CREDENTIALS, min_size=1))
    def change(self, patch: dict[str, ApiKey | OAuth | None]) -> None:
        self.log.change(patch)
        for name, credential in patch.items():
            if credential is None:
                self.model.pop(name, None)
            else:
                self.model[name] = merged(self.model.get(name), credential)
        self.remember()

    @precondition(lambda self: self.past)
    @rule(name=NAMES, data=st.data())
    def restore(self, name: str, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.past)))
        self.log.restore(name, seq, force=True)
        if name in self.past[seq]:
            self.model[name] = self.past[seq][name]
        else:
            self.model.pop(name, None)
        self.remember()

    @rule(name=NAMES, key=st.text("uvw", min_size=4, max_size=6))
    def foreign_login(self, name: str, key: str) -> None:
        entries = self.shown()
        entries[name] = {"type": "api", "key": key}
        self.path.write_text(json.dumps(entries))
        later = time.time_ns() + 1_000_000_000  # at once it might be a rewrite of an older state
        os.utime(self.path, ns=(later, later))
        self.log.adopt()
        found = self.log.get(name)
        assert isinstance(found, ApiKey)
        assert found.key == key
        self.model[name] = found.value
        self.remember()

    @rule()
    def restart(self) -> None:
        self.log = AuthLog(self.path)

    @rule(often=st.booleans())
    def rotate(self, often: bool) -> None:
        rotation.ROTATE_AT = 0 if often else self.rotate_at

    @rule(nth=st.integers(1, 45), name=NAMES, key=st.text("klm", min_size=7, max_size=9))
    def crash(self, nth: int, name: str, key: str) -> None:
        left = nth

        def before(verb: str) -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                raise Crash

        acknowledged = False
        try:
            with testing.steps(before):
                self.log.set(name, {"type": "api", "key": key})
                acknowledged = True
        except Crash:
            self.log = AuthLog(self.path)
        self.log.adopt()
        after = {**self.model, name: {"type": "api", "key": key}}
        state = {name: what.value for name, what in self.log.all().items()}
        assert state in ([after] if acknowledged else [self.model, after])
        self.model = state
        self.remember()

    @invariant()
    def shows_what_is_filed(self) -> None:
        if hasattr(self, "path"):
            state = {name: what.value for name, what in self.log.all().items()}
            assert state == self.model
            if self.log.seq():
                assert self.shown() == self.model

    @precondition(lambda self: self.past)
    @rule(data=st.data())
    def look_back(self, data: st.DataObject) -> None:
        seq = data.draw(st.sampled_from(sorted(self.past)))
        state = {name: what.value for name, what in self.log.at(seq).items()}
        assert state == self.past[seq]


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
