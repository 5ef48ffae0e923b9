"""Which system calls `authlog run` is asked about, and what it takes them to ask for."""

import os
import re
import struct
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from authlog_tools.supervise import bpf, calls
from authlog_tools.supervise.bpf import ALLOW, ASK, NO_SUCH_CALL, Instruction
from authlog_tools.supervise.numbers import ABSENT, ARM64, X86_64, Numbers

FIRST = 4032
MACHINES = pytest.mark.parametrize("numbers", [X86_64, ARM64], ids=["x86-64", "arm64"])
HEADERS = {
    "x86-64": (X86_64, Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")),
    "arm64": (ARM64, Path("/usr/include/asm-generic/unistd.h")),
}
X32 = 0x40000000

READ, WRITE = os.O_RDONLY, os.O_WRONLY


def answer(program: Iterable[Instruction], number: int, *arguments: int, architecture: int) -> int:
    """Return what the filter answers, as the kernel would run it."""
    given = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<iIQ6Q", number, architecture, 0, *(one % (1 << 64) for one in given))
    instructions, place, word = list(program), 0, 0
    while True:
        code, yes, no, k = instructions[place]
        place += 1
        if code == bpf.LOAD:
            (word,) = struct.unpack_from("<I", data, k)
        elif code == bpf.ANSWER:
            return k
        else:
            holds = {bpf.IS: word == k, bpf.IS_AT_LEAST: word >= k, bpf.HAS_ANY_OF: word & k}
            place += yes if holds[code] else no


def asked(numbers: Numbers, number: int, *arguments: int, architecture: int | None = None) -> int:
    program = bpf.program(numbers, FIRST)
    return answer(program, number, *arguments, architecture=architecture or numbers.architecture)


@MACHINES
def test_only_opens_for_writing_are_asked_about(numbers: Numbers) -> None:
    for flags in (WRITE, os.O_RDWR, READ | os.O_TRUNC, WRITE | os.O_CREAT | os.O_CLOEXEC):
        assert asked(numbers, numbers.openat, -100, 0, flags) == ASK
    for flags in (READ, READ | os.O_CREAT, READ | os.O_CLOEXEC | os.O_DIRECTORY):
        assert asked(numbers, numbers.openat, -100, 0, flags) == ALLOW
    assert asked(numbers, numbers.openat2, -100, 0, 0) == ASK  # its flags are in memory


def test_the_older_calls_of_x86_64_are_asked_about_too() -> None:
    assert asked(X86_64, X86_64.open, 0, WRITE) == ASK
    assert asked(X86_64, X86_64.open, 0, READ) == ALLOW
    for number in (X86_64.creat, X86_64.rename, X86_64.chmod, X86_64.dup2):
        assert asked(X86_64, number) == ASK


@MACHINES
def test_what_replaces_cuts_or_closes_is_asked_about(numbers: Numbers) -> None:
    for name in (
        "renameat", "renameat2", "truncate", "fchmodat", "fchmodat2", "dup3", "exit_group",
    ):  # fmt: skip
        assert asked(numbers, getattr(numbers, name)) == ASK


@MACHINES
def test_a_close_is_asked_about_only_for_the_numbers_that_copies_get(numbers: Numbers) -> None:
    for number in (numbers.close, numbers.fsync, numbers.fdatasync):
        for descriptor in (FIRST, FIRST + bpf.FEW - 1):
            assert asked(numbers, number, descriptor) == ASK
        for descriptor in (0, 3, FIRST - 1, FIRST + bpf.FEW, -1):
            assert asked(numbers, number, descriptor) == ALLOW


@MACHINES
def test_io_uring_is_not_to_be_had(numbers: Numbers) -> None:
    assert asked(numbers, numbers.io_uring_setup) == NO_SUCH_CALL


@MACHINES
def test_everything_else_runs_at_full_speed(numbers: Numbers) -> None:
    known = {number for number in known_numbers(numbers).values() if number != ABSENT}
    for number in set(range(600)) - known:
        assert asked(numbers, number, FIRST, WRITE, WRITE) == ALLOW


@MACHINES
def test_calls_by_the_numbers_of_another_machine_are_let_through(numbers: Numbers) -> None:
    i386 = 0x40000003
    for number in range(600):
        assert asked(numbers, number, FIRST, WRITE, WRITE, architecture=i386) == ALLOW
        assert asked(numbers, number | X32, FIRST, WRITE, WRITE) == ALLOW


def known_numbers(numbers: Numbers) -> Mapping[str, int]:
    return {
        name: getattr(numbers, name)
        for name in numbers.__struct_fields__
        if name not in {"architecture", "seccomp"}
    }


@pytest.mark.parametrize("machine", sorted(HEADERS))
def test_the_numbers_are_those_of_the_kernels_headers(machine: str) -> None:
    numbers, header = HEADERS[machine]
    if not header.exists():
        pytest.skip(f"needs {header}")
    text = header.read_text(encoding="utf-8")
    found = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text))
    ours = {**known_numbers(numbers), "seccomp": numbers.seccomp}
    for name, number in ours.items():
        if name in found or name != "fchmodat2":  # of Linux 6.6
            assert int(found.get(name, ABSENT)) == number, name


