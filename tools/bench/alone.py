"""What one process finds: a hot get, and sets behind a log of some length."""

import shutil
import statistics
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path

from msgspec import Struct

from authlog import testing
from tools.bench import logins
from tools.bench.contestants import AuthLogStore, Contestant, JsonRewrite, Sqlite

READABLE: tuple[type[Contestant], ...] = (AuthLogStore, Sqlite, JsonRewrite)
BEHIND = 600  # sets timed behind a log: about one rotation's worth


class Gets(Struct, frozen=True):
    """What a get costs that is one of many, in µs."""

    store: str
    providers: int
    mean: float


class Behind(Struct, frozen=True):
    """What a set costs behind a log of so many events, in µs."""

    events: int
    mean: float
    p50: float


def measure_gets(contestant: type[Contestant], folder: Path, providers: int, gets: int) -> Gets:
    """Time gets of each provider in turn, in a folder that is made for it and removed."""
    folder.mkdir()
    try:
        first = logins.first_logins(providers)
        contestant.prepare(folder, first)
        store = contestant(folder)
        names = list(first) * (gets // providers)
        assert all(store.get(name) == first[name].id for name in first)
        start = time.perf_counter_ns()
        for name in names:
            store.get(name)
        took = time.perf_counter_ns() - start
        return Gets(contestant.name, providers, took / len(names) / 1000)
    finally:
        shutil.rmtree(folder)


def make_log(folder: Path, events: int, providers: int = 10) -> None:
    """Make a store with that many events; without syncs, which leave no trace in it."""
    folder.mkdir()
    with testing.without_sync():
        AuthLogStore.prepare(folder, logins.first_logins(providers))
        _set_all(AuthLogStore(folder), range(events - 2), providers)  # `init` and that of `prepare`


def measure_behind(made: Path, folder: Path, events: int, providers: int = 10) -> Behind:
    """Time sets behind a copy of the log in `made`."""
    shutil.copytree(made, folder)
    try:
        store = AuthLogStore(folder)
        _set_all(store, [events], providers)
        took = _set_all(store, range(events + 1, events + 1 + BEHIND), providers)
        return Behind(events, statistics.mean(took), statistics.median(took))
    finally:
        shutil.rmtree(folder)


def _set_all(store: Contestant, steps: Iterable[int], providers: int) -> list[float]:
    """Set a login for each step, the providers in turn; return what each took in µs."""
    took: list[float] = []
    for step, number in zip(steps, count()):
        name = logins.provider(number % providers)
        login = logins.login(f"{name}-{step}", name)
        start = time.perf_counter_ns()
        store.set(name, login)
        took.append((time.perf_counter_ns() - start) / 1000)
    return took
