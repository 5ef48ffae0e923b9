"""The real opencode under `authlog run`: not one acknowledged login is lost."""

import random
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from urllib.error import URLError

import msgspec
import pytest

import needs
from authlog import ApiKey, AuthLog, OAuth
from opencode import OpencodeServer, auth_json, requires_opencode, shown_by_opencode

pytestmark = [needs.listeners, requires_opencode]

Change = tuple[str, str | None]  # a provider and its new key, None for a logout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder in which the test's opencode lives."""
    return tmp_path / "home"


@pytest.fixture
def path(home: Path) -> Path:
    """The auth.json of the test's opencode."""
    return auth_json(home)


class Servers:
    """Servers under `authlog run`, each by itself, and what they have acknowledged."""

    def __init__(self, servers: list[OpencodeServer]) -> None:
        self.all = servers
        self.expected: dict[str, str] = {}
        self._random = random.Random(1)

    def burst(self, name: str, each: int, *, logouts: bool = False) -> None:
        """Let every server make so many changes at the same time, each to another provider."""
        there = self._random.sample(sorted(self.expected), len(self.expected))
        jobs: list[tuple[OpencodeServer, Change]] = []
        for number, server in enumerate(self.all * each):
            if logouts and there and number % 4 == 3:
                jobs.append((server, (there.pop(), None)))
            elif logouts and there and number % 4 == 2:
                jobs.append((server, (there.pop(), f"again-{name}-{number}")))
            else:
                jobs.append((server, (f"{name}-{number}", f"key-{name}-{number}")))
        with ThreadPoolExecutor(len(jobs)) as pool:
            for provider, key in pool.map(_change, jobs):
                if key is None:
                    del self.expected[provider]
                else:
                    self.expected[provider] = key


def _change(job: tuple[OpencodeServer, Change]) -> Change:
    server, (provider, key) = job
    if key is None:
        server.delete(provider)
    else:
        server.put(provider, {"type": "api", "key": key})
    return provider, key


@pytest.fixture
def servers(home: Path, path: Path, request: pytest.FixtureRequest) -> Iterator[Servers]:
    """As many servers as the test's parameter says."""
    under = [sys.executable, "-m", "authlog_tools", "run", "-q", "--path", str(path), "--"]
    with ExitStack() as stack:
        count: int = request.param
        yield Servers([stack.enter_context(OpencodeServer(home, under)) for _ in range(count)])


def keys(path: Path) -> dict[str, str]:
    entries = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, str]])
    return {name: entry["key"] for name, entry in entries.items()}


@pytest.mark.parametrize("servers", [2, 3], indirect=True)
def test_servers_that_store_at_the_same_time_lose_nothing(
    home: Path, path: Path, servers: Servers
) -> None:
    for number in range(20):
        servers.burst(str(number), 1)
    assert keys(path) == servers.expected
    assert shown_by_opencode(home) == dict.fromkeys(servers.expected, "api")


@pytest.mark.parametrize("servers", [1, 2, 3], indirect=True)
def test_bursts_of_four_with_logouts_among_them_lose_nothing(
    home: Path, path: Path, servers: Servers
) -> None:
    for number in range(10):
        servers.burst(str(number), 4, logouts=True)
    assert keys(path) == servers.expected
    assert shown_by_opencode(home) == dict.fromkeys(servers.expected, "api")


@pytest.mark.parametrize("servers", [2], indirect=True)
def test_authlogs_own_writers_lose_nothing_beside_them(path: Path, servers: Servers) -> None:
    log = AuthLog(path)
    with ThreadPoolExecutor(1) as pool:
        own = pool.submit(lambda: [log.set(f"own-{n}", ApiKey(f"k-{n}")) for n in range(40)])
        for number in range(10):
            servers.burst(str(number), 4, logouts=True)
        own.result()
    assert keys(path) == servers.expected | {f"own-{n}": f"k-{n}" for n in range(40)}


@pytest.mark.parametrize("servers", [2], indirect=True)
def test_a_server_killed_in_a_burst_takes_nothing_with_it(path: Path, servers: Servers) -> None:
    servers.burst("before", 4)
    victim, other = servers.all
    acknowledged = dict(servers.expected)

    def put(server: OpencodeServer, number: int) -> None:
        name = f"{'victim' if server is victim else 'other'}-{number}"
        try:
            server.put(name, {"type": "api", "key": name})
        except (URLError, ConnectionError):
            assert server is victim
        else:
            acknowledged[name] = name

    with ThreadPoolExecutor(16) as pool:
        for number in range(8):
            pool.submit(put, victim, number)
            pool.submit(put, other, number)
        victim.kill()
    AuthLog(path).adopt()
    assert keys(path).items() >= acknowledged.items()
    assert len([name for name in acknowledged if name.startswith("other")]) == 8


@pytest.mark.parametrize("servers", [1], indirect=True)
def test_what_opencode_does_not_know_survives_its_rewrite(path: Path, servers: Servers) -> None:
    log = AuthLog(path)
    future = {"type": "future", "seed": [1, 2, {"deep": None}]}
    log.set("tomorrow", future)
    log.set("one", {"type": "oauth", "refresh": "r", "access": "a", "expires": 5, "scopes": ["x"]})
    servers.all[0].put("two", {"type": "api", "key": "k"})
    entries = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, object]])
    assert entries["tomorrow"] == future
    assert entries["one"]["scopes"] == ["x"]
    assert isinstance(log.get("one"), OAuth)
    assert log.get("two") == ApiKey("k")
