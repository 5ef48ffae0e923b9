"""Locks: who holds one, and what is said where there is none."""

import os
from pathlib import Path

import pytest

from authlog import LockTimeout
from authlog._engine import lock


def test_a_lock_that_the_system_does_not_have_is_an_error(path: Path) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    os.close(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.try_lock(fd)
    with pytest.raises(OSError, match="Bad file descriptor"):
        lock.unlock(fd)
    path.unlink()


def test_a_holder_is_named_as_far_as_the_kernel_tells(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("{}")
    fd = os.open(path, os.O_RDWR)
    inode = path.stat().st_ino

    def says(pid: int) -> None:
        lines = f"1: -> FLOCK ADVISORY WRITE 7 00:01:{inode} 0 EOF\n"
        lines += "2: FLOCK ADVISORY WRITE 8 00:01:1 0 EOF\n"
        lines += f"3: FLOCK ADVISORY WRITE {pid} 00:01:{inode} 0 EOF\n"

        def read_text(file: Path) -> str:
            if str(file) == "/proc/locks":
                return lines
            raise FileNotFoundError

        monkeypatch.setattr(Path, "read_text", read_text)

    says(99)
    assert lock.holder(fd) == "process 99"
    says(0)
    assert lock.holder(fd) is None
    os.close(fd)
    other = os.open(path.with_name("other"), os.O_RDWR | os.O_CREAT)
    assert lock.holder(other) is None

    def refuses(file: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuses)
    assert lock.holder(other) is None
    os.close(other)


def test_a_thread_of_ours_that_holds_the_lock_is_named_so(path: Path) -> None:
    held = lock.Lock(path, lambda: None)
    held.acquire(1.0)
    with pytest.raises(LockTimeout, match="another thread of this process"):
        held.acquire(0.01)
    held.release()
    path.unlink()
