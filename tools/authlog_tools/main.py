"""Choose the subcommand, run it, and turn what went wrong into a message and an exit code.

Only the module of the command that runs is imported. Exit codes: 0 done; 1 the answer is no; 2 used
wrongly; 3 damage found; 4 somebody holds the lock; 5 not allowed or refused; 6 the disk refused;
130 Ctrl-C.
"""

import argparse
import difflib
import importlib
import os
import sys
import textwrap
from collections.abc import Sequence
from shutil import get_terminal_size
from types import ModuleType

from authlog_tools import failures
from authlog_tools.commands import COMMANDS, GROUPS, PRESETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with these arguments, those of the process if None; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in given
    try:
        code = _run(given)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except Exception as error:
        if os.environ.get("AUTHLOG_DEBUG") == "1":
            raise
        return failures.tell(error, as_json=as_json)
    return code


def _run(given: list[str]) -> int:
    name, rest = _split(given)
    if name == "help":
        name, rest = _split([*rest, "--help"])
    if name is None:
        return _without_command(rest)
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean {near[0]}?" if near else "authlog --help lists the commands"
        raise failures.Failure(name, "there is no such command", hint, code=2)
    module = importlib.import_module(f"authlog_tools.{name}_")
    parser = _parser(name, module)
    prepared = getattr(module, "prepared", None)
    options = parser.parse_args(prepared(rest) if prepared else rest)
    options.command = name
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None and name != "get":
        # A name may hold what the output's encoding does not; a secret must not be changed.
        reconfigure(errors="backslashreplace")
    code: int = module.run(options)
    return code


def _split(given: list[str]) -> tuple[str | None, list[str]]:
    """Return the command and the other arguments; common options may stand before it."""
    takes_value = False
    for place, argument in enumerate(given):
        if takes_value:
            takes_value = False
        elif argument in ("--path", "--for"):
            takes_value = True
        elif not argument.startswith("-"):
            return argument, given[:place] + given[place + 1 :]
    return None, given


def _without_command(rest: list[str]) -> int:
    if "--version" in rest:
        from importlib.metadata import version

        print(f"authlog {version('authlog')} (Python {sys.version.split()[0]}, format 1)")
        return 0
    wrong = [argument for argument in rest if argument not in ("-h", "--help")]
    if wrong:
        raise failures.Failure(wrong[0], "no command is given", "see authlog --help", code=2)
    print(_overview())
    return 0 if rest else 2


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = ["usage: authlog [--path FILE | --for PROGRAM] COMMAND ...", ""]
    for group, names in GROUPS.items():
        lines.append(group)
        lines += [f"  {name:{width}}{COMMANDS[name]}" for name in names]
        lines.append("")
    lines += [
        "Which file: --path FILE, --for " + "|".join(PRESETS) + ", AUTHLOG_PATH,",
        "else opencode's own. authlog help COMMAND shows a command's options.",
    ]
    return "\n".join(lines)


def _parser(name: str, module: ModuleType) -> argparse.ArgumentParser:
    """Return the parser of a command: what the module says, its own options, the common ones."""
    about, begins, examples = (module.__doc__ or "").partition("for example:")
    parser = argparse.ArgumentParser(
        prog=f"authlog {name}",
        description=_filled(about),
        epilog=begins + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    common = parser.add_argument_group("common to all commands")
    which = common.add_mutually_exclusive_group()
    which.add_argument("--path", metavar="FILE", help="the auth.json to work on")
    which.add_argument(
        "--for",
        dest="program",
        metavar="PROGRAM",
        choices=PRESETS,
        help=f"that of {', '.join(PRESETS)}",
    )
    common.add_argument("--json", action="store_true", help="print for programs")
    common.add_argument("--no-color", action="store_true", help="print without colour")
    common.add_argument("-q", "--quiet", action="store_true", help="print no more than asked for")
    return parser


def _filled(about: str) -> str:
    """Return paragraphs as wide as the terminal, but no wider than can be read."""
    width = min(get_terminal_size().columns, 100)
    return "\n\n".join(textwrap.fill(part, width) for part in about.strip().split("\n\n"))
