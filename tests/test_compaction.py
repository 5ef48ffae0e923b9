"""Compaction: what leaves the log, what stays, and who may go on meanwhile."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import needs
from authlog import (
    ApiKey,
    AuthLog,
    LockTimeout,
    LogCorrupted,
    NotErased,
    NotMaterialized,
    OAuth,
    SecretErased,
    Span,
    testing,
)
from authlog._engine import compaction, erasing, extent, files, history, publish, rotation
from authlog._engine import mark as marks
from authlog._engine.codec import Draft
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.state import State
from authlog.testing import Repeatable
from test_kill import killed_at_each_step

NOW = timedelta(0)


def folder(path: Path) -> Path:
    return path.parent / "auth.json.log"


def holding(path: Path, text: str) -> list[str]:
    """Return which files below the log's folder hold the text."""
    return sorted(
        str(file.relative_to(folder(path)))
        for file in folder(path).rglob("*")
        if file.is_file() and text.encode() in file.read_bytes()
    )


def due_after_three_events(handle: object, tail: Tail) -> bool:
    return tail.offset - tail.checkpoint > 1500


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> AuthLog:
    """Return a log of several segments in which every key but three was superseded."""
    monkeypatch.setattr(rotation, "_due", due_after_three_events)
    log = AuthLog(path)
    for n in range(13):
        log.set(f"p{n % 3}", ApiKey(f"KEY-{n:02}"))
    monkeypatch.undo()
    return log


SUPERSEDED = [f"KEY-{n:02}" for n in range(10)]
FILED = [f"KEY-{n:02}" for n in range(10, 13)]


def test_after_compaction_without_retention_no_byte_of_a_superseded_secret_is_left(
    store: AuthLog, path: Path
) -> None:
    assert all(holding(path, secret) for secret in SUPERSEDED)
    store.compact(retain=NOW)
    assert [secret for secret in SUPERSEDED if holding(path, secret)] == []
    assert [len(holding(path, secret)) for secret in FILED] == [1, 1, 1]


def test_quarantine_goes_with_the_secrets_that_may_be_in_it(store: AuthLog, path: Path) -> None:
    segments = sorted(folder(path).glob("0*.jsonl"))
    with segments[-1].open("ab") as file:
        file.write(b'{"event": torn KEY-00')
    path.write_bytes(b"{ KEY-01")
    store.set("q", ApiKey("q"))
    assert len(list((folder(path) / "quarantine").iterdir())) == 2
    assert store.compact(dry_run=True, retain=NOW).quarantined == 2
    assert store.compact().quarantined == 0
    assert store.compact(retain=NOW).quarantined == 2
    assert [secret for secret in SUPERSEDED if holding(path, secret)] == []
    assert [event.file for event in store.history() if event.kind == "quarantine"] != []


def test_a_segment_that_a_killed_process_left_half_written_goes(store: AuthLog, path: Path) -> None:
    (folder(path) / "000099.jsonl.tmp").write_bytes(b"KEY-03")
    store.compact(retain=NOW)
    assert holding(path, "KEY-03") == []


def test_history_and_its_proof_stay_whole(store: AuthLog) -> None:
    before = [(e.seq, e.time, e.kind, e.writer, e.providers, e.hash) for e in store.history()]
    store.compact(retain=NOW)
    after = [(e.seq, e.time, e.kind, e.writer, e.providers, e.hash) for e in store.history()]
    assert after[:-1] == before
    assert after[-1][2] == "checkpoint"
    assert all(event.erased for event in list(store.history())[:-1])
    assert store.verify().ok
    assert list(store.history(reverse=True)) == list(store.history())[::-1]


def test_a_state_that_was_erased_is_neither_shown_nor_brought_back(store: AuthLog) -> None:
    newest = store.seq()
    store.compact(retain=NOW)
    for seq in range(1, newest + 1):
        with pytest.raises(SecretErased):
            store.at(seq)
    with pytest.raises(SecretErased) as caught:
        store.restore("p0", 2)
    assert (caught.value.seq, caught.value.provider) == (2, "p0")
    assert store.at(store.seq()) == store.all()


