"""What a foreign write meant: a table, one line a case."""

import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from authlog import credentials
from authlog._engine import foreign
from authlog._engine.foreign import Adopt, Heal, Nothing, Shown, read_held, read_intent
from authlog._engine.snapshot import Found

SECOND = 1_000_000_000
NOW = 1_000 * SECOND

Entries = Mapping[str, object]
Meant = Callable[[Entries, list[Entries]], Adopt | Heal | Nothing]


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


def test_a_file_is_told_by_its_identity_too() -> None:
    marks = {
        foreign.told(Found(identity, b"{}"), "00" * 16)
        for identity in [(1, 2, 2), (2, 2, 2), (1, 3, 2)]
    }
    assert len(marks) == 3
    assert foreign.told(Found((1, 2, 2), b"{}"), "00" * 16) in marks
    assert foreign.told(Found((1, 2, 2), b"{}"), "01" * 16) not in marks


def held(found: Entries, *states: Entries, current: Entries | None = None) -> Adopt | Nothing:
    """Return what was meant by a writer who had read one of the states, oldest first."""
    *earlier, newest = [shown(seq, entries) for seq, entries in enumerate(states, 1)]
    now = newest.entries if current is None else raws(current)
    return read_held(newest, earlier[::-1], now, raws(found))


@pytest.mark.parametrize(
    ("case", "found", "states", "meant"),
    [
        ("the same", {"a": A}, [{"a": A}], None),
        ("added", {"a": A, "b": B}, [{"a": A}], {"b": B}),
        ("removed", {"a": A}, [{"a": A, "b": B}], {"b": None}),
        ("all removed", {}, [{"a": A, "b": B}], {"a": None, "b": None}),
        ("stale, one added", {"a": A, "c": C}, [{"a": A}, {"a": A, "b": B}], {"c": C}),
        ("stale, no change", {"a": A}, [{"a": A}, {"a": B}], None),
        ("logged in and out again", {"a": A}, [{"a": A}, {"a": A, "b": B}], {"b": None}),
        ("out again, another in meanwhile", {"a": A},
         [{"a": A}, {"a": A, "b": B}, {"a": A, "b": B, "c": C}], {"b": None}),
        ("the last one out, another in meanwhile", {}, [{}, {"a": A}, {"a": A, "b": B}],
         {"a": None}),
        ("a tie goes to the newest", {"c": C}, [{"a": A}, {"a": A, "c": C}], {"a": None}),
        ("renamed", {"a": A, "c": C}, [{"a": A, "b": B}], {"b": None, "c": C}),
        ("written from memory", {"c": C}, [{"a": A, "b": B}], {"c": C}),
        ("renamed, or never seen", {"a": A, "c": C}, [{"a": A}, {"a": A, "b": B}], {"c": C}),
        ("an unknown type rewritten away", {"a": B}, [{"a": A, "f": FUTURE}], {"a": B}),
        ("one of two gone, nobody knows which", {"a": A, "c": C},
         [{"a": A, "x": B}, {"a": A, "b": B}], {"c": C}),
    ],
)  # fmt: skip
def test_the_table_of_what_is_held(
    case: str, found: Entries, states: list[Entries], meant: Entries | None
) -> None:
    outcome = held(found, *states)
    if meant is None:
        assert outcome == Nothing(), case
    else:
        assert isinstance(outcome, Adopt), case
        said = {name: json.loads(raw) if raw else None for name, raw in outcome.patch.items()}
        assert said == meant, case


def test_what_is_held_and_true_already_changes_nothing() -> None:
    assert held({"a": A}, {"a": A, "b": B}, current={"a": A}) == Nothing()


class Simulated(Struct):
    """One write to be: who read how long ago, and what it does to the entries it had read."""

    stale: int
    name: str
    remove: bool


