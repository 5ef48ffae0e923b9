"""Answers the calls of the programs under the filter.

One thread receives, and lets at once what has nothing to do with the snapshot. What tells or
publishes waits its turn with another thread, so that nobody else waits for a lock.
"""

import contextlib
import errno
import os
import queue
import select
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from authlog import AuthLogError
from authlog_tools.supervise import calls, kernel, processes
from authlog_tools.supervise.bpf import FEW, WRITING
from authlog_tools.supervise.calls import Call, Notification
from authlog_tools.supervise.numbers import Numbers
from authlog_tools.supervise.slots import COUNT, Slots
from authlog_tools.supervise.target import Target, located
from authlog_tools.supervise.writes import LET, Writes

LOOK = 0.005  # s between two looks whether a copy is closed
LATER = 0.05  # s, for those that have been open for long
LONG = 1.0  # s
IDLE = 1.0  # s between two looks at the newest seq while no copy is given
AT_END = 10.0  # s that it is tried to tell what is left when all programs have ended
TRIES = 2  # supervisors that may die over one call before the kernel does it

GIVEN = -2  # it is answered: with a descriptor

_GONE = (errno.ENOENT, errno.EINPROGRESS)  # nobody waits for that answer any more


class Asked(NamedTuple):
    """A call that the snapshot is concerned by."""

    slot: int
    told: Notification
    call: Call


class Supervisor:
    """Answers until the last program under the filter has ended."""

    def __init__(
        self,
        numbers: Numbers,
        listener: int,
        slots: Slots,
        target: Target,
        first: int,
        memory: Callable[[int], calls.Memory],
        writes: Writes,
    ) -> None:
        self._numbers = numbers
        self._listener = listener
        self._slots = slots
        self._target = target
        self._first = first
        self._memory = memory
        self._writes = writes
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._asked: queue.SimpleQueue[Asked | None] = queue.SimpleQueue()

    def run(self) -> None:
        """Do it; first what the last supervisor has left."""
        worker = threading.Thread(target=self._work)
        worker.start()
        for slot in range(COUNT):
            if not self._slots.is_taken(slot):
                self._free.put(slot)
            elif self._slots.tries(slot) < TRIES:
                self._take(slot)
            else:
                self._answer(slot, calls.parse(self._slots.raw(slot)).id, LET)
        self._receive()
        self._asked.put(None)
        worker.join()

    def _receive(self) -> None:
        """Receive until nobody is left who could call."""
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        while True:
            _, ready = poll.poll()[0]
            if not ready & select.POLLIN:
                return
            slot = self._free.get()
            try:
                kernel.receive(self._listener, self._slots.address(slot))
            except OSError as error:
                self._slots.clear(slot)
                self._free.put(slot)
                if error.errno not in (errno.ENOENT, errno.EINTR):
                    raise
            else:
                self._take(slot)

    def _take(self, slot: int) -> None:
        told = calls.parse(self._slots.raw(slot))
        try:
            call = calls.read(told, self._numbers, self._memory(told.thread))
            concerned = self._is_concerned(told.thread, call)
        except OSError:  # the kernel will say what is wrong with it
            self._answer(slot, told.id, LET)
            return
        if concerned and kernel.is_waiting(self._listener, told.id):
            self._asked.put(Asked(slot, told, call))
        else:
            self._answer(slot, told.id, LET)

    def _is_concerned(self, thread: int, call: Call) -> bool:
        """Whether the call is about the snapshot or a copy of it."""
        meant = self._target.is_meant
        match call:
            case calls.Open(path, flags):
                if not flags & WRITING or flags & (os.O_PATH | os.O_DIRECTORY):
                    return False
                return meant(thread, path, follow=not flags & os.O_NOFOLLOW)
            case calls.Rename(old, new, flags):
                return not flags and meant(thread, new) and not meant(thread, old, follow=False)
            case calls.Truncate(path) | calls.Chmod(path):
                return meant(thread, path)
            case calls.Close(descriptor) | calls.Sync(descriptor):
                return self._writes.is_copy(thread, descriptor)
            case calls.Exit():
                return self._writes.has_copies(thread)

    def _answer(self, slot: int, id: int, error: int) -> None:
        """Answer a call: 0 is done, or an errno, or let the kernel do it."""
        try:
            if error == LET:
                kernel.let(self._listener, id)
            else:
                kernel.answer(self._listener, id, error)
        except OSError as gone:
            if gone.errno not in _GONE:
                raise
        self._done(slot)

    def _done(self, slot: int) -> None:
        self._slots.clear(slot)
        self._free.put(slot)

    # The second thread

    def _work(self) -> None:
        looked = 0.0
        while True:
            with contextlib.suppress(queue.Empty):
                asked = self._asked.get(timeout=self._pause())
                if asked is None:
                    break
                self._do(asked)
            if time.monotonic() - looked >= LOOK:
                self._writes.tell_closed()
                looked = time.monotonic()
        end = time.monotonic() + AT_END
        while self._writes.youngest() is not None and time.monotonic() < end:
            self._writes.tell_closed()
            time.sleep(LOOK)

    def _pause(self) -> float:
        """Return for how many seconds nothing has to be looked at."""
        youngest = self._writes.youngest()
        if youngest is None:
            self._writes.look()
            return IDLE
        return LOOK if time.monotonic() - youngest < LONG else LATER

    def _do(self, asked: Asked) -> None:
        """Do what is asked for and answer."""
        thread = asked.told.thread
        error, program = LET, "a program that has gone"
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            process = processes.process_of(thread)
            program = processes.program_of(process)
            ours = processes.is_ours(thread)
            try:
                error = self._decide(asked, process) if ours else LET
            except (AuthLogError, OSError) as failed:
                error = self._writes.refused(program, failed)
        if error != GIVEN:
            self._answer(asked.slot, asked.told.id, error)

    def _decide(self, asked: Asked, process: int) -> int:
        """Return the answer: 0 is done, or an errno, LET or GIVEN."""
        writes = self._writes
        match asked.call:
            case calls.Open(_, flags):
                answer = self._open(asked, flags, process)
            case calls.Rename(old):
                answer = writes.rename(process, located(asked.told.thread, old))
            case calls.Truncate(_, length):
                answer = writes.truncate(process, length)
            case calls.Chmod():
                answer = writes.chmod(process)
            case calls.Close(descriptor) | calls.Sync(descriptor):
                answer = writes.close_or_sync(process, descriptor)
            case calls.Exit():
                answer = writes.exit(process)
        return answer

    def _open(self, asked: Asked, flags: int, process: int) -> int:
        theirs = self._writes.open(process, flags)
        if theirs is None:
            return LET
        try:
            return self._give(asked, theirs, process, cloexec=bool(flags & os.O_CLOEXEC))
        finally:
            os.close(theirs)

    def _give(self, asked: Asked, theirs: int, process: int, *, cloexec: bool) -> int:
        """Answer with the descriptor, under a number whose close is seen if that can be."""
        at = processes.free_number(process, self._first, FEW)
        for number in (at, None):
            try:
                kernel.give(self._listener, asked.told.id, theirs, number, cloexec=cloexec)
            except OSError as error:
                if error.errno in _GONE:
                    break
                if error.errno != errno.EBADF or number is None:
                    return error.errno or errno.EIO
            else:
                break
        self._done(asked.slot)
        return GIVEN
