"""Planted bugs: a rule of the protocol taken out, and the test that must notice.

    python -m tools.proof.planted [NAME...]

Each is applied to a copy of the package, on which its test is run. One that the test passes in
spite of is a missing check or a superfluous rule. Exit code 1 if any survives.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from msgspec import Struct

ROOT = Path(__file__).parents[2]

_RUN = """
import sys, authlog, pytest
root, *arguments = sys.argv[1:]
if not authlog.__file__.startswith(root):
    sys.exit(f"not the copy: {authlog.__file__}")
sys.exit(pytest.main(arguments))
"""


class Planted(Struct, frozen=True):
    """A rule, and how to break it: replace `old`, which stands once in `file`, by `new`.

    `test` is what pytest's `-k` selects of `tests/`: `file.py` or `file.py -k expression`.
    """

    name: str
    rule: str
    file: str
    old: str
    new: str
    test: str


PLANTED = [
    Planted(
        "carry-nothing",
        "lines past the floor are carried into the next segment",
        "_engine/rotation.py",
        "write_segment(handle, number, carried + line)",
        "carried = b''; write_segment(handle, number, line)",
        "test_traces.py -k test_1_",
    ),
    Planted(
        "never-say-syncing",
        "publish.lock says `syncing` before a sync",
        "_engine/publish.py",
        "        handle.say_syncing(True)\n",
        "",
        "test_traces.py -k test_2_",
    ),
    Planted(
        "believe-a-later-sync",
        "whoever finds `syncing` starts the next segment",
        "_engine/publish.py",
        "if handle.syncing():",
        "if False:",
        "test_traces.py -k test_2_",
    ),
    Planted(
        "a-lost-page-is-corruption",
        "a bad line at or past the floor is a torn tail",
        "_engine/log.py",
        "if tail.seq < floor:",
        "if rest is not None or tail.seq < floor:",
        "test_traces.py -k test_3_a_lost",
    ),
    Planted(
        "a-bad-last-line-is-torn",
        "a bad line below the floor is corruption",
        "_engine/log.py",
        "if tail.seq < floor:",
        "if False:",
        "test_traces.py -k test_3_a_bad",
    ),
    Planted(
        "answer-from-an-old-mark",
        "a mark of another boot is no answer",
        "_engine/reading.py",
        "if mark.boot is not None and mark.boot == handle.boot:",
        "if True:",
        "test_traces.py -k test_4_",
    ),
    Planted(
        "stay-in-the-old-segment",
        "under each lock: as long as number+1 exists, go there",
        "_engine/handle.py",
        "number = max(known, mark.segment if mark else 0)\n        while files.stat(self.layout.segment(number + 1)):\n            number += 1\n",
        "number = known or (mark.segment if mark else 0)\n",
        "test_traces.py -k test_5_",
    ),
    Planted(
        "trust-the-name-of-a-segment",
        "a mark that names an older segment: sync the folder first",
        "_engine/publish.py",
        "            files.sync_folder(layout.folder)\n",
        "            pass\n",
        "test_traces.py -k test_6_the_name_of_a_new_segment",
    ),
    Planted(
        "trust-the-names-of-a-log",
        "without a mark every folder above is synced",
        "_engine/handle.py",
        "        for folder in self.layout.folder.parents:\n",
        "        for folder in ():\n",
        "test_traces.py -k test_6_the_names_of_a_new_log",
    ),
    Planted(
        "cut-what-was-appended-before",
        "a short write is cut behind the last right line, not where the change began",
        "_engine/handle.py",
        "            files.truncate(tail.segment.file.fd, tail.offset)\n        raise",
        "            files.truncate(tail.segment.file.fd, tail.start)\n        raise",
        "test_traces.py -k test_7_",
    ),
    Planted(
        "answer-without-publishing",
        "an answer that rests on the newest line is published first",
        "_engine/changing.py",
        "    mine = _append(handle, drafted)\n    acknowledge(handle, mine)\n",
        "    mine = _append(handle, drafted)\n"
        "    if mine.event is None:\n        return None\n    acknowledge(handle, mine)\n",
        "test_traces.py -k test_8_",
    ),
    Planted(
        "adopt-publishes-nothing",
        "publish first, then look at the token",
        "_engine/publish.py",
        "        for _ in range(ROUNDS):\n            self._look()\n",
        "        for _ in range(0 if mine is None else ROUNDS):\n            self._look()\n",
        "test_traces.py -k test_9_",
    ),
    Planted(
        "forget-what-was-told",
        "a file that was told says nothing again",
        "_engine/telling.py",
        "    return any(step.public.told == told for step in steps)\n",
        "    return False\n",
        "test_traces.py -k test_10_",
    ),
    Planted(
        "show-before-the-mark",
        "the mark is moved before the exchange",
        "_engine/materialize.py",
        "        self._move(mark)\n        try:\n            if not self._exchange():\n                return False\n",
        "        try:\n            if not self._exchange():\n                return False\n            self._move(mark)\n",
        "test_traces.py -k test_11_",
    ),
    Planted(
        "show-what-is-there-now",
        "the snapshot is built from the offset that was synced",
        "_engine/publish.py",
        "            if self.shower.show(self.tail):",
        "            self.tail = log.read_to_end(self.tail)[0]\n            if self.shower.show(self.tail):",
        "test_traces.py -k test_12_",
    ),
    Planted(
        "lock-what-was-there",
        "a lock file is the one under its name",
        "_engine/lock.py",
        "        return now is not None and (now.st_ino, now.st_dev) == (held.st_ino, held.st_dev)",
        "        return True",
        "test_traces.py -k test_13_",
    ),
    Planted(
        "an-empty-file-is-stale",
        "`{}` is a logout if one login was published",
        "_engine/foreign.py",
        "    if len(published.entries) == 1:",
        "    if False:",
        "test_traces.py -k test_14_",
    ),
    Planted(
        "cut-before-keeping",
        "a torn tail is in quarantine, durably, before it is cut",
        "_engine/handle.py",
        "                quarantine.keep(self.layout, quarantine.torn_tail(self.layout, tail, torn), torn)\n                files.truncate(tail.segment.file.fd, tail.offset)\n",
        "                files.truncate(tail.segment.file.fd, tail.offset)\n                quarantine.keep(self.layout, quarantine.torn_tail(self.layout, tail, torn), torn)\n",
        "test_traces.py -k test_15_",
    ),
    Planted(
        "keep-twice",
        "the same torn tail is kept under one name",
        "_engine/quarantine.py",
        "codec.digest(torn)[:16])",
        "codec.digest(torn + __import__('os').urandom(8))[:16])",
        "test_traces.py -k test_15_",
    ),
    Planted(
        "log-without-sync",
        "acknowledged means synced",
        "_engine/publish.py",
        "            files.sync(tail.segment.file.fd)\n",
        "            pass\n",
        "test_power_cut.py -k one_change_after_the_other",
    ),
    Planted(
        "snapshot-without-sync",
        "next.json is synced before it takes the place of auth.json",
        "_engine/materialize.py",
        "        files.sync(file.fd)\n        return snapshot.identity",
        "        return snapshot.identity",
        "test_power_cut.py -k one_change_after_the_other",
    ),
    Planted(
        "segment-without-sync",
        "a segment is synced before it has its name",
        "_engine/rotation.py",
        "        files.sync(file.fd)\n",
        "",
        "test_power_cut.py -k rotation",
    ),
    Planted(
        "segment-name-without-sync",
        "the name of a new segment is synced before the mark names it",
        "_engine/rotation.py",
        "    files.sync_folder(handle.layout.folder)\n",
        "",
        "test_power_cut.py -k rotation",
    ),
    Planted(
        "no-debts",
        "a replaced refresh token costs a folder sync before it is acknowledged",
        "_engine/materialize.py",
        "        owes = self.foreign or self.seen is None or tail.spent > shown\n",
        "        owes = self.foreign or self.seen is None\n",
        "test_power_cut.py -k spent_refresh_token",
    ),
    Planted(
        "in-place-without-a-synced-mark",
        "where auth.json is written in place the mark is synced",
        "_engine/handle.py",
        "        files.sync(self.mark_file.fd)\n",
        "",
        "test_power_cut.py -k mount",
    ),
    Planted(
        "an-old-mark-says-what-was-shown",
        "after a boot auth.json may show more than the mark says",
        "_engine/telling.py",
        "return cls(first, tail.seq if first_look else first)",
        "return cls(first, first)",
        "test_power_cut.py -k foreign_logout",
    ),
    Planted(
        "the-hash-is-not-looked-at",
        "a line whose hash does not fit is not whole",
        "_engine/codec.py",
        "    if digest(event) != frame.hash:\n",
        "    if False:\n",
        "test_damage.py -k flipped",
    ),
    Planted(
        "the-commitment-is-not-looked-at",
        "a line whose commitment does not fit is not whole",
        "_engine/codec.py",
        "    if digest(salt + raw) != public.commitment:\n",
        "    if False:\n",
        "test_damage.py -k flipped",
    ),
    Planted(
        "the-frame-is-not-exact",
        "the frame is exact to the byte",
        "_engine/codec.py",
        "    if _framed(event, frame.hash, secret) != line:\n",
        "    if False:\n",
        "test_codec.py -k changed",
    ),
    Planted(
        "a-lock-that-locks-nothing",
        "one process at a time appends, and one publishes",
        "_engine/lock.py",
        "        portalocker.lock(",
        "        bool(",
        "test_concurrency.py -k hot",
    ),
    Planted(
        "a-child-unlocks",
        "a forked child closes the locks and never frees them",
        "store.py",
        "        handle.start_anew()\n",
        "        handle.append_lock.release()\n        handle.start_anew()\n",
        "test_fork.py -k excluded",
    ),
    Planted(
        "trust-what-came-out",
        "what came out of the exchange isn't what was looked at: a foreign write",
        "_engine/materialize.py",
        "        return snapshot.identity(files.stat(layout.next)) == self.seen",
        "        return True",
        "test_publish.py -k just_before_the_exchange",
    ),
    Planted(
        "moved-is-shown",
        "the mark covers a change only if auth.json is the file it names",
        "_engine/publish.py",
        "        and snapshot.identity(files.stat(handle.layout.snapshot)) == mark.after\n",
        "",
        "test_publish.py -k died_before_the_exchange",
    ),
    Planted(
        "wait-for-any-line",
        "who waits is answered only if the line is his own",
        "_engine/publish.py",
        "_covers(handle, mark, mine) and handle.contains(mine)",
        "_covers(handle, mark, mine)",
        "test_publish.py -k another_line_for_his",
    ),
    Planted(
        "wait-for-no-debts",
        "who waits is not answered while a folder sync is owed",
        "_engine/publish.py",
        " and not mark.owes and",
        " and",
        "test_publish.py -k folder_sync_is_owed",
    ),
    Planted(
        "start-from-any-state",
        "a program started from what was shown last, or within the stale window",
        "_engine/telling.py",
        "state.seq >= since.first or foreign.is_recent(state, mtime)",
        "True",
        "test_telling.py -k only_a_recent_state",
    ),
    Planted(
        "erase-under-an-unsynced-name",
        "auth.json's folder is synced before what it may show after a power cut is erased",
        "_engine/erasing.py",
        "    files.sync_folder(layout.parent)\n",
        "",
        "test_power_cut.py -k forgotten",
    ),
    Planted(
        "leave-what-was-replaced",
        "next.json goes before the states that tell what it means are erased",
        "_engine/erasing.py",
        "        files.unlink(layout.next)\n",
        "        pass\n",
        "test_power_cut.py -k compaction_that_erases",
    ),
    Planted(
        "drop-what-is-shown",
        "what was carried over is shown before older events are stated as dropped",
        "_engine/compaction.py",
        "shown = show_again(handle, tail, mark)",
        "shown = mark",
        "test_compaction.py -k carried_over",
    ),
    Planted(
        "forget-who-was-replaced",
        "a publish that keeps auth.json goes on knowing the file at next.json",
        "_engine/materialize.py",
        "before or self.seen, self.seen, owes=self.foreign)",
        "self.seen, self.seen, owes=self.foreign)",
        "test_compaction.py -k publish_that_keeps",
    ),
    Planted(
        "forget-what-is-shown",
        "who showed the last event before a checkpoint shows the checkpoint",
        "_engine/rotation.py",
        "        shown = tail.seq\n",
        "        pass\n",
        "test_compaction.py -k means_the_same",
    ),
    Planted(
        "leave-quarantine",
        "compaction empties quarantine by the same retention",
        "_engine/erasing.py",
        "    for path in kept:\n        files.unlink(path)\n",
        "",
        "test_compaction.py -k quarantine",
    ),
    Planted(
        "say-dropped-once",
        "each checkpoint says anew which events were dropped",
        "_engine/rotation.py",
        "dropped or tail.dropped",
        "dropped",
        "test_compaction.py -k dropped_history",
    ),
    Planted(
        "repair-with-any-line",
        "behind a gap only lines that prove to be of this log count",
        "_engine/evidence.py",
        "if _is_ours(one, by_seq, id, mark)]",
        "]",
        "test_repair.py -k another_log",
    ),
    Planted(
        "use-a-seq-twice",
        "a repair goes on behind every seq that was ever published",
        "_engine/salvage.py",
        "used = max(seq, mark.seq if mark else 0)",
        "used = seq",
        "test_repair.py -k newest_segment",
    ),
    Planted(
        "repair-without-keeping",
        "a damaged file is kept before another takes its place",
        "_engine/repair.py",
        "        quarantine.keep(handle.layout, path, data)\n",
        "        pass\n",
        "test_repair.py -k closed_segment",
    ),
    Planted(
        "believe-an-unproved-auth-json",
        "auth.json counts as it is only if the mark's digest is its own",
        "_engine/salvage.py",
        "    if snapshot.digest(found.content, id) != mark.digest:\n        return None\n",
        "",
        "test_repair.py -k foreign_write_is_told",
    ),
    Planted(
        "stay-at-a-damaged-segment",
        "a reader whose mark names a damaged segment looks for a newer one",
        "_engine/reading.py",
        "if max(handle.numbers(), default=0) > mark.segment:",
        "if False:",
        "test_repair.py -k before_it_moved_the_mark",
    ),
    Planted(
        "forget-the-files",
        "what stood in a file that was adopted lately could be read, and touched again",
        "_engine/telling.py",
        "        (*earlier[::-1], *_files(steps, mtime)),\n",
        "        (*earlier[::-1],),\n",
        "test_telling.py -k writer_touched",
    ),
    Planted(
        "trust-who-did-not-watch",
        "only who watched the writer reads a tie as a removal",
        "_engine/telling.py",
        "        if held.after is not None:\n",
        "        if True:\n",
        "test_telling.py -k nobody_watched",
    ),
    Planted(
        "a-logout-reads-as-stale",
        "of what is held, an equal older state counts only if no newer one explains it by removals",
        "_engine/foreign.py",
        "if not one.changed and one.base.seq > max(equal)]",
        "if False]",
        "test_foreign.py -k table_of_what_is_held",
    ),
    Planted(
        "remove-what-was-never-seen",
        "a removal beside a change is meant only if every base had what it removes",
        "_engine/foreign.py",
        "if known and all(name in one.removed for one in differences)",
        "if known",
        "test_foreign.py -k held",
    ),
    Planted(
        "tell-what-is-held-twice",
        "a file that is held is told once, whoever looks at it",
        "_engine/telling.py",
        "    if told is not None and _was_told(steps, told):\n        return None\n",
        "",
        "test_telling.py -k brings_nothing_old_back",
    ),
    Planted(
        "take-the-leftover-for-damage",
        "bytes of a longer older file behind a whole object are no part of it",
        "_engine/foreign.py",
        "                if older[len(written) :] == rest:\n",
        "                if False:\n",
        "test_foreign.py -k longer_older",
    ),
]


def survives(planted: Planted) -> bool:
    """Whether the test passes in spite of the bug.

    Raises:
        ValueError: the bug does not fit the code any more.

    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "authlog", root / "authlog")
        file = root / "authlog" / planted.file
        code = file.read_text()
        if code.count(planted.old) != 1:
            raise ValueError(f"{planted.name}: stands {code.count(planted.old)} times")
        file.write_text(code.replace(planted.old, planted.new))
        return _passes(planted.test, root)