def test_what_is_not_superseded_for_as_long_as_it_is_to_be_retained_stays(path: Path) -> None:
    with testing.repeatable(Repeatable(1)) as world:
        log = AuthLog(path)
        log.set("a", ApiKey("old"))
        log.compact()
        world.advance(20 * 86_400)
        log.set("a", ApiKey("young"))
        log.compact()
        world.advance(11 * 86_400)
        log.compact(retain=timedelta(days=30))
        assert holding(path, "old") == ["000002.jsonl"]  # it was filed when that began
        with pytest.raises(SecretErased):
            log.at(2)
        assert log.at(4) == {"a": ApiKey("young")}


@pytest.mark.parametrize("how", [{}, {"drop_history": True}, {"retain": timedelta(days=1)}])
def test_a_dry_run_says_exactly_what_would_change_and_changes_nothing(
    store: AuthLog, path: Path, how: dict[str, bool]
) -> None:
    given = {"retain": NOW, **how}
    content = {file: file.read_bytes() for file in folder(path).rglob("*") if file.is_file()}
    planned = store.compact(**given, dry_run=True)  # type: ignore[arg-type]
    assert content == {file: file.read_bytes() for file in content}
    done = store.compact(**given)  # type: ignore[arg-type]
    told = ("before", "after", "secrets", "credentials", "erased", "dropped", "quarantined")
    assert [getattr(planned, name) for name in told[:5]] == [
        getattr(done, name) for name in told[:5]
    ]
    again, planned = store.compact(**given, dry_run=True), store.compact(**given)  # type: ignore[arg-type]
    assert [getattr(planned, name) for name in told] == [getattr(again, name) for name in told]
    assert again.before == again.after


@pytest.mark.parametrize("drop", [False, True])
def test_it_tells_how_many_credentials_stand_nowhere_any_more_before_and_after(
    path: Path, drop: bool
) -> None:
    log = AuthLog(path)
    log.set("a", ApiKey("1"))
    log.set("a", ApiKey("2"))
    log.set("a", ApiKey("1"))  # so this one is not superseded
    log.set("b@work", OAuth("r-1", "a-1", 1))
    log.update("b@work", access="a-2", more=[1, {"x": 1.50}])
    log.compact(retain=timedelta(days=1))  # of what stands in two segments each counts once
    log.set("c", {"type": "new", "key": "\u00e9"})
    log.set("d", ApiKey("1"))
    log.remove("d")
    gone = 3  # a's second, b's first, and d
    assert log.compact(dry_run=True).credentials == 0
    assert log.compact(retain=NOW, drop_history=drop, dry_run=True).credentials == gone
    assert log.compact(retain=NOW, drop_history=drop).credentials == gone
    assert log.compact(retain=NOW, drop_history=drop).credentials == 0
    assert log.compact(retain=NOW, drop_history=drop, dry_run=True).credentials == 0


def test_a_log_without_a_log_has_nothing_to_compact(path: Path) -> None:
    done = AuthLog(path).compact()
    assert (done.before, done.after) == (done.after, done.before)
    assert (done.before.events, done.before.segments, done.before.bytes) == (0, 0, 0)
    assert list(path.parent.iterdir()) == []


def test_a_retention_is_not_negative(store: AuthLog) -> None:
    with pytest.raises(ValueError, match="negative"):
        store.compact(retain=timedelta(days=-1))


def test_progress_is_told_in_bytes(store: AuthLog) -> None:
    told: list[tuple[int, int]] = []
    store.compact(retain=NOW, progress=lambda done, total: told.append((done, total)))
    assert told[0][0] == 0
    assert told[0][1] > 1000
    assert told[-1][0] == told[-1][1]


def test_dropped_history_is_stated_and_the_rest_is_still_proved(store: AuthLog, path: Path) -> None:
    last = list(store.history())[-1]
    done = store.compact(drop_history=True)
    assert done.dropped == Span(first=1, last=last.seq, hash=last.hash)
    assert (done.after.events, done.after.segments) == (1, 1)
    health = store.verify()
    assert (health.ok, health.dropped) == (True, done.dropped)
    (event,) = store.history()
    assert (event.prev, event.dropped) == (last.hash, done.dropped)
    with pytest.raises(SecretErased):
        store.at(last.seq)
    with pytest.raises(ValueError, match="no event"):
        store.at(last.seq + 2)
    store.set("q", ApiKey("q"))
    again = store.compact(drop_history=True)
    assert again.dropped == Span(first=1, last=last.seq + 2, hash=next(store.history()).prev)
    store.set("q", ApiKey("r"))
    store.compact()
    assert [event.dropped for event in store.history() if event.kind == "checkpoint"] == [
        again.dropped,
        again.dropped,
    ]
    assert store.verify().dropped == again.dropped


