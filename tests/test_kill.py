"""SIGKILL at every disk step of every changing verb, in a real process."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog, Credential, OAuth, testing
from authlog._engine import rotation
from authlog._engine.log import Tail

pytestmark = [needs.fork, pytest.mark.no_cover]  # each runs the same change once per step

Change = Callable[[AuthLog], object]

BEFORE: dict[str, Credential] = {"a": ApiKey("1"), "o": OAuth("r1", "a1", 5)}
CHANGES: dict[str, tuple[Change, dict[str, object]]] = {
    "set": (lambda log: log.set("a", ApiKey("2")), {"a": ApiKey("2")}),
    "set anew": (lambda log: log.set("n", ApiKey("2")), {"n": ApiKey("2")}),
    "refresh": (lambda log: log.update("o", refresh="r2"), {"o": OAuth("r2", "a1", 5)}),
    "remove": (lambda log: log.remove("a"), {"a": None}),
    "change": (
        lambda log: log.change({"a": None, "n": ApiKey("3")}),
        {"a": None, "n": ApiKey("3")},
    ),
    "restore": (lambda log: log.restore("a", 1), {"a": None}),
    "adopt": (lambda log: log.adopt(), {"f": ApiKey("f")}),
}


def died(act: Callable[[], object]) -> bool:
    """Do it in a child; whether that was killed."""
    child = os.fork()
    if child == 0:
        try:
            act()
        except BaseException:  # noqa: BLE001  whatever it is, the parent shall see it
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def killed_at_each_step(
    path: Path, prepare: Callable[[], object], change: Change, judge: Callable[[bool], object]
) -> int:
    """Let a process make the change, killed before its first, second ... step, until it isn't.

    Each finds a fresh store, as `prepare` makes it; returns how many steps there are.
    """
    for nth in range(1, 500):
        shutil.rmtree(path.parent, ignore_errors=True)
        path.parent.mkdir()
        prepare()

        def act(nth: int = nth) -> None:
            with testing.kill_at(nth):
                change(AuthLog(path))

        survived = not died(act)
        judge(survived)
        if survived:
            return nth
    raise AssertionError("it never got through")


def due_after_the_first_change(handle: object, tail: Tail) -> bool:
    return tail.seq > 2


@pytest.mark.parametrize("verb", CHANGES)
@pytest.mark.parametrize("rotating", [False, True])
def test_a_kill_at_any_step_leaves_all_or_nothing(
    tmp_path: Path, verb: str, rotating: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store" / "auth.json"
    change, effect = CHANGES[verb]
    after = {name: what for name, what in (BEFORE | effect).items() if what is not None}
    if rotating:
        monkeypatch.setattr(rotation, "_due", due_after_the_first_change)

    def prepare() -> None:
        AuthLog(path).change(BEFORE)
        if verb == "adopt":
            entries = json.loads(path.read_bytes())
            path.write_text(json.dumps({**entries, "f": {"type": "api", "key": "f"}}))

    def judge(acknowledged: bool) -> None:
        shown = json.loads(path.read_bytes())
        assert set(shown) in (set(BEFORE), set(after))
        log = AuthLog(path)
        state = log.all()
        assert state in ([after] if acknowledged or verb == "adopt" else [BEFORE, after])
        assert log.verify().ok
        log.set("z", ApiKey("z"))
        assert log.all() in [{**one, "z": ApiKey("z")} for one in (state, after)]

    assert killed_at_each_step(path, prepare, change, judge) > 20


def test_a_kill_at_any_step_of_the_first_change_leaves_a_log_or_none(tmp_path: Path) -> None:
    path = tmp_path / "store" / "auth.json"

    def prepare() -> None:
        path.write_text('{"old": {"type": "api", "key": "1"}}')

    def judge(acknowledged: bool) -> None:
        assert "old" in json.loads(path.read_bytes())
        log = AuthLog(path)
        assert set(log.all()) in ([{"old", "a"}] if acknowledged else [{"old"}, {"old", "a"}])
        log.set("b", ApiKey("2"))
        assert set(log.all()) >= {"old", "b"}
        assert [event.seq for event in log.history()] == list(range(1, log.seq() + 1))

    steps = killed_at_each_step(path, prepare, lambda log: log.set("a", ApiKey("1")), judge)
    assert steps > 20


def test_a_change_after_a_kill_keeps_what_the_killed_process_had_appended(path: Path) -> None:
    AuthLog(path).set("a", ApiKey("1"))
    nth = 0
    for nth in range(1, 200):

        def act(nth: int = nth) -> None:
            with testing.kill_at(nth):
                AuthLog(path).set("n", ApiKey(f"n{nth}"))

        survived = not died(act)
        log = AuthLog(path)
        appended = (path.parent / "auth.json.log").glob("*.jsonl")
        whole = any(f'"key":"n{nth}"'.encode() in file.read_bytes() for file in appended)
        log.set("b", ApiKey("2"))
        assert (log.get("n") == ApiKey(f"n{nth}")) is whole
        assert log.verify().ok
        if survived:
            break
