"""Processes that set logins in one store at the same time, and what they saw."""

import multiprocessing
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from itertools import count
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tools.bench import logins
from tools.bench.contestants import Contestant
from tools.bench.lost import Write, lost

Refresh = Literal["same", "replaced"]

START_LIMIT = 60.0  # s for all processes to be ready
WARM_UP = 3  # sets of each process before the clock runs: imports, files opened, caches


class Scene(Struct, frozen=True):
    """How many providers there are, how many processes set them, and whether the refresh token is
    another one in each set.
    """

    providers: int
    processes: int
    refresh: Refresh = "same"


class Sets(Struct, frozen=True):
    """What one round of a scene came to; times in µs."""

    store: str
    scene: Scene
    per_second: float
    p50: float
    p99: float
    worst: float
    acknowledged: int
    lost: int


def measure(contestant: type[Contestant], scene: Scene, folder: Path, seconds: float) -> Sets:
    """Run a round in a folder that is made for it and removed."""
    folder.mkdir()
    try:
        contestant.prepare(folder, logins.first_logins(scene.providers))
        per_process = _run(contestant, scene, folder, seconds)
        return _judge(contestant, scene, folder, seconds, per_process)
    finally:
        shutil.rmtree(folder)


def _run(
    contestant: type[Contestant], scene: Scene, folder: Path, seconds: float
) -> list[list[Write]]:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(scene.processes)
    pipes = [context.Pipe(duplex=False) for _ in range(scene.processes)]
    processes = [
        context.Process(
            target=_write, args=(contestant, scene, folder, seconds, number, barrier, pipe[1])
        )
        for number, pipe in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    for pipe in pipes:
        pipe[1].close()
    try:
        return [pipe[0].recv() for pipe in pipes]
    finally:
        for process in processes:
            process.join()


def _write(
    contestant: type[Contestant],
    scene: Scene,
    folder: Path,
    seconds: float,
    number: int,
    barrier: Barrier,
    pipe: Connection,
) -> None:
    store = contestant(folder)
    steps = _steps(scene, number)
    writes = [_set(store, *next(steps)) for _ in range(WARM_UP)]
    barrier.wait(START_LIMIT)
    end = time.perf_counter_ns() + int(seconds * 1e9)
    while time.perf_counter_ns() < end:
        writes.append(_set(store, *next(steps)))
    pipe.send(writes)


def _steps(scene: Scene, number: int) -> Iterator[tuple[str, logins.Login]]:
    """Yield what process `number` sets: its own providers in turn, or a shared one if there are
    fewer than processes.
    """
    own = range(number % scene.providers, scene.providers, min(scene.processes, scene.providers))
    for step in count():
        name = logins.provider(own[step % len(own)])
        id = f"{name}-{number}-{step}"
        yield name, logins.login(id, name if scene.refresh == "same" else id)


def _set(store: Contestant, provider: str, login: logins.Login) -> Write:
    start = time.perf_counter_ns()
    receipt = store.set(provider, login)
    end = time.perf_counter_ns()
    return Write(provider, login.id, receipt, start, end, store.replaced)


def _judge(
    contestant: type[Contestant],
    scene: Scene,
    folder: Path,
    seconds: float,
    per_process: Sequence[list[Write]],
) -> Sets:
    timed = [write for writes in per_process for write in writes[WARM_UP:]]
    took = sorted((write.end - write.start) / 1000 for write in timed)
    # The window in which all of them were at work; a set that ends behind it counts for p99.
    begin = max(writes[WARM_UP].start for writes in per_process)
    end = min(writes[WARM_UP].start for writes in per_process) + seconds * 1e9
    store = contestant(folder)
    final = {name: store.get(name) for name in logins.first_logins(scene.providers)}
    every = [write for writes in per_process for write in writes]
    written = {write.provider for write in every}
    gone = lost(every, store.log(), {name: final[name] for name in written})
    return Sets(
        store=contestant.name,
        scene=scene,
        per_second=sum(begin <= write.end <= end for write in timed) / (end - begin) * 1e9,
        p50=statistics.median(took),
        p99=took[len(took) * 99 // 100],
        worst=took[-1],
        acknowledged=len(every),
        lost=len(gone) + sum(final[name] is None for name in final if name not in written),
    )
