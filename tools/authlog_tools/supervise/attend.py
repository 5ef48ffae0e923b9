"""Where only a parent may look into a process (Yama): a parent that stays, and looks for others.

The command is its child then, in the same process group: what the terminal sends reaches both. What
is sent to this process alone is passed on, and it stops, goes on and ends as the command does.
"""

import os
import resource
import signal
import socket
import struct
import threading
from typing import NoReturn

from authlog_tools.supervise import kernel
from authlog_tools.supervise.processes import ThreadMemory

_REQUEST = struct.Struct("=IIQI")  # who asks, thread, address, size; 0 is a text
_ANSWER = struct.Struct("=II")  # who asked, errno
_LARGEST = 8192  # bytes of an answer; a path has at most 4096

_OF_CHILDREN = (signal.SIGCHLD,)
_FROM_KERNEL = 0x80  # SI_KERNEL: the terminal sent it, to the whole group
_TAKEN = frozenset(signal.valid_signals()) - {
    signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
    signal.SIGTRAP, signal.SIGABRT, signal.SIGPIPE,
}  # fmt: skip


class AskedMemory:
    """The memory of a thread, read by the parent that may."""

    def __init__(self, channel: socket.socket, thread: int) -> None:
        self._channel = channel
        self._thread = thread

    def text(self, address: int) -> bytes:
        """Return what stands there up to a zero."""
        return self._ask(address, 0)

    def read(self, address: int, size: int) -> bytes:
        """Return so many bytes."""
        return self._ask(address, size)

    def _ask(self, address: int, size: int) -> bytes:
        self._channel.send(_REQUEST.pack(os.getpid(), self._thread, address, size))
        while answer := self._channel.recv(_LARGEST):
            asker, error = _ANSWER.unpack_from(answer)
            if asker != os.getpid():
                continue  # what a supervisor had asked for that was killed
            if error:
                raise OSError(error, os.strerror(error))
            return answer[_ANSWER.size :]
        raise ProcessLookupError(self._thread)  # the parent has ended, with its command


def fork_command(channel: socket.socket) -> None:
    """Return in a child; this process attends it and ends as it does."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _TAKEN)
    parent, child = os.getpid(), os.fork()
    if child:
        _attend(child, channel)
    kernel.die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    channel.close()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _attend(child: int, channel: socket.socket) -> NoReturn:
    kernel.adopt_orphans()
    threading.Thread(target=_serve, args=(channel,), daemon=True).start()
    while True:
        _note_changes(child)
        told = signal.sigwaitinfo(_TAKEN)
        if told.si_code != _FROM_KERNEL and told.si_signo not in _OF_CHILDREN:
            _pass_on(told, child)


def _pass_on(told: signal.struct_siginfo, child: int) -> None:
    """Send the child what was sent to this process; what it sent itself to both, it has."""
    if told.si_pid != child:
        os.kill(child, told.si_signo)


def _note_changes(child: int) -> None:
    """Stop or end as the child has done; others that have ended are forgotten."""
    while True:
        try:
            process, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return
        if process == 0:
            return
        if process != child:
            continue
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)
            os.kill(child, signal.SIGCONT)  # somebody has let this process go on
        else:
            _end_as(status)


def _end_as(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has left its own
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def _serve(channel: socket.socket) -> None:
    """Read what is asked for, until nobody is left who could ask."""
    while request := channel.recv(_REQUEST.size):
        asker, thread, address, size = _REQUEST.unpack(request)
        memory = ThreadMemory(thread)
        try:
            found = memory.read(address, size) if size else memory.text(address)
        except OSError as error:
            channel.send(_ANSWER.pack(asker, error.errno or 1))
        else:
            channel.send(_ANSWER.pack(asker, 0) + found)
