"""The commands that look back and go back: history, show, diff, why, restore --before, undo."""

import csv
import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog, Change, Event, OAuth, Writer
from authlog_tools import past, rows
from test_command import run


@pytest.fixture
def store(path: Path) -> Path:
    """Return a log with an event of every kind that can be made."""
    log = AuthLog(path, program="tests")
    log.set("openai", ApiKey("sk-1"))
    log.set("anthropic", OAuth("r1", "a1", 1_000))
    log.update("anthropic", access="a2")
    log.remove("openai")
    log.restore("openai", 2)
    entries = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entries, "groq": {"type": "api", "key": "g"}}))
    log.adopt()
    return path


def seqs(path: Path, *arguments: str) -> list[int]:
    out = run(path, "history", *arguments).out
    return [int(line.split("\t")[0]) for line in out.splitlines()]


def test_flags_and_qualifiers_choose_the_same_events(store: Path) -> None:
    assert seqs(store) == [7, 6, 5, 4, 3, 2, 1]
    assert seqs(store, "anthropic") == seqs(store, "provider:anthropic") == [4, 3]
    assert seqs(store, "--provider", "anthropic") == [4, 3]
    assert seqs(store, "kind:remove,restore") == seqs(store, "--kind", "remove,restore") == [6, 5]
    assert seqs(store, "-kind:set", "-kind:init", "--provider", "openai") == [6, 5]
    assert seqs(store, "--writer", "tests", "--since", "1h", "-n", "2") == [7, 6]
    assert seqs(store, "until:2020-01-01") == []
    assert seqs(store, "--grep", "adopt") == [7]
    assert seqs(store, "ADOPT") == [7]
    assert seqs(store, "--grep", "-kind:set") == []
    assert seqs(store, "seq:2..3") == [3, 2]


def test_a_qualifier_that_is_unknown_is_an_error_with_the_nearest(store: Path) -> None:
    done = run(store, "history", "knid:set")
    assert done.code == 2
    assert done.err == "authlog: knid: is no qualifier\n  did you mean kind:?\n"
    for command in (["kind:refesh"], ["-kind:refesh"], ["--kind", "refesh"]):
        done = run(store, "history", *command)
        assert (done.code, "did you mean refresh?" in done.err) == (2, True)
    done = run(store, "history", "since:once")
    assert (done.code, "expected a time" in done.err) == (2, True)


def test_a_first_word_that_nothing_says_is_answered_with_the_nearest(store: Path) -> None:
    done = run(store, "history", "opneai")
    assert (done.code, done.out) == (1, "")
    assert "did you mean openai?" in done.err
    assert run(store, "history", "zzz").code == 1


def test_quotes_and_spaces_of_an_argument_are_looked_for(path: Path) -> None:
    log = AuthLog(path)
    for name in ('a"b', "ab", "my login", "my"):
        log.set(name, ApiKey("k"))
    assert seqs(path, "--grep", 'a"b') == [2]
    assert seqs(path, 'a"b') == [2]
    assert seqs(path, "provider:my login") == seqs(path, "--provider", "my login") == [4]
    assert seqs(path, "my") == [5]


@needs.posix_shell
def test_a_name_that_an_encoding_has_not_is_escaped_in_what_is_shown(path: Path) -> None:
    AuthLog(path).set("caf\u00e9", ApiKey("k\u00e9"))
    plain = run(path, "list", PYTHONIOENCODING="ascii")
    assert (plain.code, plain.out.split("\t")[0]) == (0, "caf\\xe9")
    assert run(path, "history", PYTHONIOENCODING="ascii").code == 0
    key = run(path, "get", "caf\u00e9", "--field", "key", PYTHONIOENCODING="ascii")
    assert (key.code, key.out) == (1, "")


def test_history_tells_from_what_to_what(store: Path) -> None:
    changed = run(store, "history", "seq:4").out.strip().split("\t")[-1]
    before, arrow, after = changed.removeprefix("oauth ").split(" ")
    assert (len(before), arrow, len(after)) == (8, "->", 8)
    assert before != after
    newest = json.loads(run(store, "history", "--json", "-n", "1").out)
    assert (newest["seq"], newest["kind"]) == (7, "adopt")


def test_no_cell_of_a_csv_is_a_formula(path: Path) -> None:
    AuthLog(path, program="=cmd()").set("+x", ApiKey("k"))
    found = list(csv.DictReader(run(path, "history", "--csv").out.splitlines()))
    assert found[0]["providers"] == "'+x"
    assert found[0]["writer"].startswith("'=cmd()")


