"""Signing in at a real provider, Canaille, with a real browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.dashboards.conftest import PASSWORD, write
from tests.support.answerer import Answerer
from tests.support.daemon import Daemon, ask, typed, until
from tests.support.openid import CLIENT, PLAIN, Canaille
from tests.support.parts import require
from tests.support.peers import free_port

pytestmark = pytest.mark.slow

PEOPLE = {"binh": ("mật khẩu của bình", ["trực mạng"]), "chi": ("mật khẩu của chi", ["kế toán"])}


def through(page: Any, name: str) -> None:
    """Say who one is at the provider, which trusts these pages and does not ask whether it may tell."""
    page.fill("[name=login]", name)
    page.press("[name=login]", "Enter")
    page.fill("[name=password]", PEOPLE[name][0])
    page.press("[name=password]", "Enter")


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Any]:
    program = require("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )  # fmt: skip
        page = browser.new_context(viewport={"width": 1366, "height": 768}).new_page()
        page.set_default_timeout(20_000)
        yield page
        browser.close()


def test_people_come_in_by_the_provider_as_what_they_are_there_and_leave_it_again(tmp_path: Path, page: Any) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: (
            faults.append(said.text) if said.location["url"].startswith(base) and "403" not in said.text else None
        ),
    )
    (tmp_path / "secret").write_text(PLAIN, encoding="utf-8")
    (tmp_path / "secret").chmod(0o600)
    provider = Canaille(tmp_path, free_port(), f"{base}/login/oidc/back", f"{base}/login", PEOPLE)
    with closing(provider) as there, closing(Answerer()) as server:
        web = (
            f"{{listen: '127.0.0.1:{port}', oidc: {{issuer: '{there.issuer}', client_id: {CLIENT}, "
            "name: Tài khoản tỉnh, client_secret: {file: secret}, scopes: [profile, groups], viewers: [lãnh đạo], "
            "operators: [trực mạng]}}"
        )
        config = write(tmp_path, server.port, web, base)
        with Daemon(config) as daemon:
            daemon.wait_for("pages are served")
            page.goto(f"{base}/login?back=%2Fmaintenance")
            page.click("text=Đăng nhập bằng Tài khoản tỉnh")
            through(page, "binh")
            page.wait_for_url(f"{base}/maintenance")
            assert page.locator("form[action='/maintenance']").count() >= 1, "an operator plans"
            listed = ask(config, "user", "list")
            assert listed == [{"name": "binh", "role": "operator", "totp": False, "oidc": True}]

            there.join("binh", "lãnh đạo")
            page.goto(f"{base}/login?back=%2Fmaintenance")
            page.click("text=Đăng nhập bằng Tài khoản tỉnh")  # the provider knows the browser
            page.wait_for_url(f"{base}/maintenance")
            assert page.locator("form[action='/maintenance']").count() == 0, "a viewer does not"

            page.click("text=Đăng xuất")
            page.click("text=Đăng xuất cả khỏi Tài khoản tỉnh")
            page.click("button[value=logout]")
            page.wait_for_selector("[name=login]")
            page.goto(f"{base}/login")
            page.click("text=Đăng nhập bằng Tài khoản tỉnh")
            through(page, "chi")
            page.wait_for_selector("text=không nhóm nào của bạn được dùng các trang này")
            assert page.goto(f"{base}/incidents").url.startswith(f"{base}/login")

            link = ask(config, "user", "link", "an", "--role", "admin")["link"]
            with httpx2.Client(headers={"origin": base}) as local:
                local.post(link, data={"name": "an", "password": PASSWORD, "again": PASSWORD})
            there.close()
            config.write_text(config.read_text(encoding="utf-8").replace("name: Tài khoản tỉnh", "name: Tỉnh"))
            daemon.process.send_signal(signal.SIGHUP)
            until(lambda: "bằng Tỉnh" in httpx2.get(f"{base}/login").text, 10, "the new name is on the button")
            page.goto(f"{base}/login")
            page.click("text=Đăng nhập bằng Tỉnh")
            page.wait_for_selector("text=Hiện Tỉnh không trả lời nên chưa đăng nhập qua đó được")
            page.fill("[name=name]", "an")
            page.fill("[name=password]", PASSWORD)
            page.click("main button")
            page.wait_for_selector(".board")
            away = typed("user", "adopt", "nobody", "--config", str(config))
            assert away.returncode == 2
            assert "there is no user nobody; a new one is added by the first sign-in at the provider" in away.stderr
            assert [one for one in faults if "status of 403" not in one and "status of 502" not in one] == []
            assert daemon.end() == 0
