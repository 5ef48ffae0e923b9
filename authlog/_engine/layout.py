"""Which files there are and what they are called.

Nothing else in the library spells a name; `guard/` beside the segments is that of the command
`authlog guard`. Quarantined files hold the bytes as they were found; the name says why
and where they come from, the file's mtime when.
"""

import os
import re
from pathlib import Path

SEGMENT_NAME = re.compile(r"(\d{6,})\.jsonl")


class Layout:
    """The paths of one store, from the path of its snapshot.

    A symbolic link at that path is followed first: the log lies beside the real file.
    """

    def __init__(self, path: Path) -> None:
        self.snapshot = Path(os.path.realpath(path))
        self.parent = self.snapshot.parent
        self.folder = self.parent / f"{self.snapshot.name}.log"
        self.next = self.folder / "next.json"
        self.mark = self.folder / "published.json"
        self.append_lock = self.folder / "append.lock"
        self.publish_lock = self.folder / "publish.lock"
        self.refresh_locks = self.folder / "refresh"
        self.quarantine = self.folder / "quarantine"
        self._segments: dict[int, Path] = {}

    def segment(self, number: int) -> Path:
        """Return the path of segment `number`: 1, 2, 3 ..."""
        path = self._segments.get(number)
        if path is None:
            self._segments[number] = path = self.folder / f"{number:06d}.jsonl"
        return path

    def segment_being_written(self, number: int) -> Path:
        """Return the path at which segment `number` is written before it gets its name."""
        return self.folder / f"{number:06d}.jsonl.tmp"

    def torn_tail(self, number: int, offset: int, digest: str) -> Path:
        """Return where the bytes from `offset` of segment `number` are kept."""
        return self.quarantine / f"torn-tail-{number:06d}-{offset}-{digest}.jsonl"

    def damaged_segment(self, number: int, digest: str) -> Path:
        """Return where the bytes of a damaged segment are kept."""
        return self.quarantine / f"damaged-segment-{number:06d}-{digest}.jsonl"

    def replaced_mark(self, digest: str) -> Path:
        """Return where the mark of a damaged log is kept."""
        return self.quarantine / f"published-{digest}.json"

    def replaced_snapshot(self, digest: str) -> Path:
        """Return where a next.json is kept of which nobody knows any more whose it is."""
        return self.quarantine / f"replaced-snapshot-{digest}.json"

    def unreadable_snapshot(self, digest: str) -> Path:
        """Return where the bytes of a snapshot that is not a JSON object are kept."""
        return self.quarantine / f"unreadable-snapshot-{digest}.json"


def segment_number(name: str) -> int | None:
    """Return the number of the segment called `name`, None if that is not a segment's name."""
    found = SEGMENT_NAME.fullmatch(name)
    return int(found[1]) if found else None


def is_being_written(name: str) -> bool:
    """Whether that is the name of a segment that has yet to get its own."""
    return name.endswith(".jsonl.tmp")


def default_path() -> Path:
    """Return the snapshot's path where none is given: `AUTHLOG_PATH`, else opencode's own."""
    return Path(os.environ.get("AUTHLOG_PATH") or preset("opencode"))


def preset(program: str) -> Path:
    """Return where `program` keeps its logins: opencode, opencode-mcp, codex, claude or gemini.

    opencode keeps its own under `$XDG_DATA_HOME` on every system. In the files of Codex and Gemini
    CLI the top-level members are no logins of their own but the parts of one (`tokens`,
    `last_refresh`; `access_token`, `expiry_date`): what is filed as a provider is such a part, and
    whoever restores one alone mixes two logins. In Claude Code's, `claudeAiOauth` is the login, and
    others may stand beside it.

    Source: the programs' own documentation of CODEX_HOME and CLAUDE_CONFIG_DIR; Gemini CLI's
    `OAUTH_FILE`, below `~/.gemini`.

    Raises:
        ValueError: no such preset.

    """
    match program:
        case "opencode":
            return _data_home() / "opencode" / "auth.json"
        case "opencode-mcp":
            return _data_home() / "opencode" / "mcp-auth.json"
        case "codex":
            return Path(os.environ.get("CODEX_HOME") or Path.home() / ".codex") / "auth.json"
        case "claude":
            folder = os.environ.get("CLAUDE_CONFIG_DIR") or Path.home() / ".claude"
            return Path(folder) / ".credentials.json"
        case "gemini":
            return Path.home() / ".gemini" / "oauth_creds.json"
        case _:
            raise ValueError(f"no preset is called {program!r}: {', '.join(PRESETS)}")


PRESETS = ("opencode", "opencode-mcp", "codex", "claude", "gemini")


def _data_home() -> Path:
    from platformdirs.unix import Unix  # a path that is given needs no platformdirs

    return Path(Unix().user_data_dir)
