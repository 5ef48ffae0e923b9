"""How fast `authlog view` shows a long history: `python -m tools.bench.page [EVENTS]`.

Makes a store as programs make one (refreshes mostly, some logins, removals, foreign writes and
heals), serves it, and opens it in a Chromium that runs already. Seconds, on the wall clock:

- listening: from the start of `authlog view` until it prints its link;
- first row: from following the link until a row of the newest events is on the screen, styled and
  ready for a click (the browser's own part of it is what 10 events take);
- everything drawn: from the same moment until density and lanes of all events are there;
- everything verified: the same, until the page says that every hash, link and commitment fits;
- a filter over all: from opening the address of a filter that looks at all events to its first row.

The server's memory is the most that was resident (VmHWM).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from authlog import ApiKey, AuthLog, OAuth, credentials, testing
from authlog._engine import changing
from authlog._engine.codec import Draft

PROVIDERS = ("anthropic", "github-copilot", "openai", "google", "mcp-linear", "openrouter")
STEP = 300.0  # s of the invented clock between two events


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", type=int, nargs="?", default=100_000)
    parser.add_argument("--store", type=Path, help="an auth.json to keep and use again")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--picture", type=Path, help="where to put a screenshot")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="authlog-bench-") as folder:
        path = options.store or Path(folder, "auth.json")
        if not path.exists():
            _make(path, options.events)
        _measure(path, options.chromium, options.picture)


class _Store(AuthLog):
    def refresh(self, provider: str, login: OAuth) -> None:
        """Tell a login's refresh, as the one who talked to its issuer does."""
        raw = credentials.to_text(provider, login)
        changing.change(self._handle, lambda state: Draft(kind="refresh", value={provider: raw}))


def _make(path: Path, events: int) -> None:
    here = testing.Repeatable()
    began = time.time() - events * STEP
    with testing.without_sync(), testing.repeatable(here):
        log = _Store(path, program="opencode")
        while log.seq() < events:
            here.advance(began + log.seq() * STEP - here.now_ns() / 1e9)
            _happen(log, path, here)


def _happen(log: _Store, path: Path, here: testing.Repeatable) -> None:
    """Let the next thing happen: a rare one now and then, else a refresh."""
    number = log.seq()
    provider = PROVIDERS[number * 7 % 11 % len(PROVIDERS)]
    expires = int((here.now_ns() / 1e9 + 7_200) * 1000)
    login = OAuth(f"r{number}", f"a{number}", expires)
    if number < 2 * len(PROVIDERS) or number % 397 == 0:
        log.set(PROVIDERS[number % len(PROVIDERS)], login)
    elif number % 2_011 == 0:
        log.remove(provider)
    elif number % 1_009 == 0:
        before = path.read_bytes()
        stored = log.set("groq", ApiKey(f"k{number}"))
        soon = int(stored.time.timestamp() * 1e9) + 1_000_000
        _write(log, path, soon, before)  # by a program that had not seen it
    elif number % 701 == 0:
        told = {**json.loads(path.read_bytes()), "mcp-notion": {"type": "api", "key": f"k{number}"}}
        _write(log, path, here.now_ns(), json.dumps(told).encode())
    else:
        log.refresh(provider, login)


def _write(log: _Store, path: Path, time_ns: int, content: bytes) -> None:
    """Write as a foreign program does at a time, and have it told."""
    path.write_bytes(content)
    os.utime(path, ns=(time_ns, time_ns))
    log.adopt()


def _measure(path: Path, chromium: str, picture: Path | None) -> None:
    command = [sys.executable, "-m", "authlog_tools", "--path", str(path), "view", "--print"]
    began = time.monotonic()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        link = server.stdout.readline().strip()
        print(f"listening after        {time.monotonic() - began:6.2f} s")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            _look(page, link, picture)
            browser.close()
        status = Path(f"/proc/{server.pid}/status")
        if status.exists():
            (line,) = [line for line in status.read_text().splitlines() if "VmHWM" in line]
            print(f"memory of the server   {int(line.split()[1]) / 1024:6.0f} MiB at most")
    finally:
        server.kill()
        server.wait()


def _look(page: Page, link: str, picture: Path | None) -> None:
    began = time.monotonic()
    page.goto(link, wait_until="commit")
    page.locator("a.row, .fold").first.wait_for()
    print(f"first row              {time.monotonic() - began:6.2f} s")
    page.locator(".timeline").wait_for(timeout=60_000)
    print(f"everything drawn       {time.monotonic() - began:6.2f} s")
    page.locator("#pill.ok").wait_for(timeout=60_000)
    print(f"everything verified    {time.monotonic() - began:6.2f} s")
    began = time.monotonic()
    page.goto(f"{link.partition('/open')[0]}/?q=provider:github-copilot%20-writer:codex")
    page.locator("a.row, .fold").first.wait_for()
    print(f"a filter over all      {time.monotonic() - began:6.2f} s")
    if picture is not None:
        page.goto(link.partition("/open")[0])
        page.locator(".timeline").wait_for()
        page.screenshot(path=str(picture))


if __name__ == "__main__":
    main()
