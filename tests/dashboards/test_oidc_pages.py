"""Signing in at a provider as people do it: by the button, through the provider, back to where they were."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import httpx2
import pytest

from dashboards.web.access.oidc import Journey
from dashboards.web.access.totp import STEP_S, code_at
from haidang.control import ask
from storage.audit import entries, verify
from tests.dashboards.conftest import PASSWORD, Site, form_of
from tests.support.daemon import typed
from tests.support.openid import CLIENT, OpenidProvider, segment


def arrive(client: httpx2.Client, there: OpenidProvider, where: str = "/login/oidc?back=%2Fincidents") -> str:
    """Go to the provider, and return the address that it sends the browser back to."""
    away = client.get(where)
    assert away.status_code == 303
    assert away.headers["location"].startswith(f"{there.issuer}/protocol/auth?")
    return str(client.get(away.headers["location"]).headers["location"])


def put_on(client: httpx2.Client) -> bytes:
    """Give whoever is signed in a second factor, and return its secret."""
    form = form_of(client, "/account")
    shown = client.post("/account", data={"form": form, "do": "begin", "password": PASSWORD})
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", shown.text)
    assert found
    secret = base64.b32decode(found[1].replace(" ", ""))
    code = code_at(secret, time.time_ns() // (STEP_S * 10**9))
    assert client.post("/account", data={"form": form, "do": "confirm", "code": code}).status_code == 200
    return secret


def chained(site: Site, who: str) -> list[str]:
    """Return what the audit log has of somebody's access, in order."""
    with sqlite3.connect(site.config.parent / "data" / "haidang.db") as sql:
        assert verify(sql).fault == ""
        return [json.loads(one.data)["what"] for one in entries(sql) if (one.kind, one.author) == ("access", who)]


@pytest.fixture
def person(site: Site, browser: httpx2.Client) -> Iterator[httpx2.Client]:
    """A browser whose user the provider knows."""
    site.openid.reset()
    with httpx2.Client(base_url=site.base) as client:
        yield client


def test_somebody_comes_by_the_button_and_may_what_their_groups_may_at_each_sign_in(
    person: httpx2.Client, site: Site
) -> None:
    page = person.get("/login?back=%2Fincidents", headers={"cookie": "lang=vi"})
    assert 'href="/login/oidc?back=/incidents">Đăng nhập bằng Tài khoản tỉnh</a>' in page.text
    person.cookies.set("haidang", "fixed-by-the-attacker", domain="127.0.0.1")
    done = person.get(arrive(person, site.openid))
    assert (done.status_code, done.headers["location"]) == (303, "/incidents")
    cookies = done.headers.get_list("set-cookie")
    assert any(one.startswith("haidang=") and "HttpOnly" in one and "SameSite=lax" in one for one in cookies)
    assert any(one.startswith('haidang-oidc=""') and "Max-Age=0" in one for one in cookies)
    assert "fixed-by-the-attacker" not in str(cookies)
    assert 'method="post" action="/maintenance"' in person.get("/maintenance").text, "an operator plans"
    assert "nhà cung cấp danh tính" in person.get("/account", headers={"accept-language": "vi"}).text
    first = person.cookies["haidang"]

    site.openid.person["groups"] = ["nhìn"]
    person.get(arrive(person, site.openid))
    assert person.cookies["haidang"] != first, "each sign-in has a session of its own"
    assert 'method="post" action="/maintenance"' not in person.get("/maintenance").text, "a viewer does not"
    with httpx2.Client(base_url=site.base, cookies={"haidang": first}) as old:
        assert old.get("/incidents").status_code == 303, "and the one before it has ended"

    site.openid.person["groups"] = ["kế toán"]
    refused = person.get(arrive(person, site.openid))
    assert refused.status_code == 403
    assert "không nhóm nào của bạn được dùng các trang này" in refused.text
    assert "/login/oidc/out" in refused.text, "they may come as somebody else"
    assert person.get("/incidents").status_code == 303, "who lost every group is out at once"
    listed = ask(site.config.parent / "data", "user.list", {})["users"]
    assert {"name": "binh", "role": "viewer", "totp": False, "oidc": True} in listed
    assert chained(site, "binh") == [
        "was vouched for", "signed in at the provider as operator", "was vouched for",
        "signed in at the provider as viewer",
    ]  # fmt: skip
    assert chained(site, "oidc:1") == ["was refused: no_role"]


