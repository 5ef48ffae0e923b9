"""Holds what must outlive the supervisor, and starts another one if it is killed.

Killed itself, it takes nothing with it: the supervisor holds all that as well.
"""

import contextlib
import os
import select
import socket
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

import msgspec

from authlog import AuthLog
from authlog_tools.supervise import calls, kernel
from authlog_tools.supervise.attend import AskedMemory
from authlog_tools.supervise.copies import Copies, Copy, Record
from authlog_tools.supervise.numbers import Numbers
from authlog_tools.supervise.processes import ThreadMemory
from authlog_tools.supervise.slots import COUNT, Slots
from authlog_tools.supervise.supervisor import Supervisor
from authlog_tools.supervise.target import Target
from authlog_tools.supervise.told import Teller
from authlog_tools.supervise.voice import Voice
from authlog_tools.supervise.writes import Writes

DEATHS = 100  # of supervisors, until the kernel does all the calls
MESSAGE = 4096  # bytes of a record at most

_FAILED = 1


class Setup(NamedTuple):
    """What `run` was asked for.

    `oldest` is the newest seq from before the command; `first` the lowest descriptor of a copy;
    `asker` is where a parent reads memory for us, None if we may ourselves.
    """

    snapshot: Path
    oldest: int
    numbers: Numbers
    first: int
    verbose: bool
    terminal: str | None
    asker: socket.socket | None = None


class Keeper:
    """The listener, the calls that wait, and each copy with its record."""

    def __init__(self, setup: Setup, listener: int) -> None:
        self._setup = setup
        self._listener = listener
        self._slots = Slots()
        self._kept: dict[int, tuple[Record, int]] = {}

    def keep(self) -> None:
        """Do it until the last program under the filter has ended."""
        for death in range(DEATHS):
            if self._watch_one(again=death > 0):
                return
            self._slots.count_tries()
        self._let_all()

    def _watch_one(self, *, again: bool) -> bool:
        """Start a supervisor and wait for it; return whether it has done all there was to do."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        supervisor = os.fork()
        if supervisor == 0:
            ours.close()
            _end_with(lambda: self._supervise(theirs, again=again))
        theirs.close()
        with ours:
            while self._note(ours):
                pass
        _, status = os.waitpid(supervisor, 0)
        return status == 0

    def _note(self, channel: socket.socket) -> bool:
        """Note what the supervisor says of a copy; False if it has ended."""
        message, descriptors, _, _ = socket.recv_fds(channel, MESSAGE, 1)
        if not message:
            return False
        record = msgspec.json.decode(message, type=Record)
        _, old = self._kept.get(record.number, (record, -1))
        descriptor = descriptors[0] if descriptors else old
        if record.gone:
            self._kept.pop(record.number, None)
            os.close(descriptor)
        else:
            self._kept[record.number] = record, descriptor
        return True

    def _supervise(self, channel: socket.socket, *, again: bool) -> None:
        kernel.set_name(b"authlog-run")
        setup, asker = self._setup, self._setup.asker
        voice = Voice(verbose=setup.verbose, terminal=setup.terminal)
        log = AuthLog(setup.snapshot, program="authlog")
        teller = Teller(log, voice)
        teller.start(None if again else setup.oldest)
        copies = Copies(_Note(channel))
        for record, descriptor in self._kept.values():
            copies.restore(Copy(record, descriptor))
        Supervisor(
            setup.numbers,
            self._listener,
            self._slots,
            Target(setup.snapshot),
            setup.first,
            ThreadMemory if asker is None else lambda thread: AskedMemory(asker, thread),
            Writes(setup.snapshot, copies, teller),
        ).run()

    def _let_all(self) -> None:
        """Let the kernel do every call from now on: rather unseen than not at all."""
        for slot in filter(self._slots.is_taken, range(COUNT)):
            _let(self._listener, self._slots, slot)
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while poll.poll()[0][1] & select.POLLIN:
            with contextlib.suppress(OSError):
                kernel.receive(self._listener, self._slots.address(0))
            _let(self._listener, self._slots, 0)


class _Note:
    """Tells the keeper; when it has gone, nobody."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel: socket.socket | None = channel

    def __call__(self, record: Record, descriptor: int | None) -> None:
        if self._channel is None:
            return
        descriptors = [] if descriptor is None else [descriptor]
        try:
            socket.send_fds(self._channel, [msgspec.json.encode(record)], descriptors)
        except OSError:
            self._channel = None


def _let(listener: int, slots: Slots, slot: int) -> None:
    with contextlib.suppress(OSError):  # whoever called may have gone
        kernel.let(listener, calls.parse(slots.raw(slot)).id)
    slots.clear(slot)


def _end_with(work: Callable[[], None]) -> NoReturn:
    """Do the work in a process of its own; it ends with 0 only if that was done."""
    threading.excepthook = lambda failed: _fail(failed.exc_value)
    try:
        work()
    except BaseException as error:  # noqa: BLE001  whatever it is, another one has to go on
        _fail(error)
    os._exit(0)


def _fail(error: BaseException | None) -> NoReturn:
    if os.environ.get("AUTHLOG_DEBUG") == "1":
        traceback.print_exception(error)  # seen with -v
    os._exit(_FAILED)
