"""What a person sees: colours, columns, the pager, progress, and what Ctrl-C does."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

import invented
import needs
from authlog import ApiKey, AuthLog, Change, Event, OAuth, Writer
from authlog_tools import drawing, rows
from authlog_tools import terminal as looks
from terminal import AUTHLOG, CTRL_C, Terminal, terminal
from test_command import run
from test_travel_commands import LIFE

pytestmark = needs.posix_shell

ESCAPE = "\x1b["
WITHOUT_RICH = (
    "import sys; sys.modules['rich'] = None; from authlog_tools.main import main; sys.exit(main())"
)


@pytest.fixture
def store(path: Path) -> Path:
    """Return a log of seven events, the newest a foreign write."""
    log = AuthLog(path, program="tests")
    log.set("openai", ApiKey("sk-1"))
    log.set("anthropic", OAuth("r1", "a1", 1_000))
    log.update("anthropic", access="a2")
    log.remove("openai")
    log.restore("openai", 2)
    path.write_text(path.read_text().replace("{", '{"groq": {"type": "api", "key": "g"},', 1))
    log.adopt()
    return path


def shown(
    path: Path, *arguments: object, columns: int = 100, given: Mapping[str, str] | None = None
) -> Terminal:
    """Return a terminal in which the command has ended well."""
    looked = terminal(path, *arguments, columns=columns, given=given)
    assert looked.end() == 0, looked.said
    return looked


def test_a_history_has_days_glyphs_and_colour(store: Path) -> None:
    looked = shown(store, "history")
    assert re.fullmatch(r"Today, \d+ \w+  7 events", looked.screen[0])
    assert "◆ adopt" in looked.screen[1]
    assert "groq" in looked.screen[1]
    assert ESCAPE in looked.said


@pytest.mark.parametrize(
    ("arguments", "surroundings", "coloured"),
    [
        ([], {}, True),
        (["--no-color"], {}, False),
        ([], {"NO_COLOR": "1"}, False),
        ([], {"NO_COLOR": ""}, True),
        ([], {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ([], {"TERM": "dumb"}, False),
        ([], {"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ([], {"TERM": "dumb", "FORCE_COLOR": ""}, False),
        (["--no-color"], {"FORCE_COLOR": "1"}, False),
    ],
)
@pytest.mark.parametrize("command", ["history", "list"])
def test_who_wants_no_colour_gets_none(
    store: Path, command: str, arguments: list[str], surroundings: dict[str, str], coloured: bool
) -> None:
    looked = shown(store, command, *arguments, given=surroundings)
    assert (ESCAPE in looked.said) is coloured
    assert any("groq" in line for line in looked.screen)


def test_a_pipe_gets_the_same_whatever_colours_are_wanted(store: Path) -> None:
    for command in ("history", "list", "verify"):
        assert run(store, command, FORCE_COLOR="1").out == run(store, command).out


def test_a_terminal_without_rich_gets_what_a_pipe_gets(store: Path) -> None:
    for command in ("history", "list", "verify"):
        plain = Terminal(
            [sys.executable, "-c", WITHOUT_RICH, command], given={"AUTHLOG_PATH": str(store)}
        )
        assert plain.end() == 0
        assert plain.said.replace("\r\n", "\n") == run(store, command).out


@pytest.mark.parametrize("columns", [120, 100, 80, 60, 45])
def test_no_line_is_longer_than_the_screen_and_no_fingerprint_is_cut(
    path: Path, columns: int
) -> None:
    invented.store(path, 60)
    for command in (["history"], ["history", "--all"], ["history", "seq:1..9"]):
        looked = shown(path, *command, "--no-pager", "--no-color", columns=columns)
        assert max(map(len, looked.said.splitlines())) <= columns
        known = run(path, *command, "--json").out
        marks = re.findall(r"\b[0-9a-f]{8}\b", looked.said)
        assert [mark for mark in marks if mark not in known] == []
        assert (len(marks) > 20) is ("--all" in command)


@pytest.mark.parametrize(
    ("width", "there", "missing"),
    [
        (100, ("opencode·4711@box", "12:00"), ()),
        (99, ("opencode·4711", "12:00"), ("@box",)),
        (79, ("opencode·4711",), ("@box", ":0")),
        (59, (), ("opencode", ":0")),
    ],
)
def test_a_narrow_terminal_loses_columns_and_never_a_fingerprint(
    width: int, there: tuple[str, ...], missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    found = rows.rows(list(rows.seen(LIFE[::-1])), fold=False)
    text = "\n".join(drawing.drawn(found, width=width, paint=_plain, now=_NOON))
    assert "anthropic" in text
    assert "oauth 41d0aa17 -> 1f615e60" in text
    assert [part for part in there if part not in text] == []
    assert [part for part in missing if part in text] == []


_NOON = datetime(2026, 11, 24, 13, tzinfo=UTC)


def _plain(text: str, style: str) -> str:
    return text


def test_a_fold_counts_its_events_and_hints_once_at_how_to_open_it() -> None:
    events = [*LIFE[1:4], *LIFE[:1], *LIFE[1:4]]
    found = rows.rows(list(rows.seen(events)), fold=True)
    lines = list(drawing.drawn(found, width=100, paint=_plain, now=_NOON))
    assert lines[0].endswith("7 events")
    assert [drawing.HINT in line for line in lines[1:]] == [True, False, False]
    assert not any("·" in line for line in lines if "refreshes" in line)


def test_what_does_not_fit_stands_below_its_provider() -> None:
    members = dict.fromkeys("abcdefgh", "9c1f02ab")
    one = Event(
        seq=1, time=_NOON, kind="set", writer=Writer("opencode", 4711, "box", "alice"),
        providers={"anthropic": Change(type="oauth", members=members)}, hash="0" * 64,
        prev="0" * 64, commitment="0" * 64, synced=0,
    )  # fmt: skip
    found = rows.rows(list(rows.seen([one])), fold=True)
    _, first, *below = drawing.drawn(found, width=60, paint=_plain, now=_NOON)
    assert first.endswith("anthropic  opencode·4711")
    assert " ".join(" ".join(below).split()) == "oauth" + " 9c1f02ab" * 8


def test_nothing_found_is_told_and_not_to_scripts(store: Path) -> None:
    assert "no event in" in shown(store, "history", "type:nothing").said
    assert "has no history yet" in shown(store.with_name("other.json"), "history").said
    assert "no credential is filed" in shown(store.with_name("other.json"), "list").said
    assert shown(store, "history", "type:nothing", "-q").said == ""
    assert run(store, "history", "type:nothing").err == ""


# The pager


def paged(store: Path, *arguments: str, **more: str) -> Terminal:
    """Return a terminal of five lines in which the history has been shown."""
    looked = terminal(store, "history", *arguments, lines=5, given=more)
    assert looked.end() == 0
    assert "Traceback" not in looked.said
    return looked


def test_what_is_longer_than_the_screen_goes_through_the_pager(store: Path) -> None:
    mark = "sed s/^/paged:/"
    assert "paged:" in paged(store, AUTHLOG_PAGER=mark, PAGER="false").said
    assert "paged:" in paged(store, PAGER=mark).said
    assert "paged:" not in paged(store, "--no-pager", PAGER=mark).said
    assert "paged:" not in paged(store, "-n", "3", PAGER=mark).said
    assert "FRX" in paged(store, PAGER="sh -c 'cat >&2; echo $LESS'").said
    assert "FRX" not in paged(store, PAGER="sh -c 'cat >&2; echo $LESS'", LESS="i").said


@pytest.mark.parametrize("pager", ["", "cat", " "])
def test_no_pager_is_started_if_none_is_wanted(store: Path, pager: str) -> None:
    looked = paged(store, AUTHLOG_PAGER=pager, PAGER="false")
    assert "adopt" in looked.said
    assert "can't be started" not in looked.said


@pytest.mark.parametrize("pager", ["nonsuch-pager -x", "'"])
def test_a_pager_that_can_t_be_started_is_named_and_everything_is_printed(
    store: Path, pager: str
) -> None:
    looked = paged(store, PAGER=pager)
    assert f"the pager {pager} can't be started" in looked.said
    assert looked.said.count("anthropic") == 2


def test_a_pager_that_ends_early_ends_us_quietly(path: Path) -> None:
    invented.store(path, 2_000)
    looked = paged(path, "--all", PAGER="head -n 1")
    assert len(looked.screen) == 1
    assert looked.screen[0].endswith("events")


@pytest.mark.skipif(shutil.which("less") is None, reason="needs less")
def test_less_is_left_by_q_and_ctrl_c_does_not_end_it(store: Path) -> None:
    looked = terminal(store, "history", lines=5)
    looked.until("Today")
    looked.type(CTRL_C)
    looked.until("init", keys="G")  # less throws away what was typed before Ctrl-C
    looked.type("q")
    assert looked.end() == 0
    assert "Traceback" not in looked.said


# What happens from now on


@pytest.mark.parametrize("command", [["history", "--follow"], ["watch"]])
def test_events_of_other_processes_are_shown_until_ctrl_c(store: Path, command: list[str]) -> None:
    looked = terminal(store, *command, "kind:set,remove", "--no-color")
    said = _until_seen(store, looked)
    assert "● set" in said
    run(store, "remove", "followed")
    looked.until("✕ remove")
    looked.type(CTRL_C)
    assert looked.end() == 130
    assert "Traceback" not in looked.said
    assert ("anthropic" in looked.said) is (command[0] == "history")
    assert "adopt" not in looked.said


def _until_seen(store: Path, looked: Terminal) -> str:
    """Change things until the first change is seen: nothing tells when it has begun to look."""
    waiting = threading.Thread(target=looked.until, args=("followed",))
    waiting.start()
    for n in range(100_000):
        AuthLog(store, program="other").set("followed", ApiKey(f"k{n}"))
        waiting.join(0.05)
        if not waiting.is_alive():
            break
    return looked.said


def test_watch_ends_after_n_events_and_by_a_signal(store: Path) -> None:
    surroundings = {**os.environ, "AUTHLOG_PATH": str(store)}
    command = [*AUTHLOG, "watch", "--json", "followed"]
    counted = subprocess.Popen(
        [*command, "-n", "2"], env=surroundings, stdout=subprocess.PIPE, text=True
    )
    n = 0
    while counted.poll() is None:
        AuthLog(store, program="other").set("followed", ApiKey(f"k{n}"))
        n += 1
    assert counted.stdout is not None
    with counted.stdout:
        lines = counted.stdout.readlines()
    assert (counted.returncode, len(lines)) == (0, 2)
    assert all('"program": "other"' in line for line in lines)
    with subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as endless:
        assert endless.stdout is not None
        assert endless.stderr is not None
        while not _readable(endless.stdout.fileno()):
            AuthLog(store, program="other").set("followed", ApiKey(f"k{n}"))
            n += 1
        endless.send_signal(signal.SIGINT)
        assert endless.wait() == 130
        assert endless.stderr.read() == ""


def _readable(fd: int) -> bool:
    return bool(select.select([fd], [], [], 0.01)[0])


def test_watch_takes_what_was_never_there_and_refuses_what_it_can_t_understand(store: Path) -> None:
    assert run(store, "watch", "-n", "0", "nobody").code == 0
    assert run(store, "watch", "-n", "0", "kind:refesh").code == 2
    assert run(store, "watch", "-n", "-1").code == 2


# Progress


PROGRESS = """
import sys
from argparse import Namespace
from authlog_tools import progress
progress.PATIENCE = float(sys.argv[1])
options = Namespace(quiet=bool(int(sys.argv[2])), no_color=False)
with progress.shown(options, "verifying") as tell:
    tell(1, 4)
    tell(4, 4)
print("done")
"""


@pytest.mark.parametrize(
    ("patience", "quiet", "drawn"), [("-1", "0", True), ("1e9", "0", False), ("-1", "1", False)]
)
def test_progress_is_drawn_to_who_waits_and_erased(patience: str, quiet: str, drawn: bool) -> None:
    looked = Terminal([sys.executable, "-c", PROGRESS, patience, quiet])
    assert looked.end() == 0
    assert ("verifying" in looked.said) is drawn
    assert looked.screen == ["done"]


def test_progress_is_not_drawn_without_a_terminal_or_without_rich() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRESS, "-1", "0"], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    hidden = f"import sys; sys.modules['rich'] = None{PROGRESS}"
    looked = Terminal([sys.executable, "-c", hidden, "-1", "0"])
    assert looked.end() == 0
    assert looked.said.strip() == "done"


def test_the_size_of_the_screen_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    monkeypatch.setenv("LINES", "11")
    assert (looks.width(), looks.height()) == (77, 11)
