"""Telling what writers left, in a process of its own: the gate must wait for no disk."""

import collections
import os
import signal
import time
from pathlib import Path
from typing import NoReturn

import authlog
from authlog_tools.guarding import kernel, messages
from authlog_tools.guarding.holder import Holder
from authlog_tools.guarding.leased import Leased
from authlog_tools.guarding.messages import Made, Rebuild, Sync, ToGate, Told, ToTeller, Vain, Wrote
from authlog_tools.guarding.places import Places
from authlog_tools.guarding.report import Report
from authlog_tools.tables import clean

STALE = 5.0  # s before its write in which a program may have read: authlog's stale window
NO_LOGINS = b"{}"  # what a logout leaves of the only login, and a failed read of several
AGAIN = 1.0  # s after which is tried again what could not be told
REMEMBERED = 1000  # files of auth.json of which is known what they showed


def start(
    log: authlog.AuthLog, places: Places, report: Report, lock: Holder
) -> tuple[int, ToTeller]:
    """Start a teller; return its process and the gate's end of the way to it.

    It leaves the guard's lock to the gate: another may take over while it tells the last.
    """
    down, up, downs, ups = messages.pair()
    gate = os.getpid()
    process = os.fork()
    if process == 0:
        down.close()
        up.close()
        lock.close()
        _live(Teller(log, places, report, ToGate(downs, ups), gate))
    downs.close()
    ups.close()
    kernel.announce(up.fileno())
    return process, ToTeller(down, up)


def _live(teller: "Teller") -> NoReturn:
    code = 1
    try:
        # The gate ends us, after the last message: who sends Ctrl-C sends it to both.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        teller.run()
        code = 0
    finally:
        os._exit(code)


class Teller:
    """Tells and publishes, one after the other.

    Each new auth.json is leased before it gets the name, and sent to the gate with a spare.
    """

    def __init__(
        self, log: authlog.AuthLog, places: Places, report: Report, to_gate: ToGate, gate: int
    ) -> None:
        self._log = log
        self._places = places
        self._report = report
        self._gate = to_gate
        self._gates_process = gate
        self._shown = 0
        self._newest = collections.deque([(time.monotonic(), log.seq())])  # since when, which seq
        self._made: list[int] = []
        self._seqs: collections.OrderedDict[int, int] = collections.OrderedDict()
        self._owes = False

    def run(self) -> None:
        """Do what the gate asks for until it ends."""
        while (message := self._gate.receive()) is not None:
            while not self._is_done(message):
                time.sleep(AGAIN)
            if self._owes and not self._gate.has_more:
                self._sync()

    def _is_done(self, message: messages.Down) -> bool:
        try:
            match message:
                case Wrote():
                    self._tell(message)
                case Rebuild():
                    event = self._log.materialize(ready=self._ready)
                    self._published(self._log.seq())
                    if event is not None:
                        self._say(event)
                case Sync():
                    self._owes = True
        except authlog.NotMaterialized as error:
            self._report.error(error)  # it is durable, and shown with the next
        except (authlog.AuthLogError, OSError) as error:
            self._report.error(error)
            return False
        return True

    def _tell(self, wrote: Wrote) -> None:
        inode, mtime, size = wrote.stat
        stat = os.stat_result((0o100600, inode, 0, 1, 0, 0, size, 0, 0, 0), {"st_mtime_ns": mtime})
        try:
            event = self._log.tell(
                wrote.content,
                writer=None,
                after=None if wrote.content.strip() == NO_LOGINS else self._oldest(),
                before=self._seqs.get(wrote.shown),
                stat=stat,
                ready=self._ready,
            )
        except authlog.Unacknowledged as error:
            if not self._log.settle():
                raise
            event = error.event
        if event is None:
            self._report.say("a program wrote what is there already")
            seen = self._seqs.get(wrote.shown)
            if seen is None or seen < self._newest[-1][1]:
                self._gate.send(Vain())
            return
        self._published(event.seq)
        self._say(event)

    def _say(self, event: authlog.Event) -> None:
        self._gate.send(Told())
        names = ", ".join(clean(name) for name in event.providers)
        self._report.say(f"a program wrote: event {event.seq}, {event.kind} {names}")

    def _sync(self) -> None:
        self._owes = False
        with open(self._log.path, "rb") as file:
            os.fsync(file.fileno())

    def _ready(self, path: Path) -> None:
        """Lease the file that is about to be auth.json, and make a spare of it."""
        self._shown += 1
        with Leased.at(path, self._gates_process) as file:
            place = self._places.replaced(file.was)
            with file.copied(place, self._gates_process) as spare:
                self._gate.send(Made(self._shown), [file.descriptor, spare.descriptor])
        self._owes = False
        self._made.append(self._shown)

    def _oldest(self) -> int:
        """Return the oldest state that a writer can have read who has just written."""
        begun = time.monotonic() - STALE
        while len(self._newest) > 1 and self._newest[1][0] <= begun:
            self._newest.popleft()
        return self._newest[0][1]

    def _published(self, seq: int) -> None:
        self._newest.append((time.monotonic(), seq))
        made, self._made = self._made, []
        self._seqs.update(dict.fromkeys(made, seq))
        while len(self._seqs) > REMEMBERED:
            self._seqs.popitem(last=False)