def _passes(test: str, root: Path) -> bool:
    """Run a test with the package in `root`, which must be the one that is imported.

    No plugin is loaded and nothing is measured: to start is most of what each costs.
    """
    file, *selection = test.split(" ", 2)
    measured = ("COV_CORE_", "COVERAGE_")
    environment = {name: what for name, what in os.environ.items() if not name.startswith(measured)}
    environment |= {
        "PYTHONPATH": str(root),
        "PYTHONSAFEPATH": "1",
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    command = [sys.executable, "-c", _RUN, str(root), "-q", "-x", "-p", "no:cacheprovider"]
    command += ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-o", "pythonpath=tests", str(ROOT / "tests" / file), *selection]
    done = subprocess.run(
        command, check=False, env=environment, cwd=root, capture_output=True, text=True
    )
    failed = done.returncode == 1 and " failed" in done.stdout
    if not failed and done.returncode != 0:
        raise ValueError(f"{test}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return not failed


def main(names: list[str]) -> int:
    """Try the planted bugs of these names, all if there are none; return how many survived."""
    chosen = [planted for planted in PLANTED if not names or planted.name in names]
    survivors = 0
    for planted in chosen:
        survived = survives(planted)
        survivors += survived
        print(
            f"{'SURVIVED' if survived else 'found':9} {planted.name:32} {planted.rule}", flush=True
        )
    print(f"{len(chosen) - survivors} of {len(chosen)} found")
    return survivors


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
