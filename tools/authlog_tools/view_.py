"""Open the history as a local web page: who changed which login, when, from what to what.

The page is served to this machine only, to the browser that is opened here, until Ctrl-C. From
another machine: authlog view --print --port 8765, there: ssh -L 8765:127.0.0.1:8765 HOST, and open
the printed address, which works once.

Needs: pip install 'authlog[view]'
"""

import argparse
import threading
import webbrowser

from authlog_tools.failures import Failure
from authlog_tools.opened import open_log


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="listen there: any")
    parser.add_argument("--print", action="store_true", help="only print the address, for scripts")
    parser.add_argument("--no-open", action="store_true", help="don't open a browser")


def run(options: argparse.Namespace) -> int:
    """Do it, until Ctrl-C."""
    try:
        from authlog_tools.page import app, guard, server
    except ModuleNotFoundError as error:
        missing = f"needs {error.name}, which is not installed"
        raise Failure("view", missing, "pip install 'authlog[view]'", code=2) from None
    log = open_log(options)
    try:
        listening = server.listen(options.port)
    except OSError as error:
        raise Failure(
            f"port {options.port}",
            f"can't be listened at ({error.strerror})",
            "try another: --port N",
        ) from None
    with listening:
        site = app.Site(log)
        guarded = guard.Guard(site.app(), int(listening.getsockname()[1]))
        if options.print or options.quiet:
            print(guarded.link, flush=True)
        else:
            print(f"The history of {log.path} is at\n  {guarded.link}", flush=True)
            print("The link works once. Ctrl-C ends it.", flush=True)
        if not options.print and not options.no_open:
            # On a thread: a browser in a terminal is waited for, and needs us to answer.
            threading.Thread(target=webbrowser.open, args=(guarded.link,), daemon=True).start()
        server.serve(guarded, listening, site.bell.end)
    return 130  # Ctrl-C, which the server may have kept to itself; nothing else ends it


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} is no port")
    return port