@pytest.mark.damaged
def test_history_that_is_gone_without_being_stated_as_dropped_is_damage(
    store: AuthLog, path: Path
) -> None:
    store.compact(drop_history=True)
    store.set("q", ApiKey("q"))
    store.compact()
    min(folder(path).glob("0*.jsonl")).unlink()
    health = AuthLog(path).verify()
    assert [damage.reason for damage in health.damage] != []
    with pytest.raises(LogCorrupted):
        list(AuthLog(path).history())


def rewrite(path: Path, entries: object, at_ns: int) -> None:
    """Write auth.json as a program does that doesn't know authlog, at that time."""
    path.write_text(json.dumps(entries))
    os.utime(path, ns=(at_ns, at_ns))


@pytest.mark.parametrize("drop", [False, True])
def test_what_another_program_changes_afterwards_means_the_same_as_ever(
    path: Path, drop: bool
) -> None:
    """Of the states before it none is known any more; auth.json shows one that is."""
    with testing.repeatable() as here:
        log = AuthLog(path)
        log.change({name: ApiKey(name) for name in "abc"})
        log.compact(retain=NOW, drop_history=drop)
        here.advance(60)
        entries = json.loads(path.read_bytes())
        del entries["b"]
        rewrite(path, {**entries, "a": {"type": "api", "key": "new"}}, here.now_ns())
        log.adopt()
        assert log.all() == {"a": ApiKey("new"), "b": ApiKey("b"), "c": ApiKey("c")}
        log.compact(retain=NOW, drop_history=drop)
        here.advance(60)
        rewrite(path, {**entries, "a": {"type": "api", "key": "new"}}, here.now_ns())
        event = log.adopt()
        assert event is not None
        assert (event.kind, event.providers) == ("adopt", {"b": None})
        assert log.verify().snapshot == "fresh"


def test_instances_that_were_open_before_read_and_write_on(store: AuthLog, path: Path) -> None:
    other = AuthLog(path)
    state = other.all()
    reading = other.history()
    first = next(reading)
    store.compact(retain=NOW)
    assert other.all() == state
    assert first.seq == 1
    assert [event.seq for event in reading] == list(range(2, store.seq()))
    other.set("q", ApiKey("q"))
    assert store.all() == {**state, "q": ApiKey("q")}
    reading, back = other.history(), other.history(reverse=True)
    assert (next(reading).seq, next(back).seq) == (1, store.seq())
    store.compact(drop_history=True)
    assert [event.seq for event in reading] == [2, 3, 4]  # of the segment that was being read
    assert {event.kind for event in back} == {"checkpoint"}
    assert other.all() == store.all()
    other.remove("q")
    assert store.all() == state


def test_a_log_that_is_compacted_by_two_at_once_while_others_write_loses_nothing(
    path: Path,
) -> None:
    AuthLog(path).set("a", ApiKey("a"))
    program = (
        "import sys; from datetime import timedelta; from authlog import ApiKey, AuthLog\n"
        "log, what = AuthLog(sys.argv[1]), sys.argv[2]\n"
        "for n in range(20):\n"
        "    if what == 'erase': log.compact(retain=timedelta(0))\n"
        "    elif what == 'drop': log.compact(retain=timedelta(0), drop_history=True)\n"
        "    elif what == 'read': log.all(), list(log.history()), list(log.history(reverse=True))\n"
        "    else: log.set(f'{what}-{n % 5}', ApiKey(f'{what}.{n}'))\n"
    )
    verbs = ("erase", "erase", "drop", "read", "w1", "w2")
    command = [sys.executable, "-c", program, str(path)]
    running = [subprocess.Popen([*command, verb]) for verb in verbs]
    assert [process.wait() for process in running] == [0] * len(verbs)
    log = AuthLog(path)
    assert log.all() == {"a": ApiKey("a")} | {
        f"{who}-{n % 5}": ApiKey(f"{who}.{n}") for who in ("w1", "w2") for n in range(15, 20)
    }
    assert {event.kind for event in log.history()} <= {"init", "set", "checkpoint"}
    log.compact(retain=NOW)
    assert [n for n in range(15) if holding(path, f'"w1.{n}"')] == []
    assert log.verify().ok


