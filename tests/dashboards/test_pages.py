"""The pages of a real daemon: in two languages, with hostile names, and for those who come with bad intent."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import httpx2
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from alerting.links import Link, key_of, sign
from dashboards.web.words import words
from tests.dashboards.conftest import HOSTILE, PASSWORD, Site, form_of, write
from tests.support.answerer import Answerer
from tests.support.daemon import COMMAND, Daemon, ask, until

FORM = "application/x-www-form-urlencoded"
PAGES = (
    "/",
    "/incidents",
    "/incidents?all=1",
    "/target/loop",
    "/target/names",
    "/site/centre",
    "/site/hub",
    "/circuit/line",
    "/system/wan",
    "/calendar",
    "/calendar?of=target:loop",
    "/calendar?of=site:centre&month=2026-01",
    "/maintenance",
    "/forecast",
    "/oncall",
    "/oncall?month=2026-12",
    "/reports",
    "/conferences",
    "/account",
    "/search",
    "/search?q=%3Cscript",
    "/self",
    "/part/wall",
    "/part/search?q=luc+ngan",
)


@pytest.mark.parametrize("language", ["vi", "en"])
@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_hostile_names_as_text_and_runs_nothing_inline(
    browser: httpx2.Client, path: str, language: str
) -> None:
    answer = browser.get(path, headers={"cookie": f"lang={language}; haidang={browser.cookies['haidang']}"})
    assert answer.status_code == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert "<script>alert" not in answer.text
    assert " style=" not in answer.text
    assert " onclick=" not in answer.text
    if not path.startswith("/part"):
        assert f'<html lang="{language}"' in answer.text
    if path in ("/target/loop", "/site/centre", "/circuit/line"):
        assert "&lt;script&gt;alert(" in answer.text


def test_pictures_in_pages_are_well_formed(browser: httpx2.Client) -> None:
    ribbons = re.findall(r'<svg class="ribbon".*?</svg>', browser.get("/target/loop").text, re.DOTALL)
    assert len(ribbons) == 2
    for one in ribbons:
        ElementTree.fromstring(one)


def test_without_signing_in_there_is_nothing_but_the_sign_in_page(site: Site) -> None:
    with httpx2.Client(base_url=site.base) as stranger:
        for path in PAGES:
            answer = stranger.get(path)
            assert answer.status_code in (303, 401)
            assert "Mạng WAN" not in answer.text
        assert stranger.get("/api/v1/targets").status_code == 401
        assert stranger.get("/events").status_code == 401
        assert stranger.get("/").headers["location"] == "/login"


def test_a_form_without_its_token_or_from_elsewhere_changes_nothing(browser: httpx2.Client, site: Site) -> None:
    plan = {
        "do": "add",
        "kind": "site",
        "name": "hub",
        "start": "2026-12-01T22:00",
        "end": "2026-12-01T23:00",
        "reason": "x",
    }
    good = {**plan, "form": form_of(browser, "/maintenance")}
    assert browser.post("/maintenance", data=plan).status_code == 403
    assert browser.post("/maintenance", data={**plan, "form": "wrong"}).status_code == 403
    assert browser.post("/maintenance", data=good, headers={"origin": "https://evil.example"}).status_code == 403
    assert browser.post("/maintenance", data=good, headers={"origin": "null"}).status_code == 403
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as stranger:
        assert stranger.post("/maintenance", data=good).status_code == 303  # to the sign-in page
    assert "01/12/2026 22:00:00" not in browser.get("/maintenance").text


def test_maintenance_is_planned_and_cancelled_from_the_page(browser: httpx2.Client) -> None:
    form = form_of(browser, "/maintenance")
    plan = {
        "form": form,
        "do": "add",
        "kind": "site",
        "name": "hub",
        "start": "2027-01-01T22:00",
        "end": "2027-01-01T23:30",
    }
    bad = browser.post("/maintenance", data={**plan, "reason": "x", "end": "soon"})
    assert bad.status_code == 400
    assert "2026-12-01T22:00" in bad.text
    nowhere = browser.post("/maintenance", data={**plan, "reason": "x", "name": "nowhere"})
    assert nowhere.status_code == 400
    done = browser.post("/maintenance", data={**plan, "reason": HOSTILE})
    assert done.status_code == 303
    page = browser.get(done.headers["location"]).text
    number = done.headers["location"].partition("=")[2]
    assert "<script>alert" not in page
    gone = browser.post("/maintenance", data={"form": form, "do": "cancel", "number": number})
    assert gone.status_code == 303


def test_the_link_of_the_first_run_works_once(site: Site, browser: httpx2.Client) -> None:
    with httpx2.Client() as stranger:
        again = stranger.post(
            site.link, data={"name": "x", "password": PASSWORD, "again": PASSWORD}, headers={"origin": site.base}
        )
        assert again.status_code == 404
        assert stranger.get(site.link).status_code == 404


def test_signing_in_gives_a_new_session_and_guessing_has_to_wait(site: Site, browser: httpx2.Client) -> None:
    with httpx2.Client(
        base_url=site.base, headers={"origin": site.base}, cookies={"haidang": "fixed-by-the-attacker"}
    ) as client:
        done = client.post("/login", data={"name": "an", "password": PASSWORD})
        assert done.status_code == 303
        assert "fixed-by-the-attacker" not in done.headers["set-cookie"]
        assert "HttpOnly" in done.headers["set-cookie"]
        assert "SameSite=lax" in done.headers["set-cookie"]
        statuses = [client.post("/login", data={"name": "nobody", "password": "wrong"}).status_code for _ in range(12)]
        assert statuses[:5] == [401] * 5
        assert 429 in statuses[5:]
        began = time.monotonic()
        more = [client.post("/login", data={"name": "nobody", "password": "wrong"}).status_code for _ in range(200)]
        assert more.count(429) > 190  # a try is looked at when its wait is over, and the next wait is twice as long
        assert time.monotonic() - began < 10
        assert client.get("/healthz").json()["status"] == "ok"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../web.py",
        "/static/%2e%2e/web.py",
        "/static/..%2fweb.py",
        "/static//etc/passwd",
        "/target/..%2f..%2fetc",
        "/incident/99999999999999999999",
        "/incident/-1",
        "/site/nowhere",
        "/nothing",
        "/target/%00",
    ],
)
def test_paths_that_lead_nowhere_are_not_found(browser: httpx2.Client, path: str) -> None:
    assert browser.get(path).status_code == 404


def test_large_bodies_and_what_is_no_http_are_refused(site: Site, browser: httpx2.Client) -> None:
    assert browser.post("/login", content=b"x" * 100_000).status_code == 413
    parts = urlsplit(site.base)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 5) as sock:
        sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc")
        sock.sendall(b"\r\n\r\n")
        assert b"400" in sock.recv(200)
    with socket.create_connection((parts.hostname or "", parts.port or 0), 5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40_000)
        assert b"400" in sock.recv(200)


def test_metrics_are_openmetrics_without_names(browser: httpx2.Client) -> None:
    answer = browser.get("/metrics")
    families = {one.name: one for one in text_string_to_metric_families(answer.text)}  # type: ignore[no-untyped-call]
    assert "openmetrics-text" in answer.headers["content-type"]
    assert {"haidang_targets", "haidang_probe_lateness_seconds", "haidang_incidents_open"} <= set(families)
    counts = {one.labels["state"]: one.value for one in families["haidang_targets"].samples}
    assert sum(counts.values()) == 2
    for name in ("checks", "slots", "slots_skipped", "late_seconds", "worst_late_seconds", "cpu_seconds"):
        values = {one.labels["probe"]: one.value for one in families[f"haidang_probe_{name}"].samples}
        assert "icmp" in values, name
    assert "loop" not in answer.text


def test_the_search_finds_without_accents_by_address_and_by_contract(browser: httpx2.Client) -> None:
    for asked, path in (
        ("luc ngan", "/site/hub"),
        ("127.0.0.1", "/target/loop"),
        ("MAY CHU", "/target/names"),
        ("alert", "/circuit/line"),
    ):
        assert f'href="{path}"' in browser.get("/part/search", params={"q": asked}).text


def test_a_part_that_did_not_change_is_not_sent_again(browser: httpx2.Client) -> None:
    first = browser.get("/part/search?q=wan")
    again = browser.get("/part/search?q=wan", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""


def test_a_port_that_is_taken_is_one_line_with_the_cure_and_all_else_goes_on(tmp_path: Path) -> None:
    server = Answerer()
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        Daemon(write(tmp_path, server.port, f'{{listen: "127.0.0.1:{taken.getsockname()[1]}"}}')) as daemon,
    ):
        line = daemon.wait_for("the pages are not served, everything else goes on")
        assert "web.listen" in line["reason"]
        daemon.wait_for("state changed")
        assert len(daemon.events("the pages are not served, everything else goes on")) == 1
        assert daemon.end() == 0
    server.close()


def test_a_socket_of_systemd_is_used_and_survives(tmp_path: Path) -> None:
    server = Answerer()
    config = write(tmp_path, server.port, "{public: true}")
    with socket.create_server(("127.0.0.1", 0)) as passed:
        starter = (
            "import os,sys; os.dup2(int(sys.argv[1]),3); os.environ.update(LISTEN_PID=str(os.getpid()),LISTEN_FDS='1');"
            "os.set_inheritable(3,True);"
            "os.execv(sys.executable,[sys.executable,'-P','-m','haidang','run','--config',sys.argv[2]])"
        )
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", starter, str(passed.fileno()), str(config)],
                pass_fds=[passed.fileno()],
                stdout=log,
                stderr=log,
            )
        try:
            port = passed.getsockname()[1]

            def served() -> bool:
                try:
                    return httpx2.get(f"http://127.0.0.1:{port}/healthz", timeout=2).status_code == 200
                except httpx2.HTTPError:
                    return False

            until(served, 15, "the passed socket is served")
            assert httpx2.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200  # public: nobody signs in
            assert httpx2.get(f"http://127.0.0.1:{port}/api/v1/states", timeout=5).status_code == 200
        finally:
            process.terminate()
            assert process.wait(10) == 0
    server.close()


@pytest.mark.slow
def test_the_command_makes_links_and_tokens(site: Site, browser: httpx2.Client) -> None:
    def run(*words: str) -> str:
        return subprocess.run(
            [*COMMAND, "user", *words, "--config", str(site.config)], capture_output=True, text=True, check=True
        ).stdout.strip()

    link = run("link", "binh", "--role", "operator")
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as binh:
        assert binh.post(link, data={"name": "binh", "password": PASSWORD, "again": PASSWORD}).status_code == 303
        assert binh.get("/maintenance").text.count("<form") >= 2
    assert ("binh", "operator") in [(one["name"], one["role"]) for one in json.loads(run("list", "--json"))]
    token = run("token", "ioc")
    headers = {"authorization": f"Bearer {token}"}
    assert httpx2.get(f"{site.base}/api/v1/systems", headers=headers).status_code == 200
    run("remove", "ioc", "--token")
    assert httpx2.get(f"{site.base}/api/v1/systems", headers=headers).status_code == 401


def test_a_link_from_a_message_acknowledges_without_signing_in_and_only_by_the_button(site: Site) -> None:
    data = site.config.parent / "data"
    site.server.on = False
    try:
        number = until(
            lambda: next((one["number"] for one in ask(site.config, "incidents")), None), 30, "there is an incident"
        )
        token = sign(key_of(data), Link("incident", number, "an", int(time.time()) + 60))
        with httpx2.Client(base_url=site.base) as phone:
            shown = phone.get(f"/ack/{token}")
            assert "Tôi là an, tôi tiếp nhận" in shown.text
            assert "Máy chủ tên miền" in shown.text
            assert ask(site.config, "incidents")[0]["acknowledged_by"] is None, "looking changes nothing"
            elsewhere = phone.post(f"/ack/{token}", headers={"origin": "https://evil.example"})
            assert elsewhere.status_code == 403
            done = phone.post(f"/ack/{token}", content=b"", headers={"content-type": FORM, "origin": site.base})
            assert "an đã tiếp nhận." in done.text
        assert ask(site.config, "incidents")[0]["acknowledged_by"] == "an"
    finally:
        site.server.on = True
    until(lambda: not ask(site.config, "incidents"), 30, "it is over")


def test_a_link_that_was_changed_is_too_old_or_nobodys_is_refused(site: Site) -> None:
    key = key_of(site.config.parent / "data")
    good = sign(key, Link("drill", 7, "an", int(time.time()) + 60))
    old = sign(key, Link("drill", 7, "an", int(time.time()) - 1))
    with httpx2.Client(base_url=site.base) as phone:
        assert [phone.get(f"/ack/{token}").status_code for token in (good[:-2] + "AA", old, "x")] == [404, 404, 404]
        refused = phone.post(f"/ack/{good}", content=b"", headers={"content-type": FORM, "origin": site.base})
        assert refused.status_code == 409, "there is no such drill"


def test_a_kept_report_is_taken_away_and_nothing_beside_it_is(browser: httpx2.Client, site: Site) -> None:
    assert "report-2026-10-vi.pdf" in browser.get("/reports").text
    taken = browser.get("/reports/2026-10/1/report-2026-10-vi.pdf")
    assert taken.content == b"%PDF-1.7 ..."
    assert taken.headers["content-disposition"].startswith("attachment")
    for path in ("2026-10/1/secret.txt", "2026-10/1/..%2f..%2fhaidang.db", "2026-10/2/report-2026-10.json",
                 "..%2f..%2f/1/web.db", "2026-10/1/SHA256SUMS%00"):  # fmt: skip
        assert browser.get(f"/reports/{path}").status_code in (400, 404), path
    with httpx2.Client(base_url=site.base) as stranger:
        assert stranger.get("/reports/2026-10/1/report-2026-10-vi.pdf").status_code == 303


def test_who_is_on_duty_is_shown_and_a_stand_in_is_added_and_called_off(browser: httpx2.Client) -> None:
    form = form_of(browser, "/oncall")
    wanted = {"form": form, "do": "add", "rota": "duty", "person": "binh", "start": "2027-01-01T08:00",
              "end": "2027-01-02T08:00", "reason": HOSTILE}  # fmt: skip
    assert browser.post("/oncall", data={**wanted, "end": "2026-01-01T08:00"}).status_code == 400
    assert browser.post("/oncall", data=wanted).status_code == 303
    page = browser.get("/oncall").text
    assert "01/01/2027 08:00:00" in page
    number = re.search(r'name="number" value="(\d+)"', page)
    assert number
    assert browser.post("/oncall", data={"form": form, "do": "cancel", "number": number[1]}).status_code == 303
    assert "01/01/2027 08:00:00" not in browser.get("/oncall").text


def test_the_price_of_planned_work_is_worked_out_and_what_is_past_or_nowhere_is_refused(browser: httpx2.Client) -> None:
    soon = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")) + timedelta(minutes=2)
    asked = f"/forecast?kind=system&name=wan&start={soon:%Y-%m-%dT%H:%M}&end=2099-01-01T23:00"
    assert "Không đủ. Ít nhất một mục tiêu sẽ bị trượt." in browser.get(asked).text
    later = browser.get("/forecast?kind=system&name=wan&start=2099-01-01T22:00&end=2099-01-01T23:00")
    assert later.status_code == 400
    assert "after the period" in later.text
    assert browser.get(asked.replace("2099", "2001")).status_code == 400
    assert browser.get(asked.replace("=wan", "=nowhere")).status_code == 400


def test_a_room_shows_its_last_burst_and_its_meetings_with_what_was_found_before_them(browser: httpx2.Client) -> None:
    counts = r"\d sẵn sàng, \d theo dõi, \d không sẵn sàng"
    page = until(lambda: re.search(counts, browser.get("/conferences").text), 30, "the room was tried").string
    assert "&lt;script&gt;alert(" in page
    assert 'href="/target/loop"' in page
    assert page.count("Giao ban") == 3, "those of the calendar"
    device = until(
        lambda: text if "MOS</tr>" in (text := browser.get("/target/loop").text) else None, 30, "a burst was stored"
    )
    assert re.search(r"Tiếng nói \(EF\)<td[^>]*>\d\d:\d\d:\d\d<td[^>]*>[\d,]+%", device)
    assert re.search(r"(KHÔNG SẴN SÀNG|SẴN SÀNG|THEO DÕI)", device), "its meeting, and the verdict on this room"
    assert device.count('class="echo"') >= 2, "every echo of the burst is drawn"


def test_a_device_shows_its_neighbours_and_the_contracted_capacity_of_the_line_on_its_port(
    browser: httpx2.Client,
) -> None:
    page = until(
        lambda: text if "Dung lượng thuê 9 Mbit/s" in (text := browser.get("/target/loop?range=3h").text) else None,
        30,
        "rates of its port were stored",
    )
    assert 'class="mark capacity"' in page
    assert '<a href="/circuit/line">' in page
    assert '<a href="/target/names">Máy chủ tên miền</a>' in page, "a neighbour that is watched leads to its page"
    assert page.count("Te1/1") == 2


def test_reasons_are_said_in_vietnamese_as_far_as_they_are_known() -> None:
    vi = words("vi", ZoneInfo("Asia/Ho_Chi_Minh"))
    assert vi.reason("no reply (53 tries in 55 s)") == "không trả lời (53 lần trong 55 giây)"
    assert vi.reason("down: connection refused while connecting to port 25") == (
        "mất: từ chối kết nối khi đang kết nối tới cổng 25"
    )
    assert vi.reason("it loses 7 % of the packets; something <new>") == "mất 7% gói tin; something <new>"
    assert words("en", ZoneInfo("Asia/Ho_Chi_Minh")).reason("no reply") == "no reply"
