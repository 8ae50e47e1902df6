"""Who a provider's people are here, and what their groups give them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema.web import Oidc
from dashboards.web.access.book import INVITED_S, AccessBook, User, check_name
from dashboards.web.access.identities import Identities, claimed, name_of, role_of
from haidang.clock import ManualClock
from storage.database import Database

ISSUER = "https://sso.example"


def settings(**more: Any) -> Oidc:
    groups = {"viewers": ["nhìn"], "operators": ["/vận hành"], "admins": ["quản trị"]}
    return Oidc.model_validate({"issuer": ISSUER, "client_id": "haidang", **groups, **more})


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["nhìn"]}, "viewer"),
        ({"groups": ["nhìn", "quản trị", "/vận hành"]}, "admin"),
        ({"groups": "/vận hành"}, "operator"),
        ({"groups": ["vận hành"]}, None),
        ({"groups": ["QUẢN TRỊ", "quản trị "]}, None),
        ({"groups": [["quản trị"], {"quản trị": 1}, 7, None]}, None),
        ({"groups": {"quản trị": True}}, None),
        ({}, None),
    ],
)
def test_groups_give_the_largest_role_and_nothing_else_gives_one(claims: dict[str, Any], role: str | None) -> None:
    found = settings()
    assert role_of(found, claimed(found, claims) or frozenset()) == role


def test_groups_are_found_in_objects_under_addresses_and_everybody_may_look_only() -> None:
    deep = settings(role_claim="realm_access.roles")
    assert claimed(deep, {"realm_access": {"roles": ["a", "b"]}}) == frozenset({"a", "b"})
    assert claimed(deep, {"realm_access": "x"}) is None
    web = settings(role_claim="https://example.org/groups")
    assert claimed(web, {"https://example.org/groups": ["a"]}) == frozenset({"a"})
    everybody = settings(viewers=["*"])
    assert role_of(everybody, frozenset()) == "viewer"
    assert role_of(everybody, frozenset({"*"})) == "viewer"
    assert role_of(everybody, frozenset({"quản trị"})) == "admin"


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("binh", "binh"), ("Trần.Đình@tinh.gov.vn", "tran.dinh"), ("DOMAIN\\binh", "domain-binh"), ("@x", ""),
        ("<script>", "script"), (["binh"], "f-1"), (None, "f-1"), ("x" * 99, "x" * 32), ("../../etc", "etc"),
    ],
)  # fmt: skip
def test_a_new_user_is_named_as_users_are_here(claim: object, name: str) -> None:
    assert name_of(settings(), {"sub": "F:1", "preferred_username": claim}) == name


@given(st.text(min_size=1, max_size=300))
def test_a_name_is_one_or_is_refused(claim: str) -> None:
    found = name_of(settings(), {"sub": "1", "preferred_username": claim})
    if found:
        check_name(found)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    found = Database(tmp_path / "web.db", "web")
    yield found
    found.close()


def test_a_name_never_makes_a_stranger_one_who_is_there(database: Database, clock: ManualClock) -> None:
    book, identities = AccessBook(database, clock), Identities(database, clock)
    book.set_password("an", "admin", "hash")
    with pytest.raises(ValueError, match="taken"):
        identities.user(ISSUER, "1", "an", "viewer")
    assert identities.user(ISSUER, "1", "binh", "viewer") == ("binh", "is new, as viewer")
    for issuer, subject in ((ISSUER, "2"), ("https://other.example", "1")):
        with pytest.raises(ValueError, match="taken"):
            identities.user(issuer, subject, "binh", "admin")
    with pytest.raises(ValueError, match="bad_name"):
        identities.user(ISSUER, "3", "", "admin")
    assert book.users() == [User("an", "admin"), User("binh", "viewer")]
    assert book.password("binh") == "", "no password opens it"


def test_a_role_is_what_the_provider_says_at_each_sign_in(database: Database, clock: ManualClock) -> None:
    book, identities = AccessBook(database, clock), Identities(database, clock)
    identities.user(ISSUER, "1", "binh", "admin")
    assert identities.user(ISSUER, "1", "renamed-there", "viewer") == ("binh", "admin became viewer")
    assert identities.user(ISSUER, "1", "binh", "viewer") == ("binh", "")
    token = book.open("binh", 3600.0)
    assert book.session(token) is not None
    identities.turned_away(ISSUER, "1")
    assert book.session(token) is None, "who lost every group is out at once"


def test_a_session_by_the_provider_ends_in_its_time_however_often_it_is_used(
    database: Database, clock: ManualClock
) -> None:
    book, identities = AccessBook(database, clock), Identities(database, clock)
    identities.user(ISSUER, "1", "binh", "viewer")
    token = book.open("binh", 3600.0)
    clock.advance(3599)
    assert book.session(token) is not None
    clock.advance(2)
    assert book.session(token) is None


def test_who_was_removed_stays_out_also_when_somebody_else_has_the_name_now(
    database: Database, clock: ManualClock
) -> None:
    book, identities = AccessBook(database, clock), Identities(database, clock)
    identities.user(ISSUER, "1", "binh", "operator")
    token = book.open("binh")
    book.remove("binh")
    assert book.session(token) is None
    with pytest.raises(ValueError, match="removed"):
        identities.user(ISSUER, "1", "binh", "operator")
    book.accept(book.invite("binh", "admin"), "binh", "hash")
    with pytest.raises(ValueError, match="removed"):
        identities.user(ISSUER, "1", "binh", "operator")
    assert book.users() == [User("binh", "admin")]
    assert not identities.known("binh")


def test_an_administrator_may_leave_a_user_to_the_provider_once_within_a_day(
    database: Database, clock: ManualClock
) -> None:
    book, identities = AccessBook(database, clock), Identities(database, clock)
    with pytest.raises(ValueError, match="there is no user nobody"):
        identities.adopt("nobody")
    book.set_password("an", "admin", "hash")
    identities.adopt("an")
    clock.advance(INVITED_S + 1)
    with pytest.raises(ValueError, match="taken"):
        identities.user(ISSUER, "1", "an", "viewer")
    identities.adopt("an")
    assert identities.user(ISSUER, "1", "an", "operator") == ("an", "is an earlier user, as operator")
    assert book.password("an") == "hash", "the password goes on beside it"
    with pytest.raises(ValueError, match="taken"):
        identities.user("https://moved.example", "9", "an", "admin")
    book.remove("an")
    identities.adopt("an")
    assert identities.user(ISSUER, "1", "an", "viewer") == ("an", "is an earlier user, as viewer")
    assert book.password("an") == "", "that of somebody who was removed does not come back"
    identities.adopt("an")
    assert identities.user("https://moved.example", "9", "an", "viewer")[0] == "an", "the provider has moved"
    assert identities.users() == {"an"}
