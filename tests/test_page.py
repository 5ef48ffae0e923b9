"""The page in a real Chromium, as a person uses it."""

import json
import re
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from subprocess import run

import pytest
from playwright.sync_api import Browser, expect

import invented
import needs
import served
from authlog import ApiKey, AuthLog
from browsing import ended, opened
from served import Served

pytestmark = needs.chromium

LAST = 300  # the newest seq of the store that most tests look at


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "auth.json"
    invented.store(path, LAST)
    return path


@pytest.fixture(scope="module")
def server(stored: Path) -> Iterator[Served]:
    with served.view(stored) as found:
        found.enter()
        found.wait_until_read()
        yield found


def test_the_link_opens_the_page_and_leaves_the_address_bar(browser: Browser, stored: Path) -> None:
    with served.view(stored) as found:
        context = browser.new_context()
        page = context.new_page()
        page.goto(found.link)
        assert page.url == f"{found.origin}/"
        expect(page.locator("a.row").first).to_be_visible()
        expect(page.locator("#pill")).to_contain_text("verified")
        context.close()


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
    for size in ((1280, 800), (390, 844)):
        page = opened(browser, server, "/?event=12", size=size)
        expect(page.locator("#e12.cur")).to_be_in_viewport()
        expect(page.locator("#newer")).to_contain_text("newer events")
        first = page.locator(".row").first
        seen = first.get_attribute("id")
        first.scroll_into_view_if_needed()
        page.wait_for_function("(seen) => document.querySelector('.row').id !== seen", arg=seen)
        expect(page.locator("#e12.cur")).to_have_count(1)
        days = page.locator(".day").evaluate_all("(all) => all.map((one) => one.id)")
        assert len(days) == len(set(days))
        page.locator("#newer").click()
        expect(page.locator(f"#e{LAST}, [data-newest='{LAST}']").first).to_be_in_viewport()
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


def test_keys_show_one_login_restore_and_go_to_either_end(browser: Browser, server: Served) -> None:
    page = opened(browser, server, "/?event=40")
    name = page.locator("#aside .difference-head b").inner_text()
    page.keyboard.press("r")
    expect(page.locator("dialog h1")).to_have_text(f"Restore {name} as it was?")
    page.keyboard.press("j")  # a dialog has the keys to itself
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    assert page.url.endswith("?event=40")
    page.keyboard.press("p")
    expect(page.locator("#q")).to_have_value(f"provider:{name}")
    expect(page.locator("#aside")).to_be_hidden()
    page.keyboard.press("G")
    expect(page.locator(".end")).to_be_in_viewport()
    assert "start=oldest" in page.url
    page.keyboard.press("g")
    expect(page.locator(".row").first).to_be_focused()
    assert "start" not in page.url
    page.keyboard.press("Escape")
    expect(page.locator("#q")).to_have_value("")
    page.go_back()
    expect(page.locator("#q")).to_have_value(f"provider:{name}")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".row").first).to_be_focused()
    ended(page)


