"""What a test needs of the system it runs on, found out by trying; without it, it is skipped."""

import os
import shutil
import subprocess
import sys
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


def _has_mounts() -> bool:
    try:
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /mnt"],
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


symlinks = pytest.mark.skipif(not _has_symlinks(), reason="needs symbolic links")
modes = pytest.mark.skipif(not _has_modes(), reason="needs POSIX modes")
fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
root = pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="needs root")
mounts = pytest.mark.skipif(not _has_mounts(), reason="needs mounts of its own")
posix_shell = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def find_chromium() -> str | None:
    """Return a Chromium that is installed, None without one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


chromium = pytest.mark.skipif(find_chromium() is None, reason="needs chromium")


def _has_listeners() -> bool:
    if sys.platform != "linux":
        return False
    from authlog_tools.supervise import numbers, start

    known = numbers.here()
    try:
        if known is not None:
            start.probe(known)
    except start.Unavailable:
        return False
    return known is not None


listeners = pytest.mark.skipif(not _has_listeners(), reason="needs seccomp notifications")


def _has_leases() -> bool:
    if sys.platform != "linux":
        return False
    import signal

    from authlog_tools.guarding import kernel

    with tempfile.NamedTemporaryFile() as file:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
        try:
            return kernel.has_leases(Path(file.name))
        finally:
            signal.sigtimedwait({signal.SIGIO}, 0)
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


leases = pytest.mark.skipif(not _has_leases(), reason="needs file leases")
