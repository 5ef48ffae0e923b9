"""What of the kernel no module of Python calls: the filter of system calls and its listener.

Source: man 2 seccomp, man 2 seccomp_unotify, include/uapi/linux/seccomp.h.
"""

import ctypes
import errno
import fcntl
import os
import signal
import struct
from collections.abc import Sequence

from authlog_tools.supervise.bpf import Instruction
from authlog_tools.supervise.numbers import Numbers

NOTIFICATION = 80  # bytes of struct seccomp_notif

_NO_NEW_PRIVS = 38
_SET_NAME = 15
_PARENT_DEATH = 1
_SUBREAPER = 36
_SET_FILTER = 1
_NEW_LISTENER = 1 << 3
_WAIT_KILLABLE = 1 << 5  # only a fatal signal interrupts a call that was received
_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_VALID = 0x40082102
_ADD = 0x40182103
_CONTINUE = 1
_AT = 1 << 0  # SECCOMP_ADDFD_FLAG_SETFD

_libc = ctypes.CDLL(None, use_errno=True)


class _Filter(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_ushort),
        ("yes", ctypes.c_ubyte),
        ("no", ctypes.c_ubyte),
        ("k", ctypes.c_uint),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Filter))]


def listen(program: Sequence[Instruction], numbers: Numbers) -> int:
    """Put this process and all it will start under the filter; return the listener.

    Raises:
        OSError: EBUSY if there is a listener already; others if the kernel can't or may not.

    """
    _checked(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0))
    filters = (_Filter * len(program))(*(_Filter(*one) for one in program))
    given = _Program(len(program), filters)
    try:
        return _seccomp(numbers, _NEW_LISTENER | _WAIT_KILLABLE, given)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return _seccomp(numbers, _NEW_LISTENER, given)  # before Linux 5.19


def _seccomp(numbers: Numbers, flags: int, given: _Program) -> int:
    call = ctypes.c_long(numbers.seccomp)
    return _checked(_libc.syscall(call, _SET_FILTER, flags, ctypes.byref(given)))


def receive(listener: int, address: int) -> None:
    """Wait for a call and put it where zeros are, at `address`: there it is before it is ours.

    Raises:
        OSError: ENOENT if whoever called has gone.

    """
    _checked(_libc.ioctl(listener, ctypes.c_ulong(_RECEIVE), ctypes.c_void_p(address)))


def let(listener: int, id: int) -> None:
    """Let the kernel do the call."""
    fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", id, 0, 0, _CONTINUE))


def answer(listener: int, id: int, error: int = 0) -> None:
    """Answer a call in the kernel's place: done, or refused with an errno."""
    fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", id, 0, -error, 0))


def is_waiting(listener: int, id: int) -> bool:
    """Whether the caller still waits: then what was read of it is its own."""
    try:
        fcntl.ioctl(listener, _VALID, struct.pack("=Q", id))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
        return False
    return True


def give(listener: int, id: int, descriptor: int, at: int | None, *, cloexec: bool) -> None:
    """Answer a call with a descriptor, under the number `at` or the lowest that is free.

    In two steps: who is killed in the one that does both leaves the caller with an answer and
    without a descriptor.

    Raises:
        OSError: EBADF: its number is past the process's limit; ENOENT: the caller has gone.

    """
    flags = 0 if at is None else _AT
    mode = os.O_CLOEXEC if cloexec else 0
    asked = struct.pack("=QIIII", id, flags, descriptor, at or 0, mode)
    number = _checked(_libc.ioctl(listener, ctypes.c_ulong(_ADD), asked))
    fcntl.ioctl(listener, _SEND, struct.pack("=QqiI", id, number, 0, 0))


def die_with_parent() -> None:
    """Let this process be killed when the one that forked it ends."""
    _checked(_libc.prctl(_PARENT_DEATH, signal.SIGKILL, 0, 0, 0))


def adopt_orphans() -> None:
    """Become the parent of descendants whose own has ended."""
    _checked(_libc.prctl(_SUBREAPER, 1, 0, 0, 0))


def set_name(name: bytes) -> None:
    """Set the name under which lists of processes show this one."""
    _checked(_libc.prctl(_SET_NAME, name, 0, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
