"""What another program wrote, told at the moment it is met."""

import errno
import json
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authlog import ApiKey, AuthLog, Credential, NotMaterialized, Writer, testing
from authlog._engine import lock
from halfway import append_only

KEY = ApiKey("k")


def test_a_foreign_write_that_says_what_is_meant_already_is_healed_or_nothing(path: Path) -> None:
    one = AuthLog(path)
    one.change({"a": KEY, "b": KEY, "c": KEY})
    path.write_text("{}")
    event = one.adopt()
    assert event is not None
    assert (event.kind, event.base) == ("heal", 0)
    assert set(one.all()) == {"a", "b", "c"}
    path.write_text(
        '{"c":{"key":"k","type":"api"},"a":{"type":"api","key":"k"},"b":{"type":"api","key":"k"}}'
    )
    assert one.adopt() is None
    assert path.read_text().startswith("{\n")


def test_a_bom_is_stripped_and_a_list_is_no_snapshot(path: Path) -> None:
    path.write_bytes(b'\xef\xbb\xbf{"a":{"type":"api","key":"k"}}')
    one = AuthLog(path)
    one.set("b", KEY)
    assert set(one.all()) == {"a", "b"}
    path.write_text("[]")
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()][-1] == "quarantine"


def test_a_file_that_changes_while_it_is_read_is_read_again(path: Path) -> None:
    path.write_text('{"a":{"type":"api","key":"k"}}')
    left = 1

    def before(verb: str) -> None:
        nonlocal left
        if left:
            left -= 1
            path.write_text('{"a":{"type":"api","key":"longer"}}')

    with testing.steps(before, ("read",)):
        assert AuthLog(path).get("a") == ApiKey("longer")


