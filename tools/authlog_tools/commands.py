"""Which commands there are: a name for each, and what it does in a line."""

COMMANDS = {
    "list": "list providers, one per line",
    "get": "show a credential, its secrets as fingerprints",
    "history": "show what happened, newest first",
    "show": "show one event",
    "view": "open the history as a local page",
    "set": "store a credential from a hidden prompt or standard input",
    "remove": "remove a credential; its history and a way back stay",
    "restore": "bring back an earlier state of a credential",
    "verify": "prove that the history is whole",
    "demo": "lose logins without authlog, and none with it",
}

GROUPS = {
    "See": ("list", "get", "history", "show", "view"),
    "Change": ("set", "remove", "restore"),
    "Keep": ("verify",),
    "Try": ("demo",),
}

PRESETS = ("opencode", "opencode-mcp", "codex", "claude")
