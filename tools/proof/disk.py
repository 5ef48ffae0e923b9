"""A disk in memory that forgets what was not synced, and processes on it that can be killed.

    disk = Disk()
    with disk.mounted():                  # in the place of the verbs of `files` and of the locks
        AuthLog(FOLDER / "auth.json").set("p1", KEY)
    survivor = disk.cut(choices.nothing)  # what a power cut may leave, as another disk

`disk.before` is called with the verb and its path before each step: there a test raises an OSError,
runs another process in the middle of this one (`with disk.process("b")`), kills one or cuts the
power. Whatever a killed process still calls raises Killed and changes nothing. What survives a cut
is said in `inodes`; a folder's sync that fails leaves its names to the next one: file systems that
can't write their journal stop altogether.
"""

import errno
import os
import stat as modes
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from authlog._engine import files, lock
from tools.proof.inodes import Change, Decide, File, Folder

TICK = 4_000_000  # ns: how coarse the times of files are
BOOT = 10_000_000_000  # ns that the machine is off
FOLDER = Path("/in-memory").absolute()  # durable on each new disk


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and nothing of the killed code touches the disk."""


class Stat(Struct, frozen=True):
    """What `files.stat` tells."""

    st_ino: int
    st_mtime_ns: int
    st_size: int
    st_mode: int
    st_uid: int = os.getuid() if hasattr(os, "getuid") else 0
    st_dev: int = 1


class Descriptor(Struct):
    """An open file, and the process whose it is."""

    file: File
    path: Path
    flags: int
    process: str
    offset: int = 0


class Disk:
    """The disk: the verbs of `files`, the locks, a clock, processes and power cuts."""

    def __init__(self) -> None:
        self.before: Callable[[str, Path], None] = lambda verb, path: None
        self.now = 1_790_000_000_000_000_000  # ns since 1970; each step takes 1 ms
        self.running = "main"
        self.pinned = frozenset[Path]()  # names that can't be renamed, as those of mounts
        self._dead: set[str] = set()
        self._descriptors: dict[int, Descriptor] = {}
        self._next_fd = 1_000_000  # far above every real one
        self.boots = 0
        self.steps = 0
        self._root = Folder(1)
        self.make_folder(FOLDER)
        self.sync_folder(FOLDER.parent)

    # Processes and power

    @contextmanager
    def mounted(self) -> Generator["Disk"]:
        """Let all that authlog does meanwhile happen on this disk."""
        places = [(files, verb) for verb in files.VERBS] + [(lock, "try_lock"), (lock, "unlock")]
        real = [getattr(module, verb) for module, verb in places]
        for module, verb in places:
            setattr(module, verb, getattr(self, verb))
        try:
            yield self
        finally:
            for (module, verb), function in zip(places, real, strict=True):
                setattr(module, verb, function)

    @contextmanager
    def process(self, name: str) -> Generator[None]:
        """Let that process run meanwhile: what it opens is its own."""
        caller, self.running = self.running, name
        try:
            yield
        finally:
            self.running = caller

    def kill(self, name: str | None = None) -> None:
        """Kill a process, the running one if none is named: its locks are free at once."""
        self._dead.add(name or self.running)
        for fd in [fd for fd, open in self._descriptors.items() if open.process in self._dead]:
            self._close(fd)

    def cut(self, decide: Decide) -> "Disk":
        """Return what a power cut at this moment may leave; this disk goes on as if it weren't."""
        survivor = Disk()
        survivor.now, survivor.boots = self.now + BOOT, self.boots + 1
        survivor.pinned = self.pinned
        survivor._root = self._root.survive(decide, Path(FOLDER.anchor), {})
        return survivor

    def pending(self) -> list[int]:
        """Return the steps that a power cut may undo, in order."""
        return sorted({step for thing in self._root.reach() for step in thing.may_lose()})

    def folders(self) -> list[Path]:
        """Return the folders of all names that a power cut may undo."""
        return _unsynced(self._root, Path(FOLDER.anchor))

    def image(self) -> list[tuple[str, int, int, bytes]]:
        """Return all that is there: path, inode number, mtime and bytes, in order."""
        return sorted(_image(self._root, ""))

    # The verbs of `files`

    def open_file(self, path: Path, flags: int) -> int:
        self._step("open_file", path)
        folder = self._folder(path.parent)
        file = folder.names.get(path.name)
        if file is None:
            if not flags & os.O_CREAT:
                raise _error(errno.ENOENT, path)
            file = File(self._number(), self.steps, (self._mtime(), modes.S_IFREG | 0o600))
            folder.bind(self.steps, path.name, file)
        elif flags & os.O_EXCL:
            raise _error(errno.EEXIST, path)
        if isinstance(file, Folder):
            raise _error(errno.EISDIR, path)
        self._next_fd += 1
        self._descriptors[self._next_fd] = Descriptor(file, path, flags, self.running)
        return self._next_fd

    def close(self, fd: int) -> None:
        """No step, as it changes nothing; whoever drops the last reference may do it any time."""
        if fd in self._descriptors:
            self._close(fd)

    def read(self, fd: int, size: int, offset: int) -> bytes:
        return bytes(self._at("read", fd).file.data[offset : offset + size])

    def write(self, fd: int, data: bytes) -> int:
        open = self._at("write", fd)
        if open.flags & os.O_APPEND:
            open.offset = len(open.file.data)
        self._change(open, open.offset, data)
        open.offset += len(data)
        return len(data)

    def write_at(self, fd: int, data: bytes, offset: int) -> int:
        self._change(self._at("write_at", fd), offset, data)
        return len(data)

    def truncate(self, fd: int, size: int) -> None:
        self._change(self._at("truncate", fd), size, None)

    def sync(self, fd: int) -> None:
        try:
            open = self._at("sync", fd)
        except OSError:
            self._open(fd).file.fail()
            raise
        open.file.sync()

    def sync_folder(self, path: Path) -> None:
        self._step("sync_folder", path)
        self._folder(path).sync()

    def set_mtime(self, fd: int, path: Path, mtime_ns: int) -> None:
        file = self._at("set_mtime", fd).file
        file.touch(self.steps, mtime_ns, file.mode)

    def set_mode(self, path: Path, mode: int) -> None:
        self._step("set_mode", path)
        file = self._find(path)
        if isinstance(file, File):
            file.touch(self.steps, file.mtime, modes.S_IFREG | mode)

    def stat(self, path: Path) -> Stat | None:
        self._step("stat", path)
        try:
            return _stat(self._find(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def stat_open(self, fd: int) -> Stat:
        return _stat(self._at("stat_open", fd).file)

    def names(self, folder: Path) -> list[str]:
        self._step("names", folder)
        try:
            return list(self._folder(folder).names)
        except FileNotFoundError:
            return []

    def make_folder(self, path: Path) -> None:
        self._step("make_folder", path)
        parent = self._folder(path.parent)
        if path.name in parent.names:
            raise _error(errno.EEXIST, path)
        parent.bind(self.steps, path.name, Folder(self._number()))

    def unlink(self, path: Path) -> None:
        self._step("unlink", path)
        self._find(path)
        self._bind(path, None)

    def rename(self, old: Path, new: Path) -> None:
        self._step("rename", new)
        self._move(old, new)

    def rename_new(self, old: Path, new: Path) -> None:
        self._step("rename_new", new)
        self._find(old)
        if new.name in self._folder(new.parent).names:
            raise _error(errno.EEXIST, new)
        self._move(old, new)

    def exchange(self, one: Path, other: Path) -> None:
        self._step("exchange", other)
        first, second = self._unpinned(one, other), self._unpinned(other, one)
        self._bind(one, second)
        self._bind(other, first)

    # The locks

    def try_lock(self, fd: int) -> bool:
        file = self._at("try_lock", fd).file
        if file.holder is None:
            file.holder = fd
        return file.holder == fd

    def unlock(self, fd: int) -> None:
        file = self._at("unlock", fd).file
        if file.holder == fd:
            file.holder = None

    # Inside

    def _step(self, verb: str, path: Path) -> None:
        """Let the running process do one step, unless it is dead or gets killed before it."""
        if self.running not in self._dead:
            self.before(verb, path)
        if self.running in self._dead:
            raise Killed
        self.now += 1_000_000
        self.steps += 1

    def _open(self, fd: int) -> Descriptor:
        if fd not in self._descriptors:
            raise Killed if self.running in self._dead else _error(errno.EBADF, Path(str(fd)))
        return self._descriptors[fd]

    def _at(self, verb: str, fd: int) -> Descriptor:
        self._step(verb, self._open(fd).path)
        return self._open(fd)

    def _change(self, open: Descriptor, offset: int, data: bytes | None) -> None:
        if not open.flags & os.O_RDWR:
            raise _error(errno.EBADF, open.path)
        open.file.change(Change(self.steps, offset, data), self._mtime())

    def _close(self, fd: int) -> None:
        file = self._descriptors.pop(fd).file
        if file.holder == fd:
            file.holder = None

    def _find(self, path: Path) -> File | Folder:
        found: File | Folder = self._root
        for name in path.parts[1:]:
            if not isinstance(found, Folder):
                raise _error(errno.ENOTDIR, path)
            if name not in found.names:
                raise _error(errno.ENOENT, path)
            found = found.names[name]
        return found

    def _folder(self, path: Path) -> Folder:
        found = self._find(path)
        if not isinstance(found, Folder):
            raise _error(errno.ENOTDIR, path)
        return found

    def _bind(self, path: Path, to: File | Folder | None) -> None:
        self._folder(path.parent).bind(self.steps, path.name, to)

    def _unpinned(self, path: Path, other: Path) -> File | Folder:
        found = self._find(path)
        if {path, other} & self.pinned:
            raise _error(errno.EBUSY, other)
        return found

    def _move(self, old: Path, new: Path) -> None:
        file = self._unpinned(old, new)
        if file is not self._folder(new.parent).names.get(new.name):  # else it does nothing
            self._bind(old, None)
            self._bind(new, file)

    def _mtime(self) -> int:
        return self.now - self.now % TICK

    def _number(self) -> int:
        """Return the lowest inode number that is free: file systems use them again at once."""
        used = {thing.number for thing in self._root.reach()}
        used.update(open.file.number for open in self._descriptors.values())
        return next(number for number in range(1, len(used) + 2) if number not in used)


def _unsynced(folder: Folder, path: Path) -> list[Path]:
    below = [(to, path / name) for name, to in folder.names.items() if isinstance(to, Folder)]
    found = [path] if folder.past else []
    return found + [unsynced for to, where in below for unsynced in _unsynced(to, where)]


def _image(folder: Folder, path: str) -> Iterator[tuple[str, int, int, bytes]]:
    for name, to in folder.names.items():
        yield f"{path}/{name}", to.number, to.mtime, bytes(to.data)
        if isinstance(to, Folder):
            yield from _image(to, f"{path}/{name}")


def _stat(thing: File | Folder) -> Stat:
    return Stat(thing.number, thing.mtime, len(thing.data), thing.mode)


def _error(number: int, path: Path) -> OSError:
    return OSError(number, os.strerror(number), str(path))