class Memory:
    """A memory that has a text at each address."""

    def __init__(self, texts: Mapping[int, bytes]) -> None:
        self._texts = texts

    def text(self, address: int) -> bytes:
        return self._texts[address]

    def read(self, address: int, size: int) -> bytes:
        return self._texts[address][:size]


TEXTS = {1: b"old", 2: b"new", 3: struct.pack("=QQQ", os.O_RDWR, 0o600, 8)}
AT, OTHER = 5, 7  # descriptors of folders
OLD, NEW = calls.Path(b"old", AT), calls.Path(b"new", OTHER)
PLAIN = calls.Path(b"old")
MADE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC

CASES: list[tuple[str, tuple[int, ...], calls.Call]] = [
    ("openat", (AT, 1, WRITE), calls.Open(OLD, WRITE)),
    ("openat2", (AT, 1, 3, 24), calls.Open(OLD, os.O_RDWR, 8)),
    ("renameat", (AT, 1, OTHER, 2), calls.Rename(OLD, NEW)),
    ("renameat2", (AT, 1, OTHER, 2, 2), calls.Rename(OLD, NEW, 2)),
    ("truncate", (1, 9), calls.Truncate(PLAIN, 9)),
    ("fchmodat", (AT, 1, 0o644), calls.Chmod(OLD)),
    ("fchmodat2", (AT, 1, 0o644), calls.Chmod(OLD)),
    ("close", (FIRST,), calls.Close(FIRST)),
    ("dup3", (FIRST, 1), calls.Close(1)),
    ("fsync", (FIRST,), calls.Sync(FIRST)),
    ("fdatasync", (FIRST,), calls.Sync(FIRST)),
    ("exit_group", (0,), calls.Exit()),
]
OLDER: list[tuple[str, tuple[int, ...], calls.Call]] = [
    ("open", (1, WRITE), calls.Open(PLAIN, WRITE)),
    ("creat", (1, 0o600), calls.Open(PLAIN, MADE)),
    ("rename", (1, 2), calls.Rename(PLAIN, calls.Path(b"new"))),
    ("chmod", (1, 0o644), calls.Chmod(PLAIN)),
    ("dup2", (FIRST, 1), calls.Close(1)),
]


@pytest.mark.skipif(sys.platform == "win32", reason="needs the flags of POSIX")
@pytest.mark.parametrize(
    ("numbers", "name", "arguments", "call"),
    [(X86_64, *case) for case in CASES + OLDER] + [(ARM64, *case) for case in CASES],
)
def test_a_call_is_read_from_what_the_kernel_tells(
    numbers: Numbers, name: str, arguments: tuple[int, ...], call: calls.Call
) -> None:
    raw = struct.pack(
        "=QIIiIQ6Q",
        1 << 63, 4711, 0, getattr(numbers, name), numbers.architecture, 0,
        *[*arguments, 0, 0, 0, 0, 0][:6],
    )  # fmt: skip
    told = calls.parse(raw)
    assert (told.id, told.thread) == (1 << 63, 4711)
    assert calls.read(told, numbers, Memory(TEXTS)) == call


def test_the_working_directory_is_a_negative_number_in_an_unsigned_half() -> None:
    told = calls.Notification(1, 1, ARM64.openat, (0xFFFFFF9C, 1, WRITE, 0, 0, 0))
    assert calls.read(told, ARM64, Memory(TEXTS)) == calls.Open(PLAIN, WRITE)
