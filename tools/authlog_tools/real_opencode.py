"""Real `opencode serve` processes on one data folder, asked to store logins at the same time."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path

from authlog_tools.failures import Failure

SERVERS = 2
START = 60.0  # s that a server may take to answer


def store(program: Path, folder: Path, each: int) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Let two servers store `each` logins in pairs; return the acknowledged, and what the file has.

    Raises:
        Failure: the program can't be run, or doesn't answer.

    """
    surroundings = {**os.environ, "HOME": str(folder)}
    for name in ("DATA", "CONFIG", "STATE", "CACHE"):
        surroundings[f"XDG_{name}_HOME"] = str(folder / name.lower())
    surroundings.pop("OPENCODE_AUTH_CONTENT", None)
    with contextlib.ExitStack() as stack:
        ports = [_serve(stack, program, surroundings) for _ in range(SERVERS)]
        stored: list[tuple[str, str]] = []
        with ThreadPoolExecutor(SERVERS) as pool:
            for n in range(each * 5):
                pairs = [(port, f"provider-{n}-{port}", f"key-{n}-{port}") for port in ports]
                stored += [login for login in pool.map(_put, pairs) if login is not None]
    text = (folder / "data" / "opencode" / "auth.json").read_text()
    return stored, {name: entry["key"] for name, entry in json.loads(text).items()}


def _serve(stack: contextlib.ExitStack, program: Path, surroundings: dict[str, str]) -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [str(program), "serve", "--port", str(port), "--hostname", "127.0.0.1"]
    try:
        server = subprocess.Popen(
            command, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise Failure(str(program), f"can't be run ({error.strerror})", code=2) from None
    stack.callback(_stop, server)
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        if _answers(port):
            return port
        time.sleep(0.02)
    raise Failure(str(program), "does not serve", "is it opencode 1.18 or newer?", code=2)


def _answers(port: int) -> bool:
    """Whether the server answers: it takes connections before it does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/provider/auth")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _put(login: tuple[int, str, str]) -> tuple[str, str] | None:
    """Return provider and key if the server at that port acknowledged them."""
    port, provider, key = login
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"type": "api", "key": key})
    try:
        connection.request("PUT", f"/auth/{provider}", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        acknowledged = answer.status == HTTPStatus.OK and answer.read().strip() == b"true"
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return (provider, key) if acknowledged else None
