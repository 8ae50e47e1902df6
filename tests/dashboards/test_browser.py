"""What a person sees: real headless Chromium before a real daemon."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.dashboards.conftest import HOSTILE, PASSWORD, Site
from tests.support.parts import require

pytestmark = pytest.mark.slow

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
AXE_SHA256 = "84494fec757e4710dc751c8d7a636e457f4532f08f85c86dc9070133fbff53bc"
EVERY = (
    "/", "/incidents?all=1", "/target/loop", "/target/names", "/site/centre", "/circuit/line", "/system/wan",
    "/calendar", "/forecast", "/maintenance", "/oncall", "/reports", "/conferences", "/search", "/search?q=l", "/self",
    "/account", "/status", "/login?left=1", "/nothing",
)  # fmt: skip
FAULTS = """axe.run(document, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => one.id + ": " + one.nodes.slice(0, 2).map((node) => node.html.slice(0, 120)).join(" | ")))"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    program = require("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )  # fmt: skip
        yield started
        started.close()


class Watched:
    """A browser tab that remembers what it should not have seen.

    Parameters:
        browser: Chromium.
        site: what it may speak to.
        options: of the context: size, language, colours.
    """

    def __init__(self, browser: Any, site: Site, **options: Any) -> None:
        self.context = browser.new_context(base_url=site.base, **options)
        self.page = self.context.new_page()
        self.faults: list[str] = []
        self.page.on(
            "console", lambda said: self.faults.append(said.text) if said.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("dialog", lambda dialog: self.faults.append(f"dialog: {dialog.message}"))
        self.page.on(
            "request",
            lambda asked: None if asked.url.startswith(site.base) else self.faults.append(f"asked {asked.url}"),
        )

    def sign_in(self, language: str = "vi") -> None:
        self.page.goto(f"/set?lang={language}&back=/login")
        self.page.fill("[name=name]", "an")
        self.page.fill("[name=password]", PASSWORD)
        self.page.click("main button")
        self.page.wait_for_selector(".board")


@pytest.fixture
def tab(chromium: Any, site: Site, browser: httpx2.Client) -> Iterator[Watched]:
    watched = Watched(chromium, site, viewport={"width": 1920, "height": 1080})
    yield watched
    assert watched.faults == []
    watched.context.close()


def test_a_cut_appears_by_itself_within_three_seconds_of_its_verdict_and_so_does_its_end(
    tab: Watched, chromium: Any, site: Site
) -> None:
    tab.sign_in()
    english = Watched(chromium, site, viewport={"width": 1366, "height": 768})
    english.sign_in("en")
    for one in (tab, english):
        one.page.wait_for_selector(".board.calm", timeout=15_000)
    began = len(site.daemon.events("state changed"))
    site.server.on = False
    try:
        tab.page.wait_for_selector(".board.alert .incidents li.down", timeout=20_000)
        english.page.wait_for_selector("text=Open incidents: 1", timeout=5000)
        seen = time.time()
        lines = site.daemon.events("state changed")[began:]
        verdict = next(line for line in lines if line["check"] == "names/dns" and line["state"] == "down")
        assert seen - _time(verdict["timestamp"]) < 3
        assert "Máy chủ tên miền" in tab.page.inner_text(".incidents")
        assert tab.page.title().startswith("Toàn cảnh")
        english.page.click(".incidents a")
        tab.page.click(".incidents a")
        tab.page.wait_for_selector(".timeline .opened")
        tab.page.fill("textarea", HOSTILE)
        tab.page.click("button[value=acknowledge]")
        tab.page.wait_for_selector("text=an đã tiếp nhận")
        english.page.wait_for_selector("text=Acknowledged by an", timeout=5000)
        tab.page.select_option("[name=owner]", "carrier")
        tab.page.click("button[value=own]")
        tab.page.wait_for_selector(".facts >> text=nhà mạng")
        assert HOSTILE in tab.page.inner_text(".timeline")
    finally:
        site.server.on = True
    tab.page.wait_for_selector(".timeline .resolved", timeout=20_000)
    tab.page.goto("/")
    tab.page.wait_for_selector(".board.calm", timeout=15_000)
    assert english.faults == []
    english.context.close()


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


@pytest.mark.parametrize(("language", "planned"), [("vi", "Đã lập kế hoạch"), ("en", "is planned")])
def test_maintenance_is_planned_with_the_mouse_the_calendar_is_read_and_a_report_is_taken_away(
    tab: Watched, language: str, planned: str
) -> None:
    tab.sign_in(language)
    tab.page.click("nav a[href='/maintenance']")
    tab.page.select_option("[name=kind]", "site")
    tab.page.fill("[name=name]", "hub")
    tab.page.fill("[name=start]", "2027-02-01T22:00")
    tab.page.fill("[name=end]", "2027-02-01T23:30")
    tab.page.fill("[name=reason]", HOSTILE)
    tab.page.click("button[value=add]")
    assert planned in tab.page.inner_text(".flash")
    tab.page.click("nav a[href='/calendar']")
    assert tab.page.locator(".day.today").count() == 1
    tab.page.click(".further summary")
    tab.page.click("nav a[href='/reports']")
    assert tab.page.get_attribute("html", "lang") == language
    with tab.page.expect_download() as taken:
        tab.page.click("text=report-2026-10-vi.pdf")
    assert Path(taken.value.path()).read_bytes() == b"%PDF-1.7 ..."


def test_everything_is_reached_by_keyboard_and_the_search_is_under_the_slash_key(tab: Watched) -> None:
    tab.sign_in()
    tab.page.keyboard.press("Tab")
    assert tab.page.evaluate("document.activeElement.className") == "skip"
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("luc ngan")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_selector("#results .list a")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_url("**/site/hub")


CUT_OFF = """
(count) => {
  const all = document.querySelector(".systems");
  const first = all.querySelector(".system");
  first.querySelector("h2 a").textContent = "Mạng truyền số liệu chuyên dùng";
  while (all.children.length < count) all.append(first.cloneNode(true));
  return [...all.children].flatMap((tile) => {
    const room = tile.getBoundingClientRect();
    return [...tile.children].filter((one) => {
      const box = one.getBoundingClientRect();
      return box.height && (box.top < room.top || box.bottom > room.bottom + 1 || box.right > room.right + 1);
    }).map((one) => one.className + ": " + one.textContent);
  });
}
"""
"""Finds what of a system's tile is not seen, when there are so many systems."""


@pytest.mark.parametrize("size", [(1366, 768), (1920, 1080), (3840, 2160)])
def test_the_wall_needs_no_scrolling(chromium: Any, site: Site, browser: httpx2.Client, size: tuple[int, int]) -> None:
    watched = Watched(chromium, site, viewport={"width": size[0], "height": size[1]})
    watched.sign_in()
    root = "document.documentElement"
    assert watched.page.evaluate(f"[{root}.scrollWidth, {root}.scrollHeight]") == list(size)
    for systems in (2, 6, 9):
        assert watched.page.evaluate(CUT_OFF, systems) == [], systems
    assert watched.faults == []
    watched.context.close()


@pytest.mark.parametrize(("language", "scheme"), [("vi", "dark"), ("en", "light")])
def test_every_page_fits_a_phone_has_enough_contrast_and_says_nothing_on_the_console(
    chromium: Any, site: Site, browser: httpx2.Client, language: str, scheme: str
) -> None:
    watched = Watched(chromium, site, viewport={"width": 390, "height": 844}, color_scheme=scheme)
    watched.sign_in()
    for path in EVERY[:-1]:
        watched.page.goto(f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= 390, path
        assert watched.page.evaluate(CONTRAST) == [], path
        assert (
            watched.page.evaluate(
                "[...document.querySelectorAll('input:not([type=hidden]),select,textarea')].filter("
                "(one) => !one.labels.length && !one.getAttribute('aria-label')).length"
            )
            == 0
        ), path
        assert watched.page.locator("h1").count() == 1, path
    assert watched.faults == []
    watched.context.close()


@pytest.mark.parametrize(
    ("size", "scheme"),
    [((390, 844), "dark"), ((390, 844), "light"), ((1366, 768), "dark"), ((1920, 1080), "light")],
)
def test_axe_finds_no_serious_fault_on_any_page(
    chromium: Any, site: Site, browser: httpx2.Client, size: tuple[int, int], scheme: str
) -> None:
    axe = AXE.read_text(encoding="utf-8")
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_SHA256
    viewport = {"width": size[0], "height": size[1]}
    watched = Watched(chromium, site, viewport=viewport, color_scheme=scheme, bypass_csp=True)
    watched.context.add_cookies(
        [{"name": "haidang", "value": browser.cookies["haidang"], "url": site.base}]
    )  # no password: argon2id six times over would be most of this test
    soon, later = (datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(minutes=minutes) for minutes in (1, 2))
    asked = f"/forecast?kind=site&name=hub&start={soon:%Y-%m-%dT%H:%M}&end={later:%Y-%m-%dT%H:%M}"
    for path in (*EVERY, asked):
        watched.page.goto(path)
        watched.page.evaluate(axe)
        assert watched.page.evaluate(FAULTS) == [], path
    watched.page.goto("/account")
    watched.page.fill("[name=password]", PASSWORD)
    watched.page.click("main button")
    watched.page.wait_for_selector("img.qr")
    watched.page.evaluate(axe)
    assert watched.page.evaluate(FAULTS) == [], "the second factor's picture"
    watched.page.click(".further summary")
    assert watched.page.evaluate(FAULTS) == [], "the menu"
    watched.context.close()


CONTRAST = """
() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((one) => one / 255)
      .map((one) => one <= 0.03928 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (one) => {
    for (; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$|transparent/.test(colour)) return colour;
    }
    return getComputedStyle(document.documentElement).backgroundColor;
  };
  const bad = [];
  for (const one of document.querySelectorAll("body *:not(svg *):not(option)")) {
    if (![...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
    if (!one.getClientRects().length || one.closest(".coming, .skip, [hidden]")) continue;
    const style = getComputedStyle(one);
    const [a, b] = [light(style.color), light(ground(one))].sort((x, y) => y - x);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) bad.push(
      one.className + ": " + one.textContent.trim().slice(0, 30) + " " + style.color + " on " + ground(one));
  }
  return bad;
}
"""
"""Finds text with less contrast than WCAG 2.2 asks for (1.4.3, level AA)."""


def test_a_wall_says_by_itself_when_the_daemon_is_gone(chromium: Any, site: Site, browser: httpx2.Client) -> None:
    watched = Watched(chromium, site, viewport={"width": 1366, "height": 768})
    watched.sign_in()
    watched.context.route("**/events", lambda route: route.abort())
    watched.page.reload()
    watched.page.evaluate("heard = 0")  # as if nothing had been heard for long
    watched.page.wait_for_selector(".lost:not([hidden])", timeout=5000)
    assert "Mất kết nối" in watched.page.inner_text(".lost")
    watched.context.unroute("**/events")
    watched.page.wait_for_selector(".lost", state="hidden", timeout=20_000)
    watched.context.close()
