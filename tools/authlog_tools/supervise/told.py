"""Telling what a program wrote, and which states it may have read before."""

import errno
import math
import os
import pwd
import socket
import time
from collections import deque
from datetime import UTC, datetime, timedelta

import authlog
from authlog_tools import failures
from authlog_tools.supervise.voice import Voice
from authlog_tools.tables import clean

STALE = 5.0  # s before its open that a writer may have read what it changes
SETTLED = 0.2  # s after which a program is taken to have read what it wrote itself


class Teller:
    """Tells what was written to one store."""

    def __init__(self, log: authlog.AuthLog, voice: Voice) -> None:
        self._log = log
        self._voice = voice
        self._seen: deque[tuple[float, int]] = deque()  # (when, newest seq), oldest first
        self._own: dict[int, tuple[float, int]] = {}  # process -> (when, seq) of its newest

    def start(self, oldest: int | None) -> None:
        """Tell and publish what stands there, also what a killed supervisor had begun.

        `oldest` is the seq that was the newest before any program started; None if they have been
        running for a while.
        """
        try:
            self._log.adopt()
            before = self._newest_of_old() if oldest is None else oldest
            self._seen.append((-math.inf, before))
            self.look()
        except (authlog.AuthLogError, OSError) as error:
            self._voice.warn(failures.texts(error)[0])

    def _newest_of_old(self) -> int:
        """Return the seq that was the newest before any that an open of now may rest on."""
        old = datetime.now(UTC) - timedelta(seconds=STALE)
        events = self._log.history(reverse=True)
        return next((event.seq for event in events if event.time <= old), 0)

    def look(self) -> int:
        """Return the newest published seq, after what others wrote into the snapshot.

        Raises: as `AuthLog.seq`.
        """
        seq = self._log.seq()
        now = time.monotonic()
        if not self._seen or self._seen[-1][1] != seq:
            self._seen.append((now, seq))
        while len(self._seen) > 1 and self._seen[1][0] <= now - STALE:
            self._seen.popleft()
        return seq

    def after(self, process: int) -> int:
        """Return the seq of the oldest state that a process which opens now may have read."""
        now = time.monotonic()
        oldest = self._seen[0][1] if self._seen else 0
        when, own = self._own.get(process, (now, 0))
        return max(oldest, own) if now - when >= SETTLED else oldest

    def forget(self, process: int) -> None:
        """Forget what a process wrote: it ends."""
        self._own.pop(process, None)

    def tell(
        self,
        content: bytes,
        process: int,
        program: str,
        *,
        after: int,
        before: int,
        stat: os.stat_result | None = None,
    ) -> int:
        """Tell what a process wrote and publish it; return 0, or the errno of why it can't be."""
        writer = authlog.Writer(program, process, socket.gethostname(), _user())
        try:
            try:
                event = self._log.tell(
                    content, writer=writer, after=after, before=before, stat=stat
                )
            except authlog.Unacknowledged as error:
                if not self._log.settle():
                    raise
                event = error.event
        except authlog.NotMaterialized as error:
            self._voice.warn(failures.texts(error)[0])
            return 0  # durable, and in the file with the next change
        except (authlog.AuthLogError, OSError) as error:
            return self.refused(program, error)
        self._said(event, program, process)
        return 0

    def refused(self, program: str, error: Exception) -> int:
        """Say why a program's call fails, and return the errno for it."""
        self._voice.warn(f"nothing is stored, {program} is told so: {failures.texts(error)[0]}")
        number = error.errno if isinstance(error, OSError) else None
        return number or errno.EIO

    def _said(self, event: authlog.Event | None, program: str, process: int) -> None:
        if event is None:
            self._voice.say(f"{program}·{process} wrote what is there already")
            return
        self._own[process] = time.monotonic(), event.seq
        self._voice.say(
            f"{program}·{process}: event {event.seq}, {event.kind} "
            + ", ".join(clean(name) for name in event.providers)
        )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
