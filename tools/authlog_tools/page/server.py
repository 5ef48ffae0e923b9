"""The server's life: it listens before anybody is told where, and ends at once when asked to."""

import os
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

GRACE = 1  # s that requests under way may take when it ends


def listen(port: int) -> socket.socket:
    """Return a socket that listens on this machine only, at `port` or, for 0, at a free one."""
    return socket.create_server(("127.0.0.1", port))


def serve(app: ASGIApp, listening: socket.socket, ending: Callable[[], None]) -> None:
    """Answer requests until Ctrl-C or SIGTERM, which it raises again when it has ended.

    `ending` is called when it begins to end. It prints nothing, unless AUTHLOG_DEBUG is 1: an
    answer that a signal cut short is nobody's mistake.
    """
    config = uvicorn.Config(
        app,
        access_log=False,
        date_header=False,
        log_level="error" if os.environ.get("AUTHLOG_DEBUG") == "1" else "critical",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        ws="none",
    )
    _Server(config, ending).run(sockets=[listening])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._ending = ending

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; streams have to be told, since nothing else ends them."""
        self._ending()
        super().handle_exit(sig, frame)
