"""Tokens of programs: each does what its scopes say, is heard on the stream, ends when it is over or taken away."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dashboards.web.access.book import User
from dashboards.web.access.tokens import MOST_TOKENS, Tokens
from haidang.clock import ManualClock
from storage.database import Database, migrations, statements
from tests.dashboards.conftest import HOSTILE, Site
from tests.support.daemon import COMMAND, ask, until


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def tokens(tmp_path: Path, clock: ManualClock) -> Iterator[Tokens]:
    database = Database(tmp_path / "web.db", "web")
    yield Tokens(database, clock)
    database.close()


@pytest.mark.parametrize(
    ("scopes", "role"),
    [(["read"], "viewer"), (["operate", "hook"], "operator"), (["read", "admin"], "admin"), (["hook"], None)],
)
def test_the_largest_scope_says_what_a_program_may(tokens: Tokens, scopes: list[str], role: str | None) -> None:
    found = tokens.program(tokens.add("ioc", scopes))
    assert found is not None
    assert (found.user.role if found.user else None) == role
    assert ("hook" in found.scopes) == ("hook" in scopes)


def test_a_token_ends_with_its_days_with_a_newer_one_and_when_it_is_dropped(tokens: Tokens, clock: ManualClock) -> None:
    first = tokens.add("ioc", ["read"])
    second = tokens.add("ioc", ["read"], days=2)
    assert tokens.program(first) is None
    clock.advance(2 * 86_400 - 1)
    found = tokens.program(second)
    assert found is not None
    assert found.user == User("token:ioc", "viewer")
    clock.advance(1)
    assert tokens.program(second) is None
    third = tokens.add("ioc", ["read"])
    tokens.drop("ioc")
    assert tokens.program(third) is None
    with pytest.raises(ValueError, match="there is no token ioc"):
        tokens.drop("ioc")


def test_what_is_no_scope_no_time_or_one_token_too_many_is_refused_in_words(tokens: Tokens) -> None:
    with pytest.raises(ValueError, match="scopes are of read, operate, admin, hook, not everything"):
        tokens.add("ioc", ["read", "everything"])
    with pytest.raises(ValueError, match="not nothing"):
        tokens.add("ioc", [])
    with pytest.raises(ValueError, match="1 to 3650 days"):
        tokens.add("ioc", ["read"], days=0)
    for number in range(MOST_TOKENS):
        tokens.add(f"n{number}", ["read"])
    with pytest.raises(ValueError, match="remove some"):
        tokens.add("ioc", ["read"])
    assert tokens.add("n0", ["read"]), "one that takes another's place is none too many"


def test_tokens_of_an_earlier_version_go_on_with_the_same_rights(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "web.db"
    with sqlite3.connect(path) as old:
        for number, script in enumerate(migrations("web")[:2], 1):
            for statement in statements(script):
                old.execute(statement)
            old.execute(f"PRAGMA user_version = {number}")
        old.execute("INSERT INTO token VALUES (x'01', 'ioc', 'viewer', 5), (x'02', 'desk', 'operator', 6)")
    old.close()
    database = Database(path, "web")
    assert [(one.name, one.scopes, one.until_ns) for one in Tokens(database, clock).all()] == [
        ("desk", ("operate",), None), ("ioc", ("read",), None),
    ]  # fmt: skip
    database.close()


def made(site: Site, name: str, *scopes: str) -> dict[str, str]:
    words = [word for scope in scopes for word in ("--scope", scope)]
    return {"authorization": f"Bearer {ask(site.config, 'user', 'token', name, *words)['token']}"}


@pytest.fixture
def api(site: Site) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"{site.base}/api/v1") as client:
        yield client


def test_each_scope_opens_what_it_names_and_no_more(site: Site, browser: httpx2.Client, api: httpx2.Client) -> None:
    hook, read, operate, admin = (made(site, f"s-{one}", one) for one in ("hook", "read", "operate", "admin"))
    note = {"note": "x"}
    looks = [[api.get(path, headers=who).status_code for path in ("/targets", "/users", "/audit")]
             for who in (hook, read, operate, admin)]  # fmt: skip
    assert looks == [[401] * 3, [200, 403, 403], [200, 403, 403], [200, 200, 200]]
    does = [api.post("/incidents/999999/notes", json=note, headers=who).status_code for who in (hook, read, operate)]
    assert does == [401, 403, 409]
    assert browser.post("/api/v1/incidents/999999/notes", json=note).status_code == 401, "a cookie does nothing here"
    refused = api.get("/audit", headers=read).json()
    assert "scope admin" in refused["detail"]
    listed = {one["name"]: one for one in ask(site.config, "user", "tokens")}
    assert listed["s-read"]["scopes"] == ["read"]
    assert listed["s-read"]["seen"]
    assert {one["name"] for one in api.get("/users", headers=admin).json()["items"]} >= {"an", "s-hook"}


def test_maintenance_is_planned_and_called_off_by_a_program_and_both_are_on_record(
    site: Site, browser: httpx2.Client, api: httpx2.Client
) -> None:
    admin = made(site, "planner", "admin")
    plan = {"kind": "site", "name": "hub", "start": "2027-03-01T22:00:00+07:00", "end": "2027-03-01T23:00:00+07:00",
            "reason": HOSTILE, "excluded": True}  # fmt: skip
    done = api.post("/maintenance", json=plan, headers=admin)
    assert done.status_code == 200, done.text
    number = done.json()["number"]
    kept = next(one for one in api.get("/maintenance", headers=admin).json()["items"] if one["number"] == number)
    assert (kept["author"], kept["reason"], kept["start"]) == ("token:planner", HOSTILE, "2027-03-01T15:00:00Z")
    assert api.post(f"/maintenance/{number}/cancel", json={"reason": "rain"}, headers=admin).status_code == 200
    again = api.post(f"/maintenance/{number}/cancel", json={"reason": "rain"}, headers=admin)
    assert again.status_code == 409
    trail = api.get("/audit?limit=2", headers=admin).json()
    assert [(one["who"], one["what"], one["about"]) for one in trail["items"]] == [
        ("token:planner", "maintenance.cancel", str(number)), ("token:planner", "maintenance.add", str(number)),
    ]  # fmt: skip
    earlier = api.get(f"/audit?limit=1&before={trail['next']}", headers=admin).json()
    assert earlier["items"][0]["number"] < int(trail["next"])


@pytest.mark.parametrize(
    ("body", "kind", "status", "says"),
    [
        (b"{", "application/json", 400, "not JSON"),
        (b"[]", "application/json", 400, "one JSON object"),
        (b"[" * 8000, "application/json", 400, "not JSON"),
        (b"\xff\xfe", "application/json", 400, "not JSON"),
        (b'{"note": "x"}', "text/plain", 415, "application/json"),
        (b'{"note": "' + b"x" * 9000 + b'"}', "application/json", 413, "8192"),
        (b'{"note": 7}', "application/json", 400, "note is text"),
        (b'{"notes": "x"}', "application/json", 400, "notes is not a field; note are"),
        (b"{}", "application/json", 400, "note is needed"),
    ],
)
def test_a_body_that_is_not_right_is_a_problem_in_words(
    site: Site, api: httpx2.Client, operator: dict[str, str], body: bytes, kind: str, status: int, says: str
) -> None:
    answer = api.post("/incidents/1/notes", content=body, headers={**operator, "content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in answer.json()["detail"]


@pytest.fixture(scope="module")
def operator(site: Site) -> dict[str, str]:
    return made(site, "operator", "operate")


@pytest.mark.slow
def test_a_program_hears_the_stream_until_its_token_is_taken_away(site: Site, browser: httpx2.Client) -> None:
    for path in ("/events", "/api/v1/events"):
        who = made(site, "listener", "read")
        with httpx2.Client(base_url=site.base, timeout=10) as client, client.stream("GET", path, headers=who) as heard:
            assert heard.headers["content-type"].startswith("text/event-stream")
            lines = heard.iter_lines()
            assert "event: beat" in (next(lines), next(lines), next(lines))
            subprocess.run(
                [*COMMAND, "user", "remove", "listener", "--token", "--config", str(site.config)], check=True
            )
            assert len(list(lines)) < 30, "the next event ends it"
        with httpx2.Client(base_url=site.base) as client:
            assert client.get(path, headers=who).status_code == 401


def test_an_incident_is_taken_on_noted_and_blamed_by_a_program(
    site: Site, browser: httpx2.Client, api: httpx2.Client, operator: dict[str, str]
) -> None:
    site.server.on = False
    try:
        until(lambda: ask(site.config, "incidents"), 20, "an incident")
        number = ask(site.config, "incidents")[0]["number"]
        for path, body in (
            ("acknowledge", {"note": "on it", "until": "2099-01-01T00:00:00Z"}),
            ("notes", {"note": HOSTILE}),
            ("owner", {"owner": "power"}),
        ):
            done = api.post(f"/incidents/{number}/{path}", json=body, headers=operator)
            assert done.status_code == 200, done.text
        shown = api.get(f"/incidents/{number}", headers=operator).json()
        assert shown["acknowledged_by"] == "token:operator"
        assert shown["owner"] == "power"
        assert HOSTILE not in browser.get(f"/incident/{number}").text
        wrong = api.post(f"/incidents/{number}/owner", json={"owner": "the cat"}, headers=operator)
        assert wrong.status_code == 409
        assert "carrier" in wrong.json()["detail"]
    finally:
        site.server.on = True
    until(lambda: not ask(site.config, "incidents"), 30, "it is over")
