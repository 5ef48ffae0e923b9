"""Which numbers the kernel gives its system calls, for each machine that is known."""

import platform

from msgspec import Struct

ABSENT = -1  # the machine never had that call


class Numbers(Struct, frozen=True, kw_only=True):
    """The numbers of one machine; `architecture` is what a filter is told it is.

    Source: the kernel's arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h
    and include/uapi/linux/audit.h.
    """

    architecture: int
    seccomp: int
    open: int = ABSENT
    creat: int = ABSENT
    openat: int
    openat2: int = 437
    rename: int = ABSENT
    renameat: int
    renameat2: int
    truncate: int
    chmod: int = ABSENT
    fchmodat: int
    fchmodat2: int = 452
    close: int
    dup2: int = ABSENT
    dup3: int
    fsync: int
    fdatasync: int
    exit_group: int
    io_uring_setup: int = 425


X86_64 = Numbers(
    architecture=0xC000003E,
    seccomp=317,
    open=2,
    creat=85,
    openat=257,
    rename=82,
    renameat=264,
    renameat2=316,
    truncate=76,
    chmod=90,
    fchmodat=268,
    close=3,
    dup2=33,
    dup3=292,
    fsync=74,
    fdatasync=75,
    exit_group=231,
)
ARM64 = Numbers(
    architecture=0xC00000B7,
    seccomp=277,
    openat=56,
    renameat=38,
    renameat2=276,
    truncate=45,
    fchmodat=53,
    close=57,
    dup3=24,
    fsync=82,
    fdatasync=83,
    exit_group=94,
)

BY_MACHINE = {"x86_64": X86_64, "aarch64": ARM64}


def here() -> Numbers | None:
    """Return the numbers of this machine, None if they are not known."""
    return BY_MACHINE.get(platform.machine())