def test_arrows_choose_among_suggestions_and_a_bare_qualifier_hides_nothing(
    browser: Browser, server: Served
) -> None:
    page = opened(browser, server)
    page.keyboard.press("/")
    page.keyboard.type("kind:")
    second = page.locator("#suggestions button").nth(1)
    expect(second).to_have_text(re.compile(r"^kind:\w+"))
    expect(page.locator("#suggestions [aria-selected=true]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(second).to_have_attribute("aria-selected", "true")
    expect(page.locator("#q")).to_have_attribute("aria-activedescendant", "sug-1")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")  # around
    expect(page.locator("#suggestions button").last).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    text = second.get_attribute("data-text")
    expect(page.locator("#count")).to_have_text(f"{LAST} events")
    page.keyboard.press("Tab")
    expect(page.locator("#q")).to_have_value(f"{text} ")
    expect(page.locator("#count")).to_contain_text(f"of {LAST}")
    page.keyboard.press("Escape")
    expect(page.locator("#suggestions")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()
    page.go_back()
    expect(page.locator("#q")).to_have_value("")
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
    data = page.locator(".timeline").evaluate("(svg) => ({...svg.dataset})")
    first, last, left, right = (float(data[name]) for name in ("first", "last", "left", "right"))

    def moment(x: float) -> float:
        return (first + (x - left) / (right - left) * (last - first)) / 1000

    page.mouse.move(box["x"] + 400, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, box["y"] + 30, steps=4)
    page.mouse.up()
    expect(page.locator("#q")).to_have_value(re.compile(r"^since:\S+ until:\S+$"))
    asked = page.locator("#q").input_value()
    for x, name in ((400, "since"), (600, "until")):
        found = re.search(name + r":(\S+)", asked)
        assert found
        assert abs(datetime.fromisoformat(found[1]).timestamp() - moment(x)) <= 60
    expect(page.locator("#count")).to_contain_text("of 300")
    page.locator(".chip", has_text="Whole time").click()
    expect(page.locator("#q")).to_have_value("")
    expect(page.locator(".chip")).to_have_count(0)
    page.locator("[data-lane]", has_text="openai").click()
    expect(page.locator("#q")).to_have_value("provider:openai")
    ended(page)


def test_the_timeline_leads_to_events_and_events_to_their_place_on_it(
    browser: Browser, server: Served
) -> None:
    page = opened(browser, server)
    page.locator(".timeline").wait_for()
    page.locator("a.row").first.hover()
    expect(page.locator("#hovered")).to_have_attribute("d", re.compile(r"^M[\d.]+ 0V"))
    expect(page.locator("#selected")).to_have_attribute("d", "")
    box = page.locator(".timeline").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 500, box["y"] + 30)
    expect(page.locator("#aside h1")).to_be_visible()
    expect(page.locator("#selected")).to_have_attribute("d", re.compile(r"^M[\d.]+ 0V"))
    line = page.locator("#selected").get_attribute("d") or ""
    assert abs(float(line[1:].split(" ")[0]) - 500) < 30  # the nearest event is near
    page.locator("#kinds a", has_text="remove").click()
    expect(page.locator("#q")).to_have_value("kind:remove")
    expect(page.locator(".tick.unlit").first).to_be_attached()
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
        expect(page.locator(".timeline [data-lane]", has_text="groq")).to_be_visible()
        page.locator("a.row").first.click()
        rows = page.locator("a.row").count()
        log.set("openai", ApiKey("k"))
        expect(page.locator("#fresh")).to_have_text("1 new event")
        assert page.locator("a.row").count() == rows
        page.locator("#fresh").click()
        expect(page.locator("a.row", has_text="openai")).to_be_visible()
        expect(page.locator("#fresh")).to_be_hidden()
        hide = (
            "(hidden) => { Object.defineProperty(document, 'hidden', { value: hidden, "
            "configurable: true }); document.dispatchEvent(new Event('visibilitychange')); }"
        )
        page.evaluate(hide, arg=True)
        log.set("google", ApiKey("k"))
        expect(page).to_have_title(re.compile(r"^\(1\) auth\.json"))
        page.evaluate(hide, arg=False)
        expect(page).to_have_title(re.compile(r"^auth\.json"))
        ended(page)


def test_a_lost_connection_is_told_and_found_again(browser: Browser, path: Path) -> None:
    log = AuthLog(path)
    log.set("groq", ApiKey("k"))
    with served.view(path) as found:
        found.enter()
        page = opened(browser, found)
        found.process.kill()
        expect(page.locator("#lost")).to_be_visible()
        expect(page.locator("#live span")).to_have_text("lost")
        with page.expect_event("requestfailed"):
            page.locator("#retry").click()
        expect(page.locator("a.row", has_text="groq")).to_be_visible()
    with served.view(path, "--port", str(found.port)) as again:
        page.context.new_page().goto(again.link)  # what the banner says to do
        expect(page.locator("#lost")).to_be_hidden()
        log.set("openai", ApiKey("k"))
        expect(page.locator("a.row.new", has_text="openai")).to_be_visible()
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


def test_the_page_goes_on_by_itself_when_the_log_was_repaired(browser: Browser, path: Path) -> None:
    invented.store(path, 250)
    segments = sorted((path.parent / "auth.json.log").glob("0*.jsonl"))
    lines = segments[0].read_bytes().split(b"\n")
    lines[20] = lines[20].replace(b'"kind"', b'"kinb"')
    segments[0].write_bytes(b"\n".join(lines))
    with served.view(path) as found:
        found.enter()
        page = opened(browser, found)
        banner = page.locator("#banner .banner")
        expect(banner).to_contain_text("The log is damaged behind event 20")
        expect(banner).to_contain_text(re.compile(r"at byte \d+ of"))
        expect(banner.locator("code")).to_have_text(f"authlog --path {path} repair --dry-run")
        expect(page.locator("#pill")).to_have_text("damaged")
        expect(page.locator(".row").first).to_be_visible()  # what can be read is shown
        command = [sys.executable, "-m", "authlog_tools", "--path", str(path), "repair"]
        run([*command, "--yes"], check=True, capture_output=True)
        expect(banner).to_have_count(0)
        expect(page.locator("#pill")).to_contain_text("verified")
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
        for name in ("provider:", "writer:"):  # a type is told only if it is a plain word
            page.locator("#q").fill(name)
            expect(page.locator("#suggestions button", has_text="onerror")).to_be_visible()
        ended(page)
