"""Where a benchmark runs: its results mean little elsewhere."""

import os
import platform
import sqlite3
from pathlib import Path

from msgspec import Struct

IN_MEMORY = ("tmpfs", "ramfs")  # a sync there does nothing


class Place(Struct, frozen=True):
    """The file system of the folder (None: not known), and what runs."""

    file_system: str | None
    system: str
    cores: int
    python: str
    sqlite: str


def look(folder: Path) -> Place:
    """Return what there is."""
    return Place(
        file_system=file_system(folder),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cores=os.cpu_count() or 1,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        sqlite=sqlite3.sqlite_version,
    )


def file_system(folder: Path) -> str | None:
    """Return the type of the file system that holds the folder, where the system tells (Linux).

    Source: man 5 proc_pid_mountinfo: device number, root, mount point, options, "-", type.
    """
    device = folder.stat().st_dev
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        fields = line.split()
        if fields[2] == f"{os.major(device)}:{os.minor(device)}":
            return fields[fields.index("-") + 1]
    return None
