"""authlog beside the real opencode: each shows what the other one wrote."""

from pathlib import Path

import msgspec
import pytest

import needs
from authlog import ApiKey, AuthLog, Event, OAuth, Opaque, WellKnown
from opencode import OpencodeServer, auth_json, requires_opencode, shown_by_opencode

pytestmark = requires_opencode

LOGIN = OAuth(refresh="r-1", access="a-1", expires=1_790_000_000_000)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder in which the test's opencode lives."""
    return tmp_path / "home"


@pytest.fixture
def path(home: Path) -> Path:
    """The auth.json of the test's opencode."""
    return auth_json(home)


def adopted(log: AuthLog, after: int) -> list[Event]:
    log.adopt()
    return [event for event in log.history(after=after) if event.kind == "adopt"]


def on_disk(path: Path) -> dict[str, object]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, object])


def test_opencode_shows_exactly_what_authlog_wrote(home: Path, path: Path) -> None:
    log = AuthLog(path)
    log.set("one-by-key", ApiKey(key="k-1", metadata={"team": "red"}))
    log.set("two-by-oauth", OAuth(refresh="r", access="a", expires=1_790_000_000_000))
    log.set("three-by-address", WellKnown(key="TOKEN", token="t-1"))
    log.set("four-is-gone", ApiKey(key="k-4"))
    assert shown_by_opencode(home) == {
        "one-by-key": "api",
        "two-by-oauth": "oauth",
        "three-by-address": "wellknown",
        "four-is-gone": "api",
    }

    log.remove("four-is-gone")
    assert "four-is-gone" not in shown_by_opencode(home)
    assert len(shown_by_opencode(home)) == 3


def test_what_opencode_stores_and_removes_is_told_as_adopt_events(home: Path, path: Path) -> None:
    log = AuthLog(path)
    log.change({"one": LOGIN, "two": ApiKey(key="k-2"), "three": ApiKey(key="k-3")})
    before = log.seq()
    with OpencodeServer(home) as server:
        server.put("four", {"type": "api", "key": "k-4"})
        (stored,) = adopted(log, before)
        assert log.get("four") == ApiKey(key="k-4")

        server.delete("two")
        (removed,) = adopted(log, stored.seq)

    assert set(stored.providers) == {"four"}
    assert stored.providers["four"] is not None
    assert removed.providers == {"two": None}
    assert list(log.all()) == ["one", "three", "four"]


def test_reading_alone_sees_what_opencode_has_just_stored(home: Path, path: Path) -> None:
    log = AuthLog(path)
    log.set("one", LOGIN)
    with OpencodeServer(home) as server:
        for number in range(5):
            server.put("two", {"type": "api", "key": f"gsk-{number}"})
            assert log.get("two") == ApiKey(key=f"gsk-{number}")


def test_logins_that_opencode_had_before_are_imported_whole(home: Path, path: Path) -> None:
    with OpencodeServer(home) as server:
        server.put("two", {"type": "api", "key": "gsk-1"})
        server.put("three%2F", {"type": "api", "key": "sk-1"})
    log = AuthLog(path)
    log.set("one", LOGIN)
    assert list(shown_by_opencode(home)) == ["two", "three", "one"]
    first = next(iter(log.history()))
    assert (first.kind, set(first.providers)) == ("init", {"two", "three"})


def test_what_opencode_does_not_know_survives_its_rewrite(home: Path, path: Path) -> None:
    log = AuthLog(path)
    future = {"type": "future", "seed": [1, 2, {"deep": None}]}
    log.set("tomorrow", future)
    log.set("one", {"type": "oauth", "refresh": "r", "access": "a", "expires": 5, "scopes": ["x"]})
    log.set("two", {"type": "api", "key": "gsk-1", "note": "mine"})
    with OpencodeServer(home) as server:
        server.put("three", {"type": "api", "key": "sk-1"})
        assert set(on_disk(path)) == {"one", "two", "three"}, "opencode drops what it doesn't know"
        adopted(log, 0)
        server.put("two", {"type": "api", "key": "gsk-2"})
        adopted(log, 0)

    tomorrow = log.get("tomorrow")
    assert isinstance(tomorrow, Opaque)
    assert tomorrow.value == future
    assert on_disk(path) == {
        "tomorrow": future,
        "one": {
            "type": "oauth",
            "refresh": "r",
            "access": "a",
            "expires": 5,
            "scopes": ["x"],
        },
        "two": {"type": "api", "key": "gsk-2", "note": "mine"},
        "three": {"type": "api", "key": "sk-1"},
    }


@needs.symlinks
def test_a_symlinked_auth_json_stays_one_for_both(home: Path, path: Path, tmp_path: Path) -> None:
    real = tmp_path / "elsewhere" / "logins.json"
    real.parent.mkdir()
    real.write_text("{}")
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    log = AuthLog(path)
    log.set("one", LOGIN)
    with OpencodeServer(home) as server:
        server.put("two", {"type": "api", "key": "gsk-1"})
        log.adopt()
    log.set("three", ApiKey(key="sk-1"))

    assert path.is_symlink()
    assert not real.is_symlink()
    assert log.path == real
    assert list(shown_by_opencode(home)) == ["one", "two", "three"]


def test_two_servers_and_authlog_in_turn_lose_nothing(home: Path, path: Path) -> None:
    log = AuthLog(path)
    log.set("one", LOGIN)
    expected = {"one": "oauth"}
    with OpencodeServer(home) as one, OpencodeServer(home) as other:
        for turn in range(4):
            for number, server in enumerate((one, other)):
                server.put(f"server-{number}-{turn}", {"type": "api", "key": f"k-{number}-{turn}"})
                expected[f"server-{number}-{turn}"] = "api"
            log.set(f"authlog-{turn}", ApiKey(key=f"k-{turn}"))
            expected[f"authlog-{turn}"] = "api"
        one.delete("server-1-0")  # one server logs out of what the other one stored
        del expected["server-1-0"]
        log.remove("authlog-0")
        del expected["authlog-0"]

    assert shown_by_opencode(home) == expected
    assert {name: view.type for name, view in log.all().items()} == expected
    assert on_disk(path)["server-0-3"] == {"type": "api", "key": "k-0-3"}