def test_a_user_with_a_password_is_not_taken_over_by_the_name_and_may_be_left_to_the_provider(
    person: httpx2.Client, site: Site
) -> None:
    site.openid.person = {"sub": "the-other-an", "preferred_username": "an@elsewhere.example", "groups": ["quản trị"]}
    refused = person.get(arrive(person, site.openid))
    assert refused.status_code == 403
    assert "Tên mà bạn sẽ có ở đây đã thuộc về người khác" in refused.text
    assert person.get("/incidents").status_code == 303
    link = ask(site.config.parent / "data", "user.link", {"name": "giang", "role": "viewer"})["link"]
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as local:
        local.post(link, data={"name": "giang", "password": PASSWORD, "again": PASSWORD})
        secret = put_on(local)
    ask(site.config.parent / "data", "user.adopt", {"name": "giang"})
    site.openid.person = {"sub": "g", "preferred_username": "giang", "groups": ["nhìn"]}
    asked = person.get(arrive(person, site.openid)).headers["location"]
    assert asked == "/login/code?back=%2Fincidents", "the provider is no way around the code"
    assert person.get("/incidents").status_code == 303
    code = code_at(secret, time.time_ns() // (STEP_S * 10**9) + 1)
    assert person.post(asked, data={"code": code}, headers={"origin": site.base}).headers["location"] == "/incidents"
    form = form_of(person, "/incidents")
    left = person.post("/logout", data={"form": form}, headers={"origin": site.base})
    assert left.headers["location"] == "/login?left=1"
    assert "Đăng xuất cả khỏi Tài khoản tỉnh" in person.get("/login?left=1").text
    out = person.get("/login/oidc/out").headers["location"]
    assert out.startswith(f"{site.openid.issuer}/protocol/logout?client_id=haidang&post_logout_redirect_uri=http")
    assert person.get("/incidents").status_code == 303


def test_two_pages_may_go_to_the_provider_at_once_and_going_back_to_it_does_no_harm(
    person: httpx2.Client, site: Site
) -> None:
    first = arrive(person, site.openid, "/login/oidc?back=%2Fmaintenance")
    second = arrive(person, site.openid, "/login/oidc?back=%2Fincidents")
    assert person.get(first).headers["location"] == "/maintenance"
    assert person.get(second).headers["location"] == "/incidents", "Keycloak sends every open tab on by itself"
    assert "haidang-oidc" not in person.cookies
    again = person.get(second)
    assert (again.status_code, again.headers["location"]) == (303, "/"), "the browser's way back leads there once more"
    assert person.get("/incidents").status_code == 200
    away = person.get("/login/oidc", headers={"cookie": "lang=en"}).headers["location"]
    assert "ui_locales=en" in away, "the provider speaks as the page does"


def test_coming_back_with_another_browsers_answer_or_twice_opens_nothing_and_leads_nowhere_else(
    person: httpx2.Client, site: Site
) -> None:
    came = arrive(person, site.openid)
    with httpx2.Client(base_url=site.base) as victim:
        forged = victim.get(came)
        assert forged.status_code == 400
        assert "bắt đầu từ trình duyệt khác" in forged.text
        assert "haidang" not in victim.cookies
    assert person.get(came).status_code == 303
    person.cookies.delete("haidang")
    assert person.get(came).status_code == 400, "an answer is taken once"
    for elsewhere in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        away = person.get("/login/oidc", params={"back": elsewhere})
        went = person.get(str(person.get(away.headers["location"]).headers["location"]))
        assert went.headers["location"] == "/", elsewhere
    journey = Journey("x" * 43, time.time_ns() // 10**9, "https://evil.example/")
    there = person.get(f"{site.openid.issuer}/protocol/auth", params={
        "client_id": CLIENT, "response_type": "code", "scope": "openid", "state": journey.state, "nonce": journey.nonce,
        "redirect_uri": f"{site.base}/login/oidc/back", "code_challenge_method": "S256",
        "code_challenge": segment(hashlib.sha256(journey.verifier.encode()).digest()),
    })  # fmt: skip
    with httpx2.Client(base_url=site.base, cookies={"haidang-oidc": journey.cookie}) as own:
        assert own.get(there.headers["location"]).headers["location"] == "/", "nor by a cookie made by oneself"


def test_an_answer_of_another_issuer_or_without_a_code_is_told_in_words_and_not_in_the_providers(
    person: httpx2.Client, site: Site
) -> None:
    came = arrive(person, site.openid)
    mixed = person.get(came.replace("iss=http", "iss=https"))
    assert mixed.status_code == 502
    state = dict(parse_qsl(urlsplit(arrive(person, site.openid)).query))["state"]
    denied = person.get(
        "/login/oidc/back", params={"state": state, "error": "access_denied", "error_description": "<b>no</b>"}
    )
    assert denied.status_code == 502
    assert "Không đăng nhập được qua Tài khoản tỉnh" in denied.text
    assert "<b>" not in denied.text
    assert "access_denied" not in denied.text
    reasons = [one["reason"] for one in site.daemon.events("nobody was signed in by the provider")]
    assert "the provider says access_denied <b>no</b>" in reasons
    assert any(one.startswith("another issuer answered: https://127") for one in reasons)


def test_a_provider_that_is_away_is_told_in_words_and_local_users_sign_in_all_the_same(
    person: httpx2.Client, site: Site
) -> None:
    site.openid.instead["token"] = (503, b"busy")
    for _ in range(8):  # more than a guesser has for free: nobody is held back for what the provider does
        away = person.get(arrive(person, site.openid))
        assert away.status_code == 502
        assert "Hiện Tài khoản tỉnh không trả lời" in away.text
    assert 'name="password"' in away.text
    signed_in = person.post(
        "/login", data={"name": "an", "password": PASSWORD}, headers={"origin": site.base}
    )  # fmt: skip
    assert signed_in.headers["location"] == "/"


def test_who_guesses_codes_is_held_back_and_counted_and_passwords_go_on(person: httpx2.Client, site: Site) -> None:
    def counted(name: str) -> float:
        found = next(line for line in person.get("/metrics").text.splitlines() if line.startswith(f"{name}_total "))
        return float(found.split()[1])

    wrong, held = counted("haidang_web_sign_in_failed"), counted("haidang_web_sign_in_held_back")
    statuses = []
    for _ in range(9):
        query = dict(parse_qsl(urlsplit(arrive(person, site.openid)).query))
        statuses.append(person.get("/login/oidc/back", params={**query, "code": "guessed"}).status_code)
    assert statuses[:5] == [502] * 5
    assert 429 in statuses[5:]
    assert counted("haidang_web_sign_in_failed") == wrong + statuses.count(502)
    assert counted("haidang_web_sign_in_held_back") == held + statuses.count(429)
    signed_in = person.post("/login", data={"name": "an", "password": PASSWORD}, headers={"origin": site.base})
    assert signed_in.headers["location"] == "/"


def test_who_asks_by_another_address_of_the_pages_is_led_to_the_one_that_the_provider_knows(
    person: httpx2.Client, site: Site
) -> None:
    other = person.get("/login/oidc?back=%2Fself", headers={"host": "localhost:1"})
    assert other.headers["location"] == f"{site.base}/login/oidc?here=1&back=%2Fself"
    through_a_proxy = person.get("/login/oidc?here=1&back=%2Fself", headers={"host": "localhost:1"})
    assert through_a_proxy.headers["location"].startswith(site.openid.issuer), "and not round and round"


def test_the_doctor_says_whether_people_could_sign_in_there(person: httpx2.Client, site: Site) -> None:
    def said() -> str:
        return typed("doctor", "--config", str(site.config)).stdout

    assert f"ok       OpenID provider: {site.openid.issuer} describes itself, keys that may sign: 1" in said()
    site.openid.describes = {"issuer": "https://moved.example"}
    away = said()
    assert "warning  OpenID provider: the provider calls itself https://moved.example, web.oidc.issuer says" in away
    assert "cure: check web.oidc.issuer" in away
