"""What a foreign write meant: a table, one line a case."""

import json
from collections.abc import Mapping

import pytest

from authlog._engine import foreign, javascript
from authlog._engine.foreign import Adopt, Heal, Nothing, Shown, read_intent
from authlog._engine.snapshot import Found

SECOND = 1_000_000_000
NOW = 1_000 * SECOND

Entries = Mapping[str, object]


def api(key: str, **more: object) -> dict[str, object]:
    return {"type": "api", "key": key, **more}


def raws(entries: Entries) -> dict[str, bytes]:
    return {name: json.dumps(value).encode() for name, value in entries.items()}


def shown(seq: int, entries: Entries, *, ended: float | None = None) -> Shown:
    """Return a state that ended that many seconds before the file was written."""
    return Shown(seq, raws(entries), None if ended is None else NOW - int(ended * SECOND))


def intent(
    found: Entries, published: Shown, *earlier: Shown, current: Entries | None = None
) -> Adopt | Heal | Nothing:
    now = published.entries if current is None else raws(current)
    recent = [state for state in earlier if foreign.is_recent(state, NOW)]
    return read_intent(published, recent, now, raws(found), NOW)


A, B, C = api("a"), api("b"), api("c")
FUTURE = {"type": "future", "x": [1]}
LOGIN = {"type": "oauth", "refresh": "r", "access": "a", "expires": 1}


@pytest.mark.parametrize(
    ("case", "found", "published", "earlier", "meant"),
    [
        ("the same, in another order", {"b": B, "a": A}, {"a": A, "b": B}, [], Nothing()),
        ("added", {"a": A, "b": B}, {"a": A}, [], {"b": B}),
        ("changed", {"a": B}, {"a": A}, [], {"a": B}),
        ("removed", {"a": A}, {"a": A, "b": B}, [], {"b": None}),
        ("removed the only one", {}, {"a": A}, [], {"a": None}),
        ("emptied: a failed read", {}, {"a": A, "b": B}, [], 0),
        ("one login after a failed read", {"c": C}, {"a": A, "b": B}, [], {"c": C}),
        ("stale, nothing changed", {"a": A}, {"a": A, "b": B}, [(0.1, {"a": A})], 1),
        ("stale, one added", {"a": A, "c": C}, {"a": A, "b": B}, [(1, {"a": A})], {"c": C}),
        ("stale, one changed", {"a": C}, {"a": A, "b": B}, [(1, {"a": A})], {"a": C}),
        ("logged out within seconds", {"a": A}, {"a": A, "b": B}, [(2, {"a": A})], {"b": None}),
        ("too old a base", {"a": A, "c": C}, {"a": A, "b": B}, [(9, {"a": A})], {"c": C}),
        ("stale, one removed since", {"a": A, "b": B}, {"a": A}, [(0.1, {"a": A, "b": B})], 1),
        ("an unknown type rewritten away", {"a": A, "b": B}, {"a": A, "f": FUTURE}, [], {"b": B}),
        ("removed, types unknown", {"g": FUTURE}, {"f": FUTURE, "g": FUTURE}, [], {"f": None}),
        ("a tie removes nothing", {"a": A}, {"a": A, "b": B}, [(1, {"c": C})], {"b": None}),
    ],
)  # fmt: skip
def test_the_table(
    case: str,
    found: Entries,
    published: Entries,
    earlier: list[tuple[float, Entries]],
    meant: Entries | int | Nothing,
) -> None:
    states = [shown(1, entries, ended=ended) for ended, entries in earlier]
    outcome = intent(found, shown(2, published), *states)
    match outcome:
        case Adopt(_, patch):
            raw = {name: json.loads(value) if value else None for name, value in patch.items()}
            assert raw == meant, case
        case Heal(base):
            assert base == meant, case
        case Nothing():
            assert isinstance(meant, Nothing), case


def test_a_change_keeps_the_members_that_opencode_rewrote_away() -> None:
    published = shown(1, {"a": api("old", extra={"x": 1}), "o": {**LOGIN, "scopes": ["s"]}})
    outcome = intent({"a": api("new"), "o": LOGIN}, published)
    assert isinstance(outcome, Adopt)
    assert {name: json.loads(raw or b"") for name, raw in outcome.patch.items()} == {
        "a": api("new", extra={"x": 1})
    }


def test_a_credential_of_another_type_takes_no_members_over() -> None:
    outcome = intent({"a": LOGIN}, shown(1, {"a": api("old", extra=1)}))
    assert isinstance(outcome, Adopt)
    assert json.loads(outcome.patch["a"] or b"") == LOGIN


def test_what_is_meant_is_applied_to_the_current_state() -> None:
    published = shown(1, {"a": A})
    assert intent({"a": A, "b": B}, published, current={"a": A, "b": B}) == Heal(1)
    removal = intent({}, published, current={"c": C})
    assert removal == Adopt(1, {"a": None})


def test_a_removal_of_what_is_gone_by_now_changes_nothing() -> None:
    published = shown(1, {"a": A, "b": B})
    assert intent({"a": A}, published, current={"a": A, "c": C}) == Heal(1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"n":9007199254740993}', '{"n":9007199254740992}'),
        ('{"n":1.0}', '{"n":1}'),
        ('{"n":1E2}', '{"n":100}'),
        ('{"a":1,"b":[{"c":2,"d":3}]}', '{"b":[{"d":3,"c":2}],"a":1}'),
        ('"\\u0061"', '"a"'),
    ],
)
def test_credentials_are_the_same_if_javascript_reads_the_same(one: str, other: str) -> None:
    assert javascript.same(one.encode(), other.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [('{"n":1}', '{"n":true}'), ('{"n":1}', '{"n":"1"}'), ("[1,2]", "[2,1]"), ("1e400", "2e400")],
)
def test_credentials_differ_if_javascript_reads_something_else(one: str, other: str) -> None:
    assert not javascript.same(one.encode(), other.encode())


def test_a_file_is_told_by_its_identity_too() -> None:
    marks = {
        foreign.told(Found(identity, b"{}"), "00" * 16)
        for identity in [(1, 2, 2), (2, 2, 2), (1, 3, 2)]
    }
    assert len(marks) == 3
    assert foreign.told(Found((1, 2, 2), b"{}"), "00" * 16) in marks
    assert foreign.told(Found((1, 2, 2), b"{}"), "01" * 16) not in marks
