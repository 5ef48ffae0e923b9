"""What every test has: a path for its snapshot, and a check of each store that it left behind."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from authlog import AuthLog

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_LOG = ".json.log"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's snapshot is; nothing is there yet."""
    return tmp_path / "auth.json"


@pytest.fixture(autouse=True)
def every_store_is_whole_at_the_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """Verify every store below the test's `tmp_path`, unless it is marked `damaged`."""
    if "tmp_path" not in request.fixturenames or request.node.get_closest_marker("damaged"):
        yield
        return
    folder: Path = request.getfixturevalue("tmp_path")
    yield
    for log in sorted(folder.rglob(f"*{_LOG}")):
        snapshot = log.with_name(log.name.removesuffix(".log"))
        health = AuthLog(snapshot).verify()
        assert health.ok, f"{snapshot}: {health.damage}"


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    """A Chromium, started once for all tests that ask for it."""
    from playwright.sync_api import sync_playwright

    import needs

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=needs.find_chromium(), args=["--no-sandbox"]
        )
        yield found
        found.close()