@pytest.mark.parametrize("foreign", [False, True])
def test_what_is_appended_between_publish_and_switch_is_carried_over_and_left_behind(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch, foreign: bool
) -> None:
    """Another process appends right before the new segment begins, and is killed."""
    other = AuthLog(path)._handle
    appended: list[int] = []

    def publish_then_append(handle: Handle) -> None:
        publish.publish_under_lock(handle)
        if not appended:
            draft = Draft(kind="set", value={"p0": b'{"type":"api","key":"LATE"}'})
            appended.append(other.append(lambda state: draft).seq)
            if foreign:
                path.write_text(path.read_text().replace("}\n}", '},\n  "f": {"type": "api"}\n}'))

    monkeypatch.setattr(compaction, "_retire", lambda handle: list[int]())
    monkeypatch.setattr(
        compaction, "publish_under_lock", _second(publish.publish_under_lock, publish_then_append)
    )
    real, shown = rotation.follow, list[str]()

    def follow(*given: Any) -> object:  # noqa: ANN401  handed on
        shown.append(path.read_text())
        return real(*given)

    monkeypatch.setattr(rotation, "follow", follow)
    store.compact(drop_history=True)
    monkeypatch.undo()
    assert ["LATE" in content for content in shown] == [False, True]
    assert (store.get("p0"), "f" in store.all()) == (ApiKey("LATE"), foreign)
    assert store.verify().ok
    assert store.verify().snapshot == "fresh"
    newest = max(folder(path).glob("0*.jsonl"))
    assert newest.read_bytes().count(b"\n") == 1


def _second(
    one: Callable[[Handle], None], other: Callable[[Handle], None]
) -> Callable[[Handle], None]:
    """Return what does one thing and then the other, in turn."""
    calls: list[int] = []

    def call(handle: Handle) -> None:
        calls.append(1)
        (other if len(calls) % 2 == 0 else one)(handle)

    return call


def test_a_publish_that_keeps_auth_json_goes_on_knowing_what_it_replaced(
    store: AuthLog, path: Path
) -> None:
    store.set("p0", ApiKey("KEY-13"))
    replaced = (folder(path) / "next.json").stat()
    store.set("p0@work", ApiKey("w"))  # an account, which auth.json does not show
    mark = marks.decode((folder(path) / "published.json").read_bytes())
    assert mark is not None
    assert mark.before is not None
    assert mark.before[0] == replaced.st_ino


def test_a_torn_tail_that_a_newer_segment_left_behind_goes(store: AuthLog, path: Path) -> None:
    first = min(folder(path).glob("0*.jsonl"))
    with first.open("ab") as file:
        file.write(b"torn KEY-05")
    store.compact(retain=NOW)
    assert b"torn" not in first.read_bytes()
    assert store.verify().ok


def test_a_line_that_is_not_whole_is_never_rewritten(path: Path) -> None:
    with pytest.raises(LogCorrupted):
        erasing.without_secrets(path, b"no line\n", 5)


@pytest.mark.damaged
def test_a_segment_is_not_erased_if_its_successor_has_no_checkpoint(
    store: AuthLog, path: Path
) -> None:
    found = sorted(folder(path).glob("0*.jsonl"))
    line = found[-1].read_bytes().splitlines(keepends=True)[-1]
    found[-1].write_bytes(line)
    with pytest.raises(LogCorrupted, match="no checkpoint"):
        erasing.closed(store._handle, len(found) - 1)


def test_the_newest_events_after_a_seq_come_without_the_oldest_segments(store: AuthLog) -> None:
    newest = store.seq()
    found = [event.seq for event in store.history(after=newest - 5, reverse=True)]
    assert found == [newest - n for n in range(5)]


