"""The results, as tables for the README and as JSON."""

from collections.abc import Callable, Hashable, Sequence
from statistics import median
from typing import TypeVar

from msgspec import Struct

from tools.bench.alone import Behind, Gets
from tools.bench.contestants import Limit
from tools.bench.place import Place
from tools.bench.programs import Program
from tools.bench.writers import Scene, Sets

R = TypeVar("R")
K = TypeVar("K", bound=Hashable)


class Results(Struct):
    """Everything that was measured, one entry a round."""

    place: Place
    rounds: int
    seconds: float
    sets: list[Sets]
    gets: list[Gets]
    behind: list[Behind]
    programs: list[Program]


def markdown(results: Results) -> str:
    """Return the results as tables: medians over the rounds, least and most in brackets."""
    parts = [_where(results), _sets(results.sets), _gets(results.gets), _behind(results.behind)]
    return "\n\n".join([*parts, _programs(results.programs)]) + "\n"


def _where(results: Results) -> str:
    place = results.place
    alone = [sets.p50 for sets in results.sets if _is_limit(sets) and sets.scene.processes == 1]
    sync = f"{median(alone):,.0f} µs" if alone else "?"
    return (
        f"{place.file_system or 'a file system of unknown type'} (an append and its fdatasync:"
        f" {sync}), {place.cores} cores, {place.system}, {place.python}, SQLite {place.sqlite};"
        f" logins of 1.2 kB; median of {results.rounds} interleaved rounds of"
        f" {results.seconds:g} s, [least, most]."
    )


def _sets(sets: Sequence[Sets]) -> str:
    header = (
        "providers", "processes", "refresh", "store", "sets/s", "p50 µs", "p99 µs",
        "times the limit", "acknowledged", "of them lost",
    )  # fmt: skip
    limits = _by(lambda one: one.scene, [one for one in sets if _is_limit(one)])
    rows = [
        (
            *_scene(scene),
            store,
            _spread([one.per_second for one in rounds], "{:,.0f}"),
            f"{median(one.p50 for one in rounds):,.0f}",
            f"{median(one.p99 for one in rounds):,.0f}",
            _ratios([one.per_second for one in limits[scene]], [one.per_second for one in rounds]),
            f"{sum(one.acknowledged for one in rounds):,}",
            _lost(rounds),
        )
        for (scene, store), rounds in _by(lambda one: (one.scene, one.store), sets).items()
    ]
    return _table(header, rows)


def _gets(gets: Sequence[Gets]) -> str:
    rows = [
        (f"{providers}", store, _spread([one.mean for one in rounds], "{:,.1f}"))
        for (providers, store), rounds in _by(lambda one: (one.providers, one.store), gets).items()
    ]
    return _table(("providers", "store", "hot get µs"), rows)


def _behind(behind: Sequence[Behind]) -> str:
    by_events = _by(lambda one: one.events, behind)
    least = [one.mean for one in by_events[min(by_events)]]
    rows = [
        (
            f"{events:,}",
            _spread([one.mean for one in rounds], "{:,.0f}"),
            f"{median(one.p50 for one in rounds):,.0f}",
            _ratios([one.mean for one in rounds], least),
        )
        for events, rounds in by_events.items()
    ]
    return _table(("events in the log", "set, mean µs", "p50 µs", "times the first"), rows)


def _programs(programs: Sequence[Program]) -> str:
    by_name = _by(lambda one: one.name, programs)
    bare = next(iter(by_name.values()))
    least = median(one.peak for one in bare)
    rows = [
        (
            name,
            _spread([one.took for one in rounds], "{:,.0f}"),
            _ratios([one.took for one in rounds], [one.took for one in bare]),
            f"{median(one.peak for one in rounds) / 1024:,.1f}",
            f"{(median(one.peak for one in rounds) - least) / 1024:+,.1f}",
        )
        for name, rounds in by_name.items()
    ]
    header = ("a whole process", "ms", "times `pass`", "peak memory MiB", "over `pass`")
    return _table(header, rows)


def _is_limit(sets: Sets) -> bool:
    return sets.store == Limit.name


def _scene(scene: Scene) -> tuple[str, str, str]:
    return f"{scene.providers}", f"{scene.processes}", scene.refresh


def _lost(rounds: Sequence[Sets]) -> str:
    lost, acknowledged = sum(one.lost for one in rounds), sum(one.acknowledged for one in rounds)
    return f"**{lost:,}** ({lost / acknowledged:.0%})" if lost else "0"


def _by(key: Callable[[R], K], found: Sequence[R]) -> dict[K, list[R]]:
    groups: dict[K, list[R]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return groups


def _spread(values: Sequence[float], form: str) -> str:
    least, most = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))} [{least}, {most}]"


def _ratios(values: Sequence[float], to: Sequence[float]) -> str:
    """Return the median of the ratios: each round's own, so that a slow moment counts in both."""
    return f"{median(one / other for one, other in zip(values, to, strict=True)):.2f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
