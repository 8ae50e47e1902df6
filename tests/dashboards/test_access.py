"""Who may use the pages: links that work once, sessions that end, guessers that wait."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from dashboards.web.access.backoff import FREE, LONGEST_S, MOST, Backoff
from dashboards.web.access.book import IDLE_S, INVITED_S, OLDEST_S, AccessBook, User, check_name
from dashboards.web.access.passwords import Passwords
from dashboards.web.access.tokens import Tokens
from dashboards.web.seat import safe_path
from haidang.clock import ManualClock
from storage.database import Database


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "web.db", "web")
    yield found
    found.close()


@pytest.fixture
def book(database: Database, clock: ManualClock) -> AccessBook:
    return AccessBook(database, clock)


def test_a_link_works_once_and_names_the_first_administrator(book: AccessBook) -> None:
    assert book.empty()
    token = book.invite("", "admin")
    book.accept(token, "an", "hash")
    assert book.users() == [User("an", "admin")]
    with pytest.raises(ValueError, match="link"):
        book.accept(token, "binh", "hash")


def test_a_link_ends_after_a_day_and_when_there_is_a_newer_one(book: AccessBook, clock: ManualClock) -> None:
    first, second = book.invite("an", "viewer"), book.invite("an", "viewer")
    assert book.invitation(first) is None
    assert book.invitation(second) is not None
    clock.advance(INVITED_S + 1)
    assert book.invitation(second) is None


def test_a_link_for_one_person_is_no_link_for_another_and_takes_no_name_that_is_there(book: AccessBook) -> None:
    token = book.invite("an", "viewer")
    with pytest.raises(ValueError, match="link"):
        book.accept(token, "binh", "hash")
    book.accept(token, "an", "hash")
    with pytest.raises(ValueError, match="taken"):
        book.accept(book.invite("", "admin"), "an", "hash")


def test_sessions_end_when_nobody_looks_and_when_they_are_old(book: AccessBook, clock: ManualClock) -> None:
    book.set_password("an", "operator", "hash")
    token = book.open("an")
    session = book.session(token)
    assert session is not None
    assert session.user == User("an", "operator")
    clock.advance(IDLE_S + 1)
    assert book.session(token) is None
    token = book.open("an")
    for _ in range(OLDEST_S // IDLE_S + 1):
        clock.advance(IDLE_S - 10)
        alive = book.session(token)
    assert alive is None


def test_another_password_and_a_removal_end_every_session_of_the_user(book: AccessBook) -> None:
    book.set_password("an", "viewer", "hash")
    token = book.open("an")
    book.set_password("an", "viewer", "other")
    assert book.session(token) is None
    token = book.open("an")
    book.remove("an")
    assert book.session(token) is None
    assert book.password("an") is None


def test_the_file_holds_no_token_that_somebody_could_use(
    book: AccessBook, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    book.set_password("an", "viewer", "hash")
    tokens = [book.open("an"), book.invite("binh", "viewer"), Tokens(database, clock).add("ioc", ["read"])]
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert not any(token.encode() in content for token in tokens)


def test_what_concerns_access_is_chained_as_well_and_a_ledger_that_is_full_keeps_nobody_out(
    database: Database, clock: ManualClock
) -> None:
    kept: list[tuple[str, str, object]] = []
    chaining = AccessBook(database, clock, lambda kind, author, data: kept.append((kind, author, data)))
    chaining.attest("an", "192.0.2.1", "signed in")
    assert kept == [("access", "an", {"address": "192.0.2.1", "what": "signed in", "about": ""})]

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with capture_logs() as said:
        AccessBook(database, clock, full).attest("binh", "192.0.2.2", "signed in")
    assert said[0]["log_level"] == "error"
    assert said[0]["reason"] == "database or disk is full"
    assert [one["who"] for one in chaining.audit(10, None)["items"]] == ["binh", "an"]


@pytest.mark.parametrize("name", ["", "An", "a b", "x" * 33, "../etc", "<script>", "-an", "ạn"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check_name(name)


def test_roles_include_those_below_them() -> None:
    assert User("an", "admin").may("operator")
    assert User("an", "operator").may("viewer")
    assert not User("an", "viewer").may("operator")


def test_after_some_failures_each_one_doubles_the_wait_up_to_a_quarter_of_an_hour(clock: ManualClock) -> None:
    backoff = Backoff(clock)
    for number in range(FREE + 20):
        expected = 0.0 if number < FREE else min(LONGEST_S, 2.0 ** (number - FREE))
        assert backoff.wait_s("user:an") == expected
        backoff.failed("user:an")
    assert backoff.wait_s("user:binh") == 0
    backoff.succeeded("user:an")
    assert backoff.wait_s("user:an") == 0


def test_ten_thousand_tries_from_everywhere_take_a_bounded_memory(clock: ManualClock) -> None:
    backoff = Backoff(clock)
    for number in range(2 * MOST):
        backoff.failed(f"from:{number}")
    assert len(backoff._failed) == MOST


async def test_a_password_fits_its_own_hash_only_and_nobody_has_one() -> None:
    passwords = Passwords()
    known = await passwords.hash("hải đăng soi sáng")
    assert known.startswith("$argon2id$")
    assert await passwords.fits(known, "hải đăng soi sáng")
    assert not await passwords.fits(known, "hải đăng soi sang")
    assert not await passwords.fits(None, "nobody has this password")
    assert not await passwords.fits("no hash at all", "x")


@given(st.text(max_size=60))
def test_going_back_never_leaves_the_site(path: str) -> None:
    safe = safe_path(path)
    assert safe.startswith("/")
    assert not safe.startswith(("//", "/\\"))
    assert "\n" not in safe


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example/", "javascript:alert(1)", "/\t/x"]
)
def test_known_tricks_to_be_sent_elsewhere_lead_home(path: str) -> None:
    assert safe_path(path) == "/"
