"""The filter: which system calls the supervisor is asked about. Pure.

Everything else runs at full speed, and the kernel remembers for most of it that it may. A call by
the numbers of another machine (32 bits, x32) is let through unseen.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from authlog_tools.supervise.numbers import ABSENT, Numbers

FEW = 64  # descriptors: of those beginning at `first`, `close` is asked about

# What a filter answers. Source: include/uapi/linux/seccomp.h.
ALLOW = 0x7FFF0000
ASK = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
REFUSE = 0x00050000  # SECCOMP_RET_ERRNO, the errno in the lower half
NO_SUCH_CALL = REFUSE | 38  # ENOSYS

# Source: include/uapi/linux/bpf_common.h.
LOAD = 0x20  # a word of what the filter is told, at offset `k`
IS = 0x15
IS_AT_LEAST = 0x35
HAS_ANY_OF = 0x45
ANSWER = 0x06

NUMBER, ARCHITECTURE = 0, 4  # offsets in struct seccomp_data

WRITING = os.O_ACCMODE | os.O_TRUNC if os.name == "posix" else 0


class Instruction(NamedTuple):
    """One of them, as the kernel takes it: `yes` and `no` are how many it skips."""

    code: int
    yes: int
    no: int
    k: int


def program(numbers: Numbers, first: int) -> list[Instruction]:
    """Return the filter for a machine; `first` is the lowest descriptor given for a copy."""
    made = [
        Instruction(LOAD, 0, 0, ARCHITECTURE),
        Instruction(IS, 1, 0, numbers.architecture),
        Instruction(ANSWER, 0, 0, ALLOW),
        Instruction(LOAD, 0, 0, NUMBER),
    ]
    for number, then in _rules(numbers, first):
        if number != ABSENT:
            made += [Instruction(IS, 0, len(then), number), *then]
    return [*made, Instruction(ANSWER, 0, 0, ALLOW)]


def _rules(numbers: Numbers, first: int) -> Iterator[tuple[int, list[Instruction]]]:
    """Yield (system call, what is done with it)."""
    yield numbers.openat, _if_writing(2)
    yield numbers.open, _if_writing(1)
    for number in (numbers.close, numbers.fsync, numbers.fdatasync):
        yield number, _if_given(first)
    always = (
        numbers.creat, numbers.openat2, numbers.rename, numbers.renameat, numbers.renameat2,
        numbers.truncate, numbers.chmod, numbers.fchmodat, numbers.fchmodat2, numbers.dup2,
        numbers.dup3, numbers.exit_group,
    )  # fmt: skip
    for number in always:
        yield number, [Instruction(ANSWER, 0, 0, ASK)]
    # It opens files where no filter sees it; programs that use it do without.
    yield numbers.io_uring_setup, [Instruction(ANSWER, 0, 0, NO_SUCH_CALL)]


def _if_writing(argument: int) -> list[Instruction]:
    return [
        Instruction(LOAD, 0, 0, _argument(argument)),
        Instruction(HAS_ANY_OF, 0, 1, WRITING),
        Instruction(ANSWER, 0, 0, ASK),
        Instruction(ANSWER, 0, 0, ALLOW),
    ]


def _if_given(first: int) -> list[Instruction]:
    return [
        Instruction(LOAD, 0, 0, _argument(0)),
        Instruction(IS_AT_LEAST, 0, 2, first),
        Instruction(IS_AT_LEAST, 1, 0, first + FEW),
        Instruction(ANSWER, 0, 0, ASK),
        Instruction(ANSWER, 0, 0, ALLOW),
    ]


def _argument(number: int) -> int:
    """Return the offset of an argument's lower half; both machines are little-endian."""
    return 16 + 8 * number
