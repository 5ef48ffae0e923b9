"""`authlog view` as a server: who may ask it, what it answers, and how it ends."""

import hashlib
import http.client
import json
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from subprocess import run

import pytest
from starlette.routing import Mount, Route

import invented
import needs
import served
from authlog import ApiKey, AuthLog, NotDurable, NotMaterialized, StaleToken
from authlog_tools.page import restoring
from authlog_tools.page.app import STATIC, Site
from served import Served

VENDORED = {  # npm pack htmx.org@4.0.1: dist/htmx.min.js, dist/ext/hx-sse.min.js, LICENSE
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "hx-sse-4.0.1.min.js": "18ef2761356ec1fe0bb6d92612315b37517a7c1e9856b661c5ae81fef239d103",
    "htmx-LICENSE.txt": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "auth.json"
    invented.store(path, 120)
    return path


@pytest.fixture(scope="module")
def server(stored: Path) -> Iterator[Served]:
    """A server whose link is spent; tests give other headers, or leave some out."""
    with served.view(stored) as found:
        found.enter()
        found.wait_until_read()
        yield found


def routes() -> list[tuple[str, str]]:
    """Return (method, path) for everything that the application answers to."""
    found: list[tuple[str, str]] = []
    for route in Site(AuthLog("nothing.json")).routes():
        if isinstance(route, Route):
            path = route.path.replace("{seq:int}", "5")
            found += [(method, path) for method in sorted(route.methods or ())]
        else:
            assert isinstance(route, Mount)
            found += [("GET", f"{route.path}/{name.name}") for name in STATIC.iterdir()]
    return found


def test_no_route_answers_without_the_cookie(server: Served) -> None:
    assert len(routes()) > 20
    for method, path in [*routes(), ("GET", "/nothing"), ("OPTIONS", "/"), ("TRACE", "/list")]:
        for cookie in (None, "authlog-1=x", server.cookie[:-1], f"x{server.cookie}"):
            answer = server.ask(path, method, Cookie=cookie)
            assert answer.status == 403, (method, path, cookie)
            assert "authlog-" not in answer.headers.get("set-cookie", "")


def test_every_answer_forbids_what_the_page_does_not_need(server: Served) -> None:
    for method, path in routes():
        for cookie in (server.cookie, None):
            headers = server.ask(path, method, Cookie=cookie).headers
            policy = headers["content-security-policy"]
            assert policy.startswith("default-src 'none'")
            assert "unsafe" not in policy
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            assert headers["cross-origin-resource-policy"] == "same-origin"
            assert headers["cross-origin-opener-policy"] == "same-origin"
            assert "server" not in headers


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:{port}", "localhost:{port}", "127.0.0.1", "127.0.0.1:1",
     "127.0.0.1.:{port}", "[::1]:{port}", "127.0.0.1:{port}.", "EVIL.EXAMPLE:{port}",
     "LOCALHOST:{port}", "localhost.:{port}", "127.1:{port}", "", None],
)  # fmt: skip
def test_another_host_is_refused_even_with_the_cookie(server: Served, host: str | None) -> None:
    given = None if host is None else host.format(port=server.port)
    assert server.ask("/", Host=given).status == 400
    assert server.ask("/open?t=x", Host=given).status == 400
    assert server.ask("/static/page.js", Host=given).status == 400


@pytest.mark.parametrize("site", ["cross-site", "same-site", "anything"])
def test_what_another_site_asks_for_is_refused(server: Served, site: str) -> None:
    assert server.ask("/", Sec_Fetch_Site=site).status == 403
    assert server.ask("/", Sec_Fetch_Site="same-origin").status == 200


