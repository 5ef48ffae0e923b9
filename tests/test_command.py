"""The command, as a person or a script uses it: what it prints, and its exit code."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import needs
from authlog import ApiKey, AuthLog, OAuth
from authlog_tools.commands import COMMANDS, GROUPS
from authlog_tools.main import main
from opencode import find_opencode, requires_opencode
from terminal import terminal

SECRET = "sk-secret-0123456789"


class Done:
    """What a command did."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr


def run(path: Path, *arguments: object, given: str = "", **more: str) -> Done:
    """Run `authlog` on the store at `path`; what it reads is not a terminal."""
    command = [sys.executable, "-m", "authlog_tools", *map(str, arguments)]
    surroundings = {**os.environ, "AUTHLOG_PATH": str(path), **more}
    done = subprocess.run(
        command, input=given, env=surroundings, capture_output=True, text=True, check=False
    )
    return Done(done)


@pytest.fixture
def store(path: Path) -> Path:
    log = AuthLog(path, program="tests")
    log.set("openai", ApiKey(SECRET))
    log.set("anthropic", OAuth("r-secret", "a-secret", 1_000))
    return path


def test_every_command_of_the_table_is_there_and_helps() -> None:
    assert sorted(name for group in GROUPS.values() for name in group) == sorted(COMMANDS)
    for name in COMMANDS:
        module = importlib.import_module(f"authlog_tools.{name}_")
        assert callable(module.run)
        assert callable(module.arguments)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_fits_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["help", name]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: authlog {name} ")
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out == shown


def test_without_a_command_it_shows_what_there_is(path: Path) -> None:
    shown = run(path, "--help")
    assert shown.code == 0
    for name, what in COMMANDS.items():
        assert f"  {name}" in shown.out
        assert what in shown.out
    assert run(path).code == 2
    assert run(path, "--wrong").code == 2
    assert run(path, "help").out == shown.out
    assert run(path, "help", "lits").code == 2
    assert run(path, "--version").out.startswith("authlog 0.")
    assert "usage: authlog get" in run(path, "get", "--help").out


def test_a_secret_goes_in_by_standard_input_and_comes_out_only_when_asked(path: Path) -> None:
    stored = run(path, "set", "openai", given=f"{SECRET}\n")
    assert (stored.code, stored.out) == (0, "")
    assert "openai is stored: event 2" in stored.err
    shown = run(path, "get", "openai")
    assert shown.out.startswith("openai  api\n  key  <")
    assert run(path, "get", "openai", "--field", "key").out == f"{SECRET}\n"
    assert json.loads(run(path, "get", "openai", "--reveal").out)["key"] == SECRET
    masked = json.loads(run(path, "get", "openai", "--json").out)
    assert (masked["type"], list(masked["members"])) == ("api", ["key"])


def test_no_other_command_shows_a_secret(store: Path) -> None:
    commands: list[list[object]] = [
        ["list"], ["list", "--json"], ["get", "openai"], ["get", "anthropic", "--json"],
        ["history"], ["history", "--json"], ["show", 3], ["show", 3, "--json"], ["verify"],
        ["verify", "--json"], ["remove", "openai", "--json"], ["restore", "openai", 2, "--json"],
        ["remove", "openai"], ["restore", "openai", 2], ["why", "openai"], ["undo", "openai"],
    ]  # fmt: skip
    for command in commands:
        done = run(store, *command)
        assert done.code == 0, (command, done.err)
        assert "secret" not in done.out + done.err, command


def test_a_whole_entry_can_be_given(path: Path) -> None:
    entry = {"type": "oauth", "refresh": "r", "access": "a", "expires": 5, "more": [1]}
    assert run(path, "set", "x", "--entry", "--stdin", given=json.dumps(entry)).code == 0
    assert json.loads(path.read_bytes()) == {"x": entry}
    assert run(path, "get", "x", "--field", "more").out == "[1]\n"
    for wrong in ("[1]", "{", SECRET, '{"type": "api"}'):
        done = run(path, "set", "x", "--entry", given=wrong)
        assert (done.code, SECRET in done.err) == (2, False)
    assert run(path, "set", "x", given="\n").code == 2


def test_list_and_history_are_tab_separated_for_programs(store: Path) -> None:
    rows = [line.split("\t") for line in run(store, "list").out.splitlines()]
    assert [row[0] for row in rows] == ["openai", "anthropic"]
    assert rows[1][1] == "oauth"
    assert rows[1][2] == "1970-01-01T00:00:01Z"
    assert [row["seq"] for row in json.loads(run(store, "list", "--json").out)] == [2, 3]
    kinds = [line.split("\t")[:3:2] for line in run(store, "history").out.splitlines()]
    assert kinds == [["3", "set"], ["2", "set"], ["1", "init"]]
    assert len(run(store, "history", "openai").out.splitlines()) == 1
    newest = [
        json.loads(line) for line in run(store, "history", "--json", "-n", 2).out.split("\n")[:-1]
    ]
    assert [event["seq"] for event in newest] == [3, 2]
    assert set(newest[0]["writer"]) == {"program", "pid", "host", "user"}
    assert set(newest[0]["providers"]["anthropic"]["members"]) == {"refresh", "access"}


def test_what_is_not_there_is_a_no_with_the_nearest_that_is(store: Path) -> None:
    for command in (["get", "opneai"], ["remove", "opneai"]):
        done = run(store, *command)
        assert done.code == 1
        assert "did you mean openai?" in done.err
    assert run(store, "get", "openai", "--field", "nothing").code == 1
    assert run(store, "show", 99).code == 1
    assert "did you mean list?" in run(store, "lits").err
    assert run(store, "lits").code == 2
    assert run(store, "restore", "openai", 99).code == 2


