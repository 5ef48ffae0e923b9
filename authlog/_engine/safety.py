"""Whether nobody else could change a file: they would decide what is a login and what isn't."""

import os
import stat as modes
import sys
from pathlib import Path

from authlog._engine import files
from authlog._engine.files import Stat
from authlog.errors import UnsafePermissions


def check(path: Path, found: Stat | None) -> None:
    """Refuse a file or folder that every user may write to, or that belongs to another user.

    Root is trusted, and a folder in which only owners may rename and delete (as /tmp).

    Raises:
        UnsafePermissions: with the command that mends it.

    """
    if sys.platform == "win32" or found is None:
        return  # its modes say nothing there
    sticky = modes.S_ISDIR(found.st_mode) and found.st_mode & modes.S_ISVTX
    writable = found.st_mode & modes.S_IWOTH and not sticky
    if writable or found.st_uid not in (0, os.getuid()):
        raise UnsafePermissions(path, modes.S_IMODE(found.st_mode), found.st_uid)


def check_folder(path: Path) -> None:
    """Do the same for a folder, if it is there."""
    check(path, files.stat(path))
