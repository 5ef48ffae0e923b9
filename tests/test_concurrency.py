"""Many processes and threads at once: nothing acknowledged is missing, nothing is read half."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog

CHILD = str(Path(__file__).with_name("child.py"))

Acknowledged = list[tuple[int, str, str]]


class Child:
    """Another process."""

    def __init__(self, verb: str, path: Path, *arguments: object) -> None:
        command = [sys.executable, CHILD, verb, str(path), *map(str, arguments)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout

    def go(self) -> None:
        """Let it go on."""
        self._in.write("\n")
        self._in.flush()

    def said(self) -> object:
        """Return what it says next."""
        found: object = json.loads(self._out.readline())
        return found

    def end(self) -> list[list[object]]:
        """Return what it still says, when it has ended well."""
        self._in.close()
        said = [json.loads(line) for line in self._out]
        self._out.close()
        assert self._process.wait() == 0
        return said


def together(children: list[Child]) -> list[list[list[object]]]:
    for child in children:
        child.go()
    return [child.end() for child in children]


def judge(path: Path, acknowledged: list[list[object]]) -> None:
    """Hold the store to what was acknowledged: [seq, provider, key]."""
    log = AuthLog(path)
    events = {event.seq: event for event in log.history()}
    assert sorted(events) == list(range(1, len(events) + 1))
    seqs = [seq for seq, _, _ in acknowledged]
    assert len(set(map(str, seqs))) == len(seqs)
    last: dict[str, str] = {}
    for seq, provider, key in sorted(acknowledged, key=lambda row: int(str(row[0]))):
        assert isinstance(seq, int)
        assert str(provider) in events[seq].providers
        last[str(provider)] = str(key)
    assert log.all() == {provider: ApiKey(key) for provider, key in last.items()}
    shown = json.loads(path.read_bytes())
    assert {provider: entry["key"] for provider, entry in shown.items()} == last


def test_two_processes_add_a_provider_each_to_the_two_that_both_have_read(path: Path) -> None:
    AuthLog(path).change({"p1": ApiKey("k"), "p2": ApiKey("k")})
    a, b = Child("add", path, "p3"), Child("add", path, "p4")
    assert a.said() == b.said() == ["p1", "p2"]
    for child in (a, b):
        child.go()
        assert child.said() == "done"
        child.end()
    assert sorted(AuthLog(path).all()) == ["p1", "p2", "p3", "p4"]
    assert sorted(json.loads(path.read_bytes())) == ["p1", "p2", "p3", "p4"]


@pytest.mark.parametrize("verbs", [("add", "rewrite"), ("rewrite", "add")])
def test_so_they_do_if_one_of_them_does_not_know_authlog(
    path: Path, verbs: tuple[str, str]
) -> None:
    AuthLog(path).change({"p1": ApiKey("k"), "p2": ApiKey("k")})
    a, b = Child(verbs[0], path, "p3"), Child(verbs[1], path, "p4")
    assert a.said() == b.said() == ["p1", "p2"]
    for child in (a, b):
        child.go()
        assert child.said() == "done"
        child.end()
    assert sorted(AuthLog(path).all()) == ["p1", "p2", "p3", "p4"]
    AuthLog(path).adopt()
    assert sorted(json.loads(path.read_bytes())) == ["p1", "p2", "p3", "p4"]


def test_many_processes_lose_nothing(path: Path) -> None:
    said = together([Child("write", path, f"w{n}", 25, 3) for n in range(12)])
    judge(path, [row for rows in said for row in rows])


def test_one_hot_provider_loses_no_increment(path: Path) -> None:
    together([Child("increment", path, 15) for _ in range(6)])
    assert AuthLog(path).get("hot") == ApiKey("90")


def test_readers_see_whole_published_states_in_order_and_never_back_in_time(path: Path) -> None:
    AuthLog(path).adopt()
    writers = [Child("write", path, f"w{n}", 30, 2) for n in range(3)]
    readers = [Child("read", path, 91) for _ in range(2)]
    *_, one, other = together([*writers, *readers])
    log = AuthLog(path)
    for seen in (one, other):
        seqs = [int(str(seq)) for seq, _ in seen]
        assert seqs == sorted(seqs)
        assert seqs[-1] == 91
        for seq, state in seen:
            assert isinstance(seq, int)
            assert state == {name: what.value for name, what in log.at(seq).items()}


def test_threads_of_one_instance_lose_nothing(path: Path) -> None:
    log = AuthLog(path)
    acknowledged: list[list[object]] = []
    begin = threading.Barrier(9)
    back_in_time: list[int] = []

    def write(name: str) -> None:
        begin.wait()
        acknowledged.extend([log.set(name, ApiKey(f"{n}")).seq, name, f"{n}"] for n in range(20))

    def read() -> None:
        begin.wait()
        seen = 0
        while seen < 161:
            now = log.seq()
            if now < seen:
                back_in_time.append(now)
            seen = now

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(8)]
    for thread in (*threads, reader := threading.Thread(target=read)):
        thread.start()
    for thread in (*threads, reader):
        thread.join()
    assert back_in_time == []
    judge(path, acknowledged)


def test_instances_of_one_process_exclude_each_other(path: Path) -> None:
    acknowledged: list[list[object]] = []

    def write(name: str) -> None:
        log = AuthLog(path)
        acknowledged.extend([log.set(name, ApiKey(f"{n}")).seq, name, f"{n}"] for n in range(20))

    threads = [threading.Thread(target=write, args=(f"t{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    judge(path, acknowledged)
