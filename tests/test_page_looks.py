"""The page as it looks: contrast, width and motion, in every state that a person meets."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

import invented
import needs
import served
from authlog import ApiKey, AuthLog
from browsing import ended, opened
from served import Served

pytestmark = needs.chromium

CONTRAST = Path(__file__).with_name("contrast.js").read_text()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    path = tmp_path_factory.mktemp("page") / "auth.json"
    invented.store(path, 300)
    with served.view(path) as found:
        found.enter()
        found.wait_until_read()
        yield found


def _proof(page: Page) -> None:
    page.locator("#pill").click()
    expect(page.locator("#head")).to_be_visible()


def _keys(page: Page) -> None:
    page.keyboard.press("?")
    expect(page.locator("dialog h1")).to_have_text("Keys")


def _restore(page: Page) -> None:
    page.keyboard.press("r")
    expect(page.locator("dialog [data-cancel]")).to_be_focused()


def _suggestions(page: Page) -> None:
    page.keyboard.press("/")
    page.keyboard.type("kind:")
    expect(page.locator("#suggestions button").first).to_be_visible()


def _fold(page: Page) -> None:
    page.locator(".fold").first.click()
    expect(page.locator(".folded a.row").first).to_be_visible()


def _lost(page: Page) -> None:
    page.evaluate("document.querySelector('#live').dispatchEvent(new Event('lost'))")
    expect(page.locator("#lost")).to_be_visible()


LOOKS: dict[str, tuple[str, Callable[[Page], None] | None]] = {
    "the list": ("/", None),
    "an event": ("/?event=40", None),
    "a heal": ("/?q=kind:heal", None),
    "a state": ("/?state=150", None),
    "a span of time": ("/?q=since:5d", None),
    "nothing found": ("/?q=provider:nobody", None),
    "an unknown qualifier": ("/?q=prvoider:x", None),
    "the proof": ("/", _proof),
    "the keys": ("/", _keys),
    "a restore": ("/?event=300", _restore),
    "a refused restore": ("/?event=12", _restore),
    "suggestions": ("/", _suggestions),
    "an open run": ("/", _fold),
    "a lost connection": ("/", _lost),
}


@pytest.mark.parametrize("look", LOOKS)
def test_all_can_be_read_in_light_and_dark_and_on_a_phone(
    browser: Browser, server: Served, look: str
) -> None:
    address, act = LOOKS[look]
    for size in ((1280, 800), (390, 844)):
        page = opened(browser, server, address, size=size)
        page.wait_for_selector(".timeline")
        if act is not None:
            act(page)
        assert page.evaluate(CONTRAST) == [], size
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(CONTRAST) == [], f"{size} dark"
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        ended(page)


def test_nothing_moves_for_those_who_ask_for_it(browser: Browser, path: Path) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("first"))
    with served.view(path) as found:
        found.enter()
        page = opened(browser, found, calm=True)
        log.set("groq", ApiKey("second"))
        expect(page.locator("a.row.new")).to_be_visible()
        moving = (
            "document.getAnimations().map((one) => one.animationName ?? one.transitionProperty)"
        )
        assert page.evaluate(moving) == []
        ended(page)
