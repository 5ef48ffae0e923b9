"""Who writes, and in which boot; and the crash points that `authlog.testing` gives."""

import os
import signal
import socket
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, store, testing
from authlog._engine import surroundings
from authlog.testing import Repeatable

KEY = ApiKey("k")


def test_the_writer_is_named_by_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/opencode"])
    writer = surroundings.Surroundings().writer(None)
    assert (writer.program, writer.pid) == ("opencode", os.getpid())
    assert (writer.host, str(writer)) == (
        socket.gethostname(),
        f"opencode·{os.getpid()}@{socket.gethostname()}",
    )
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert surroundings.Surroundings().writer("x").user == "987654"


def test_without_a_boot_id_every_open_recovers(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_BOOT", Path("/nowhere/boot_id"))
    AuthLog(path).set("a", KEY)
    other = AuthLog(path)
    assert other.get("a") == KEY
    other.set("b", KEY)
    assert {event.kind for event in AuthLog(path).history()} == {"init", "set"}


def test_after_a_fork_everything_is_opened_anew(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    store._start_anew_in_child()
    assert one.get("a") == KEY
    assert one.set("b", KEY).seq == 3


def test_a_kill_point_kills(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (os.getpid(), signal.SIGKILL)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "kill", kill)
    with testing.kill_at(5), pytest.raises(KeyboardInterrupt):
        AuthLog(path).set("a", KEY)


def test_without_sync_nothing_is_synced(path: Path) -> None:
    with testing.count(("sync", "sync_folder")) as seen, testing.without_sync():
        AuthLog(path).set("a", KEY)
    assert seen == []
    assert AuthLog(path).get("a") == KEY


def test_surroundings_that_repeat_write_the_same_bytes(tmp_path: Path) -> None:
    written: list[bytes] = []
    for name in ("one", "other"):
        with testing.repeatable():
            AuthLog(tmp_path / name / "auth.json").set("a", KEY)
        written.append((tmp_path / name / "auth.json.log" / "000001.jsonl").read_bytes())
    assert written[0] == written[1]
    answers = Repeatable()
    with testing.repeatable(answers):
        AuthLog(tmp_path / "one" / "auth.json").get("a")
    assert answers.answers == [2]
