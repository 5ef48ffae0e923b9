"""What the gate and the teller say to each other: two processes, so that neither waits for the
other's interpreter.

Down to the teller go frames of MessagePack, each behind its length; up to the gate go packets,
which carry descriptors.
"""

import contextlib
import os
import socket
import struct

import msgspec

_LENGTH = struct.Struct("=I")


class Wrote(msgspec.Struct, frozen=True, tag=True):
    """Tell what was written into the file with that number; `stat` is its inode, mtime and size."""

    content: bytes
    stat: tuple[int, int, int]
    shown: int


class Rebuild(msgspec.Struct, frozen=True, tag=True):
    """Tell what stands in auth.json, and give it a new file."""


class Sync(msgspec.Struct, frozen=True, tag=True):
    """Sync auth.json: a file that nobody synced took the place."""


class Made(msgspec.Struct, frozen=True, tag=True):
    """A leased file is about to be auth.json: with its descriptor, and that of its spare."""

    shown: int


class Told(msgspec.Struct, frozen=True, tag=True):
    """A foreign write was told."""


class Vain(msgspec.Struct, frozen=True, tag=True):
    """A program wrote and changed nothing that it could see, while newer logins were not shown."""


Down = Wrote | Rebuild | Sync
Up = Made | Told | Vain

_down = msgspec.msgpack.Decoder(Down)
_up = msgspec.msgpack.Decoder(Up)
_encode = msgspec.msgpack.Encoder().encode


class ToTeller:
    """The gate's end: never waits."""

    def __init__(self, down: socket.socket, up: socket.socket) -> None:
        self._down = down
        self._up = up
        self._rest = bytearray()

    @property
    def busy(self) -> bool:
        """Whether something has yet to be sent."""
        return bool(self._rest)

    def send(self, message: Down) -> None:
        """Send it as soon as the teller takes it."""
        body = _encode(message)
        self._rest += _LENGTH.pack(len(body)) + body
        self.flush()

    def flush(self) -> None:
        """Send what the teller takes.

        Raises:
            BrokenPipeError: it has ended.

        """
        with contextlib.suppress(BlockingIOError):
            while self._rest:
                del self._rest[: self._down.send(self._rest, socket.MSG_DONTWAIT)]

    def receive(self) -> tuple[Up, list[int]] | None:
        """Return the next message and its descriptors, None if there is none.

        Raises:
            EOFError: the teller has ended.

        """
        try:
            body, descriptors, _, _ = socket.recv_fds(self._up, 4096, 2, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        if not body:
            raise EOFError
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return _up.decode(body), descriptors

    def end(self) -> None:
        """Say that nothing more will come: then the teller ends, after it has told all."""
        self._down.shutdown(socket.SHUT_WR)


class ToGate:
    """The teller's end."""

    def __init__(self, down: socket.socket, up: socket.socket) -> None:
        self._frames = down.makefile("rb")
        self._down = down
        self._up = up

    def receive(self) -> Down | None:
        """Wait for the next message; None if there will be none."""
        head = self._frames.read(_LENGTH.size)
        if len(head) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack(head)
        message: Down = _down.decode(self._frames.read(length))
        return message

    @property
    def has_more(self) -> bool:
        """Whether another message is there."""
        try:
            return bool(self._down.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return False

    def send(self, message: Up, descriptors: list[int] | None = None) -> None:
        """Send it; without anybody there: nothing."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            socket.send_fds(self._up, [_encode(message)], descriptors or [])


def pair() -> tuple[socket.socket, socket.socket, socket.socket, socket.socket]:
    """Return the gate's two sockets, down and up, and then the teller's."""
    down, downs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    up, ups = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return down, up, downs, ups
