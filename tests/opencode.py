"""The real opencode, in folders of its own: no login of the user's is ever near a test."""

import json
import os
import re
import shutil
import subprocess
import threading
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

START_LIMIT = 60.0  # s; it takes 1.5 on an idle machine
STOP_LIMIT = 10.0  # s
ANSWER_LIMIT = 30.0  # s

_LISTENING = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_SHOWN = re.compile(r"^●\s+(\S+)\s+(\w+)\s*$", re.MULTILINE)


def find_opencode() -> Path | None:
    """Return opencode's program: the one `AUTHLOG_OPENCODE` names, else the one on the PATH."""
    found = os.environ.get("AUTHLOG_OPENCODE") or shutil.which("opencode")
    return Path(found) if found else None


requires_opencode = pytest.mark.skipif(
    find_opencode() is None,
    reason="needs opencode: on the PATH, or named by AUTHLOG_OPENCODE",
)


def auth_json(home: Path) -> Path:
    """Return where opencode keeps its logins if it lives in `home`."""
    return home / "data" / "opencode" / "auth.json"


def shown_by_opencode(home: Path) -> dict[str, str]:
    """Return provider -> type as `opencode auth list` shows them."""
    listed = subprocess.run(
        [_program(), "auth", "list"],
        env=_surroundings(home),
        cwd=home,
        check=True,
        capture_output=True,
        encoding="utf-8",
        timeout=START_LIMIT,
    )
    return dict(_SHOWN.findall(_COLOUR.sub("", listed.stdout)))


class OpencodeServer:
    """`opencode serve` on a free port, while it is entered; several may live in one `home`.

    `under` is a command that runs it, `authlog run --` for one.
    """

    def __init__(self, home: Path, under: Sequence[str] = ()) -> None:
        self.home = home
        self._under = under
        self._process: subprocess.Popen[str] | None = None
        self._port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [*self._under, _program(), "serve", "--hostname", "127.0.0.1", "--port", "0"],
            env=_surroundings(self.home),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        try:
            self._port = self._listening_port(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop()

    def put(self, provider: str, entry: Mapping[str, object]) -> None:
        """Store an entry, as a login does; return when it is answered."""
        self._ask("PUT", provider, json.dumps(entry).encode())

    def delete(self, provider: str) -> None:
        """Remove an entry, as a logout does; return when it is answered."""
        self._ask("DELETE", provider, None)

    def kill(self) -> None:
        """Kill it, as SIGKILL does."""
        assert self._process is not None
        self._process.kill()

    def _ask(self, method: str, provider: str, body: bytes | None) -> None:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/auth/{provider}",
            data=body,
            method=method,
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=ANSWER_LIMIT) as answer:  # noqa: S310
            assert json.load(answer) is True

    def _listening_port(self, process: "subprocess.Popen[str]") -> int:
        """Wait for the line that says where it listens; opencode answers from then on."""
        assert process.stdout is not None
        watchdog = threading.Timer(START_LIMIT, process.kill)
        watchdog.start()
        try:
            said = ""
            for line in process.stdout:
                if found := _LISTENING.search(line):
                    return int(found[1])
                said += line
        finally:
            watchdog.cancel()
        raise AssertionError(f"opencode serve ended before it listened: {said}")

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _program() -> str:
    found = find_opencode()
    assert found is not None, "mark the test with requires_opencode"
    return str(found)


def _surroundings(home: Path) -> dict[str, str]:
    """Return an environment in which everything opencode keeps is below `home`."""
    home.mkdir(parents=True, exist_ok=True)
    places = {
        "HOME": home,
        "XDG_DATA_HOME": home / "data",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_STATE_HOME": home / "state",
        "TMPDIR": home,
    }
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return kept | {name: str(place) for name, place in places.items()} | {"NO_COLOR": "1"}
