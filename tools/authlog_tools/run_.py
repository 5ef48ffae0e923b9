"""Run a command; none of its writes to the snapshot is lost (Linux).

The command and all it starts get a private copy of auth.json for each write. When it is closed,
what was meant is told as an event and auth.json is rebuilt; then the close returns. The command
needs no change and no root, and keeps its terminal, signals, job control and exit status. Programs
that become another user (sudo) don't work inside.

for example:
  authlog run opencode
  authlog run --for codex -- codex --help
"""

import argparse
import os
import shlex
import shutil
import sys
import time
from pathlib import Path
from typing import NoReturn

from authlog import AuthLog
from authlog_tools.failures import Failure
from authlog_tools.opened import open_log

INSIDE = "AUTHLOG_RUN"  # in the command's environment: the snapshot that it is protected for

BEGINS = 5.0  # s that a guard may take until it works

NOT_FOUND, NOT_RUNNABLE, IMPOSSIBLE = 127, 126, 5  # exit codes; the first two as shells have them


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's own arguments."""
    parser.add_argument("-v", "--verbose", action="store_true", help="say each decision on stderr")
    parser.add_argument(
        "--or-guard",
        action="store_true",
        help="where this can't be had, run `authlog guard` beside the command",
    )
    parser.add_argument("words", metavar="COMMAND", nargs=argparse.REMAINDER)


def run(options: argparse.Namespace) -> int:
    """Do it; return only if the command can't be run."""
    command = options.words[1:] if options.words[:1] == ["--"] else options.words
    if not command:
        raise Failure("run", "no command is given", "authlog run -- COMMAND ...", code=2)
    program = _found(command[0])
    log = open_log(options)
    if not _is_inside(log.path):
        log.adopt()
        _protect(options, log, command[0])
    os.environ[INSIDE] = str(log.path)
    _become(program, command)


def _found(name: str) -> str:
    """Return the program's file.

    Raises:
        Failure: there is none, or it can't be run.

    """
    if program := shutil.which(name):
        return program
    if "/" in name and Path(name).exists():
        raise Failure(name, "can't be run", "is it executable?", code=NOT_RUNNABLE)
    if shutil.which(name, os.F_OK):
        raise Failure(name, "found, and can't be run", "is it executable?", code=NOT_RUNNABLE)
    raise Failure(name, "command not found", code=NOT_FOUND)


def _is_inside(path: Path) -> bool:
    """Whether this process is protected for that snapshot already."""
    if os.environ.get(INSIDE) != str(path):
        return False
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "\nSeccomp:\t2\n" in status


def _protect(options: argparse.Namespace, log: AuthLog, name: str) -> None:
    """Put this process, which becomes the command, under the filter.

    Raises:
        Failure: it can't be done here.

    """
    reason = "needs Linux"
    if sys.platform == "linux":
        from authlog_tools.supervise import numbers, start
        from authlog_tools.supervise.keeper import Setup

        known = numbers.here()
        reason = "needs x86-64 or arm64"
        if known is not None:
            try:
                start.probe(known)
            except start.Unavailable as error:
                reason = str(error)
            else:
                _say(
                    options,
                    f"no write of {name} to {log.path} is lost; sudo and the like, and "
                    "programs of 32 bits, are not for inside",
                )
                terminal = os.ttyname(2) if os.isatty(2) else None
                start.protect(
                    Setup(
                        log.path, log.seq(), known, start.first_number(), options.verbose, terminal
                    )
                )
                return
    if not options.or_guard:
        raise Failure(
            "run",
            f"not possible here: {reason}",
            "--or-guard runs `authlog guard` beside the command instead, which may miss a write",
            code=IMPOSSIBLE,
        )
    _say(
        options,
        f"not possible here ({reason}); `authlog guard` watches {log.path} instead: "
        "writes at the same moment may be missed, it reports those it sees",
    )
    _guard(log.path)


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.quiet:
        print(f"authlog: {text}", file=sys.stderr)


def _guard(path: Path) -> None:
    """Start a guard that ends with this process, as nobody's child."""
    import subprocess

    command = [sys.executable, "-m", "authlog_tools", "guard", "--path", str(path)]
    command += ["--while", str(os.getpid())]
    shell = f"exec {shlex.join(command)} </dev/null >/dev/null 2>&1 &"
    subprocess.run(["/bin/sh", "-c", shell], check=True, start_new_session=True)
    from authlog_tools.guarding import holder
    from authlog_tools.guarding.places import Places

    end = time.monotonic() + BEGINS
    while holder.status(Places(path).lock) is None and time.monotonic() < end:
        time.sleep(0.01)


def _become(program: str, command: list[str]) -> NoReturn:
    """Become the command: its process, its terminal, its exit status are this one's."""
    from authlog_tools.supervise import start

    sys.stdout.flush()
    sys.stderr.flush()
    start.restore_signals()
    try:
        try:
            os.execv(program, command)
        except OSError as error:
            import errno

            if error.errno != errno.ENOEXEC:
                raise
            os.execv("/bin/sh", ["/bin/sh", program, *command[1:]])  # as shells do
    except OSError as error:
        raise Failure(command[0], f"can't be run ({error.strerror})", code=NOT_RUNNABLE) from None
