"""The server's life: it listens before anybody is told where, and ends at once when asked to."""

import socket

import uvicorn
from starlette.types import ASGIApp

GRACE = 1  # s that requests under way may take when it ends; streams end at once


def listen(port: int) -> socket.socket:
    """Return a socket that listens on this machine only, at `port` or, for 0, at a free one."""
    return socket.create_server(("127.0.0.1", port))


def serve(app: ASGIApp, listening: socket.socket) -> None:
    """Answer requests until Ctrl-C or SIGTERM, which it raises again when it has ended."""
    config = uvicorn.Config(
        app,
        access_log=False,
        date_header=False,
        log_level="error",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listening])