def test_an_unreadable_file_that_is_just_being_written_is_looked_at_again(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    whole = '{"a":{"type":"api","key":"k"},"b":{"type":"api","key":"k"}}'
    path.write_text(whole[:20])
    reads = 0

    def before(verb: str) -> None:
        nonlocal reads
        if path.read_text() == whole[:20]:
            reads += 1
            if reads > 12:
                path.write_text(whole)

    with testing.steps(before, ("stat_open",)):
        assert set(one.all()) == {"a", "b"}
    assert "quarantine" not in {event.kind for event in one.history()}


@pytest.mark.parametrize(("age", "kept"), [(1, "a-2"), (60, "a-1")])
def test_only_a_recent_state_is_what_a_program_started_from(
    path: Path, age: int, kept: str
) -> None:
    with testing.repeatable() as here:
        one = AuthLog(path)
        one.change({"a": ApiKey("a-1"), "b": ApiKey("b-1")})
        event = one.set("a", ApiKey("a-2"))
        path.write_text('{"a":{"type":"api","key":"a-1"},"b":{"type":"api","key":"b-2"}}')
        written = event.time.timestamp() + age
        os.utime(path, (written, written))
        here.advance(age)
        one.adopt()
        assert one.all() == {"a": ApiKey(kept), "b": ApiKey("b-2")}


@pytest.mark.parametrize(
    ("retain", "base", "kept"),
    [
        (timedelta(days=30), 2, {"a": ApiKey("a-2"), "c": KEY}),
        (timedelta(0), 5, {"a": ApiKey("a-1"), "b": KEY, "c": KEY}),
    ],
)
def test_a_state_that_was_erased_is_no_base_for_a_foreign_write(
    path: Path, retain: timedelta, base: int, kept: dict[str, Credential]
) -> None:
    """Who read it before, and writes after, seems to mean all that changed since."""
    one = AuthLog(path)
    one.change({"a": ApiKey("a-1"), "b": KEY})
    read = json.loads(path.read_bytes())
    one.set("a", ApiKey("a-2"))
    one.remove("b")
    one.compact(retain=retain)
    path.write_text(json.dumps({**read, "c": {"type": "api", "key": "k"}}))
    event = one.adopt()
    assert event is not None
    assert (event.kind, event.base) == ("adopt", base)
    assert one.all() == kept


def test_an_older_auth_json_of_ours_after_a_boot_is_no_foreign_write(path: Path) -> None:
    """The exchange that put it out of place did not reach the disk."""
    with testing.repeatable() as here:
        AuthLog(path).set("a", ApiKey("1"))
        older = path.read_bytes()
        written = here.now_ns()
        AuthLog(path).set("a", ApiKey("2"))
    mark = path.parent / "auth.json.log" / "published.json"
    mark.unlink()
    path.write_bytes(older)
    os.utime(path, ns=(written, written))
    with testing.repeatable(testing.Repeatable(1, boot="another")) as here:
        here.advance(60)
        log = AuthLog(path)
        assert log.adopt() is None
        assert log.all() == {"a": ApiKey("2")}
        assert [event.kind for event in log.history()] == ["init", "set", "set"]


def test_a_rewrite_of_what_was_shown_is_no_event_while_a_newer_state_waits(path: Path) -> None:
    one = AuthLog(path, lock_timeout=0.05)
    one.set("a", KEY)
    append_only(one, path)
    path.write_text('{"a":{"type":"api","key":"k"}}')
    assert one.adopt() is None
    assert set(one.all()) == {"a", "b"}
    assert [event.kind for event in one.history()] == ["init", "set", "set"]


def test_another_program_that_never_stops_is_told_by_the_next_publish(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    writes = 0

    def before(verb: str) -> None:
        nonlocal writes
        writes += 1
        path.write_text(f'{{"a":{{"type":"api","key":"k"}},"f":{{"type":"api","key":"{writes}"}}}}')

    with testing.steps(before, ("exchange",)):
        one.set("b", KEY)
        one.adopt()
    one.adopt()
    assert one.get("f") == ApiKey(f"{writes}")
    assert set(one.all()) == {"a", "b", "f"}


def test_a_foreign_file_that_can_not_be_told_at_once_is_told_later(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    path.write_text('{"a":{"type":"api","key":"k"},"f":{"type":"api","key":"k"}}')
    held = os.open(path.parent / "auth.json.log" / "publish.lock", os.O_RDWR)
    assert lock.try_lock(held)
    assert set(one.all()) == {"a"}
    os.close(held)
    assert set(one.all()) == {"a", "f"}


def test_a_file_that_vanishes_while_it_is_looked_at_is_rebuilt(path: Path) -> None:
    one = AuthLog(path)
    one.set("a", KEY)
    path.write_text("{}")

    def before(verb: str) -> None:
        path.unlink(missing_ok=True)

    with testing.steps(before, ("open_file",)):
        one.adopt()
    assert one.all() == {"a": KEY}
    one.adopt()
    assert path.exists()


OPENCODE = Writer("opencode", 7, "box", "alice")


def written(entries: dict[str, str]) -> bytes:
    """Return what opencode would write."""
    return json.dumps({name: {"type": "api", "key": key} for name, key in entries.items()}).encode()


def test_a_held_write_is_told_of_the_program_that_wrote_it(path: Path) -> None:
    path.write_bytes(written({"a": "1"}))
    log = AuthLog(path)
    event = log.tell(written({"a": "1", "b": "2"}), writer=OPENCODE)
    assert event is not None
    assert (event.seq, event.kind, event.base, event.by) == (2, "adopt", 1, OPENCODE)
    assert event.writer != OPENCODE
    assert json.loads(path.read_bytes()) == json.loads(written({"a": "1", "b": "2"}))
    assert log.settle()
    assert log.tell(path.read_bytes(), writer=OPENCODE) is None


def test_a_held_write_counts_from_the_states_that_its_writer_can_have_read(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    log.set("b", KEY)
    without = written({"b": "k"})
    log.remove("a")  # seq 4: the same as what is held
    log.set("c", KEY)
    before = log.tell(without, writer=OPENCODE, after=3, before=3)
    assert before is None  # a was removed by another one already
    event = log.tell(without, writer=OPENCODE, after=5)
    assert event is not None
    assert (event.base, event.providers) == (5, {"c": None})


def test_without_bounds_a_held_write_counts_from_a_state_of_the_last_seconds(path: Path) -> None:
    with testing.repeatable() as clock:
        log = AuthLog(path)
        log.change({"a": KEY, "b": KEY})
        log.set("b", ApiKey("2"))
        clock.advance(6)
        event = log.tell(written({"a": "k", "b": "k"}), writer=OPENCODE)
        assert event is not None  # nobody holds what was replaced six seconds ago: it is meant
        assert (event.base, set(event.providers)) == (3, {"b"})


def test_what_nobody_watched_takes_no_login_away_on_a_tie(path: Path) -> None:
    """The same write held twice, in another file, and a login in between."""
    log = AuthLog(path)
    log.set("a", KEY)
    assert log.tell(written({"a": "k", "b": "2"}), writer=None) is not None
    log.set("c", KEY)
    assert log.tell(written({"a": "k", "b": "2"}), writer=None) is None
    assert log.tell(b"{}", writer=None) is None
    assert set(log.all()) == {"a", "b", "c"}


def test_bounds_that_name_no_known_state_mean_the_newest(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    event = log.tell(written({"b": "2"}), writer=OPENCODE, after=9, before=7)
    assert event is not None
    assert set(log.all()) == {"a", "b"}


def test_a_held_write_that_is_no_object_is_kept_and_changes_nothing(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    event = log.tell(b'{"a":', writer=OPENCODE)
    assert event is not None and event.file is not None
    assert (event.kind, event.by) == ("quarantine", OPENCODE)
    assert Path(f"{path}.log", "quarantine", event.file).read_bytes() == b'{"a":'
    assert log.get("a") == KEY


def test_what_is_left_of_a_longer_file_is_kept_and_the_whole_object_before_it_told(
    path: Path,
) -> None:
    log = AuthLog(path)
    log.change({"a": KEY, "b": ApiKey("k" * 40)})
    older = path.read_bytes()
    cut = written({"a": "k"})
    event = log.tell(cut + older[len(cut) :], writer=OPENCODE, after=2)
    assert event is not None and event.file is not None
    assert (event.kind, event.providers) == ("adopt", {"b": None})
    assert Path(f"{path}.log", "quarantine", event.file).read_bytes() == cut + older[len(cut) :]


def test_a_write_over_a_longer_file_that_was_never_cut_is_told(path: Path) -> None:
    log = AuthLog(path)
    log.change({"a": KEY, "b": ApiKey("k" * 40)})
    with path.open("r+b") as file:
        file.write(written({"a": "2"}))
    event = log.adopt()
    assert event is not None and event.file is not None
    assert (event.kind, set(event.providers)) == ("adopt", {"a"})
    assert log.get("a") == ApiKey("2")


def test_what_opencode_reads_as_a_replacement_character_is_told_so(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    path.write_bytes(b'{"a":{"type":"api","key":"k"},"b":{"type":"api","key":"\\ud800x"}}')
    assert log.get("b") == ApiKey("\ufffdx")
    *_, event = log.history()
    assert event.found is not None
    assert (event.kind, event.found.replaced) == ("adopt", ("b",))
    assert json.loads(path.read_bytes())["b"]["key"] == "\ufffdx"


def test_a_file_that_was_told_by_its_stat_is_told_once(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    with path.open("r+b") as held:  # a program that has auth.json open while it is replaced
        log.materialize()
        held.write(written({"a": "k", "b": "2"}))
        held.truncate()
        held.flush()
        stat = os.fstat(held.fileno())
        content = os.pread(held.fileno(), 1000, 0)
    event = log.tell(content, writer=OPENCODE, stat=stat)
    assert event is not None
    log.remove("b")
    assert log.tell(content, writer=OPENCODE, stat=stat) is None
    assert log.adopt() is None  # next.json is that file, or was
    assert [one.kind for one in log.history(after=2)] == ["adopt", "remove"]


def test_a_file_that_was_told_by_its_stat_brings_nothing_old_back(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    stale, held = written({"a": "k", "b": "2"}), path.with_name("held")
    held.touch()
    later = time.time_ns() + 1_000_000_000
    os.utime(held, ns=(later, later))
    stat = held.stat()
    log.set("c", KEY)
    assert log.tell(stale, writer=OPENCODE, stat=stat) is not None
    log.set("b", ApiKey("3"))
    assert log.tell(stale, writer=OPENCODE, stat=stat) is None
    assert log.get("b") == ApiKey("3")


def test_a_file_that_its_writer_touched_after_it_was_told_takes_no_login_away(path: Path) -> None:
    """Between its write and its ftruncate, which changes nothing, the file is looked at."""
    log = AuthLog(path)
    log.set("a", KEY)
    log.set("b", KEY)
    log.remove("b")
    stale = written({"a": "k", "w1": "1", "w2": "2", "w3": "3"})
    log.set("c", KEY)  # which the other program has not seen
    path.write_bytes(stale)
    told = log.adopt()
    assert told is not None
    assert set(log.all()) == {"a", "c", "w1", "w2", "w3"}
    path.write_bytes(stale)
    touched = int(told.time.timestamp() * 1e9) + 1_000_000
    os.utime(path, ns=(touched, touched))
    log.adopt()
    assert set(log.all()) == {"a", "c", "w1", "w2", "w3"}


def test_materialize_gives_auth_json_another_file_that_is_made_ready_before(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    before, content = path.stat().st_ino, path.read_bytes()
    seen: list[tuple[int, bytes]] = []
    log.materialize(ready=lambda new: seen.append((new.stat().st_ino, new.read_bytes())))
    assert seen == [(path.stat().st_ino, content)]
    assert path.stat().st_ino != before
    assert log.verify().snapshot == "fresh"
    assert [event.kind for event in log.history()] == ["init", "set"]


def test_materialize_begins_a_log_and_brings_a_missing_file_back(path: Path) -> None:
    path.write_bytes(written({"a": "1"}))
    log = AuthLog(path)
    before = path.stat().st_ino
    log.materialize()
    assert (log.seq(), path.stat().st_ino != before) == (1, True)
    path.unlink()
    log.materialize()
    assert json.loads(path.read_bytes()) == json.loads(written({"a": "1"}))


def test_a_file_that_can_not_be_made_ready_leaves_auth_json_as_it_was(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    before = path.stat()

    def refuse(new: Path) -> None:
        raise PermissionError(errno.EACCES, "no lease", str(new))

    with pytest.raises(NotMaterialized):
        log.materialize(ready=refuse)
    assert path.stat() == before
    log.set("b", KEY)
    assert set(log.all()) == {"a", "b"}


def test_the_past_that_a_foreign_write_is_read_against_goes_on_over_a_rotation(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    for number in range(3):
        path.write_bytes(written({"a": "k", f"b{number}": "2"}))
        assert log.adopt() is not None
        log.compact()
    other = AuthLog(path)
    other.set("c", KEY)
    path.write_bytes(written({"a": "k", "d": "2"}))  # from the beginning
    assert log.adopt() is not None
    assert set(log.all()) == {"a", "b0", "b1", "b2", "c", "d"}


def in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()


def by_rename(path: Path, content: bytes) -> None:
    new = path.with_name("new")
    new.write_bytes(content)
    new.replace(path)


def by_removal(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


@pytest.mark.parametrize("write", [in_place, by_rename, by_removal])
@pytest.mark.parametrize("linked", [False, True])
def test_however_a_stale_file_is_written_only_what_it_meant_is_changed(
    path: Path, write: Callable[[Path, bytes], None], linked: bool
) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    place = path
    if linked:
        place = path.with_name("link.json")
        place.symlink_to(path)
    log.set("b", KEY)  # which the other program has not seen
    write(path if write is not in_place else place, written({"a": "k", "c": "2"}))
    assert set(AuthLog(place).all()) == {"a", "b", "c"}
    assert (path.stat().st_mode & 0o777, place.is_symlink()) == (0o600, linked)
    assert set(json.loads(place.read_bytes())) == {"a", "b", "c"}


def test_several_foreign_writes_between_two_looks_are_told_as_one(path: Path) -> None:
    log = AuthLog(path)
    log.set("a", KEY)
    for entries in ({"a": "k", "b": "2"}, {"a": "k", "b": "2", "c": "3"}, {"a": "4", "b": "2"}):
        path.write_bytes(written(entries))
    event = log.adopt()
    assert event is not None
    assert set(event.providers) == {"a", "b"}


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abcd"), st.booleans()), max_size=8))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_interleaved_writers_of_a_real_file_lose_nothing_if_each_write_is_seen(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, bool]]
) -> None:
    """Each of three programs reads, and writes what it had read and a change of its own."""
    path = tmp_path_factory.mktemp("store") / "auth.json"
    log = AuthLog(path)
    log.set("x", KEY)
    read: dict[int, dict[str, str]] = {}
    expected = {"x": "k"}
    for number, (program, name, writes) in enumerate(steps):
        if not writes or program not in read:
            found = json.loads(path.read_bytes())
            read[program] = {one: entry["key"] for one, entry in found.items()}
            continue
        expected[name] = f"{number}"
        path.write_bytes(written({**read.pop(program), name: f"{number}"}))
        log.adopt()
    assert {name: entry["key"] for name, entry in json.loads(path.read_bytes()).items()} == expected
    assert log.verify().ok
