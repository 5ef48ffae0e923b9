"""A file with a lease on it: whoever opens it for writing waits in `open` until we let go."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from authlog_tools.guarding import kernel
from authlog_tools.guarding.places import Was

AGE = 2_000_000_000  # ns by which our file is older than it is: any later write has another mtime
USUAL = 1 << 16  # bytes read at first: room for more would cost more than the reading
LIMIT = 1 << 26  # bytes read of a file: a longer one holds no logins


class Leased:
    """An open file that is auth.json, was it, or is to be.

    `path` is where it stands, `spare` a copy that is ready to take its place, `shown` the number
    under which the teller knows what it showed, `content` that, and `last` what it was last seen to
    hold. `leased` is False if somebody had it open for writing when it was met.
    """

    def __init__(self, path: Path, descriptor: int, *, shown: int = 0, leased: bool) -> None:
        self.path = path
        self.descriptor = descriptor
        self.shown = shown
        self.leased = leased
        self.spare: Leased | None = None
        found = os.fstat(descriptor)
        self.was = Was(found.st_ino, found.st_mtime_ns)
        self.content = self.last = self.read()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @classmethod
    def at(cls, path: Path, announced_to: int) -> "Leased":
        """Open the file that stands there and lease it; that process is told when it is wanted.

        Raises:
            OSError: there is none, or it can't be had.

        """
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            leased = kernel.lease(descriptor, announced_to)
            return cls(path, descriptor, leased=leased)
        except BaseException:
            os.close(descriptor)
            raise

    def copied(self, path: Path, announced_to: int) -> "Leased":
        """Return a new file at `path` with the content that this one had; it is not synced.

        Raises:
            OSError: it could not be written.

        """
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        with open(path, "xb", buffering=0, opener=_private) as file:
            rest = memoryview(self.content)
            while rest:
                rest = rest[file.write(rest) :]
            # Inode numbers repeat and clocks tick coarsely.
            aged = os.fstat(file.fileno()).st_mtime_ns - AGE
            os.utime(file.fileno(), ns=(aged, aged))
        copied = Leased.at(path, announced_to)
        copied.shown = self.shown
        return copied

    def read(self) -> bytes:
        """Return what it holds now."""
        content = os.pread(self.descriptor, USUAL, 0)
        if len(content) == USUAL:
            content += os.pread(self.descriptor, LIMIT, USUAL)
        return content

    def is_breaking(self) -> bool:
        """Whether somebody waits for it."""
        return self.leased and kernel.is_breaking(self.descriptor)

    def release(self) -> None:
        """Let those go on who wait for it."""
        self.leased = False
        kernel.release(self.descriptor)

    def lease_again(self) -> bool:
        """Lease it if nobody has it open for writing any more; return whether that is so."""
        self.leased = kernel.lease(self.descriptor, os.getpid())
        return self.leased

    def is_at(self, path: Path) -> bool:
        """Whether it is the file that stands there now."""
        try:
            return os.stat(path, follow_symlinks=False).st_ino == self.was.inode
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Have no more to do with it; a lease goes too, if nobody else has the descriptor."""
        os.close(self.descriptor)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
