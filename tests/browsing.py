"""Pages of a real Chromium, on which nothing may go wrong."""

from playwright.sync_api import Browser, Page, expect

from served import Served

expect.set_options(timeout=20_000)  # ms; the machine may be busy

_wrong: dict[Page, list[str]] = {}  # what each open page complained of


def opened(
    browser: Browser,
    server: Served,
    address: str = "/",
    *,
    size: tuple[int, int] = (1280, 800),
    calm: bool = False,
) -> Page:
    """Return a page that has the session, at that address; it fails on any script error."""
    context = browser.new_context(
        color_scheme="light",
        reduced_motion="reduce" if calm else "no-preference",
        viewport={"width": size[0], "height": size[1]},
    )
    name, _, value = server.cookie.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": server.origin}])
    page = context.new_page()
    wrong = _wrong[page] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(server.origin + address)
    expect(page.locator("#live span")).to_have_text("live")
    page.locator("#live[data-told=yes]").wait_for()
    return page


def ended(page: Page) -> None:
    """Close the page, on which nothing may have gone wrong."""
    assert _wrong.pop(page) == []
    page.context.close()
