"""Whether a path of another process is the snapshot."""

import os
import stat
from pathlib import Path as File

from authlog_tools.supervise.calls import HERE, Path
from authlog_tools.supervise.processes import identity

_LINKS = 40  # followed before it is a loop, as the kernel does


class Target:
    """The snapshot: known by its folder and its name, for each publish gives it another inode."""

    def __init__(self, snapshot: File) -> None:
        self._path = snapshot
        self._name = os.fsencode(snapshot.name)

    def is_meant(self, thread: int, path: Path, *, follow: bool = True) -> bool:
        """Whether the path, as the thread gave it, leads to the snapshot, there or not."""
        text = path.text
        for _ in range(_LINKS):
            folder, slash, name = text.rpartition(b"/")
            if name in (b"", b".", b".."):
                return False
            place = located(thread, Path(text, path.folder))
            try:
                found = os.lstat(place)
            except FileNotFoundError:
                return name == self._name and self._is_folder(place)
            if not stat.S_ISLNK(found.st_mode):
                return self._is_file(name, place, found)
            if not follow:
                return False
            target = os.readlink(place)
            text = target if target.startswith(b"/") else folder + slash + target
        return False

    def _is_file(self, name: bytes, place: bytes, found: os.stat_result) -> bool:
        if name == self._name and self._is_folder(place):
            return True
        return found.st_nlink > 1 and identity(found) == _identity(os.fsencode(self._path))

    def _is_folder(self, place: bytes) -> bool:
        ours = _identity(os.fsencode(self._path.parent))
        return ours is not None and ours == _identity(os.path.dirname(place))


def located(thread: int, path: Path) -> bytes:
    """Return the path under which we find what a thread means by one."""
    own = b"/proc/%d/" % thread
    if path.text.startswith(b"/proc/self/"):
        return own + path.text.removeprefix(b"/proc/self/")
    if path.text.startswith(b"/"):
        return own + b"root" + path.text
    start = own + (b"cwd" if path.folder == HERE else b"fd/%d" % path.folder)
    return start + b"/" + path.text


def _identity(path: bytes) -> tuple[int, int] | None:
    try:
        return identity(os.stat(path))
    except OSError:
        return None
