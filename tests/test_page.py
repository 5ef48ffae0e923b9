"""The page in a real Chromium, as a person uses it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

import invented
import needs
import served
from authlog import ApiKey, AuthLog
from served import Served

pytestmark = needs.chromium

expect.set_options(timeout=20_000)  # ms; the machine may be busy

_wrong: dict[Page, list[str]] = {}  # what each open page complained of

CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = (top, under) => {
    const alpha = top[3] ?? 1;
    return [0, 1, 2].map((n) => top[n] * alpha + under[n] * (1 - alpha));
  };
  const ground = (one) => {
    const behind = one.parentElement ? ground(one.parentElement) : [255, 255, 255];
    const colour = getComputedStyle(one).backgroundColor;
    return colour.startsWith("rgb") ? over(rgb(colour), behind) : behind;
  };
  const light = (colour) => {
    const [r, g, b] = colour.map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const one of document.querySelectorAll("body *")) {
    const box = one.getBoundingClientRect();
    const says = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const style = getComputedStyle(one);
    if (!says || !box.width || style.visibility === "hidden" || one.disabled) continue;
    if (one.closest(".unlit, title, template, [aria-hidden=true]")) continue;
    const paint = one.closest("svg") ? style.fill : style.color;
    if (!paint.startsWith("rgb") || rgb(paint)[3] === 0) continue;
    const under = ground(one.closest("svg")?.parentElement ?? one);
    const [low, high] = [light(over(rgb(paint), under)), light(under)].sort((a, b) => a - b);
    const name = one.className?.baseVal ?? one.className;
    found.push([(high + 0.05) / (low + 0.05), name, one.textContent.trim().slice(0, 30)]);
  }
  return found.filter(([ratio]) => ratio < 4.5);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=needs.find_chromium(), args=["--no-sandbox"]
        )
        yield found
        found.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "auth.json"
    invented.store(path, 300)
    return path


@pytest.fixture(scope="module")
def server(stored: Path) -> Iterator[Served]:
    with served.view(stored) as found:
        found.enter()
        found.wait_until_read()
        yield found


def opened(
    browser: Browser,
    server: Served,
    address: str = "/",
    *,
    size: tuple[int, int] = (1280, 800),
    dark: bool = False,
) -> Page:
    """Return a page that has the session, at that address; it fails on any script error."""
    context = browser.new_context(
        color_scheme="dark" if dark else "light", viewport={"width": size[0], "height": size[1]}
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


def test_the_link_opens_the_page_and_leaves_the_address_bar(browser: Browser, stored: Path) -> None:
    with served.view(stored) as found:
        context = browser.new_context()
        page = context.new_page()
        page.goto(found.link)
        assert page.url == f"{found.origin}/"
        expect(page.locator("a.row").first).to_be_visible()
        expect(page.locator("#pill")).to_contain_text("verified")
        context.close()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
def test_text_has_the_contrast_that_people_need(
    browser: Browser, server: Served, size: tuple[int, int], *, dark: bool
) -> None:
    for address in ("/", "/?event=40", "/?state=150", "/?q=provider:nobody", "/?q=prvoider:x"):
        page = opened(browser, server, address, size=size, dark=dark)
        page.wait_for_selector(".timeline")
        assert page.evaluate(CONTRAST) == [], address
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        ended(page)


def test_a_click_shows_details_and_back_takes_them_away(browser: Browser, server: Served) -> None:
    page = opened(browser, server)
    row = page.locator("a.row").nth(2)
    seq = row.get_attribute("data-seq")
    row.click()
    expect(page.locator("#aside .panel-head .mono")).to_have_text(f"event {seq}")
    assert page.url.endswith(f"?event={seq}")
    page.reload()
    expect(page.locator("#aside .panel-head .mono")).to_have_text(f"event {seq}")
    page.go_back()
    expect(page.locator("#aside")).to_be_hidden()
    page.go_forward()
    expect(page.locator("#aside")).to_be_visible()
    page.locator("#aside .facts a.link").click()
    expect(page.locator("#aside .panel-head .mono")).to_have_text(f"event {int(seq or 0) - 1}")
    ended(page)


def test_an_event_that_lies_deep_is_shown_among_its_neighbours(
    browser: Browser, server: Served
) -> None:
    page = opened(browser, server, "/?event=12")
    expect(page.locator("#e12.cur")).to_be_in_viewport()
    ended(page)


def test_keys_move_open_and_close(browser: Browser, server: Served) -> None:
    page = opened(browser, server)
    page.keyboard.press("j")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.id")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") != first
    page.locator("a.row").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#aside")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#aside")).to_be_hidden()
    page.locator(".fold").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".folded a.row").first).to_be_visible()
    page.keyboard.press("G")
    expect(page.locator("#e1")).to_be_in_viewport()
    page.keyboard.press("g")
    expect(page.locator("#newer")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.locator("dialog h1")).to_have_text("Keys")
    page.keyboard.press("Escape")
    theme = "document.documentElement.dataset.theme"
    page.keyboard.press("t")
    assert page.evaluate(theme) == "dark"
    page.reload()
    assert page.evaluate(theme) == "dark"
    assert page.locator(".row[tabindex='0']").count() == 1
    ended(page)


def test_the_box_filters_suggests_and_underlines(browser: Browser, server: Served) -> None:
    page = opened(browser, server)
    page.keyboard.press("/")
    page.keyboard.type("kind:rem")
    expect(page.locator("#suggestions button").first).to_contain_text("kind:remove")
    expect(page.locator("#suggestions button").first).to_contain_text("event")
    page.keyboard.press("Tab")
    expect(page.locator("#q")).to_have_value("kind:remove ")
    expect(page.locator("#count")).to_contain_text("of 300")
    expect(page.locator("a.row .kind").first).to_have_text("remove")
    assert set(page.locator("a.row .kind").all_inner_texts()) == {"remove"}
    page.locator("#q").fill("prvoider:x")
    expect(page.locator("#colours u")).to_have_text("prvoider:")
    expect(page.locator("#problem")).to_contain_text("did you mean provider")
    page.locator("#q").fill("provider:nobody")
    expect(page.locator(".blank h2")).to_have_text("No event matches")
    page.locator("#clear").click()
    expect(page.locator("#count")).to_have_text("300 events")
    ended(page)


def test_the_brush_writes_a_span_of_time_into_the_box(browser: Browser, server: Served) -> None:
    page = opened(browser, server)
    box = page.locator(".timeline").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 400, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(page.locator("#q")).to_have_value(re.compile(r"^since:\S+ until:\S+$"))
    expect(page.locator("#count")).to_contain_text("of 300")
    page.locator(".chip", has_text="Whole time").click()
    expect(page.locator("#q")).to_have_value("")
    expect(page.locator(".chip")).to_have_count(0)
    page.locator("[data-lane]", has_text="openai").click()
    expect(page.locator("#q")).to_have_value("provider:openai")
    ended(page)


def test_a_restore_shows_the_difference_and_cancel_is_the_default(
    browser: Browser, path: Path
) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("first"))
    log.set("groq", ApiKey("second"))
    with served.view(path) as found:
        found.enter()
        found.wait_until_read()
        page = opened(browser, found, f"/?event={log.seq() - 1}")
        page.keyboard.press("r")
        expect(page.locator("dialog .old")).to_have_count(1)
        expect(page.locator("dialog .command code")).to_contain_text("restore -- groq")
        expect(page.locator("dialog [data-cancel]")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("dialog")).to_be_hidden()
        assert log.get("groq") == ApiKey("second")
        page.keyboard.press("r")
        page.locator("dialog button[type=submit]").click()
        expect(page.locator("#aside h1")).to_have_text("authlog brought back groq")
        assert log.get("groq") == ApiKey("first")
        ended(page)


def test_what_another_process_writes_appears(browser: Browser, path: Path) -> None:
    with served.view(path) as found:
        found.enter()
        page = opened(browser, found)
        expect(page.locator(".blank h2")).to_have_text("Nothing has happened yet")
        log = AuthLog(path, program="elsewhere")
        log.set("groq", ApiKey("k"))
        expect(page.locator("a.row.new", has_text="groq")).to_be_visible()
        expect(page.locator("#count")).to_have_text("2 events")
        page.locator("a.row").first.click()
        log.set("openai", ApiKey("k"))
        expect(page.locator("#fresh")).to_have_text("1 new event")
        found.process.kill()
        expect(page.locator("#lost")).to_be_visible()
        expect(page.locator("a.row", has_text="groq")).to_be_visible()
        page.context.close()


@pytest.mark.damaged
def test_damage_is_told_with_place_and_remedy(browser: Browser, path: Path) -> None:
    invented.store(path, 20)
    segment = max((path.parent / "auth.json.log").glob("0*.jsonl"))
    lines = segment.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b'"kind"', b'"kinb"')
    segment.write_bytes(b"\n".join(lines))
    with served.view(path) as found:
        found.enter()
        page = opened(browser, found)
        told = page.locator(".bad", has_text="The log is damaged behind event").first
        expect(told).to_contain_text("byte")
        expect(told).to_contain_text("repair --dry-run")
        ended(page)


def test_names_from_anywhere_are_text_and_nothing_else(browser: Browser, path: Path) -> None:
    attacks = [
        "<img src=x onerror=alert(1)>",
        "javascript:alert(1)",
        "\"'><script>alert(1)</script>",
        "{{7*7}}",
        "</title><svg onload=alert(1)>",
    ]
    entries = {name: {"type": name, name: "k", "key": name} for name in attacks}
    path.write_text(json.dumps(entries))
    AuthLog(path).adopt()
    for name in attacks:
        AuthLog(path, program=name).set(name, {"type": name, name: "k2", "expires": 1})
    with served.view(path) as found:
        found.enter()
        found.wait_until_read()
        last = AuthLog(path).seq()
        for seq in range(1, last + 1):
            page = opened(browser, found, f"/?event={seq}")
            page.wait_for_selector(".timeline")
            page.locator("#aside h1").wait_for()
            assert page.locator("img, iframe, main script, [onerror], [onload]").count() == 0
            assert page.locator("a[href^='javascript']").count() == 0
            if page.locator("[data-restore]").count():
                page.keyboard.press("r")
                page.locator("dialog .command").wait_for()
            ended(page)
        page = opened(browser, found, f"/?state={last}")
        page.keyboard.press("/")
        for name in ("provider:", "writer:", "type:"):
            page.locator("#q").fill(name)
            expect(page.locator("#suggestions button", has_text="onerror")).to_be_visible()
        ended(page)
