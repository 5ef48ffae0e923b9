"""A power cut on real files: what was not synced is gone.

The strictest disk there may be: a file holds what it held at its last sync, a folder the names of
its last sync, and a sync that fails makes the kernel forget what it could not write: the pages
count as clean, and a later sync says that all is well.
"""

import os
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from authlog._engine import files, lock


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing of the killed code touches the disk."""


class Power:
    """What of the folder `root` is on the disk, while `on`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.before: Callable[[str, object], None] = lambda verb, what: None
        self._content: dict[int, bytes] = {}
        self._lost: dict[int, list[tuple[int, int]]] = {}
        self._names: dict[Path, dict[str, int]] = {}
        self.remember()

    def remember(self) -> None:
        """Take all that is there now as durable."""
        for folder, _, names in os.walk(self.root):
            self._sync_folder(Path(folder))
            for name in names:
                path = Path(folder, name)
                self._content[path.stat().st_ino] = path.read_bytes()

    @contextmanager
    def on(self) -> Generator[None]:
        """Watch the syncs; `before` is called with each verb, or try_lock, and its argument."""
        verbs = [verb for verb in files.VERBS if verb != "close"]  # that happens whenever
        places = [(files, verb) for verb in verbs] + [(lock, "try_lock")]
        real = [getattr(module, verb) for module, verb in places]
        for (module, verb), function in zip(places, real, strict=True):
            setattr(module, verb, self._watched(verb, function))
        try:
            yield
        finally:
            for (module, verb), function in zip(places, real, strict=True):
                setattr(module, verb, function)

    def _watched(self, verb: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object) -> object:
            try:
                self.before(verb, args[0])
                outcome = real(*args)
            except OSError:
                if verb == "sync" and isinstance(args[0], int):
                    self._fail(args[0])
                raise
            if verb == "sync" and isinstance(args[0], int):
                self._sync(args[0])
            if verb == "sync_folder" and isinstance(args[0], Path):
                self._sync_folder(args[0])
            return outcome

        return call

    def _sync(self, fd: int) -> None:
        inode, data = os.fstat(fd).st_ino, bytearray(os.pread(fd, 1 << 30, 0))
        for start, end in self._lost.get(inode, []):
            data[start:end] = bytes(len(data[start:end]))
        self._content[inode] = bytes(data)

    def _fail(self, fd: int) -> None:
        found = os.fstat(fd)
        durable = len(self._content.get(found.st_ino, b""))
        self._lost.setdefault(found.st_ino, []).append((durable, found.st_size))

    def _sync_folder(self, folder: Path) -> None:
        names = {entry.name: entry.inode() for entry in os.scandir(folder)}
        self._names[folder] = names

    def cut(self) -> None:
        """Cut the power: the folder holds from now on what is durable."""
        aside = self.root.parent / f"{self.root.name}.before"
        shutil.rmtree(aside, ignore_errors=True)
        self.root.rename(aside)
        folders = {Path(folder).stat().st_ino for folder, _, _ in os.walk(aside)}
        self._lay(self.root, folders)
        shutil.rmtree(aside)
        self._content.clear()
        self._lost.clear()
        self._names.clear()
        self.remember()

    def _lay(self, folder: Path, folders: set[int]) -> None:
        folder.mkdir(mode=0o700)
        for name, inode in self._names.get(folder, {}).items():
            if inode in folders:
                self._lay(folder / name, folders)
            else:
                path = folder / name
                path.write_bytes(self._content.get(inode, b""))
                path.chmod(0o600)
