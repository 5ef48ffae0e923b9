"""What a power cut leaves: one choice after the other, from nothing to everything."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tools.proof.disk import Disk
from tools.proof.inodes import DURABLE, Decide, T, What


def up_to(step: int) -> Decide:
    """Choose all that was done up to a step, and nothing after it."""

    def decide(what: What, where: Path, outcomes: Sequence[tuple[int, T]], /) -> T:
        _, chosen = outcomes[0]
        for when, outcome in outcomes[1:]:
            if DURABLE < when <= step:
                chosen = outcome
        return chosen

    return decide


nothing = up_to(DURABLE)
everything = up_to(sys.maxsize)


def only(*kept: What | Path | int) -> Decide:
    """Choose some kinds of change, one folder's names or one step, and nothing else."""

    def decide(what: What, where: Path, outcomes: Sequence[tuple[int, T]], /) -> T:
        for when, outcome in reversed(outcomes[1:]):
            if what in kept or when in kept or (what == "name" and where.parent in kept):
                return outcome
        return outcomes[0][1]

    return decide


def garbage(what: What, where: Path, outcomes: Sequence[tuple[int, T]], /) -> T:
    """Choose everything, but of what was written bytes that nobody wrote."""
    return outcomes[-2 if what == "data" else -1][1]


def drawn(seed: int) -> Decide:
    """Choose anything, from a seed."""
    random = Random(seed)

    def decide(what: What, where: Path, outcomes: Sequence[tuple[int, T]], /) -> T:
        return random.choice(outcomes)[1]

    return decide


def worth_a_look(disk: Disk, seeds: range) -> Iterator[tuple[str, Decide]]:
    """Yield the choices that may differ at this moment, each with its name, and some drawn."""
    steps = disk.pending()
    yield "nothing", nothing
    if not steps:
        return  # all of it is durable
    yield "everything", everything
    yield "data without names", only("data", "size")
    yield "names without data", only("name")
    yield "names and sizes without data", only("name", "size")
    yield "garbage", garbage
    for folder in disk.folders():
        yield f"data, and names in {folder}", only("data", "size", folder)
    for step in steps:
        yield f"up to step {step}", up_to(step)
        yield f"only step {step}", only(step)
    for seed in seeds:
        yield f"drawn from {seed}", drawn(seed)