def event(seq: int, kind: str, provider: str, mark: str) -> Event:
    return Event(
        seq=seq,
        time=datetime(2026, 11, 24, 12, 0, seq, tzinfo=UTC),
        kind=kind,  # type: ignore[arg-type]
        writer=Writer("opencode", 4711, "box", "alice"),
        providers={provider: Change(type="oauth", members={"refresh": mark})},
        hash="0" * 64,
        prev="0" * 64,
        commitment="0" * 64,
        synced=0,
    )


LIFE = [
    event(2, "set", "anthropic", "9c1f02ab"),
    event(3, "refresh", "anthropic", "41d0aa17"),
    event(4, "refresh", "copilot", "673f825a"),
    event(5, "refresh", "anthropic", "1f615e60"),
    event(6, "set", "copilot", "4607c9d9"),
]


def test_what_was_before_is_known_without_reading_further_back() -> None:
    def newest_first() -> Iterator[Event]:
        yield from LIFE[:1:-1]
        yield LIFE[1]
        raise AssertionError("read too far back")

    newest = next(rows.seen(newest_first()))
    assert newest.before["copilot"].members == {"refresh": "673f825a"}


def test_before_is_the_same_as_by_a_fold_from_the_beginning(store: Path) -> None:
    run(store, "compact", "--retain", "0", "--yes")
    run(store, "remove", "openai")
    log = AuthLog(store)
    found = list(rows.seen(log.history(reverse=True)))
    assert [one.event.seq for one in found] == list(range(log.seq(), 0, -1))
    for one in found:
        state = past.at(log.history(), one.event.seq - 1)
        names = one.event.providers
        assert one.before == {name: state[name] for name in names if name in state}


def test_runs_of_refreshes_are_one_row_unless_all_are_wanted() -> None:
    newest = list(rows.seen(LIFE[::-1]))
    folded = [(row.kind, row.what) for row in rows.rows(newest, fold=True)]
    assert folded == [
        ("set", "oauth 673f825a -> 4607c9d9"),
        ("3 refreshes", "anthropic 2, copilot 1"),
        ("set", "oauth 9c1f02ab"),
    ]
    assert len(list(rows.rows(newest, fold=False))) == 5


def test_the_past_is_shown_at_a_seq_or_a_time(store: Path) -> None:
    assert [
        line.split("\t")[0] for line in run(store, "history", "--at", "3").out.splitlines()
    ] == [
        "openai",
        "anthropic",
    ]
    assert run(store, "history", "--at", "2020-01-01").out == ""
    at = json.loads(run(store, "history", "--at", "5", "--json").out)
    assert list(at["providers"]) == ["anthropic"]
    assert run(store, "history", "--at", "99").code == 1


def test_show_names_an_event_by_seq_or_by_how_many_changes_ago(store: Path) -> None:
    assert run(store, "show", "4").out == run(store, "show", "anthropic~0").out
    assert run(store, "show", "3").out == run(store, "show", "anthropic~1").out
    assert "added      anthropic" in run(store, "show", "3").out
    assert run(store, "show", "anthropic~9").code == 1
    assert run(store, "show", "sometimes").code == 2


def test_diff_says_what_differs_and_its_exit_code_whether(store: Path) -> None:
    done = run(store, "diff", "2", "5")
    assert done.code == 1
    assert done.out.splitlines()[0] == "- openai  removed"
    assert "+ anthropic  added" in done.out
    assert run(store, "diff", "2", "2").code == 0
    changes = json.loads(run(store, "diff", "3", "anthropic~0", "--json").out)["changes"]
    assert [(one["provider"], one["outcome"]) for one in changes] == [("anthropic", "changed")]
    assert [one["name"] for one in changes[0]["members"]] == ["access"]


def test_a_checkpoint_and_erased_events_are_compared_all_the_same(store: Path) -> None:
    before = run(store, "diff", "2", "7").out
    run(store, "compact", "--retain", "0", "--yes")
    assert run(store, "diff", "2", "7").out == before
    assert run(store, "diff", "7", "8").code == 0
    state = past.at(AuthLog(store).history(), 8)
    assert sorted(state) == ["anthropic", "groq", "openai"]


