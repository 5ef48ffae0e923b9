"""The command: `python -m tools.bench [--quick] [--folder FOLDER] [--json FILE]`."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct

from tools.bench import alone, place, programs, report, writers
from tools.bench.contestants import CONTESTANTS
from tools.bench.report import Results
from tools.bench.writers import Scene


class Plan(Struct, frozen=True):
    """What is measured, and how often."""

    rounds: int
    seconds: float
    scenes: tuple[Scene, ...]
    providers: tuple[int, ...]
    gets: int
    lengths: tuple[int, ...]


WHOLE = Plan(
    rounds=5,
    seconds=1.0,
    scenes=tuple(
        scene
        for providers in (10, 100)
        for scene in (
            Scene(providers, 1),
            Scene(providers, 1, "replaced"),
            Scene(providers, 4),
            Scene(providers, 16),
        )
    ),
    providers=(10, 100),
    gets=20_000,
    lengths=(100, 1_000, 10_000),
)
QUICK = Plan(
    rounds=1,
    seconds=0.1,
    scenes=(Scene(10, 1), Scene(10, 1, "replaced"), Scene(10, 4)),
    providers=(10,),
    gets=1_000,
    lengths=(100, 1_000),
)


def main() -> None:
    """Measure, print the tables, and write everything as JSON if asked to."""
    arguments = _parser().parse_args()
    plan: Plan = QUICK if arguments.quick else WHOLE
    plan = msgspec.structs.replace(
        plan,
        rounds=arguments.rounds or plan.rounds,
        seconds=arguments.seconds or plan.seconds,
    )
    folder = Path(tempfile.mkdtemp(prefix="authlog-bench-", dir=arguments.folder))
    try:
        results = _measure(plan, folder)
    finally:
        shutil.rmtree(folder)
    if arguments.json:
        arguments.json.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    print(report.markdown(results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few seconds: does it run?")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often each is measured")
    parser.add_argument("--seconds", type=float, metavar="S", help="how long a round's sets go on")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every round's results")
    parser.add_argument(
        "--folder", type=Path, default=Path.cwd(), help="on the file system that is measured"
    )
    return parser


def _measure(plan: Plan, folder: Path) -> Results:
    results = Results(place.look(folder), plan.rounds, plan.seconds, [], [], [], [])
    if results.place.file_system in place.IN_MEMORY:
        _say(f"{results.place.file_system}: a sync does nothing here; choose another --folder")
    made = {events: folder / f"log{events}" for events in plan.lengths}
    for events, path in made.items():
        _say(f"making a log of {events:,} events")
        alone.make_log(path, events)
    longest = max(made)
    small = programs.prepare(folder / "programs", made[longest], longest)
    for number in range(1, plan.rounds + 1):
        _say(f"round {number} of {plan.rounds}")
        _round(plan, folder / "round", results)
        results.behind += [
            alone.measure_behind(path, folder / "behind", events) for events, path in made.items()
        ]
        results.programs += [programs.measure(name, code) for name, code in small.items()]
    return results


def _round(plan: Plan, folder: Path, results: Results) -> None:
    """Let the contestants take turns, so that what disturbs the machine disturbs each of them."""
    for scene in plan.scenes:
        _say(f"  {scene.providers} providers, {scene.processes} processes, {scene.refresh} refresh")
        results.sets += [
            writers.measure(contestant, scene, folder, plan.seconds) for contestant in CONTESTANTS
        ]
    for providers in plan.providers:
        results.gets += [
            alone.measure_gets(contestant, folder, providers, plan.gets)
            for contestant in alone.READABLE
        ]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