def test_a_change_says_how_to_take_it_back(store: Path) -> None:
    done = run(store, "remove", "openai")
    command = done.out.splitlines()[1].partition("authlog ")[2].split()
    assert command == ["restore", "openai", "3"]
    assert run(store, *command).code == 0
    assert run(store, "get", "openai", "--field", "key").out == f"{SECRET}\n"
    assert "is absent" in run(store, "restore", "openai", 1).out
    assert run(store, "undo", "openai").code == 0
    assert run(store, "-q", "remove", "openai").out == ""


def test_exit_codes_say_what_went_wrong(store: Path) -> None:
    assert run(store, "set", "openai", "--expect", 99, given="k").code == 1
    assert run(store, "set", "", given="k").code == 2
    AuthLog(store).update("anthropic", refresh="r2")
    refused = run(store, "restore", "anthropic", 3, "--json")
    assert refused.code == 5
    error = json.loads(refused.err)["error"]
    assert (error["code"], "spent" in error["message"]) == ("StaleToken", True)
    assert run(store, "restore", "anthropic", 3, "--force").code == 0
    blocked = run(store.parent / "openai" / "auth.json", "set", "a", given="k")
    assert blocked.code == 0
    (store.parent / "file").write_text("")
    nowhere = run(store.parent / "file" / "auth.json", "set", "a", given="k")
    assert nowhere.code == 6
    assert len(nowhere.err.splitlines()) == 2


@pytest.mark.damaged
def test_verify_tells_damage_from_a_torn_tail(store: Path) -> None:
    segment = store.parent / "auth.json.log" / "000001.jsonl"
    whole = segment.read_bytes()
    done = run(store, "verify")
    assert done.code == 0
    assert "the history is whole" in done.out
    segment.write_bytes(whole + b'{"event')
    torn = run(store, "verify")
    assert (torn.code, "7 bytes behind event 3 are a torn tail" in torn.out) == (0, True)
    segment.write_bytes(whole.replace(b"init", b"inti"))
    damaged = run(store, "verify")
    assert damaged.code == 3
    assert "damaged at byte 0" in damaged.err
    assert json.loads(run(store, "verify", "--json").out)["ok"] is False
    assert run(store, "set", "a", given="k").code == 3


def test_path_and_program_say_which_file(path: Path) -> None:
    assert run(path, "--path", path.with_name("other.json"), "set", "a", given="k").code == 0
    assert path.with_name("other.json").exists()
    assert run(path, "set", "a", "--for", "codex", given="k", CODEX_HOME=str(path.parent)).code == 0
    assert path.exists()
    assert run(path, "list", "--for", "nano").code == 2


def test_no_traceback_is_shown_unless_asked_for(store: Path) -> None:
    store.write_text("{}")
    store.chmod(0o666)
    done = run(store, "list")
    assert done.code == 5
    assert "chmod o-w" in done.err
    assert "Traceback" not in done.err
    assert "Traceback" in run(store, "list", AUTHLOG_DEBUG="1").err
    store.chmod(0o600)


@needs.posix_shell
def test_a_reader_that_goes_away_ends_it_quietly(store: Path) -> None:
    command = f"{sys.executable} -m authlog_tools history --json | true"
    surroundings = {**os.environ, "AUTHLOG_PATH": str(store)}
    done = subprocess.run(
        ["sh", "-c", command], env=surroundings, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""


@needs.posix_shell
def test_on_a_terminal_the_secret_is_asked_for_and_not_shown(path: Path) -> None:
    asked = terminal(path, "set", "openai")
    asked.until("Secret for openai: ")
    asked.type(f"{SECRET}\n")
    assert asked.end() == 0
    assert SECRET not in asked.said
    assert AuthLog(path).get("openai") == ApiKey(SECRET)


@pytest.mark.parametrize("command", ["get openai --field key", "history", "list", "verify"])
def test_nothing_that_draws_or_locks_is_imported_for_a_pipe(store: Path, command: str) -> None:
    code = (
        "import sys; from authlog_tools.main import main\n"
        f"main(['--path', {str(store)!r}, *{command.split()}])\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    heavy = {"rich", "portalocker", "platformdirs", "asyncio", "starlette", "ctypes"}
    assert heavy.isdisjoint(loaded)


def test_the_demo_loses_logins_without_authlog_and_none_with_it(path: Path) -> None:
    done = run(path, "demo", "--processes", 4)
    assert done.code == 0
    row = done.out[done.out.index("through authlog") :].splitlines()[0].split()
    assert row[-2:] == ["40", "0"]
    counts = json.loads(run(path, "demo", "--processes", 8, "--json").out)
    assert counts["authlog"] == {"acknowledged": 80, "lost": 0}
    assert counts["without"]["acknowledged"] == 80
    assert not path.exists()
    assert run(path, "demo", "--processes", 0).code == 2
    assert run(path, "demo", "--opencode", path / "nothing").code == 2


@requires_opencode
def test_the_demo_drives_the_real_opencode(path: Path) -> None:
    counts = json.loads(run(path, "demo", "--opencode", find_opencode(), "--json").out)
    assert counts["without"]["acknowledged"] == 100
    assert counts["authlog"] == {"acknowledged": 80, "lost": 0}
