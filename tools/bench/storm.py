"""Real opencode servers, asked for changes at the same time; what was acknowledged and is gone.

Rounds of requests that are made at once: one to each server, four to one server, removals of what
was stored earlier among them. Beside them, where the store is authlog's, authlog's own writers; and
from time to time a server is killed in the middle and another one takes its place.
"""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from msgspec import Struct

from authlog import ApiKey, AuthLog
from authlog_tools.real_opencode import Opencode, Server

BURST = 4  # requests at once to one server
REST = 8  # rounds: a guard shows a login some ms after the program that stored it has gone on
FILED = 20  # logins in the file: then as many are removed as are stored
OWN = 5  # logins that authlog's own writer changes
UNKNOWN: dict[str, dict[str, object]] = {  # what opencode doesn't understand and rewrites away
    "of-an-unknown-type": {"type": "future", "seed": [1, {"deep": None}]},
    "with-unknown-members": {"type": "api", "key": "k", "note": "mine"},
}


class Request(Struct, frozen=True):
    """Ask server number `server` to store a key, or, without one, to remove the login."""

    server: int
    provider: str
    key: str | None


class Round(Struct, frozen=True):
    """Requests that are made at once; with `kill` their server is killed meanwhile."""

    requests: tuple[Request, ...]
    kill: int | None = None


class Outcome(Struct, frozen=True):
    """How many changes were acknowledged, and what became of those that are not as they should be.

    `lost` says of each: the provider, what was asked for, what there is.
    """

    acknowledged: int
    lost: tuple[str, ...]
    seconds: float


def planned(
    random: Random, servers: int, changes: int, *, kill: bool, rest: int = REST
) -> Iterator[Round]:
    """Yield rounds with that many changes in all; a login is stored once and removed at most once,
    `rest` rounds after it was stored or later.
    """
    stored: list[str] = []
    resting: list[list[str]] = [[] for _ in range(rest)]
    made = number = 0
    while made < changes:
        number += 1
        burst = random.random() < 0.5
        at = [random.randrange(servers)] * BURST if burst else list(range(servers))
        requests = [
            Request(server, f"p{number}-{place}", f"key-{number}-{place}")
            for place, server in enumerate(at)
        ]
        for place, request in enumerate(requests):
            if random.random() < len(stored) / FILED / 2:
                gone = stored.pop(random.randrange(len(stored)))
                requests[place] = Request(request.server, gone, None)
        made += len(requests)
        killed = requests[0].server if kill and random.random() < 0.02 else None
        yield Round(tuple(requests), killed)
        resting.append([one.provider for one in requests if one.key is not None and killed is None])
        stored += resting.pop(0)


def storm(
    opencode: Opencode,
    rounds: Iterator[Round],
    servers: int,
    *,
    own: AuthLog | None = None,
    told: Callable[[int], None] = lambda acknowledged: None,
) -> Outcome:
    """Make the requests and return what is left of them when all servers are stopped.

    `own` is the store in which authlog's own writer works beside them; `told` hears how many
    changes are acknowledged so far.
    """
    begun = time.monotonic()
    expected: dict[str, str | None] = {}
    acknowledged = 0
    unknown: set[str] = set()
    with contextlib.ExitStack() as stack:
        running = [opencode.serve(stack) for _ in range(servers)]
        pool = stack.enter_context(ThreadPoolExecutor(max(BURST, servers)))
        mine = stack.enter_context(_own_writer(own))
        for each in rounds:
            answers = [pool.submit(_ask, running[one.server], one) for one in each.requests]
            if each.kill is not None:
                running[each.kill].kill()
                running[each.kill] = opencode.serve(stack)
            for request, answer in zip(each.requests, answers, strict=True):
                if answer.result():
                    expected[request.provider] = request.key
                    acknowledged += 1
                else:
                    unknown.add(request.provider)
            told(acknowledged)
    expected |= mine.filed
    acknowledged += mine.count
    seconds = time.monotonic() - begun
    found = json.loads(opencode.auth_json.read_bytes())
    kept = {name: entry.get("key") for name, entry in found.items()}
    listed = opencode.listed()
    lost = [
        f"{name}: asked for {'it' if key else 'its removal'}, found {_there(kept.get(name), key)}"
        for name, key in expected.items()
        if name not in unknown and (kept.get(name) != key or (name in listed) is (key is None))
    ]
    return Outcome(acknowledged, tuple(lost), seconds)


def _ask(server: Server, request: Request) -> bool:
    if request.key is None:
        return server.delete(request.provider)
    return server.put(request.provider, {"type": "api", "key": request.key})


def _there(found: str | None, key: str | None) -> str:
    return "nothing" if found is None else "it" if found == key else "something else"


class _Own(Struct):
    """What authlog's own writer was told is done."""

    filed: dict[str, str | None] = {}
    count: int = 0


@contextlib.contextmanager
def _own_writer(log: AuthLog | None) -> Generator[_Own]:
    """Let authlog store and remove logins of its own meanwhile, in `log` if there is one."""
    done = _Own()
    stop = threading.Event()

    def write() -> None:
        while log is not None and not stop.wait(0.05):
            name, key = f"own-{done.count % OWN}", f"own-key-{done.count}"
            if done.count % 3 < 2:
                log.set(name, ApiKey(key))
                done.filed[name] = key
            else:
                log.remove(name)
                done.filed[name] = None
            done.count += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield done
    finally:
        stop.set()
        thread.join()


def unknown_entries(path: Path) -> dict[str, object]:
    """Return what is left of the entries that opencode doesn't understand."""
    found = json.loads(path.read_bytes())
    return {name: found.get(name) for name in UNKNOWN}
