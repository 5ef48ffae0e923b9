"""The commands that keep a log: compact, forget, head, verify and repair."""

import json
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog, OAuth
from authlog_tools.times import duration
from terminal import terminal
from test_command import run
from test_compaction import folder, holding

SECRETS = [f"sk-secret-{n}" for n in range(4)]


@pytest.fixture
def store(path: Path) -> Path:
    log = AuthLog(path, program="tests")
    for secret in SECRETS:
        log.set("openai", ApiKey(secret))
    log.set("anthropic", OAuth("r-secret", "a-secret", 1_000))
    return path


def test_compact_says_before_what_it_does_and_does_that(store: Path) -> None:
    planned = json.loads(run(store, "compact", "--retain", "0", "--dry-run", "--json").out)
    assert all(holding(store, secret) for secret in SECRETS)
    done = json.loads(run(store, "compact", "--retain", "0", "--yes", "--json").out)
    for name in ("before", "after", "secrets", "credentials", "erased"):
        assert planned[name] == done[name]
    assert done["credentials"] == 3
    assert [holding(store, secret) for secret in SECRETS[:-1]] == [[], [], []]
    assert holding(store, SECRETS[-1]) != []
    shown = run(store, "compact")
    assert shown.code == 0
    assert "none was superseded more than 30 d ago (before " in shown.out


def test_compact_tells_what_was_erased_and_since_when(store: Path) -> None:
    dry = run(store, "compact", "--retain", "0", "--dry-run").out.splitlines()
    would = "secrets     3 would be erased, superseded by now; those of 6 events in segment 1"
    assert dry[3] == would
    done = run(store, "compact", "--retain", "0", "--yes").out.splitlines()
    assert done[3] == would.replace("would be ", "")
    assert [line.split()[0] for line in done[:3]] == ["events", "segments", "bytes"]


def test_what_takes_something_away_needs_a_yes(store: Path) -> None:
    for command in (
        ["compact", "--retain", "0"],
        ["compact", "--drop-history"],
        ["forget", "openai"],
    ):
        done = run(store, *command)
        assert done.code == 2
        assert "--yes" in done.err
    assert all(holding(store, secret) for secret in SECRETS)
    assert run(store, "compact", "--retain", "often").code == 2


@needs.posix_shell
def test_on_a_terminal_it_asks(store: Path) -> None:
    refused = terminal(store, "forget", "openai")
    refused.until("[y/N]")
    refused.type("\n")
    assert refused.end() == 1
    assert AuthLog(store).get("openai") is not None
    asked = terminal(store, "compact", "--retain", "0")
    asked.until("[y/N]")
    asked.type("n\n")
    assert asked.end() == 1
    assert "the secrets of 6 events" in asked.said
    agreed = terminal(store, "forget", "openai")
    agreed.until("[y/N]")
    agreed.type("y\n")
    assert agreed.end() == 0
    assert AuthLog(store).get("openai") is None
    assert [secret for secret in SECRETS if holding(store, secret)] == []


def test_forget_leaves_the_record_and_no_secret(store: Path) -> None:
    done = run(store, "forget", "openai", "--yes")
    assert (done.code, "its history stays" in done.out) == (0, True)
    assert [secret for secret in SECRETS if holding(store, secret)] == []
    assert len(run(store, "history", "openai").out.splitlines()) == len(SECRETS) + 1
    assert run(store, "forget", "nobody", "--yes").code == 1
    again = json.loads(run(store, "forget", "openai", "--yes", "--json").out)
    assert again["providers"] == {"openai": None}


def test_a_head_that_was_noted_proves_that_history_was_not_changed_since(
    store: Path, tmp_path: Path
) -> None:
    head = run(store, "head").out.strip()
    seq, _, hash = head.partition(":")
    assert json.loads(run(store, "head", "--json").out) == {"seq": int(seq), "hash": hash}
    run(store, "set", "groq", given="k\n")
    run(store, "compact", "--retain", "0", "--yes")
    assert run(store, "verify", "--expect", head).code == 0
    assert run(store, "verify", "--expect", f"{seq}:{'0' * 64}").code == 3
    assert run(store, "verify", "--expect", f"99:{hash}").code == 3
    assert run(store, "verify", "--expect", "42").code == 2
    assert json.loads(run(store, "verify", "--json", "--expect", head).out)["ok"] is True
    run(store, "compact", "--drop-history", "--yes")
    gone = run(store, "verify", "--expect", head)
    assert (gone.code, "can't be proved" in gone.out) == (1, True)
    dropped = AuthLog(store).verify().dropped
    assert dropped is not None
    assert f"chained to {dropped.last}:{dropped.hash}" in gone.out
    assert run(store, "verify", "--expect", f"{dropped.last}:{dropped.hash}").code == 0
    assert run(store, "verify", "--expect", f"{dropped.last}:{'0' * 64}").code == 3
    assert run(tmp_path / "none.json", "head").code == 1


def test_a_history_that_was_cut_is_noticed(store: Path) -> None:
    head = run(store, "head").out.strip()
    before = {file: file.read_bytes() for file in folder(store).iterdir() if file.is_file()}
    run(store, "set", "groq", given="k\n")
    later = run(store, "head").out.strip()
    for file, content in before.items():
        file.write_bytes(content)
    assert run(store, "verify").code == 0
    assert run(store, "verify", "--expect", head).code == 0
    assert run(store, "verify", "--expect", later).code == 3


@pytest.mark.damaged
def test_repair_shows_its_plan_and_asks_before_it_mends(store: Path) -> None:
    assert "nothing is damaged" in run(store, "repair").out
    segment = next(folder(store).glob("0*.jsonl"))
    segment.write_bytes(segment.read_bytes().replace(b"sk-secret-1", b"sk-secret-X"))
    damaged = run(store, "verify")
    assert (damaged.code, "commitment" in damaged.err) == (3, True)
    assert "authlog repair" in damaged.out
    refused = run(store, "set", "x", given="k\n")
    assert (refused.code, "authlog repair" in refused.err) == (3, True)
    content = segment.read_bytes()
    planned = run(store, "repair", "--dry-run")
    assert planned.code == 3
    assert "lost: events 3" in planned.out
    assert run(store, "repair").code == 2
    assert segment.read_bytes() == content
    done = run(store, "repair", "--yes")
    assert (done.code, done.out.splitlines()[-1]) == (
        0,
        "mended; see authlog history, and authlog verify",
    )
    assert "events 3 to 3 could not be saved" in run(store, "verify").out
    head = f"3:{'0' * 64}"
    assert run(store, "verify", "--expect", head).code == 3
    assert json.loads(run(store, "repair", "--json").out)["damage"] == []
    assert "sk-secret" not in planned.out + done.out


def test_lengths_of_time_are_understood_or_refused() -> None:
    assert [duration(text).total_seconds() for text in ("0", "30d", "2d6h", "1w", "90s")] == [
        0, 2_592_000, 194_400, 604_800, 90,
    ]  # fmt: skip
    for wrong in ("", "d", "-1d", "30", "1y", "1 d"):
        with pytest.raises(ValueError, match="expected a length of time"):
            duration(wrong)
