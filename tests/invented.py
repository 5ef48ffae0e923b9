"""An invented store: some weeks of logins, told as programs really tell them."""

import json
import os
import time
from pathlib import Path
from random import Random

from authlog import ApiKey, AuthLog, OAuth, credentials, testing
from authlog._engine import changing
from authlog._engine.codec import Draft

SECRET = "marked-secret"  # stands in every secret of an invented store
HOUR = 3_600.0


def store(path: Path, events: int, *, days: float = 21, seed: int = 1) -> None:
    """Make a store with that many events at least, the newest some minutes ago."""
    here, random = testing.Repeatable(seed), Random(seed)
    here.advance(time.time() - here.now_ns() / 1e9 - days * 86_400)
    step = max(0.0, (days * 86_400 - 600) / max(events, 1) - 12)
    with testing.without_sync(), testing.repeatable(here):
        logs = {name: AuthLog(path, program=name) for name in ("opencode", "claude", "codex")}
        for number in range(events):
            _happen(logs, path, here, random, number)
            here.advance(step * random.uniform(0.4, 1.6))
            if logs["codex"].seq() >= events:
                break


def secret(random: Random) -> str:
    return f"{SECRET}-{random.getrandbits(64):016x}"


def oauth(random: Random, here: testing.Repeatable, hours: float) -> OAuth:
    expires = int((here.now_ns() / 1e9 + hours * HOUR) * 1000)
    return OAuth(refresh=secret(random), access=secret(random), expires=expires)


REFRESHED = {"github-copilot": ("opencode", 6.0), "anthropic": ("opencode", 9.0),
             "anthropic@work": ("claude", 8.0)}  # fmt: skip


def _happen(
    logs: dict[str, AuthLog], path: Path, here: testing.Repeatable, random: Random, number: int
) -> None:
    """Let the next thing happen: mostly refreshes, now and then something rare."""
    log = logs["opencode"]
    names = list(REFRESHED)
    if number < len(names):
        log.set(names[number], oauth(random, here, 8))
    elif number in (5, 6) or number % 61 == 0:
        name = random.choice(["openai", "google", "openrouter"])
        logs["codex"].set(name, ApiKey(secret(random)))
    elif number % 47 == 0:
        removable = [name for name in log.all() if name not in REFRESHED]
        log.remove(random.choice([*removable, "anthropic@work"]))
    elif number % 53 == 0:
        foreign = json.loads(path.read_bytes())
        foreign["mcp-linear"] = {"type": "api", "key": secret(random)}
        path.write_text(json.dumps(foreign))
        log.adopt()
    elif number % 59 == 0:
        before = path.read_bytes()
        stored = log.set("openrouter", ApiKey(secret(random)))
        path.write_bytes(before)  # a program that had not seen it writes back what it knew, at once
        soon = int(stored.time.timestamp() * 1e9) + 1_000_000
        os.utime(path, ns=(soon, soon))
        log.adopt()
    elif number % 71 == 0 and log.seq("openai"):
        logs["claude"].restore("openai", log.seq("openai"))
    else:
        _refresh(logs, here, random, random.choice(names))


def _refresh(logs: dict[str, AuthLog], here: testing.Repeatable, random: Random, name: str) -> None:
    program, hours = REFRESHED[name]
    raw = credentials.to_text(name, oauth(random, here, hours))
    changing.change(logs[program]._handle, lambda state: Draft(kind="refresh", value={name: raw}))
