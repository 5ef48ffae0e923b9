"""What the store takes from around it besides the disk: time, randomness, identity.

One value, so that tests can give another: the same seed writes the same bytes.
"""

import os
import socket
import sys
import time
from pathlib import Path

from authlog.events import Writer

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Surroundings:
    """This machine, this process, this moment."""

    def now_ns(self) -> int:
        """Return ns since 1970, UTC."""
        return time.time_ns()

    def ticks(self) -> float:
        """Return seconds on a clock that nobody sets."""
        return time.monotonic()

    def random(self, size: int) -> bytes:
        """Return `size` bytes that nobody can guess."""
        return os.urandom(size)

    def boot(self) -> str | None:
        """Return what tells this boot of the machine from all others, None where nothing does."""
        try:
            return _BOOT.read_text().strip()
        except OSError:
            return None

    def writer(self, program: str | None) -> Writer:
        """Return who writes: `program`, else the name that this process was started by."""
        name = program or Path(sys.argv[0] if sys.argv else "").stem or "python"
        return Writer(name, os.getpid(), socket.gethostname(), _user())

    def answered(self, seq: int) -> None:
        """Be told each seq that a caller or a reader was answered. For proofs; does nothing."""


def _user() -> str:
    if sys.platform == "win32":
        return os.environ.get("USERNAME", "")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


here = Surroundings()
