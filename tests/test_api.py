"""Each verb of AuthLog, and what it promises at its edges."""

import errno
import json
import pickle
import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from authlog import (
    ApiKey,
    AuthLog,
    Conflict,
    InvalidCredential,
    NotMaterialized,
    OAuth,
    Opaque,
    SnapshotCorrupted,
    StaleToken,
    WellKnown,
    testing,
)
from authlog._engine import rotation
from authlog.testing import Repeatable

LOGIN = OAuth("r1", "a1", 1_790_000_000_000)


@pytest.fixture
def log(path: Path) -> AuthLog:
    return AuthLog(path, program="tests")


def shown(log: AuthLog) -> dict[str, object]:
    """Return what other programs read."""
    found: dict[str, object] = json.loads(log.path.read_bytes())
    return found


def kinds(log: AuthLog, provider: str | None = None) -> list[str]:
    return [event.kind for event in log.history(provider)]


def test_an_empty_store_creates_nothing_when_it_is_read(log: AuthLog) -> None:
    assert log.get("a") is None
    assert (log.all(), log.seq(), log.seq("a"), log.at(0)) == ({}, 0, 0, {})
    assert log.at(datetime.now(UTC)) == {}
    assert list(log.history()) == []
    assert log.verify().snapshot == "missing"
    assert list(log.path.parent.iterdir()) == []
    with pytest.raises(ValueError, match="no log yet"):
        log.at(3)


def test_a_change_is_in_auth_json_in_the_log_and_in_every_other_instance(log: AuthLog) -> None:
    event = log.set("a", ApiKey("k"))
    assert (event.seq, event.kind, event.writer.program) == (2, "set", "tests")
    assert shown(log) == {"a": {"type": "api", "key": "k"}}
    assert AuthLog(log.path).get("a") == log.get("a") == ApiKey("k")
    assert (log.seq(), log.seq("a"), log.seq("b")) == (2, 2, 0)
    assert repr(log) == f"AuthLog({str(log.path)!r})"


def test_the_first_change_imports_what_was_there(path: Path) -> None:
    path.write_text('{"a":{"type":"api","key":"k"},"gone":null,"__proto__":{},"":1}')
    log = AuthLog(path)
    assert set(log.all()) == {"a", "__proto__", ""}
    log.set("b", ApiKey("2"))
    init, change = log.history()
    assert (init.kind, init.seq, set(init.providers)) == ("init", 1, {"a"})
    assert init.found is not None
    assert set(init.found.omitted) == {"__proto__", ""}
    assert change.seq == 2
    assert set(shown(log)) == {"a", "b"}


def test_adopt_without_a_log_begins_one_and_leaves_the_file_alone(path: Path) -> None:
    path.write_text('{"a":{"type":"api","key":"k"}}')
    before = path.read_bytes()
    event = AuthLog(path).adopt()
    assert event is not None
    assert event.kind == "init"
    assert path.read_bytes() == before
    assert AuthLog(path).adopt() is None


@pytest.mark.damaged
def test_an_auth_json_without_a_log_that_is_no_object_is_an_error_and_is_kept(path: Path) -> None:
    path.write_text("[1, 2")
    log = AuthLog(path)
    for act in (log.all, log.adopt, lambda: log.set("a", ApiKey("k"))):
        with pytest.raises(SnapshotCorrupted, match="not a JSON object"):
            act()
    assert path.read_text() == "[1, 2"
    health = log.verify()
    assert (health.ok, health.snapshot) == (False, "damaged")


def test_expect_holds_a_change_to_what_the_caller_saw(log: AuthLog) -> None:
    seq = log.set("a", ApiKey("1"), expect=0).seq
    log.set("a", ApiKey("2"), expect=seq)
    with pytest.raises(Conflict) as caught:
        log.set("a", ApiKey("3"), expect=seq)
    assert (caught.value.provider, caught.value.expected, caught.value.actual) == ("a", 2, 3)
    with pytest.raises(Conflict):
        log.remove("a", expect=seq)
    with pytest.raises(Conflict):
        log.set("a", ApiKey("3"), expect=0)
    assert log.get("a") == ApiKey("2")
    assert log.remove("a", expect=3) is not None


