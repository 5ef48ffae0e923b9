"""How fast `authlog view` shows a long history: `python -m tools.bench.page [EVENTS]`.

Makes a store, serves it, and opens it in Chromium: time from the link to the first row, to density
and lanes of everything, of a filter over everything, and the server's memory.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from authlog import AuthLog, OAuth, testing

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


def _make(path: Path, events: int) -> None:
    here = testing.Repeatable()
    here.advance(time.time() - here.now_ns() / 1e9 - events * (STEP + 1))
    with testing.without_sync(), testing.repeatable(here):
        log = AuthLog(path, program="opencode")
        for number in range(events - 1):
            expires = int((here.now_ns() / 1e9 + 7_200) * 1000)
            login = OAuth(f"r{number}", f"a{number}", expires)
            log.set(PROVIDERS[number * 7 % 11 % len(PROVIDERS)], login)
            here.advance(STEP)


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
    page.locator(".timeline").wait_for(timeout=120_000)
    print(f"everything drawn       {time.monotonic() - began:6.2f} s")
    page.locator("#pill.ok").wait_for(timeout=240_000)
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
