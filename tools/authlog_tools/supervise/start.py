"""From the process that becomes the command: is it possible here, the keeper, the filter."""

import contextlib
import errno
import os
import signal
import socket
import sys
from collections.abc import Iterable

from authlog_tools.supervise import attend, bpf, kernel
from authlog_tools.supervise.keeper import Keeper, Setup
from authlog_tools.supervise.numbers import Numbers

HIGHEST = 4096  # descriptors of copies lie below it: a process's table of them stays small

_GOOD = 0
_PARENTS = 1  # a parent may read. Source: Documentation/admin-guide/LSM/Yama.rst
_IGNORED = (  # they are meant for the command, which the keeper must outlive
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGIO,
)  # fmt: skip


class Unavailable(Exception):
    """This kernel can't do it, or may not."""


def first_number() -> int:
    """Return the lowest descriptor to give for a copy, below this process's limit."""
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(3, min(soft if soft > 0 else HIGHEST, HIGHEST) - bpf.FEW)


def probe(numbers: Numbers) -> None:
    """Try it in a child.

    Raises:
        Unavailable: it can't be done here.

    """
    child = os.fork()
    if child == 0:
        code = errno.EINVAL
        try:
            code = _try(numbers)
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == errno.EBUSY:
        raise Unavailable("another supervisor is listening already: this runs inside one")
    if code != _GOOD:
        reason = os.strerror(code) if code > 0 else f"killed by signal {-code}"
        raise Unavailable(f"the kernel or the container refuses seccomp notifications ({reason})")
    only_parents_read()


def _try(numbers: Numbers) -> int:
    """Return 0 if a listener can be had that takes descriptors, else an errno."""
    allow = [bpf.Instruction(bpf.ANSWER, 0, 0, bpf.ALLOW)]
    try:
        listener = kernel.listen(allow, numbers)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        kernel.give(listener, 1, 0, None, cloexec=True)
    except OSError as error:
        return _GOOD if error.errno == errno.ENOENT else error.errno or errno.EIO
    return _GOOD


def only_parents_read() -> bool:
    """Whether only its parents may read a process's memory (Yama).

    Raises:
        Unavailable: not even they may.

    """
    try:
        with open("/proc/sys/kernel/yama/ptrace_scope", "rb") as scope:
            level = int(scope.read())
    except (OSError, ValueError):
        return False
    if level > _PARENTS and os.geteuid() != 0:
        raise Unavailable(f"kernel.yama.ptrace_scope is {level}: no path can be read")
    return level == _PARENTS and os.geteuid() != 0


def protect(setup: Setup) -> None:
    """Put this process under the filter; a keeper that outlives it answers its calls.

    If only parents may read, return in a child that is under it.
    """
    if only_parents_read():
        reader, asker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with asker:
            channel = _start_keeper(setup._replace(asker=asker))
        attend.fork_command(reader)
    else:
        channel = _start_keeper(setup)
    with channel:
        listener = kernel.listen(bpf.program(setup.numbers, setup.first), setup.numbers)
        socket.send_fds(channel, [b"listener"], [listener])
        os.close(listener)
        if not channel.recv(1):
            os.kill(os.getpid(), signal.SIGKILL)  # nobody would answer its exit


def restore_signals() -> None:
    """Let the command find the signals that Python ignores as they usually are."""
    for name in ("SIGPIPE", "SIGXFZ", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)


def _start_keeper(setup: Setup) -> socket.socket:
    """Start it as nobody's child, so that the command has none that it doesn't know."""
    sys.stdout.flush()
    sys.stderr.flush()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    between = os.fork()
    if between == 0:
        try:
            ours.close()
            if os.fork() == 0:
                _keep(setup, theirs)
        finally:
            os._exit(0)
    theirs.close()
    os.waitpid(between, 0)
    return ours


def _keep(setup: Setup, channel: socket.socket) -> None:
    kept = [channel] if setup.asker is None else [channel, setup.asker]
    _detach([one.fileno() for one in kept], verbose=setup.verbose)
    kernel.set_name(b"authlog-keep")
    _, listeners, _, _ = socket.recv_fds(channel, 16, 1)
    keeper = Keeper(setup, listeners[0])
    channel.send(b"+")
    channel.close()
    keeper.keep()


def _detach(kept: Iterable[int], *, verbose: bool) -> None:
    """Leave the terminal, the folder and every descriptor, on whose end somebody may wait."""
    os.setsid()
    os.chdir("/")
    os.umask(0o077)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1) if verbose else (0, 1, 2):
        os.dup2(null, standard)
    kept = {0, 1, 2, *kept}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # the one that listed them
                os.close(int(name))
