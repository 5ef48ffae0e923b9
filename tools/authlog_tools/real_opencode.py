"""Real `opencode serve` processes on one data folder, asked to store and remove logins."""

import contextlib
import http.client
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from msgspec import Struct

from authlog_tools.failures import Failure

SERVERS = 2
START = 60.0  # s that a server may take to answer

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LISTED = re.compile(r"^●\s+(\S+)\s+(\w+)\s*$", re.MULTILINE)


class Opencode(Struct, frozen=True):
    """An opencode that keeps all it has below a folder; `under` is a command that runs it."""

    program: Path
    folder: Path
    under: tuple[str, ...] = ()

    @property
    def auth_json(self) -> Path:
        """Where it keeps its logins."""
        return self.folder / "data" / "opencode" / "auth.json"

    def serve(self, stack: contextlib.ExitStack) -> "Server":
        """Start a server, which the stack stops; return when it answers.

        Raises:
            Failure: the program can't be run, or doesn't answer.

        """
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = int(free.getsockname()[1])
        process = self._start(["serve", "--port", str(port), "--hostname", "127.0.0.1"])
        server = Server(port, process)
        stack.callback(server.stop)
        end = time.monotonic() + START
        while time.monotonic() < end and process.poll() is None:
            if server.answers():
                return server
            time.sleep(0.02)
        raise Failure(str(self.program), "does not serve", "is it opencode 1.18 or newer?", code=2)

    def listed(self) -> dict[str, str]:
        """Return provider -> type as `opencode auth list` shows them."""
        said = self._start(["auth", "list"], stdout=subprocess.PIPE).communicate()[0]
        return dict(_LISTED.findall(_COLOUR.sub("", said.decode())))

    def _start(
        self, arguments: Sequence[str], stdout: int = subprocess.DEVNULL
    ) -> "subprocess.Popen[bytes]":
        surroundings = {**os.environ, "HOME": str(self.folder), "NO_COLOR": "1"}
        for name in ("DATA", "CONFIG", "STATE", "CACHE"):
            surroundings[f"XDG_{name}_HOME"] = str(self.folder / name.lower())
        surroundings.pop("OPENCODE_AUTH_CONTENT", None)
        try:
            return subprocess.Popen(
                [*self.under, str(self.program), *arguments],
                env=surroundings,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            raise Failure(str(self.program), f"can't be run ({error.strerror})", code=2) from None


class Server(Struct, frozen=True):
    """One `opencode serve`."""

    port: int
    process: "subprocess.Popen[bytes]"

    def answers(self) -> bool:
        """Whether the server answers: it takes connections before it does."""
        return self._ask("GET", "/provider/auth", None, 2) is not None

    def put(self, provider: str, entry: Mapping[str, object]) -> bool:
        """Store a login; return whether that was acknowledged."""
        return self._ask("PUT", f"/auth/{provider}", json.dumps(entry), 30) == b"true"

    def delete(self, provider: str) -> bool:
        """Remove a login; return whether that was acknowledged."""
        return self._ask("DELETE", f"/auth/{provider}", None, 30) == b"true"

    def _ask(self, method: str, path: str, body: str | None, timeout: float) -> bytes | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.read().strip() if answer.status == HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def stop(self) -> None:
        """Stop it."""
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """Kill it, as SIGKILL does."""
        self.process.kill()
        self.process.wait()


def store(program: Path, folder: Path, each: int) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Let two servers store `each` logins in pairs; return the acknowledged, and what the file has.

    Raises: as `Opencode.serve`.
    """
    opencode = Opencode(program, folder)
    with contextlib.ExitStack() as stack:
        servers = [opencode.serve(stack) for _ in range(SERVERS)]
        stored: list[tuple[str, str]] = []

        def put(server: Server, provider: str, key: str) -> tuple[str, str] | None:
            return (provider, key) if server.put(provider, {"type": "api", "key": key}) else None

        with ThreadPoolExecutor(SERVERS) as pool:
            for n in range(each * 5):
                names = [f"provider-{n}-{server.port}" for server in servers]
                keys = [f"key-{n}-{server.port}" for server in servers]
                stored += filter(None, pool.map(put, servers, names, keys))
    text = opencode.auth_json.read_text()
    return stored, {name: entry["key"] for name, entry in json.loads(text).items()}