def test_remove_answers_whether_there_was_something(log: AuthLog) -> None:
    assert log.remove("a") is None
    log.set("a", ApiKey("k"))
    event = log.remove("a")
    assert event is not None
    assert (event.kind, event.providers) == ("remove", {"a": None})
    assert log.remove("a") is None
    assert (log.get("a"), shown(log)) == (None, {})


def test_update_changes_members_and_keeps_the_others(log: AuthLog) -> None:
    log.set("a", {"type": "oauth", "refresh": "r", "access": "1", "expires": 1, "scopes": ["x"]})
    event = log.update("a", access="2", expires=5, accountId="me")
    assert event.kind == "set"
    assert shown(log)["a"] == {
        "type": "oauth", "refresh": "r", "access": "2", "expires": 5, "scopes": ["x"],
        "accountId": "me",
    }  # fmt: skip
    log.update("a", scopes=None, accountId=None)
    assert set(log.update("a").providers) == {"a"}
    assert "scopes" not in json.dumps(shown(log)["a"])


def test_update_of_what_is_not_there_or_no_object_is_refused(log: AuthLog) -> None:
    with pytest.raises(KeyError):
        log.update("a", key="k")
    log.path.write_text('{"a": "text"}')
    with pytest.raises(InvalidCredential, match="object"):
        log.update("a", key="k")
    with pytest.raises(InvalidCredential):
        log.update("a", key=float("inf"))
    assert log.get("a") == Opaque(b'"text"')


def test_update_that_would_break_the_shape_is_refused(log: AuthLog) -> None:
    log.set("a", LOGIN)
    with pytest.raises(InvalidCredential, match=r"\$\.refresh"):
        log.update("a", refresh=None)
    assert log.get("a") == LOGIN