@pytest.mark.parametrize(
    ("origin", "token"),
    [(None, "right"), ("null", "right"), ("http://evil.example", "right"),
     ("http://127.0.0.1", "right"), ("right", None), ("right", "wrong"), ("right", "")],
)  # fmt: skip
def test_a_change_needs_our_origin_and_the_pages_token(
    server: Served, stored: Path, origin: str | None, token: str | None
) -> None:
    before = AuthLog(stored).seq()
    answer = server.ask(
        "/restore",
        "POST",
        "provider=anthropic&seq=5",
        Origin=server.origin if origin == "right" else origin,
        X_Authlog_Csrf=server.csrf if token == "right" else token,
    )
    assert answer.status == 403
    assert AuthLog(stored).seq() == before


def test_the_link_works_once_and_only_as_it_was_printed(path: Path) -> None:
    with served.view(path) as found:
        assert found.ask("/open?t=").status == 403
        assert found.ask("/open?t=wrong").status == 403
        assert found.ask("/open").status == 403
        opened = found.ask(f"/open?t={found.token}")
        assert (opened.status, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"]
        assert cookie.startswith(f"authlog-{found.port}=")
        for part in ("HttpOnly", "SameSite=strict", "Path=/"):
            assert part in cookie
        assert "Max-Age" not in cookie
        assert "expires" not in cookie.lower()
        assert found.ask(f"/open?t={found.token}").status == 403
        assert found.token not in cookie


def test_it_listens_on_this_machine_only_when_it_tells_where(path: Path) -> None:
    with served.view(path) as found:
        assert found.host.startswith("127.0.0.1:")
        socket.create_connection(("127.0.0.1", found.port), timeout=5).close()
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.2", found.port), timeout=5)


@needs.posix_shell
@pytest.mark.parametrize("busy", ["at once", "with a stream", "with requests", "twice"])
def test_ctrl_c_ends_it_at_once_and_without_a_word(stored: Path, busy: str) -> None:
    with served.view(stored) as found, ExitStack() as stack:
        if busy != "at once":
            found.enter()
        if busy in ("with a stream", "twice"):
            stack.enter_context(found.listen())
        if busy == "with requests":
            for _ in range(8):
                connection = http.client.HTTPConnection("127.0.0.1", found.port, timeout=30)
                stack.enter_context(closing(connection))
                connection.request("GET", "/list?q=nobody", headers={"Cookie": found.cookie})
        for _ in range(2 if busy == "twice" else 1):
            found.process.send_signal(signal.SIGINT)
        assert found.process.wait(timeout=20) == 130
        assert found.process.stderr is not None
        with found.process.stderr as stderr:
            assert stderr.read() == ""


@needs.posix_shell
def test_a_stream_does_not_hold_up_the_end(stored: Path) -> None:
    with served.view(stored) as found:
        found.enter()
        with found.listen() as stream:
            found.process.send_signal(signal.SIGTERM)
            stream.read()  # to its end, which the server made: it was not cut off
        assert found.process.wait(timeout=20) == -signal.SIGTERM


def test_each_has_a_port_of_its_own_and_a_secret_of_its_own(path: Path) -> None:
    with served.view(path) as one, served.view(path) as other:
        assert one.port != other.port
        one.enter()
        assert other.ask("/", Cookie=one.cookie).status == 403
        same = one.cookie.replace(f"authlog-{one.port}", f"authlog-{other.port}")
        assert other.ask("/", Cookie=same).status == 403


def test_a_path_where_nothing_is_begins_an_empty_page_and_creates_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTHLOG_PATH", str(path.parent / "not" / "there.json"))
    with served.view(None) as found:
        found.enter()
        assert "Nothing has happened yet" in found.ask("/list").body
    assert list(path.parent.iterdir()) == []


def test_a_log_that_is_written_while_it_is_read_is_shown_whole(path: Path) -> None:
    invented.store(path, 200)
    log = AuthLog(path)
    with served.view(path) as found:
        for number in range(40):
            log.set("groq", ApiKey(f"k{number}"))
        found.enter()
        with found.listen() as stream:
            for line in stream:
                if f'"seq":{log.seq()},"total":{log.seq()}'.encode() in line:
                    break
        assert f"{log.seq()} events" in found.ask("/list").body


def test_a_port_in_use_and_a_wrong_one_are_told(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        for port in (str(taken.getsockname()[1]), "70000", "x"):
            command = [sys.executable, "-m", "authlog_tools", "view", "--print", "--port", port]
            done = run(command, capture_output=True, text=True, check=False)
            assert done.returncode in (1, 2)
            assert "--port" in done.stderr
            assert "Traceback" not in done.stderr


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from authlog_tools.main import main; sys.exit(main(['view']))"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "pip install 'authlog[view]'" in done.stderr


def test_no_route_tells_a_secret(server: Served, stored: Path) -> None:
    assert invented.SECRET in stored.read_text()
    trusted = {"Origin": server.origin, "X_Authlog_Csrf": server.csrf}
    for method, path in routes():
        for more in (
            "", "?q=kind:set", "?w=1200&lanes=all", "?word=provider:", "?event=5", "?state=90",
            "?provider=anthropic&seq=5", "?before=90&until=5", f"?q={invented.SECRET}",
        ):  # fmt: skip
            body = "provider=anthropic&seq=3" if method == "POST" else None
            answer = server.ask(path + more, method, body, **trusted)
            assert answer.status < 500, path
            told = answer.body.replace(f"/?q={invented.SECRET}", "").replace(more[3:], "")
            assert invented.SECRET not in told + str(answer.headers), path
    with server.listen() as stream:
        news = iter(stream.readline, b"")
        assert invented.SECRET.encode() not in next(line for line in news if b"data:" in line)


def test_addresses_that_make_no_sense_are_answered(server: Served) -> None:
    for path in (
        "/?event=999999", "/?q=prvoider:x", "/?q=since:soon", "/?event=x&state=-1",
        "/event/999999", "/state/999999", "/rows?before=x", "/overview?w=x", "/near?t=x",
        "/restore?provider=nobody&seq=99999", "/?q=%22", "/list?start=oldest",
    ):  # fmt: skip
        assert server.ask(path).status == 200, path
    assert "did you mean provider" in server.ask("/?q=prvoider:x").body


def test_a_restore_is_done_or_refused_with_the_reason(path: Path) -> None:
    invented.store(path, 30)
    log = AuthLog(path)
    log.set("groq", ApiKey("first"))
    seq = log.seq("groq")
    log.set("groq", ApiKey("second"))
    with served.view(path) as found:
        found.enter()
        found.wait_until_read()
        given = {"Origin": found.origin, "X_Authlog_Csrf": found.csrf}
        asked = found.ask(f"/restore?provider=groq&seq={seq}").body
        assert f"restore -- groq {seq}" in asked
        assert "disabled" not in asked
        done = found.ask("/restore", "POST", f"provider=groq&seq={seq}", **given)
        assert json.loads(done.headers["hx-trigger"]) == {"restored": {"seq": seq + 2}}
        assert log.get("groq") == ApiKey("first")
        stale = found.ask("/restore?provider=anthropic&seq=3").body
        assert "Its refresh token is spent" in stale
        assert "disabled" in stale
        refused = found.ask("/restore", "POST", "provider=anthropic&seq=3", **given).body
        assert "It was refused; nothing was changed" in refused
        assert log.seq() == seq + 2


def test_a_restore_that_is_durable_or_unknown_is_not_called_refused(path: Path) -> None:
    event = AuthLog(path).set("groq", ApiKey("k"))
    assert "was restored" in restoring.outcome(NotMaterialized(path, 2))
    assert "not known" in restoring.outcome(NotDurable(event, path, None))
    assert "nothing was changed" in restoring.outcome(StaleToken("groq", 2, event.time))


@pytest.mark.parametrize("name", sorted(VENDORED))
def test_vendored_files_are_what_was_published(name: str) -> None:
    assert hashlib.sha256((STATIC / name).read_bytes()).hexdigest() == VENDORED[name]
