"""Codes beside the password: right by the RFCs, taken once, held back, and never gone around."""

from __future__ import annotations

import base64
import re
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.web.access.backoff import FREE, Backoff
from dashboards.web.access.book import AccessBook
from dashboards.web.access.factors import AWAITED_S, CODES, Factors
from dashboards.web.access.totp import STEP_S, as_text, code_at, step_of, uri
from dashboards.web.pages.signing import try_code
from dashboards.web.seat import Seat
from haidang.clock import ManualClock
from storage.database import Database
from tests.dashboards.conftest import Site, form_of
from tests.support.daemon import COMMAND, ask

SECRET = b"12345678901234567890"
PASSWORD = "một câu dài dễ nhớ"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path, clock: ManualClock) -> Iterator[Database]:
    found = Database(tmp_path / "web.db", "web")
    AccessBook(found, clock).set_password("an", "operator", "hash")
    yield found
    found.close()


def now_code(secret: bytes, clock: ManualClock, later: int = 0) -> str:
    return code_at(secret, clock.utc_ns() // (STEP_S * 10**9) + later)


def put_on(factors: Factors, clock: ManualClock) -> tuple[bytes, list[str]]:
    factors.begin("an")
    secret = factors.awaited("an")
    assert secret is not None
    codes = factors.confirm("an", now_code(secret, clock), "")
    assert codes is not None
    return secret, codes


def test_codes_are_those_of_rfc_4226_appendix_d() -> None:
    assert [code_at(SECRET, step) for step in range(10)] == [
        "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("at_s", "code"),
    [(59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
     (2000000000, "69279037"), (20000000000, "65353130")],
)  # fmt: skip
def test_times_are_taken_as_in_rfc_6238_appendix_b(at_s: int, code: str) -> None:
    assert step_of(SECRET, code[-6:], at_s * 10**9, -1) == at_s // STEP_S


@given(st.text(max_size=12), st.integers(0, 2**40))
def test_only_the_codes_of_three_steps_are_taken_whatever_is_sent(sent: str, at_s: int) -> None:
    now = at_s // STEP_S
    near = {code_at(SECRET, step) for step in (now - 1, now, now + 1) if step >= 0}
    if now:
        assert (step_of(SECRET, sent, at_s * 10**9, -1) is not None) == (sent in near)


def test_the_picture_says_what_the_text_says() -> None:
    parts = urlsplit(uri(SECRET, "Hải đăng", "an"))
    assert (parts.scheme, parts.netloc, unquote(parts.path)) == ("otpauth", "totp", "/Hải đăng:an")
    asked = parse_qs(parts.query)
    assert asked["issuer"] == ["Hải đăng"]
    assert base64.b32decode(asked["secret"][0]) == base64.b32decode(as_text(SECRET).replace(" ", "")) == SECRET


def test_a_secret_counts_once_a_code_has_proven_it(database: Database, clock: ManualClock) -> None:
    factors = Factors(database, clock)
    factors.begin("an")
    assert not factors.on("an")
    assert factors.confirm("an", "000000x", "") is None
    secret = factors.awaited("an")
    assert secret is not None
    assert factors.fits("an", now_code(secret, clock)) == "", "it does not count yet"
    assert len(factors.confirm("an", now_code(secret, clock), "") or ()) == CODES
    assert factors.on("an")
    with pytest.raises(ValueError, match="already"):
        factors.begin("an")


def test_a_code_is_taken_once_and_none_from_before_it(database: Database, clock: ManualClock) -> None:
    factors = Factors(database, clock)
    secret, _ = put_on(factors, clock)
    assert factors.fits("an", now_code(secret, clock)) == "", "it was used to switch on"
    clock.advance(STEP_S)
    code = now_code(secret, clock)
    assert factors.fits("an", f" {code[:3]} {code[3:]} ") == "code"
    assert factors.fits("an", code) == ""
    assert factors.fits("an", now_code(secret, clock, later=-1)) == ""
    assert factors.fits("an", now_code(secret, clock, later=1)) == "code", "a clock that is ahead"
    assert factors.fits("an", now_code(secret, clock, later=2)) == ""


def test_a_recovery_code_works_once_and_others_end_the_old_ones(database: Database, clock: ManualClock) -> None:
    factors = Factors(database, clock)
    _, codes = put_on(factors, clock)
    assert factors.fits("an", codes[0].upper()) == "recovery"
    assert factors.fits("an", codes[0]) == ""
    assert factors.left("an") == CODES - 1
    fresh = factors.renew("an")
    assert factors.fits("an", codes[1]) == ""
    assert factors.fits("an", fresh[1].replace("-", "")) == "recovery"
    stored = b"".join(file.read_bytes() for file in database.path.parent.iterdir())
    assert not any(code.replace("-", "").encode() in stored for code in fresh)


def test_a_password_that_was_right_waits_five_minutes_for_its_code(database: Database, clock: ManualClock) -> None:
    factors, book = Factors(database, clock), AccessBook(database, clock)
    token = factors.challenge("an")
    assert factors.challenged(token) == "an"
    assert book.session(token) is None, "it is no session"
    clock.advance(AWAITED_S + 1)
    assert factors.challenged(token) == ""
    token = factors.challenge("an")
    book.set_password("an", "operator", "another")
    assert factors.challenged(token) == "", "another password ends it"


def test_who_gets_the_name_of_somebody_who_was_removed_begins_without_their_factor(
    database: Database, clock: ManualClock
) -> None:
    factors, book = Factors(database, clock), AccessBook(database, clock)
    put_on(factors, clock)
    book.remove("an")
    book.set_password("an", "viewer", "hash")
    assert not factors.on("an")
    with pytest.raises(ValueError, match="no user an with a second factor"):
        factors.off("an")


def test_wrong_codes_are_held_back_by_account_from_wherever_they_come(database: Database, clock: ManualClock) -> None:
    factors, book = Factors(database, clock), AccessBook(database, clock)
    secret, _ = put_on(factors, clock)
    house = SimpleNamespace(factors=factors, book=book, backoff=Backoff(clock))
    for number in range(FREE):
        seat = cast("Seat", SimpleNamespace(house=house, address=f"192.0.2.{number}"))
        assert try_code(seat, "an", "000000x") == ("", 0)
    seat = cast("Seat", SimpleNamespace(house=house, address="192.0.2.99"))
    clock.advance(0.5)
    good = now_code(secret, clock, later=1)
    assert try_code(seat, "an", good) == ("", 1), "the right one has to wait too"
    clock.advance(1)
    assert try_code(seat, "an", good) == ("code", 0)


def login(client: httpx2.Client, name: str, password: str = PASSWORD) -> httpx2.Response:
    return client.post("/login?back=%2Fincidents", data={"name": name, "password": password})


def audited(site: Site, who: str) -> list[str]:
    with sqlite3.connect(site.config.parent / "data" / "web.db") as sql:
        return [what for (what,) in sql.execute("SELECT what FROM audit WHERE who = ? ORDER BY id", (who,))]


def code_soon(secret: bytes, used: set[str]) -> str:
    """Return a code that has not been used: of this step, or of the next, which is taken too."""
    step = time.time_ns() // (STEP_S * 10**9)
    return next(code for code in (code_at(secret, step), code_at(secret, step + 1)) if code not in used)


def test_switching_on_signing_in_and_being_helped_out_work_as_people_do_it(browser: httpx2.Client, site: Site) -> None:
    link = ask(site.config, "user", "link", "hoa", "--role", "operator")["link"]
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as hoa:
        hoa.post(link, data={"name": "hoa", "password": PASSWORD, "again": PASSWORD})
        other = httpx2.Client(base_url=site.base, headers={"origin": site.base})
        assert login(other, "hoa").headers["location"] == "/incidents"
        form = form_of(hoa, "/account")
        assert hoa.post("/account", data={"form": form, "do": "begin", "password": "another one"}).status_code == 403
        assert hoa.post("/account", data={"form": "x", "do": "begin", "password": PASSWORD}).status_code == 403
        shown = hoa.post("/account", data={"form": form, "do": "begin", "password": PASSWORD})
        assert 'src="data:image/svg+xml' in shown.text
        assert shown.headers["cache-control"] == "no-store"
        found = re.search(r"<code>([A-Z2-7 ]+)</code>", shown.text)
        assert found
        secret = base64.b32decode(found[1].replace(" ", ""))
        wrong = hoa.post("/account", data={"form": form, "do": "confirm", "code": "12345"})
        assert wrong.status_code == 403
        assert found[1] in wrong.text, "the secret stays the same for another try"
        first = code_soon(secret, set())
        done = hoa.post("/account", data={"form": form, "do": "confirm", "code": first})
        codes = re.findall(r"<code>([a-z2-7-]{19})</code>", done.text)
        assert len(codes) == CODES
        assert hoa.get("/incidents").status_code == 200, "this browser goes on"
        assert other.get("/incidents").status_code == 303, "those begun without a code do not"

        half = login(other, "hoa")
        assert half.headers["location"] == "/login/code?back=%2Fincidents"
        assert other.get("/incidents").status_code == 303, "the password alone opens nothing"
        assert 'autocomplete="one-time-code"' in other.get("/login/code").text
        assert other.post("/login/code", data={"code": first}).status_code == 401, "a code works once"
        from_elsewhere = other.post("/login/code", data={"code": codes[0]}, headers={"origin": "https://evil.example"})
        assert from_elsewhere.status_code == 403
        signed = other.post("/login/code?back=%2Fincidents", data={"code": codes[0]})
        assert signed.headers["location"] == "/incidents"
        assert other.get("/incidents").status_code == 200
        assert other.post("/login/code", data={"code": codes[1]}).headers["location"].startswith("/login?"), "done"

        another = ask(site.config, "user", "link", "hoa")["link"]
        with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as stranger:
            chosen = stranger.post(another, data={"name": "hoa", "password": PASSWORD, "again": PASSWORD})
            assert chosen.headers["location"].startswith("/login/code"), "a link is not a way around the code"
            assert stranger.get("/incidents").status_code == 303
        listed = {one["name"]: one["totp"] for one in ask(site.config, "user", "list")}
        assert (listed["hoa"], listed["an"]) == (True, False)
        off = [*COMMAND, "user", "totp-off", "hoa", "--config", str(site.config)]
        assert subprocess.run(off, check=False).returncode == 0
        again = subprocess.run(off, check=False, capture_output=True, text=True)
        assert again.returncode != 0
        assert "there is no user hoa with a second factor" in again.stderr
        assert login(hoa, "hoa").headers["location"] == "/incidents"
        other.close()
    assert audited(site, "hoa") == [
        "chose a password", "signed in", "signed in", "put a second factor on", "sent a wrong code",
        "signed in with a recovery code", "chose a password", "signed in",
    ]  # fmt: skip
    assert "took the second factor off" in audited(site, "control")
