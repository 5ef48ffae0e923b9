"""The verbs of the disk where a system or a file system lacks one, or a file grows."""

import errno
import os
from pathlib import Path

import pytest

from authlog import ApiKey, AuthLog
from authlog._engine import files

KEY = ApiKey("k")


def test_all_of_a_file_is_read_also_if_it_grows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(b"1234")
    fd = os.open(path, os.O_RDONLY)
    size = 2

    class Smaller:
        st_size = size

    with monkeypatch.context() as patch:
        patch.setattr(files, "stat_open", lambda fd: Smaller())
        assert files.read_all(fd) == b"1234"
    assert files.read_all(fd, 1) == b"234"
    assert files.read_all(fd, 9) == b""
    os.close(fd)
    path.unlink()


def test_a_rename_without_the_call_falls_back_to_a_link(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_such_call(old: Path, new: Path, flag: int) -> None:
        raise OSError(errno.EINVAL, "")

    monkeypatch.setattr(files._atomic, "_rename", no_such_call)
    one = AuthLog(path)
    one.set("a", KEY)
    assert one.set("b", KEY).seq == 3
    assert set(AuthLog(path).all()) == {"a", "b"}
    path.with_name("file").write_text("")
    with pytest.raises(FileExistsError):
        files.rename_new(path.with_name("file"), path)


def test_a_system_without_the_call_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files._atomic, "_libc", object(), raising=False)
    with pytest.raises(OSError) as caught:
        files.exchange(path, path)
    assert caught.value.errno == errno.ENOSYS
