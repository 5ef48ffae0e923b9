"""The README's blocks of code: each is run, and what it shows is what comes out.

A block of Python is run as a program. In a `console` block each line after `$ ` is run by a shell,
one after another in one folder, and prints what stands below it, where `...` stands for anything.
A block of `sh` has a name in a comment above it; it is run in a copy of this checkout, but for the
one that runs these tests, which `.ci/run` runs.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import needs

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_BY_CI = "test"

_BLOCK = re.compile(r"(?:^<!-- (\w+) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COPIED = ("authlog", "tools", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")

BLOCKS = [(found[1], found[2], found[3]) for found in _BLOCK.finditer(TEXT)]


def written_in(language: str) -> list[str]:
    return [code for _, written, code in BLOCKS if written == language]


def surroundings(folder: Path) -> dict[str, str]:
    """Return an environment with our command on the path and no login of the user's in reach."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHLOG_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return kept | {"PATH": path, "XDG_DATA_HOME": str(folder), "COLUMNS": "100"}


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}"
    return done.stdout


def shown(transcript: str) -> list[tuple[str, str]]:
    """Return (command, what it prints) for each command of a transcript."""
    parts = re.split(r"^\$ ", transcript, flags=re.MULTILINE)
    assert not parts[0]
    return [
        (command, printed) for command, _, printed in (part.partition("\n") for part in parts[1:])
    ]


def fits(printed: str, expected: str) -> bool:
    """Whether it is what was expected; `...` stands for anything, and so does a run of spaces."""
    pattern = "".join(
        ".*?" if part == "..." else r"\s+" if part.isspace() else re.escape(part)
        for part in re.split(r"(\.\.\.|\s+)", expected.strip())
    )
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


def test_the_readme_has_blocks_of_each_kind_and_none_that_is_not_run() -> None:
    assert {language for _, language, _ in BLOCKS} == {"python", "console", "sh", "text"}
    assert [name for name, language, _ in BLOCKS if language == "sh"] == ["demo", RUN_BY_CI]
    assert TEXT.count("\n```") == 2 * len(BLOCKS)


@pytest.mark.parametrize("code", written_in("python"))
def test_its_python_runs(code: str, tmp_path: Path) -> None:
    printed = run([sys.executable, "-c", code], tmp_path)
    assert "ApiKey(key=<" in printed
    assert (tmp_path / "auth.json").exists()


@needs.posix_shell
@pytest.mark.parametrize("transcript", written_in("console"))
def test_its_commands_print_what_it_shows(transcript: str, tmp_path: Path) -> None:
    for command, expected in shown(transcript):
        printed = run(["bash", "-euo", "pipefail", "-c", command], tmp_path)
        assert fits(printed, expected), f"$ {command}\n{printed}"


@needs.posix_shell
def test_its_first_command_sets_up_and_runs_the_main_job(tmp_path: Path) -> None:
    for name in _COPIED:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    (command,) = [code for name, _, code in BLOCKS if name == "demo"]
    printed = run(["bash", "-euo", "pipefail", "-c", command], tmp_path)
    assert re.search(r"lost", printed)


def test_ci_runs_the_very_command_that_it_gives_for_the_tests() -> None:
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert f"<!-- {RUN_BY_CI} -->" in gate
    (command,) = [code for name, _, code in BLOCKS if name == RUN_BY_CI]
    assert "pytest" in command
    assert "pytest" not in re.sub(r"#.*|PYTEST_ADDOPTS", "", gate)