def test_a_state_is_looked_for_again_if_history_is_dropped_meanwhile(
    store: AuthLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, real = AuthLog(store.path), history.state_at

    def state_at(handle: Handle, end: Tail, seq: int) -> State:
        if end.dropped is None:
            other.compact(drop_history=True)
        return real(handle, end, seq)

    monkeypatch.setattr(history, "state_at", state_at)
    with pytest.raises(SecretErased):
        store.at(2)


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_compaction_looks_again_if_another_one_drops_history_meanwhile(
    store: AuthLog, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    other, real = AuthLog(store.path), extent.measured

    def measured(handle: Handle, end: Tail) -> extent.Measured:
        with monkeypatch.context() as patch:
            patch.setattr(compaction, "measured", real)
            if end.dropped is None:
                other.compact(drop_history=True)
        return real(handle, end)

    monkeypatch.setattr(compaction, "measured", measured)
    state = other.all()
    done = store.compact(retain=NOW, dry_run=dry_run)
    assert (done.before.events, done.after.events) == (1, 1)
    assert store.all() == state


def test_verify_looks_again_if_history_is_dropped_meanwhile(store: AuthLog, path: Path) -> None:
    other, told = AuthLog(path), list[int]()

    def progress(done: int, total: int) -> None:
        told.append(done)
        if len(told) == 2:
            other.compact(drop_history=True)

    health = store.verify(progress=progress)
    assert (health.ok, len(health.segments), len(told)) == (True, 1, 4)
    assert health.seq == store.seq()


@needs.symlinks
@pytest.mark.damaged
def test_a_segment_whose_name_leads_nowhere_is_no_empty_one(store: AuthLog, path: Path) -> None:
    first = min(folder(path).glob("0*.jsonl"))
    first.unlink()
    first.symlink_to(path.with_name("nowhere"))
    with pytest.raises(LogCorrupted, match="missing"):
        store.verify()


@pytest.mark.damaged
def test_an_empty_segment_is_damage(store: AuthLog, path: Path) -> None:
    min(folder(path).glob("0*.jsonl")).write_bytes(b"")
    with pytest.raises(LogCorrupted):
        list(store.history())
    with pytest.raises(LogCorrupted):
        store.at(2)
    assert history.stated_gaps(b'"gap":{ no line\n') == []


def test_what_the_disk_or_another_process_refuses_is_said_and_done_by_the_next_run(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        raise OSError(28, "")

    other = AuthLog(path, lock_timeout=0.0)
    with erasing.publishing(store._handle), pytest.raises(LockTimeout):
        other.compact(retain=NOW)
    real = files.sync_folder
    calls: list[int] = []

    def fails_later(path: Path) -> None:
        calls.append(1)
        if len(calls) > 3:
            full(path)
        real(path)

    for act in (lambda: store.compact(retain=NOW), lambda: store.forget("p1")):
        calls.clear()
        monkeypatch.setattr(files, "sync_folder", fails_later)
        with pytest.raises(NotErased, match="run it again"):
            act()
        monkeypatch.undo()
    store.compact(retain=NOW)
    assert [secret for secret in SUPERSEDED if holding(path, secret)] == []


def test_another_program_that_writes_on_and_on_is_not_taken_for_ours(
    store: AuthLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: object, **how: object) -> bool:
        return False

    monkeypatch.setattr(compaction, "_begin_next", never)
    with pytest.raises(NotMaterialized):
        store.compact()


def test_forgetting_destroys_every_secret_of_one_login_and_no_event(
    store: AuthLog, path: Path
) -> None:
    store.set("o", OAuth("KEEP-ME", "access", expires=5))
    store.set("o", OAuth("KEEP-TOO", "access", expires=6))
    events = [event.hash for event in store.history()]
    event = store.forget("p0")
    assert (event.kind, dict(event.providers)) == ("remove", {"p0": None})
    assert [n for n in range(0, 13, 3) if holding(path, f"KEY-{n:02}")] == []
    assert holding(path, "KEEP-ME") != []
    assert store.get("p0") is None
    assert "p0" not in path.read_text()
    assert [event.hash for event in store.history()][: len(events)] == events
    assert store.verify().ok
    again = store.forget("p0")
    assert again.seq > event.seq
    with pytest.raises(KeyError):
        store.forget("never")


def test_secrets_past_retention_are_erased_by_rotation_itself(path: Path) -> None:
    with testing.repeatable(Repeatable(1)) as world, testing.without_sync():
        log = AuthLog(path)
        log.set("a", ApiKey("FIRST"))
        for n in range(12):
            world.advance(8 * 86_400)  # each begins a segment: it is over a quarter of 30 days
            log.set("b", ApiKey(f"KEY-{n:02}"))
        assert holding(path, "KEY-00") == []
        assert holding(path, "KEY-11") != []
        assert log.get("a") == ApiKey("FIRST")
        assert [event.erased for event in log.history()][:2] == [True, True]
        assert log.verify().ok


def test_a_rotation_erases_nothing_while_a_file_waits_that_nobody_looked_at(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotation, "RETENTION", NOW)
    waiting = folder(path) / "next.json"
    waiting.unlink()
    waiting.write_bytes(b"{}")
    erasing.sweep(store._handle)
    assert all(holding(path, secret) for secret in SUPERSEDED)
    assert waiting.read_bytes() == b"{}"
    waiting.unlink()
    erasing.sweep(store._handle)
    segments = sorted(folder(path).glob("0*.jsonl"))
    assert [rotation.is_erased(file.read_bytes()) for file in segments[:3]] == [True, True, False]


def test_a_drop_that_the_disk_refused_is_finished_by_the_next_one(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, unlinked = files.unlink, list[Path]()

    def unlink(file: Path) -> None:
        if file.suffix == ".jsonl" and unlinked:
            raise OSError(5, "")
        unlinked.append(file)
        real(file)

    monkeypatch.setattr(files, "unlink", unlink)
    with pytest.raises(NotErased, match="run it again"):
        store.compact(drop_history=True)
    monkeypatch.undo()
    assert len(list(folder(path).glob("0*.jsonl"))) > 1
    assert store.verify().ok
    assert [event.kind for event in store.history()] == ["checkpoint"]
    assert store.compact(drop_history=True).after.segments == 1


@pytest.mark.damaged
def test_a_damaged_segment_is_not_erased(store: AuthLog, path: Path) -> None:
    first = min(folder(path).glob("0*.jsonl"))
    first.write_bytes(first.read_bytes().replace(b"KEY-00", b"KEY-99"))
    with pytest.raises(LogCorrupted):
        store.compact(retain=NOW)
    assert b"KEY-99" in first.read_bytes()


COMPACTIONS: dict[str, Callable[[AuthLog], object]] = {
    "erase": lambda log: log.compact(retain=NOW),
    "drop": lambda log: log.compact(retain=NOW, drop_history=True),
    "forget": lambda log: log.forget("p0"),
}


@needs.fork
@pytest.mark.parametrize("verb", COMPACTIONS)
def test_a_kill_at_any_step_loses_nothing_and_the_next_run_erases_the_rest(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store" / "auth.json"

    def prepare() -> None:
        log = AuthLog(path)
        for n in range(4):
            log.set(f"p{n % 2}", ApiKey(f"KEY-{n:02}"))
            if n == 2:
                log.compact()

    def judge(survived: bool) -> None:
        log = AuthLog(path)
        state = log.all()
        assert state["p1"] == ApiKey("KEY-03")
        assert state.get("p0") in (
            [ApiKey("KEY-02")] if verb != "forget" else [ApiKey("KEY-02"), None]
        )
        assert log.verify().ok
        COMPACTIONS[verb](log)
        assert holding(path, "KEY-00") == []
        assert log.verify().snapshot == "fresh"
        assert log.all() == (state if verb != "forget" else {"p1": ApiKey("KEY-03")})
        assert log.verify().ok
        kinds = {event.kind for event in log.history()}
        assert kinds <= {"init", "set", "checkpoint", "remove"}

    assert killed_at_each_step(path, prepare, COMPACTIONS[verb], judge) > 20


def test_readers_never_wait_for_a_compaction(
    store: AuthLog, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, seen = AuthLog(path, lock_timeout=0.0), list[int]()
    real = files.rename

    def rename(old: Path, new: Path) -> None:
        seen.append(len(other.all()))
        real(old, new)

    monkeypatch.setattr(files, "rename", rename)
    store.compact(retain=NOW)
    assert seen != []
    assert set(seen) == {3}