def test_a_change_of_several_is_one_event(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    event = log.change({"a": None, "b": ApiKey("2"), "c": {"x": 1}})
    assert (event.seq, event.kind, set(event.providers)) == (3, "set", {"a", "b", "c"})
    assert log.change({"b": None, "c": None}).kind == "remove"
    for wrong in ({}, {"d": ApiKey("1"), "d/": ApiKey("2")}):
        with pytest.raises(ValueError, match="each of them once"):
            log.change(wrong)


def test_a_view_keeps_the_members_that_it_does_not_know(log: AuthLog) -> None:
    log.set("a", {"type": "api", "key": "1", "extra": {"n": 1.50}})
    assert log.get("a") == ApiKey("1", extra={"extra": b'{"n":1.5}'})
    log.set("a", ApiKey("2"))
    assert b'{"n":1.5}' in AuthLog(log.path).get("a").raw  # type: ignore[union-attr]
    log.set("a", WellKnown("k", "t"))
    assert shown(log)["a"] == {"type": "wellknown", "key": "k", "token": "t"}
    log.set("a", Opaque(b'{"any": [1, 2]}'))
    assert log.get("a") == Opaque(b'{"any":[1,2]}')


@pytest.mark.parametrize(
    ("credential", "where"),
    [
        ({"type": "api", "key": 5}, "$.key"),
        ({"type": "oauth", "refresh": "r"}, "$.access"),
        ({"a": [1, float("nan")]}, "$.a[1]"),
        ({"a": {1, 2}.__iter__()}, "can't be written"),
        ("text", "got `str`"),
        (Opaque(b"null"), "null"),
        (Opaque(b"{"), "not JSON"),
        ({"a": "x" * (1 << 20)}, "over 1048576 bytes"),
        (ApiKey("k", extra={"x": b"{"}), "can't be written"),
    ],
)
def test_what_can_not_be_filed_is_refused_and_says_where(
    log: AuthLog, credential: ApiKey, where: str
) -> None:
    with pytest.raises(InvalidCredential) as caught:
        log.set("a", credential)
    assert where in caught.value.where
    assert log.verify().snapshot == "missing"


def test_a_value_nested_too_deep_is_refused(log: AuthLog) -> None:
    value: object = 1
    for _ in range(250):
        value = [value]
    with pytest.raises(InvalidCredential, match="deeper"):
        log.set("a", {"a": value})


@pytest.mark.parametrize("name", ["", "/", "x" * 257, "a\nb", "\x7f", "__proto__", "\ud800"])
def test_a_name_that_can_not_be_filed_is_refused(log: AuthLog, name: str) -> None:
    with pytest.raises(InvalidCredential):
        log.set(name, ApiKey("k"))
    assert log.get(name) is None


def test_trailing_slashes_of_a_name_are_cut(log: AuthLog) -> None:
    log.set("https://a.b//", WellKnown("k", "t"))
    assert set(shown(log)) == {"https://a.b"}
    assert log.get("https://a.b/") == WellKnown("k", "t")
    assert log.seq("https://a.b/") == 2
    assert kinds(log, "https://a.b/") == ["set"]


def test_an_account_is_in_the_log_and_not_in_auth_json(log: AuthLog) -> None:
    event = log.set("a@work", ApiKey("k"))
    change = event.providers["a@work"]
    assert change is not None
    assert change.account
    assert shown(log) == {}
    assert log.get("a@work") == ApiKey("k")
    log.path.write_text('{"a@b": {"type": "api", "key": "2"}}')
    log.set("a@b", ApiKey("3"))
    assert shown(log) == {"a@b": {"type": "api", "key": "3"}}


def test_any_earlier_state_can_be_looked_at(log: AuthLog) -> None:
    with testing.repeatable(Repeatable()):
        log = AuthLog(log.path)
    log.set("a", ApiKey("1"))
    second = log.set("a", ApiKey("2"))
    log.remove("a")
    assert [log.at(seq) for seq in range(5)] == [
        {}, {}, {"a": ApiKey("1")}, {"a": ApiKey("2")}, {},
    ]  # fmt: skip
    assert log.at(second.time) == {"a": ApiKey("2")}
    assert log.at(second.time - timedelta(seconds=1)) == {"a": ApiKey("1")}
    assert log.at(second.time.astimezone().replace(tzinfo=None)) == {"a": ApiKey("2")}
    assert log.at(datetime(2000, 1, 1, tzinfo=UTC)) == {}
    with pytest.raises(ValueError, match="newest is 4"):
        log.at(9)


def test_history_can_be_asked_for_one_provider_and_from_a_seq_on(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    log.set("b", ApiKey("2"))
    log.remove("a")
    assert kinds(log) == ["init", "set", "set", "remove"]
    assert [event.seq for event in log.history("a")] == [2, 4]
    assert [event.seq for event in log.history(after=2)] == [3, 4]
    assert list(log.history(after=4)) == []


def test_history_shows_no_secret(log: AuthLog) -> None:
    log.set("a", OAuth("secret-r", "secret-a", 5, accountId="secret-id"))
    log.update("a", access="secret-b")
    for event in log.history():
        assert "secret-" not in repr(event)
        assert "secret-" not in msgspec.json.encode(event).decode()
    one, other = (event.providers["a"] for event in log.history("a"))
    assert one is not None
    assert other is not None
    assert one.members["refresh"] == other.members["refresh"]
    assert one.members["access"] != other.members["access"]
    assert (other.type, other.expires) == ("oauth", 5)


def test_restore_brings_back_what_was_or_was_not_there(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    log.set("a", ApiKey("2"))
    log.remove("a")
    event = log.restore("a", 2)
    assert (event.kind, log.get("a")) == ("restore", ApiKey("1"))
    log.restore("a", 1)
    assert log.get("a") is None
    with pytest.raises(ValueError, match="no event 99"):
        log.restore("a", 99)


def test_restore_begins_a_log_where_there_is_none(log: AuthLog) -> None:
    log.path.write_text('{"a": {"type": "api", "key": "k"}}')
    assert log.restore("a", 1).seq == 2
    assert log.get("a") == ApiKey("k")


def test_a_login_that_was_refreshed_since_is_not_restored_unless_forced(log: AuthLog) -> None:
    log.set("a", LOGIN)
    log.update("a", access="a2")
    log.restore("a", 2)
    refreshed = log.update("a", refresh="r2", access="a3")
    log.remove("a")
    with pytest.raises(StaleToken) as caught:
        log.restore("a", 2)
    assert (caught.value.seq, caught.value.refreshed_at) == (2, refreshed.time)
    assert log.get("a") is None
    log.restore("a", 2, force=True)
    assert log.get("a") == LOGIN
    with pytest.raises(StaleToken):
        log.restore("a", 2)


def test_restore_looks_again_if_the_provider_was_changed_meanwhile(log: AuthLog) -> None:
    log.set("a", LOGIN)
    other = AuthLog(log.path)
    left = 1

    def before(verb: str) -> None:
        nonlocal left
        if verb == "stat_open" and left:
            left -= 1
            other.update("a", refresh="r2")

    log.get("a")
    with testing.steps(before), pytest.raises(StaleToken):
        log.restore("a", 2)


def test_a_watcher_sees_each_event_as_it_is_published(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    seen: list[int] = []
    begun = threading.Event()

    def watch() -> None:
        for event in AuthLog(log.path).watch(after=1):
            seen.append(event.seq)
            begun.set()
            if event.seq == 4:
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun.wait(10)
    log.set("a", ApiKey("2"))
    log.set("a", ApiKey("3"))
    watcher.join(10)
    assert seen == [2, 3, 4]


def test_a_watcher_without_a_seq_starts_with_the_next_event(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    looks = 0

    def before(verb: str) -> None:
        nonlocal looks
        looks += 1
        if looks == 20:
            AuthLog(log.path).set("a", ApiKey("2"))

    with testing.steps(before, ("read",)):
        assert next(log.watch()).seq == 3


def test_settle_tells_what_became_of_the_last_change(log: AuthLog) -> None:
    assert log.settle() is False
    log.set("a", ApiKey("1"))
    assert log.settle() is True
    with pytest.raises(InvalidCredential):
        log.set("b", {"type": "api"})
    assert log.settle() is True
    with pytest.raises(Conflict):
        log.set("a", ApiKey("2"), expect=9)
    assert log.settle() is False


def test_settle_answers_after_a_signal(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    answers: list[bool] = []
    for nth in range(60):
        calls = 0

        def before(verb: str, nth: int = nth) -> None:
            nonlocal calls
            calls += 1
            if calls == nth + 1:
                raise KeyboardInterrupt

        try:
            with testing.steps(before):
                log.set("a", ApiKey(f"k{nth}"))
        except KeyboardInterrupt:
            pass
        else:
            break
        durable = log.settle()
        answers.append(durable)
        assert (log.get("a") == ApiKey(f"k{nth}")) is durable
    assert True in answers
    assert False in answers


def test_verify_tells_how_far_it_is(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    told: list[tuple[int, int]] = []
    health = log.verify(progress=lambda done, total: told.append((done, total)))
    assert told[-1][0] == told[-1][1] == health.segments[0].size
    assert (health.ok, health.seq, health.events, health.snapshot) == (True, 2, 2, "fresh")


def test_verify_tells_how_far_it_is_within_a_segment_too(
    log: AuthLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "ROTATE_AT", 1 << 30)
    with testing.without_sync():
        for n in range(9):
            log.set("a", ApiKey(f"{n}" * (1 << 18)))
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))
        if len(told) == 1:
            for key in "xyz":
                log.set("a", ApiKey(key * (1 << 19)))  # behind what there was to read

    (segment,) = log.verify(progress=progress).segments
    total = told[0][1]
    assert segment.size > total + (1 << 20)
    assert {of for _, of in told} == {total}
    done = [one for one, _ in told]
    assert (done[0], done[-1], done) == (0, total, sorted(done))
    assert max(later - one for one, later in pairwise(done)) < 3 << 19  # two lines' ends
    assert len(done) == 5


def test_verify_tells_how_auth_json_stands_to_the_log(log: AuthLog) -> None:
    log.set("a", ApiKey("1"))
    old = log.path.read_bytes()
    log.path.write_text("{}")
    assert log.verify().snapshot == "foreign"
    log.path.write_text("{")
    assert log.verify().snapshot == "foreign"
    log.path.unlink()
    assert log.verify().snapshot == "missing"
    log.set("a", ApiKey("1"))
    with testing.fail_at(1, errno.EIO, verbs=("exchange",)), pytest.raises(NotMaterialized):
        log.set("a", ApiKey("2"))
    assert log.path.read_bytes() == old
    assert log.verify().snapshot == "stale"


def test_what_is_read_can_be_sent_to_another_process(log: AuthLog) -> None:
    event = log.set("a", LOGIN)
    assert pickle.loads(pickle.dumps(event)) == event  # noqa: S301  our own
    assert pickle.loads(pickle.dumps(log.all())) == {"a": LOGIN}  # noqa: S301  our own