def test_restore_before_a_time_and_undo_say_how_to_take_them_back(store: Path) -> None:
    done = run(store, "restore", "groq", "--before", "1h")
    assert done.code == 0
    assert "groq is absent" in done.out
    assert "authlog restore groq 7" in done.out
    undone = run(store, "undo", "groq")
    assert (undone.code, "took back event 8" in undone.out) == (0, True)
    assert AuthLog(store).get("groq") == ApiKey("g")
    run(store, "undo", "groq")
    assert AuthLog(store).get("groq") is None
    assert run(store, "undo", "nobody").code == 1
    assert run(store, "restore", "groq").code == 2
    assert run(store, "restore", "groq", "3", "--before", "1h").code == 2
    assert run(store, "restore", "groq", "--before", "once").code == 2


def test_the_way_back_leads_into_the_same_store(path: Path) -> None:
    name = "a b;c"
    AuthLog(path).set(name, ApiKey("k"))
    done = run(path.parent / "other.json", "--path", path, "remove", name)
    back = done.out.splitlines()[-1].removeprefix("to take it back: authlog ")
    assert run(path.parent / "other.json", *shlex.split(back)).code == 0
    assert AuthLog(path).get(name) == ApiKey("k")


def test_a_login_that_was_refreshed_since_comes_back_only_by_force(store: Path) -> None:
    AuthLog(store).update("anthropic", refresh="r2")
    for command in (["undo", "anthropic"], ["restore", "anthropic", "3"]):
        refused = run(store, *command)
        assert refused.code == 5
        assert re.search(r"refreshed once since event \d, now: .* is spent", refused.err)
        assert "log in anew, or add --force" in refused.err
    AuthLog(store).update("anthropic", refresh="r3")
    assert "refreshed 2 times since event 3" in run(store, "restore", "anthropic", "3").err
    assert run(store, "undo", "anthropic", "--force").code == 0


def test_a_restore_that_would_change_nothing_writes_nothing(store: Path) -> None:
    for provider, seq, said in (
        ("openai", "6", "just as it was after event 6"),
        ("groq", "7", "just as it was"),
        ("opneai", "3", "did you mean openai?"),
    ):
        done = run(store, "restore", provider, seq)
        assert (done.code, said in done.err) == (1, True)
    assert run(store, "remove", "openai").code == 0
    assert run(store, "restore", "openai", "1").code == 1
    assert AuthLog(store).seq() == 8


def test_what_was_there_when_the_log_began_has_no_change_to_undo(path: Path) -> None:
    path.write_text('{"a": {"type": "api", "key": "k"}}')
    AuthLog(path).adopt()
    assert run(path, "undo", "a").code == 1


def test_why_tells_six_changes_one_by_one_and_of_seven_the_first_and_the_last(path: Path) -> None:
    log = AuthLog(path)
    for n in range(6):
        log.set("a", ApiKey(f"k{n}"))
    told = run(path, "why", "a").out.splitlines()
    assert [line.count("event") for line in told] == [1] * 7
    assert "stored it" in told[0]
    log.set("a", ApiKey("k6"))
    told = run(path, "why", "a").out.splitlines()
    assert told[1] == "Then it changed 1 time."
    assert len(told) == 8


def test_why_tells_a_life_in_sentences(store: Path) -> None:
    told = run(store, "why", "openai").out.splitlines()
    assert len(told) == 4
    assert "stored it" in told[0]
    assert "removed it" in told[1]
    assert "brought back an earlier state" in told[2]
    assert told[3].startswith("So it is api ")
    run(store, "remove", "groq")
    gone = run(store, "why", "groq").out.splitlines()
    assert "wrote it into auth.json" in gone[0]
    assert gone[-1] == "So it is gone. To bring it back: authlog restore groq 7"
    assert run(store, *shlex.split(gone[-1])[-3:]).code == 0
    assert AuthLog(store).get("groq") == ApiKey("g")
    assert len(json.loads(run(store, "why", "openai", "--json").out)) == 3
    assert run(store, "why", "nobody").code == 1
    run(store, "remove", "groq")
    AuthLog(store).restore("groq", 1)  # absent as it was: the last event says nothing of it
    assert run(store, "why", "groq").out.endswith("authlog restore groq 9\n")
    run(store, "forget", "groq", "--yes")
    assert run(store, "why", "groq").out.endswith("its secrets were erased: log in anew.\n")
    log = AuthLog(store)
    for n in range(9):
        log.set("openai", ApiKey(f"k{n}"))
    assert "Then it changed" in run(store, "why", "openai").out
