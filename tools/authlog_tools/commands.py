"""Which commands there are: a name for each, and what it does in a line."""

COMMANDS = {
    "list": "list providers, one per line",
    "get": "show a credential, its secrets as fingerprints",
    "history": "show what happened, newest first",
    "show": "show one event in full",
    "diff": "compare two points in history",
    "why": "tell how a credential came to be as it is",
    "view": "open the history as a local page",
    "watch": "print events as they happen",
    "set": "store a credential from a hidden prompt or standard input",
    "remove": "remove a credential; its history and a way back stay",
    "restore": "bring back an earlier state of a credential",
    "undo": "take back the last change of a credential",
    "forget": "remove a credential and destroy its secrets everywhere",
    "verify": "prove that the history is whole",
    "head": "print the newest seq and hash, to note elsewhere",
    "compact": "erase superseded secrets, start a new segment",
    "repair": "mend a damaged log; shows a plan first",
    "guard": "protect an auth.json from programs started in any way",
    "run": "run a command; none of its writes is lost",
    "demo": "lose logins without authlog, and none with it",
}

GROUPS = {
    "See": ("list", "get", "history", "show", "diff", "why", "view", "watch"),
    "Change": ("set", "remove", "restore", "undo", "forget"),
    "Keep": ("verify", "head", "compact", "repair"),
    "Protect": ("run", "guard"),
    "Try": ("demo",),
}

PRESETS = ("opencode", "opencode-mcp", "codex", "claude", "gemini")
