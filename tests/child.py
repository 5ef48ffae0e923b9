"""What tests let other processes do; run as `python child.py VERB PATH ...`, JSON on stdout."""

import json
import sys
from pathlib import Path

from authlog import ApiKey, AuthLog, Conflict


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


def wait() -> None:
    """Wait until the parent says a line."""
    sys.stdin.readline()


def write(path: str, name: str, count: str, providers: str) -> None:
    """Set `count` times one of our providers; say what was acknowledged."""
    log = AuthLog(path)
    wait()
    for n in range(int(count)):
        provider = f"{name}-{n % int(providers)}"
        say([log.set(provider, ApiKey(f"{name}.{n}")).seq, provider, f"{name}.{n}"])


def increment(path: str, count: str) -> None:
    """Add 1 to a counter `count` times, with `expect=`."""
    log = AuthLog(path)
    wait()
    for _ in range(int(count)):
        while True:
            seq = log.seq("hot")
            now = log.get("hot")
            value = int(now.key) if isinstance(now, ApiKey) else 0
            try:
                log.set("hot", ApiKey(str(value + 1)), expect=seq)
                break
            except Conflict:
                continue


def read(path: str, until: str) -> None:
    """Read until a seq is there; say [seq, state] of each that is new."""
    log = AuthLog(path)
    wait()
    seen = -1
    while seen < int(until):
        seq = log.seq()
        if seq != seen:
            seen = seq
            say([seq, {name: what.value for name, what in log.at(seq).items()}])


def add(path: str, provider: str) -> None:
    """Read all, say so, and add one when told to."""
    log = AuthLog(path)
    say(sorted(log.all()))
    wait()
    log.set(provider, ApiKey("k"))
    say("done")


def rewrite(path: str, provider: str) -> None:
    """Do the same as a program that doesn't know authlog."""
    entries = json.loads(Path(path).read_text())
    say(sorted(entries))
    wait()
    entries[provider] = {"type": "api", "key": "k"}
    Path(path).write_text(json.dumps(entries))
    say("done")


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
