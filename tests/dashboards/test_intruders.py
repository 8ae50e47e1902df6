"""Those who try ten thousand passwords, send what they caught before, or send without end: refused and counted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import httpx2
import pytest
from starlette.responses import Response

from dashboards.web.access.backoff import FREE, Backoff
from dashboards.web.access.book import AccessBook
from dashboards.web.app import MOST_BODY
from dashboards.web.pages import signing
from dashboards.web.seat import Seat
from haidang.clock import ManualClock
from storage.database import Database
from tests.dashboards.conftest import PASSWORD, Site, form_of

TRIES = 10_000


class Door:
    """The sign-in page without a browser before it; it counts the passwords that are looked at."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.book = AccessBook(database, clock)
        self.backoff = Backoff(clock)
        self.looks = 0
        self.house = SimpleNamespace(
            backoff=self.backoff, book=self.book, passwords=self, factors=SimpleNamespace(on=lambda _: False),
            identities=SimpleNamespace(known=lambda _: False),
            configuration=SimpleNamespace(web=SimpleNamespace(oidc=None), path="haidang.yaml"),
        )  # fmt: skip

    async def fits(self, known: str | None, password: str) -> bool:
        """Stand for argon2id, which `test_access` tries: here it would take ten minutes."""
        self.looks += 1
        return known == password

    async def knock(self, name: str, password: str, address: str) -> int:
        """Try to sign in; returns the status."""

        async def fields() -> dict[str, str]:
            return {"name": name, "password": password}

        def page(_template: str, *, status: int = 200, **_: object) -> Response:
            return Response(status_code=status)

        request = SimpleNamespace(method="POST", query_params={}, cookies={})
        seat = SimpleNamespace(
            request=request, house=self.house, address=address, session=None, fields=fields, page=page,
            words=lambda *_, **__: "", cookie="haidang", see=lambda path: Response(status_code=303),
            sign_in=lambda answer, _token: answer,
        )  # fmt: skip
        return (await signing.login(cast("Seat", seat))).status_code


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def door(tmp_path: Path, clock: ManualClock) -> Iterator[Door]:
    database = Database(tmp_path / "web.db", "web")
    found = Door(database, clock)
    found.book.set_password("an", "admin", "right")
    found.book.set_password("binh", "viewer", "right")
    yield found
    database.close()


async def test_ten_thousand_tries_from_one_address_get_nowhere_and_others_sign_in_meanwhile(
    door: Door, clock: ManualClock
) -> None:
    statuses = []
    for number in range(TRIES):
        statuses.append(await door.knock(f"nobody-{number}", "guess", "192.0.2.66"))
        clock.advance(0.01)
        if number % 1000 == 999:
            assert await door.knock("an", "right", "192.0.2.1") == 303, "somebody else, from elsewhere"
    looked = statuses.count(401)
    assert set(statuses) == {401, 429}
    assert looked <= FREE + 7, "in a hundred seconds there is room for 5 + log2(100) tries"
    assert door.looks == looked + 10
    assert (door.backoff.wrong, door.backoff.refused) == (looked, TRIES - looked)


async def test_ten_thousand_tries_at_one_account_from_everywhere_get_nowhere_and_are_on_record(
    door: Door, clock: ManualClock
) -> None:
    statuses = []
    for number in range(TRIES):
        statuses.append(await door.knock("an", f"guess {number}", f"198.51.{number % 256}.{number // 256}"))
        clock.advance(0.01)
        if number % 1000 == 999:
            assert await door.knock("binh", "right", "192.0.2.1") == 303, "another account"
    looked = statuses.count(401)
    assert looked <= FREE + 7
    assert await door.knock("an", "right", "192.0.2.1") == 429, "its owner waits too, and a quarter of an hour at most"
    clock.advance(900)
    assert await door.knock("an", "right", "192.0.2.1") == 303
    record = door.book.audit(1000, None)["items"]
    assert [one["what"] for one in record if one["who"] == "an"] == ["signed in", *["sent a wrong password"] * looked]


def test_a_form_caught_in_another_session_or_before_signing_out_does_nothing_again(
    site: Site, browser: httpx2.Client
) -> None:
    plan = {
        "do": "add", "kind": "site", "name": "hub", "start": "2027-05-01T22:00", "end": "2027-05-01T23:00",
        "reason": "replayed",
    }  # fmt: skip
    with httpx2.Client(base_url=site.base, headers={"origin": site.base}) as other:
        assert other.post("/login", data={"name": "an", "password": PASSWORD}).status_code == 303
        caught, token = form_of(other, "/maintenance"), other.cookies["haidang"]
        assert browser.post("/maintenance", data={**plan, "form": caught}).status_code == 403, "of the same user, even"
        assert other.post("/logout", data={"form": caught}).status_code == 303
        other.cookies.set("haidang", token, domain="127.0.0.1")
        assert other.post("/maintenance", data={**plan, "form": caught}).headers["location"] == "/login"
        assert other.post("/login", data={"name": "an", "password": PASSWORD}).status_code == 303
        assert other.post("/maintenance", data={**plan, "form": caught}).status_code == 403, "nor in the next session"
    assert "replayed" not in browser.get("/maintenance").text


@pytest.mark.parametrize(
    ("path", "status"),
    [("/login", 413), ("/maintenance", 413), ("/api/v1/maintenance", 401), ("/login/oidc/back", 405)],
)
def test_a_body_that_does_not_say_how_long_it_is_gets_no_further_than_others(
    site: Site, browser: httpx2.Client, path: str, status: int
) -> None:
    def parts() -> Iterator[bytes]:
        for _ in range(2 * MOST_BODY // 8192):
            yield b"x" * 8192

    headers = {"content-type": "application/x-www-form-urlencoded", "origin": site.base}
    assert browser.post(path, content=parts(), headers=headers).status_code == status
    assert browser.get("/healthz").json()["status"] == "ok"
