"""What is built, and that it runs where nothing else is."""

import configparser
import email.message
import email.parser
import os
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist of this checkout, and the wheel that was built from that sdist."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    return folder


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    """The wheel, open."""
    (found,) = built.glob("*.whl")
    return zipfile.ZipFile(found)


def run(*command: str) -> str:
    """Run a command without our own folders on its path; return what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=clean
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def of_the_wheel(wheel: zipfile.ZipFile, name: str) -> str:
    (path,) = (found for found in wheel.namelist() if found.endswith(f".dist-info/{name}"))
    return wheel.read(path).decode()


def metadata(wheel: zipfile.ZipFile) -> email.message.Message:
    return email.parser.Parser().parsestr(of_the_wheel(wheel, "METADATA"))


def test_the_wheel_installs_authlog_and_authlog_tools_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    top = {Path(name).parts[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"authlog", "authlog_tools"}


def test_the_wheel_holds_every_module_and_is_typed(wheel: zipfile.ZipFile) -> None:
    packages = (ROOT / "authlog", ROOT / "tools" / "authlog_tools")
    modules = {
        file.relative_to(package.parent).as_posix()
        for package in packages
        for file in package.rglob("*.py")
    }
    found = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert modules | {"authlog/py.typed"} <= found
    assert not [name for name in found if name.endswith((".pyc", ".log"))]


def test_the_wheel_and_the_sdist_hold_the_pages_files(built: Path, wheel: zipfile.ZipFile) -> None:
    page = ROOT / "tools" / "authlog_tools" / "page"
    parts = {f"{part.parent.name}/{part.name}" for part in page.glob("[st]*/*.*")}
    assert {"static/htmx-LICENSE.txt", "static/style.css", "templates/page.html"} <= parts
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        for names in (wheel.namelist(), archive.getnames()):
            there = {name.partition("authlog_tools/page/")[2] for name in names}
            assert parts <= there


def test_the_wheel_says_what_it_needs(wheel: zipfile.ZipFile) -> None:
    told = metadata(wheel)
    lines = told.get_all("Requires-Dist", [])
    needed = {line.split(">=")[0] for line in lines if "extra ==" not in line}
    assert needed == {"msgspec", "portalocker", "platformdirs"}
    assert told["Requires-Python"] == ">=3.11"
    assert told.get_all("Provides-Extra") == ["all", "cli", "guard", "view"]


def test_the_licence_is_told_once(wheel: zipfile.ZipFile) -> None:
    told = metadata(wheel)
    assert (told["License-Expression"], told.get_all("License-File")) == ("MIT", ["LICENSE"])
    assert not [line for line in told.get_all("Classifier", []) if line.startswith("License")]
    assert "authlog maintainers" in of_the_wheel(wheel, "licenses/LICENSE")


def test_the_command_is_called_authlog(wheel: zipfile.ZipFile) -> None:
    scripts = configparser.ConfigParser()
    scripts.read_string(of_the_wheel(wheel, "entry_points.txt"))
    assert dict(scripts["console_scripts"]) == {"authlog": "authlog_tools.main:main"}


def test_the_sdist_holds_what_the_tests_need_and_nothing_else(built: Path) -> None:
    (found,) = built.glob("*.tar.gz")
    with tarfile.open(found) as archive:
        names = {Path(*Path(name).parts[1:]).as_posix() for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "tests/conftest.py"} <= names
    top = {Path(name).parts[0] for name in names}
    assert top <= {
        "authlog", "tools", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE",
        "PKG-INFO", ".gitignore",
    }  # fmt: skip


def test_it_runs_in_a_fresh_venv_with_what_it_says_it_needs(built: Path, tmp_path: Path) -> None:
    (found,) = built.glob("*.whl")
    venv.create(tmp_path / "venv", with_pip=True)
    programs = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    python, authlog = str(programs / "python"), str(programs / "authlog")
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", str(found))

    assert PROJECT["version"] in run(authlog, "--version")
    snapshot = str(tmp_path / "auth.json")
    script = (
        "import sys; from authlog import ApiKey, AuthLog\n"
        "AuthLog(sys.argv[1]).set('groq', ApiKey(key='gsk-1'))"
    )
    run(python, "-c", script, snapshot)
    assert "groq" in run(authlog, "--path", snapshot, "list")
