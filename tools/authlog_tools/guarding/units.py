"""Starting a guard with the session: a systemd user unit, a launchd plist."""

import plistlib
import sys
from collections.abc import Sequence
from pathlib import Path

NAME = "authlog-guard"


def systemd(command: Sequence[str], path: Path) -> str:
    """Return a user unit: ~/.config/systemd/user/authlog-guard.service.

    Source: man 5 systemd.service, man 5 systemd.exec.
    """
    return f"""\
# Save as ~/.config/systemd/user/{NAME}.service, then: systemctl --user enable --now {NAME}
[Unit]
Description=authlog guard of {_escaped(str(path))}

[Service]
ExecStart={" ".join(_quoted(word) for word in command)}
Restart=always
RestartSec=1
NoNewPrivileges=yes
LockPersonality=yes
MemoryDenyWriteExecute=no
RestrictRealtime=yes
UMask=0077

[Install]
WantedBy=default.target
"""


def launchd(command: Sequence[str]) -> str:
    """Return an agent's plist: ~/Library/LaunchAgents/authlog-guard.plist.

    Source: man 5 launchd.plist.
    """
    agent = {
        "Label": NAME,
        "ProgramArguments": list(command),
        "RunAtLoad": True,
        "KeepAlive": True,
        "ProcessType": "Background",
        "Umask": 0o077,
    }
    return plistlib.dumps(agent).decode()


def command(path: Path) -> list[str]:
    """Return what starts this authlog's guard of an auth.json."""
    return [sys.executable, "-m", "authlog_tools", "guard", "--path", str(path)]


def printed(kind: str, path: Path) -> str:
    """Return the unit of that kind, `systemd` or `launchd`."""
    return systemd(command(path), path) if kind == "systemd" else launchd(command(path))


def _quoted(word: str) -> str:
    """Return a word as systemd reads it: quoted, without its specifiers and variables."""
    word = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_escaped(word)}"'.replace("$", "$$")


def _escaped(word: str) -> str:
    return word.replace("%", "%%")
