"""What a test needs of the system it runs on, found out by trying; without it, it is skipped."""

import os
import tempfile
from pathlib import Path

import pytest


def _has_symlinks() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        try:
            Path(folder, "link").symlink_to("target")
        except (OSError, NotImplementedError):
            return False
    return True


def _has_modes() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).chmod(0o640)
        return Path(file.name).stat().st_mode & 0o777 == 0o640


symlinks = pytest.mark.skipif(not _has_symlinks(), reason="needs symbolic links")
modes = pytest.mark.skipif(not _has_modes(), reason="needs POSIX modes")
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
posix_shell = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")
