"""SIGKILL at every step of a repair, and again at every step of the repair that follows it."""

from itertools import count
from pathlib import Path
from shutil import rmtree

import pytest

import needs
from authlog import ApiKey, AuthLog, testing
from test_kill import died, killed_at_each_step
from test_repair import LAST, flipped, lines, made, segments

pytestmark = [needs.fork, pytest.mark.damaged, pytest.mark.no_cover]


def damaged(path: Path, which: int) -> bytes:
    """Make a store of several segments, one of them damaged; return what that holds."""
    made(path)
    file = segments(path)[which]
    found = lines(file)
    data = b"".join([found[0], flipped(found[1]), *found[2:]])
    file.write_bytes(data)
    return data


def judge(path: Path, harmed: bytes) -> None:
    """Repair the store and hold it to the promise: one gap, the newest state, all bytes kept."""
    AuthLog(path).repair()
    log = AuthLog(path)
    health = log.verify()
    assert health.ok, health.damage
    assert len(health.gaps) == 1
    assert log.all() == LAST
    folder = path.parent / "auth.json.log" / "quarantine"
    assert harmed in [file.read_bytes() for file in folder.iterdir()]
    log.set("z", ApiKey("z"))
    assert AuthLog(path).get("z") == ApiKey("z")


@pytest.mark.parametrize("which", [1, -1])
def test_a_kill_at_any_step_and_the_repair_that_follows(tmp_path: Path, which: int) -> None:
    path, harmed = tmp_path / "store" / "auth.json", list[bytes]()

    def prepare() -> None:
        harmed.append(damaged(path, which))

    steps = killed_at_each_step(
        path, prepare, lambda log: log.repair(), lambda survived: judge(path, harmed[-1])
    )
    assert steps > 15


def killed(path: Path, nth: int) -> bool:
    """Let another process begin a repair, killed before its `nth` changing step; whether it was."""

    def act() -> None:
        with testing.kill_at(nth, testing.CHANGING):
            AuthLog(path).repair()

    return died(act)


def content(path: Path) -> frozenset[tuple[Path, bytes]]:
    found = (file for file in path.parent.rglob("*") if file.is_file())
    return frozenset((file, file.read_bytes()) for file in found)


@pytest.mark.parametrize(("which", "start"), [(1, 1), (-1, 2)])
def test_a_kill_again_at_any_step_of_the_repair_that_follows(
    tmp_path: Path, which: int, start: int
) -> None:
    """At each of its steps, for every third step of the first; all that they leave is judged."""
    path, left = tmp_path / "store" / "auth.json", set[object]()
    through = False
    for first in count(start, 3):
        for second in count(1):
            rmtree(path.parent, ignore_errors=True)
            path.parent.mkdir()
            with testing.repeatable(), testing.without_sync():
                harmed = damaged(path, which)
                through = not killed(path, first)
                ended = not killed(path, second)
                if (found := content(path)) not in left:
                    left.add(found)
                    judge(path, harmed)
            if ended:
                break
        if through:
            break
    assert len(left) > 150
