"""History across segments: how they join, and the way back."""

from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog, LogCorrupted, SecretErased, testing
from authlog._engine import history
from authlog._engine.handle import Handle
from authlog._engine.log import Tail
from authlog._engine.state import State
from halfway import rotated

KEY = ApiKey("k")


@pytest.mark.damaged
def test_segments_that_do_not_join_are_damage(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join(lines[:-1]))
    assert "the file ends here" in [damage.reason for damage in one.verify().damage]
    with pytest.raises(LogCorrupted, match="the file ends here"):
        list(one.history())
    first.write_bytes(b"".join(lines[:1]) + b"nonsense\nmore\n" + lines[2])
    found = [damage.offset for damage in one.verify().damage]
    assert found[:2] == [len(lines[0]), len(lines[0]) + len("nonsense\n")]
    with pytest.raises(LogCorrupted, match="not JSON"):
        list(one.history())
    other = AuthLog(path.with_name("other.json"))
    other.set("a", KEY)
    other.set("a", KEY)
    first.write_bytes((path.parent / "other.json.log" / "000001.jsonl").read_bytes())
    assert any("segment before" in damage.reason for damage in one.verify().damage)
    with pytest.raises(LogCorrupted, match="segment before"):
        list(one.history())
    assert one.get("a") == ApiKey("3")


@pytest.mark.damaged
def test_a_segment_without_a_right_first_line_is_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    second = path.parent / "auth.json.log" / "000002.jsonl"
    second.write_bytes(b"X" + second.read_bytes()[1:])
    assert not one.verify().ok
    with pytest.raises(LogCorrupted):
        list(AuthLog(path).history())


def test_what_stands_behind_the_end_of_a_closed_segment_is_no_damage(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    with first.open("ab") as file:
        file.write(b"torn")
    health = one.verify()
    assert (health.ok, health.segments[0].torn) == (True, 4)
    assert [event.seq for event in one.history()] == [1, 2, 3, 4, 5]


def test_history_starts_at_the_segment_that_it_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = rotated(path, monkeypatch)
    assert [event.seq for event in one.history(after=4)] == [5]
    with testing.count(("read",)) as all_of_it:
        one.at(2)
    assert one.at(4) == {"a": ApiKey("2")}
    assert all_of_it


def test_a_restore_of_what_was_erased_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = rotated(path, monkeypatch)
    first = path.parent / "auth.json.log" / "000001.jsonl"
    lines = first.read_bytes().splitlines(keepends=True)
    erased = [line[: line.index(b',"secret":')] + b',"secret":null}\n' for line in lines]
    first.write_bytes(b"".join(erased))
    with pytest.raises(SecretErased, match="secrets of a at event 2"):
        one.restore("a", 2)
    health = one.verify()
    assert (health.ok, health.segments[0].erased) == (True, 3)
    with pytest.raises(SecretErased):
        AuthLog(path).at(1)


def test_a_restore_looks_again_if_the_provider_was_changed_meanwhile(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = AuthLog(path), AuthLog(path)
    one.set("a", ApiKey("1"))
    one.set("a", ApiKey("2"))
    real, looks = history.state_at, list[int]()

    def state_at(handle: Handle, end: Tail, seq: int) -> State:
        looks.append(seq)
        if len(looks) == 1:
            other.set("a", ApiKey("3"))
        return real(handle, end, seq)

    monkeypatch.setattr(history, "state_at", state_at)
    assert one.restore("a", 2).seq == 5
    assert looks == [2, 2]
    assert one.get("a") == ApiKey("1")
