"""Who may import whom, and who may touch what."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import authlog

ROOT = Path(__file__).resolve().parent.parent

ORDER = (  # lowest first: a module imports only what stands above it in this list
    "authlog.events",
    "authlog.errors",
    "authlog.health",
    "authlog.outcomes",
    "authlog._engine",
    "authlog._engine.text",
    "authlog.credentials",
    "authlog._engine.layout",
    "authlog._engine.files",
    "authlog._engine.safety",
    "authlog._engine.surroundings",
    "authlog._engine.lock",
    "authlog._engine.codec",
    "authlog._engine.state",
    "authlog._engine.javascript",
    "authlog._engine.snapshot",
    "authlog._engine.foreign",
    "authlog._engine.log",
    "authlog._engine.recent",
    "authlog._engine.mark",
    "authlog._engine.quarantine",
    "authlog._engine.handle",
    "authlog._engine.history",
    "authlog._engine.rotation",
    "authlog._engine.erasing",
    "authlog._engine.materialize",
    "authlog._engine.telling",
    "authlog._engine.publish",
    "authlog._engine.opening",
    "authlog._engine.reading",
    "authlog._engine.lookback",
    "authlog._engine.changing",
    "authlog._engine.extent",
    "authlog._engine.compaction",
    "authlog._engine.verify",
    "authlog._engine.evidence",
    "authlog._engine.salvage",
    "authlog._engine.repair",
    "authlog.store",
    "authlog",
    "authlog.testing",
)

PURE = ("text", "codec", "state", "javascript", "foreign")  # no path, no clock, no disk
IMPURE_MODULES = frozenset({"os", "pathlib", "time", "socket", "threading", "random", "secrets"})

# What of `os` reads or changes the disk, and what of a path does.
DISK = frozenset({
    "chmod", "chown", "close", "fchmod", "fdatasync", "fstat", "fsync", "ftruncate", "link",
    "listdir", "lseek", "lstat", "makedirs", "mkdir", "open", "pread", "pwrite", "read", "remove",
    "rename", "replace", "rmdir", "scandir", "stat", "symlink", "sync", "truncate", "unlink",
    "utime", "write",
})  # fmt: skip
DISK_OF_A_PATH = frozenset({
    "chmod", "exists", "glob", "hardlink_to", "is_dir", "is_file", "iterdir", "mkdir", "open",
    "read_bytes", "read_text", "rename", "rglob", "rmdir", "stat", "symlink_to", "touch", "unlink",
    "write_bytes", "write_text",
})  # fmt: skip
READS_OF_PROC = frozenset({"authlog._engine.lock", "authlog._engine.surroundings"})

NOT_AT_IMPORT = ("portalocker", "platformdirs", "ctypes", "json", "asyncio")


def modules_of(package: Path, parent: Path) -> dict[str, ast.Module]:
    """Return module name -> syntax of every module below `package`."""
    found: dict[str, ast.Module] = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(file.read_text(encoding="utf-8"), str(file))
    return found


MODULES = modules_of(ROOT / "authlog", ROOT)
TOOLS = modules_of(ROOT / "tools" / "authlog_tools", ROOT / "tools")


def imports(module: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield (module, name or None) for each import, wherever in the module it stands."""
    for node in ast.walk(module):
        match node:
            case ast.Import():
                yield from ((alias.name, None) for alias in node.names)
            case ast.ImportFrom():
                assert node.level == 0, "imports are absolute"
                yield from ((node.module or "", alias.name) for alias in node.names)
            case _:
                pass


def imported_modules(module: ast.Module) -> frozenset[str]:
    """Return the imported modules; of `from a import b` it is a.b if that is one of ours."""
    return frozenset(
        f"{origin}.{name}" if f"{origin}.{name}" in MODULES else origin
        for origin, name in imports(module)
    )


def called(module: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield (what stands before the dot, "" for nothing simple; name) for each name in use."""
    for node in ast.walk(module):
        match node:
            case ast.Attribute(value=ast.Name(id=owner)):
                yield owner, node.attr
            case ast.Attribute():
                yield "", node.attr
            case ast.Call(func=ast.Name(id="open")):
                yield "builtins", "open"
            case _:
                pass


def test_every_module_has_its_place_in_the_order() -> None:
    assert sorted(MODULES) == sorted(ORDER)


@pytest.mark.parametrize("name", ORDER)
def test_imports_go_down_only(name: str) -> None:
    below = ORDER[: ORDER.index(name)]
    ours = {found for found in imported_modules(MODULES[name]) if found.split(".")[0] == "authlog"}
    assert ours <= set(below)


@pytest.mark.parametrize("name", [name for name in ORDER if name != "authlog._engine.files"])
def test_only_files_touches_the_disk(name: str) -> None:
    touched = {
        f"{owner}.{verb}"
        for owner, verb in called(MODULES[name])
        if (owner == "os" and verb in DISK)
        or owner in {"builtins", "shutil", "tempfile", "fcntl"}
        or (owner == "" and verb in DISK_OF_A_PATH)
    }
    allowed = {".read_text"} if name in READS_OF_PROC else set[str]()
    assert touched <= allowed


def test_verbs_of_the_disk_are_called_through_their_module() -> None:
    """Otherwise a test that replaces one would miss a caller. Types may be imported by name."""
    by_name = {
        (name, verb)
        for name, module in MODULES.items()
        for origin, verb in imports(module)
        if origin == "authlog._engine.files" and verb is not None and not verb[0].isupper()
    }
    assert not by_name


@pytest.mark.parametrize("module", PURE)
def test_pure_modules_have_no_path_and_no_clock(module: str) -> None:
    imported = {
        found.split(".")[0] for found in imported_modules(MODULES[f"authlog._engine.{module}"])
    }
    if module == "text":
        imported -= {"threading"}  # for a stack of its own; see there
    assert not imported & IMPURE_MODULES


@pytest.mark.parametrize("module", ["evidence", "salvage"])
def test_the_plan_of_a_repair_asks_neither_the_disk_nor_the_clock(module: str) -> None:
    imported = imported_modules(MODULES[f"authlog._engine.{module}"])
    asking = {f"authlog._engine.{name}" for name in ("files", "lock", "surroundings", "handle")}
    assert not imported & (asking | IMPURE_MODULES)


def test_only_lock_knows_portalocker() -> None:
    knowing = {
        name for name, module in MODULES.items() if "portalocker" in imported_modules(module)
    }
    assert knowing == {"authlog._engine.lock"}


def test_only_layout_spells_names_of_files() -> None:
    names = ("next.json", "published.json", "append.lock", "publish.lock", ".jsonl", "quarantine/")
    for name, module in MODULES.items():
        docstrings = {
            ast.get_docstring(node, clean=False)
            for node in ast.walk(module)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        }
        spelled = {
            node.value
            for node in ast.walk(module)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and node.value not in docstrings
            and any(part in node.value for part in names)
        }
        assert not spelled or name == "authlog._engine.layout", (name, spelled)


def test_importing_authlog_costs_a_reader_nothing_but_msgspec() -> None:
    """Run without `site`: a measured child or an editable install would import more."""
    script = (
        f"import sys, authlog; print([name for name in {NOT_AT_IMPORT} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])},
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize("name", sorted(TOOLS))
def test_the_command_uses_the_face_only(name: str) -> None:
    used = {
        (origin, what) for origin, what in imports(TOOLS[name]) if origin.split(".")[0] == "authlog"
    }
    assert {origin for origin, _ in used} <= {"authlog"}
    assert {what for _, what in used if what} <= {*authlog.__all__, "testing"}
