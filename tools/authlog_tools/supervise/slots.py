"""The calls that are not answered yet, in memory that outlives the supervisor.

The kernel puts each call right here. So when a supervisor is killed, the next one finds every call
that it had received, and nobody waits for an answer that never comes.
"""

import ctypes
import mmap
import struct

from authlog_tools.supervise import kernel

COUNT = 1024  # calls that may wait at once; more stay with the kernel
_SIZE = 128  # bytes: a notification, and how often it was tried
_THREAD = struct.Struct("=8xI")
_TRIES = struct.Struct("=I")


class Slots:
    """Places for calls; a place is free if it is all zeros."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, COUNT * _SIZE)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))

    def address(self, slot: int) -> int:
        """Return where a notification goes in."""
        return self._start + slot * _SIZE

    def raw(self, slot: int) -> bytes:
        """Return the bytes of the notification."""
        return self._memory[slot * _SIZE : slot * _SIZE + kernel.NOTIFICATION]

    def clear(self, slot: int) -> None:
        """Free a place: its call is answered."""
        self._memory[slot * _SIZE : (slot + 1) * _SIZE] = bytes(_SIZE)

    def is_taken(self, slot: int) -> bool:
        """Whether a call is there: one has a thread."""
        thread: int = _THREAD.unpack_from(self._memory, slot * _SIZE)[0]
        return thread != 0

    def tries(self, slot: int) -> int:
        """Return how many supervisors have died over it."""
        tries: int = _TRIES.unpack_from(self._memory, slot * _SIZE + kernel.NOTIFICATION)[0]
        return tries

    def count_tries(self) -> None:
        """Note that a supervisor has died over what is there."""
        for slot in filter(self.is_taken, range(COUNT)):
            place = slot * _SIZE + kernel.NOTIFICATION
            _TRIES.pack_into(self._memory, place, self.tries(slot) + 1)