def writes(removable: st.SearchStrategy[str]) -> st.SearchStrategy[list[Simulated]]:
    added = st.builds(Simulated, st.integers(0, 3), st.sampled_from("abcdef"), st.just(False))
    removed = st.builds(Simulated, st.integers(0, 3), removable, st.just(True))
    return st.lists(st.one_of(added, removed), max_size=12)


def simulated(
    history: list[Entries], planned: list[Simulated], meant: Meant
) -> tuple[Entries, Entries]:
    """Return the state after each write was told, and that in which each change was by itself."""
    expected = dict(history[-1])
    gone: set[str] = set()
    for number, write in enumerate(planned):
        base = history[max(len(history) - 1 - write.stale, 0)]
        found = dict(base)
        if write.remove:
            if write.name not in base or write.name in gone:
                continue  # who removes what another one removes says nothing of its own
            gone.add(write.name)
            del found[write.name]
            expected.pop(write.name, None)
        elif write.name in gone:
            continue
        else:
            found[write.name] = expected[write.name] = api(f"new-{number}")
        intent = meant(found, history)
        after = dict(history[-1])
        patch = intent.patch if isinstance(intent, Adopt) else dict[str, bytes | None]()
        for name, raw in patch.items():
            after.pop(name, None)
            if raw is not None:
                after[name] = json.loads(raw)
        history.append(after)
    return history[-1], expected


@given(writes(st.sampled_from("xy")))
def test_each_change_counts_of_interleaved_writers_whose_files_are_found(
    planned: list[Simulated],
) -> None:
    """Logins that are removed are older than the stale window, and no other's write is."""

    def meant(found: Entries, history: list[Entries]) -> Adopt | Heal | Nothing:
        *earlier, newest = [
            Shown(seq, raws(entries), NOW - (len(history) - seq) * SECOND)
            for seq, entries in enumerate(history, 1)
        ]
        recent = [state for state in reversed(earlier) if foreign.is_recent(state, NOW)]
        return read_intent(newest, recent, newest.entries, raws(found), NOW)

    old: list[Entries] = [{"x": A, "y": B, "z": C}]
    state, expected = simulated(old, planned, meant)
    assert state == expected


@given(writes(st.sampled_from("abcxy")))
def test_each_change_counts_of_interleaved_writers_whose_files_are_held(
    planned: list[Simulated],
) -> None:
    """Also a logout right after the login."""

    def meant(found: Entries, history: list[Entries]) -> Adopt | Heal | Nothing:
        return held(found, *history[-4:])

    old: list[Entries] = [{"x": A, "y": B}]
    state, expected = simulated(old, planned, meant)
    assert state == expected


OLDER: Entries = {
    "a": A,
    "b": api("a long key", extra=[]),
    "n": {"type": "api", "key": "k", "m": {}},
}


@pytest.mark.parametrize("states", [[{"x": A}, OLDER], [OLDER]])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_what_a_longer_older_file_left_behind_a_whole_object_is_no_part_of_it(
    states: list[Entries], end: bytes
) -> None:
    older = json.dumps(OLDER, indent=2).encode() + end
    written = b'{"a":{"type":"api","key":"}\\"{"}}'
    content = written + older[len(written) :]
    known = [shown(seq, entries) for seq, entries in enumerate(states)]
    assert foreign.without_leftover(content, known) == written


def test_what_opencode_left_of_its_own_longer_file_is_known_too() -> None:
    seen = credentials.visible_to_opencode(raws(OLDER))
    older = json.dumps({name: json.loads(raw) for name, raw in seen.items()}, indent=2).encode()
    assert foreign.without_leftover(b"{}" + older[2:], [shown(1, OLDER)]) == b"{}"


@pytest.mark.parametrize(
    "content", [b'{"a":1', b'{"a":1}', b'{"a":1}\n', b'{"a":1}{"b":2}', b"", b'"', b'{"a":"']
)
def test_anything_else_is_no_leftover(content: bytes) -> None:
    assert foreign.without_leftover(content, [shown(1, OLDER), shown(2, {})]) is None
