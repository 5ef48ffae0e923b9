"""A program that doesn't know authlog; run as `python rewriter.py VERB FILE ...`.

Each verb writes the file whole in another way; what it reads it takes to be the newest.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path

Entries = dict[str, dict[str, str]]


def read(file: str) -> Entries:
    try:
        return dict(json.loads(Path(file).read_text()))
    except (OSError, ValueError):
        return {}


def with_one(file: str, provider: str, key: str) -> bytes:
    return json.dumps({**read(file), provider: {"type": "api", "key": key}}, indent=2).encode()


def fill(descriptor: int, content: bytes) -> None:
    os.write(descriptor, content)
    os.ftruncate(descriptor, len(content))
    os.close(descriptor)


def again(file: str, provider: str, count: str) -> None:
    """Change one provider so often, and read it back each time."""
    for number in range(int(count)):
        content = with_one(file, provider, str(number))
        Path(file).write_bytes(content)
        assert read(file)[provider]["key"] == str(number), number


def storm(file: str, name: str, count: str) -> None:
    """Store so many providers, as fast as it can."""
    for number in range(int(count)):
        content = with_one(file, f"{name}-{number}", str(number))
        fill(os.open(file, os.O_WRONLY | os.O_CREAT, 0o666), content)
        Path(file).chmod(0o644)
        os.write(1, f"{name}-{number}\n".encode())  # in one piece, beside others


def in_place(file: str, provider: str) -> None:
    fill(os.open(file, os.O_RDWR), with_one(file, provider, "k"))


def cut(file: str, provider: str) -> None:
    content = with_one(file, provider, "k")
    fill(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), content)


def relative(file: str, provider: str) -> None:
    content = with_one(file, provider, "k")
    os.chdir(Path(file).parent)
    fill(os.open(f"./x/../{Path(file).name}", os.O_WRONLY), content)


def by_folder(file: str, provider: str) -> None:
    folder = os.open(Path(file).parent, os.O_RDONLY)
    content = with_one(file, provider, "k")
    fill(os.open(Path(file).name, os.O_WRONLY, dir_fd=folder), content)


def by_link(file: str, provider: str) -> None:
    """Write through a link, beside another one that leads to it."""
    folder = Path(file).parent
    (folder / "x" / "first").symlink_to("../second")
    (folder / "second").symlink_to(file)
    fill(os.open(folder / "x" / "first", os.O_WRONLY), with_one(file, provider, "k"))


def by_folders_link(file: str, provider: str) -> None:
    folder = Path(file).parent
    (folder / "x" / "back").symlink_to(folder)
    content = with_one(file, provider, "k")
    fill(os.open(folder / "x" / "back" / Path(file).name, os.O_WRONLY), content)


def by_hard_link(file: str, provider: str) -> None:
    content = with_one(file, provider, "k")
    os.link(file, f"{file}.other")
    fill(os.open(f"{file}.other", os.O_WRONLY), content)


def by_openat2(file: str, provider: str) -> None:
    content = with_one(file, provider, "k")
    how = struct.pack("=QQQ", os.O_WRONLY | os.O_CLOEXEC, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    opened = libc.syscall(ctypes.c_long(437), -100, os.fsencode(file), how, len(how))
    assert opened >= 0, os.strerror(ctypes.get_errno())
    fill(opened, content)


def by_thread(file: str, provider: str) -> None:
    import threading

    thread = threading.Thread(target=in_place, args=(file, provider))
    thread.start()
    thread.join()


def by_grandchild(file: str, provider: str) -> None:
    child = os.fork()
    if child == 0:
        if (grandchild := os.fork()) == 0:
            in_place(file, provider)
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
    assert os.waitpid(child, 0)[1] == 0


def by_rename(file: str, provider: str) -> None:
    Path(f"{file}.tmp").write_bytes(with_one(file, provider, "k"))
    Path(f"{file}.tmp").replace(file)
    assert not Path(f"{file}.tmp").exists()


def by_dup(file: str, provider: str) -> None:
    """Write as a shell redirects: to another number, which another one takes the place of."""
    content = with_one(file, provider, "k")
    opened = os.open(file, os.O_WRONLY | os.O_TRUNC)
    os.dup2(opened, 9)
    os.close(opened)
    os.write(9, content)
    os.dup2(2, 9)


def appended(file: str, provider: str) -> None:
    """Add a member behind the others, where the file ends."""
    entry = json.dumps({"type": "api", "key": "k"})
    size = len(Path(file).read_bytes().rstrip().removesuffix(b"}").rstrip())
    os.truncate(file, size)  # half a file: nobody must see it
    opened = os.open(file, os.O_WRONLY | os.O_APPEND)
    os.close(opened)
    whole = read(file)
    assert provider not in whole
    opened = os.open(file, os.O_RDWR | os.O_APPEND)
    os.ftruncate(opened, size)
    os.write(opened, f', "{provider}": {entry}}}'.encode())
    os.close(opened)


def synced(file: str, provider: str) -> None:
    """Write, sync, look, and never close."""
    content = with_one(file, provider, "k")
    opened = os.open(file, os.O_WRONLY | os.O_TRUNC)
    os.write(opened, content)
    os.fsync(opened)
    assert provider in read(file)
    os.kill(os.getpid(), 9)


def unclosed(file: str, provider: str) -> None:
    """Write and end."""
    content = with_one(file, provider, "k")
    os.write(os.open(file, os.O_WRONLY | os.O_TRUNC), content)
    os._exit(0)


def exclusive(file: str, provider: str) -> None:
    try:
        os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        in_place(file, provider)


def made_anew(file: str, provider: str) -> None:
    """Take the file away and make it anew."""
    content = with_one(file, provider, "k")
    Path(file).rename(f"{file}.old")
    fill(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), content)


def chmodded(file: str, provider: str) -> None:
    in_place(file, provider)
    Path(file).chmod(0o644)


def refused(file: str, provider: str) -> None:
    """Write what can't be stored; print the errno that says so."""
    content = with_one(file, provider, "k" * 600_000)
    opened = os.open(file, os.O_WRONLY | os.O_TRUNC)
    os.write(opened, content)
    try:
        os.close(opened)
    except OSError as error:
        print("close", error.errno)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
