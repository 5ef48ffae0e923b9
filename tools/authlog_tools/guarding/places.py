"""Which files a guard has: all below `guard/` in the folder of the log."""

import re
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(\d+)-(\d+)\.json")


class Was(NamedTuple):
    """What a replaced file was when auth.json had it: its inode, and its mtime in ns."""

    inode: int
    mtime: int


class Places:
    """The paths of the guard of one auth.json.

    A file that is to replace auth.json stands under the name of the one that it replaces, and both
    are exchanged: then that one stands there, until what was written into it is told. A file whose
    inode is another than in its name never took the place, one whose mtime is the same was never
    written to.
    """

    def __init__(self, snapshot: Path) -> None:
        self.snapshot = snapshot
        self.folder = snapshot.with_name(f"{snapshot.name}.log") / "guard"
        self.lock = self.folder / "guard.lock"

    def replaced(self, was: Was) -> Path:
        """Return where the file stands that was so."""
        return self.folder / f"{was.inode}-{was.mtime}.json"

    def left(self) -> list[tuple[Path, Was]]:
        """Return what other guards have left behind, and what each was, the oldest first."""
        found = [(path, _NAME.fullmatch(path.name)) for path in self.folder.iterdir()]
        files = [(path, Was(int(name[1]), int(name[2]))) for path, name in found if name]
        return sorted(files, key=lambda file: file[1].mtime)
