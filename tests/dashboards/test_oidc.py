"""Signing in at an OpenID provider: what is believed of one, and what never is."""

from __future__ import annotations

import asyncio
import hmac
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from config.schema.web import Oidc
from dashboards.web.access import oidc
from dashboards.web.access.oidc import (
    AGAIN_S,
    JOURNEY_S,
    KNOWN_S,
    LEEWAY_S,
    MOST_JOURNEYS,
    Journey,
    OidcError,
    Provider,
    ProviderAway,
)
from haidang.clock import ManualClock
from tests.support.certificates import Authority
from tests.support.openid import CLIENT, SECRET, OpenidProvider, segment, signed

REDIRECT = "https://monitor.example/login/oidc/back"
OTHER = RSAKey.generate_key(2048, auto_kid=True)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="module")
def served() -> Iterator[OpenidProvider]:
    found = OpenidProvider()
    yield found
    found.close()


@pytest.fixture
def there(served: OpenidProvider, clock: ManualClock) -> OpenidProvider:
    """A provider that is right, with our clock."""
    served.reset()
    served.clock_s = lambda: clock.utc_ns() / 1e9
    return served


def settings(issuer: str, **more: Any) -> Oidc:
    groups = {"viewers": ["nhìn"], "operators": ["/vận hành"], "admins": ["quản trị"]}
    return Oidc.model_validate({"issuer": issuer, "client_id": CLIENT, **groups, **more})


@pytest.fixture
def provider(there: OpenidProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Provider:
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    return Provider(settings(there.issuer, client_secret={"env": "OIDC_SECRET"}), clock, tmp_path)


async def sign_in(provider: Provider, there: OpenidProvider, clock: ManualClock) -> Mapping[str, Any]:
    """Go there and back."""
    journey = Journey.begin(clock, "/")
    where = await provider.start(journey, REDIRECT, "vi")
    back = urlsplit(there.authorize(urlsplit(where).query))
    query = dict(parse_qsl(back.query))
    assert query["state"] == journey.state
    return await provider.claims(query["code"], REDIRECT, journey)


async def test_who_the_provider_vouches_for_is_told_with_code_state_nonce_and_pkce(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    claims = await sign_in(provider, there, clock)
    assert (claims["sub"], claims["groups"]) == ("1", ["/vận hành"])
    await sign_in(provider, there, clock)
    assert there.asked == ["openid-configuration", "token", "certs", "token"], "what it is like is asked once"
    clock.advance(KNOWN_S + 1)
    await sign_in(provider, there, clock)
    assert there.asked[4:] == ["openid-configuration", "token", "certs"], "and anew after an hour"


def by_the_public_key(there: OpenidProvider, claims: Mapping[str, Any]) -> str:
    """Sign with what everybody knows, as a shared secret (RFC 8725 section 2.1)."""
    head = f"{segment({'alg': 'HS256', 'kid': there.key.kid})}.{segment(claims)}"
    return f"{head}.{segment(hmac.digest(there.key.as_pem(private=False), head.encode(), 'sha256'))}"


def by_hand(there: OpenidProvider, claims: Mapping[str, Any]) -> str:
    """Sign rightly what says that it must not be believed by who does not know an extension (RFC 7515, 4.1.11)."""
    head = f"{segment({'alg': 'RS256', 'kid': there.key.kid, 'crit': ['x'], 'x': 1})}.{segment(claims)}"
    assert there.key.private_key is not None
    made = there.key.private_key.sign(head.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{head}.{segment(made)}"


def forged(head: Mapping[str, Any], claims: Mapping[str, Any], signature: bytes = b"") -> str:
    return f"{segment(head)}.{segment(claims)}.{segment(signature)}"


TOKENS: dict[str, tuple[Callable[[OpenidProvider, dict[str, Any]], str], str]] = {
    "signed by nobody": (lambda _, claims: forged({"alg": "none"}, claims), "is signed by none"),
    "signed by nobody, in capitals": (lambda _, claims: forged({"alg": "NoNe"}, claims), "is signed by NoNe"),
    "without a signature": (lambda at, claims: signed(claims, at.key).rpartition(".")[0] + ".", "not the provider's"),
    "by the public key as a shared secret": (by_the_public_key, "is signed by HS256"),
    "by a stranger's key under the provider's kid": (
        lambda at, claims: signed(claims, OTHER, kid=at.key.kid), "not the provider's",
    ),
    "by a stranger's key": (lambda _, claims: signed(claims, OTHER), "none of its keys has the token's kid"),
    "by a key that the token brings along": (
        lambda at, claims: signed(claims, OTHER, kid=at.key.kid, jwk=OTHER.as_dict(private=False)),
        "not the provider's",
    ),
    "with claims changed afterwards": (
        lambda at, claims: signed(claims, at.key).replace(segment(claims), segment({**claims, "sub": "2"})),
        "not the provider's",
    ),
    "with an extension that nobody knows": (by_hand, "not the provider's"),
    "no token at all": (lambda *_: "chào", "not the provider's"),
    "a tower of brackets": (
        lambda *_: f"{segment(b'[' * 100_000)}.{segment({})}.{segment(b'x')}", "not the provider's",
    ),
    "claims that are no object": (lambda at, _: signed([1], at.key), "not the provider's"),  # type: ignore[arg-type]
}  # fmt: skip


@pytest.mark.parametrize("case", TOKENS)
async def test_a_token_that_the_provider_did_not_sign_is_not_believed(
    case: str, provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    make, why = TOKENS[case]
    there.sign = lambda claims: make(there, claims)
    with pytest.raises(OidcError, match=why):
        await sign_in(provider, there, clock)


CLAIMS: dict[str, tuple[Callable[[dict[str, Any], float], dict[str, Any]], str]] = {
    "another issuer": (lambda c, _: {**c, "iss": "https://evil.example"}, "another issuer: https://evil.example"),
    "no issuer": (lambda c, _: without(c, "iss"), "another issuer"),
    "the issuer with a slash more": (lambda c, _: {**c, "iss": c["iss"] + "/"}, "another issuer"),
    "another audience": (lambda c, _: {**c, "aud": "grafana"}, "another client"),
    "audiences without us": (lambda c, _: {**c, "aud": ["grafana", "wiki"]}, "another client"),
    "no audience": (lambda c, _: without(c, "aud"), "another client"),
    "an audience that holds us as a part": (lambda c, _: {**c, "aud": f"x{CLIENT}x"}, "another client"),
    "another party authorized": (lambda c, _: {**c, "aud": [CLIENT, "wiki"], "azp": "wiki"}, "another client"),
    "another nonce": (lambda c, _: {**c, "nonce": "of yesterday"}, "its nonce is not ours"),
    "no nonce": (lambda c, _: without(c, "nonce"), "its nonce is not ours"),
    "an end before now": (lambda c, now: {**c, "exp": now - LEEWAY_S}, "too old by 60 s; are both clocks right"),
    "no end": (lambda c, _: without(c, "exp"), "too old"),
    "an end that is none": (lambda c, _: {**c, "exp": True}, "too old"),
    "no number as an end": (lambda c, _: {**c, "exp": float("nan")}, "too old"),
    "an end in eternity": (lambda c, _: {**c, "exp": float("inf")}, "too old"),
    "made tomorrow": (lambda c, now: {**c, "iat": now + 86_400}, "from the future by 86400 s"),
    "not made at all": (lambda c, _: without(c, "iat"), "from the future"),
    "good from tomorrow on": (lambda c, now: {**c, "nbf": now + 86_400}, "from the future"),
    "nobody": (lambda c, _: without(c, "sub"), "names nobody"),
    "an empty subject": (lambda c, _: {**c, "sub": ""}, "names nobody"),
    "a subject that is a list": (lambda c, _: {**c, "sub": ["1"]}, "names nobody"),
    "a subject with a line break": (lambda c, _: {**c, "sub": "1\n2"}, "names nobody"),
}


def without(claims: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if name != key}


@pytest.mark.parametrize("case", CLAIMS)
async def test_a_token_with_a_wrong_claim_signs_nobody_in(
    case: str, provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    change, why = CLAIMS[case]
    now_s = clock.utc_ns() / 1e9
    there.change = lambda claims: change(claims, now_s)
    with pytest.raises(OidcError, match=why):
        await sign_in(provider, there, clock)


@pytest.mark.parametrize("apart_s", [1 - LEEWAY_S - 300, LEEWAY_S - 1])
async def test_clocks_that_are_a_minute_apart_are_no_obstacle(
    apart_s: int, provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    there.clock_s = lambda: clock.utc_ns() // 10**9 + apart_s
    assert (await sign_in(provider, there, clock))["sub"] == "1"


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" " * 65_536)
    except OSError:
        pass


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b" ")
            time.sleep(0.05)
    except OSError:
        pass


def packed(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(b"\x1f\x8b\x08\0" + b"\0" * 40)


def elsewhere(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("location", "https://evil.example/")
    handler.send_header("content-length", "0")
    handler.end_headers()


ANSWERS: dict[str, tuple[tuple[int, bytes] | Callable[[BaseHTTPRequestHandler], None], str]] = {
    "endless": (endless, "more than 262144 bytes"),
    "a byte now and then": (dripping, r"within 0\.3 s"),
    "packed": (packed, "no JSON"),
    "sent elsewhere": (elsewhere, "HTTP 302"),
    "broken": (lambda handler: handler.wfile.close(), "cannot be asked"),
    "500": ((500, b'{"error": "internal"}'), "HTTP 500"),
    "503 as a page": ((503, b"<html>"), "HTTP 503 and no JSON"),
    "a list": ((200, b"[]"), "not what was asked for"),
    "a tower": ((200, b"[" * 200_000), "no JSON"),
    "no UTF-8": ((200, b'{"a": "\xff\xfe'), "no JSON"),
}


@pytest.mark.parametrize("place", ["openid-configuration", "certs", "token"])
@pytest.mark.parametrize("case", ANSWERS)
async def test_a_provider_that_misbehaves_is_away_within_a_bound_of_time_and_memory(
    case: str,
    place: str,
    provider: Provider,
    there: OpenidProvider,
    clock: ManualClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if case == "a byte now and then":
        monkeypatch.setattr(oidc, "TIMEOUT_S", 0.3)
    answer, why = ANSWERS[case]
    there.instead[place] = answer
    with pytest.raises(ProviderAway, match=why):
        await asyncio.wait_for(sign_in(provider, there, clock), 5)


DESCRIPTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"issuer": "https://evil.example"}, "calls itself https://evil.example, web.oidc.issuer says"),
    "no list of methods, and no token endpoint": (
        {"token_endpoint_auth_methods_supported": 7, "token_endpoint": None},
        "token_endpoint is no address",
    ),
    "no token endpoint": ({"token_endpoint": None}, "token_endpoint is no address"),
    "a script as its address": (
        {"authorization_endpoint": "javascript:alert(1)"},
        "authorization_endpoint is no address",
    ),
    "a file as its keys": ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri is no address"),
    "an address over two lines": ({"authorization_endpoint": "https://a/\r\nset-cookie: x"}, "is no address"),
    "an address without a host": ({"token_endpoint": "https:///token"}, "token_endpoint is no address"),
    "a broken address": ({"token_endpoint": "https://[/"}, "token_endpoint is no address"),
}


@pytest.mark.parametrize("case", DESCRIPTIONS)
async def test_a_description_that_is_not_right_is_refused_in_words(
    case: str, provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    there.describes, why = DESCRIPTIONS[case]
    with pytest.raises(ProviderAway, match=why):
        await sign_in(provider, there, clock)


async def test_no_browser_is_sent_to_a_provider_that_has_gone_away_since_somebody_signed_in(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    await sign_in(provider, there, clock)
    there.describes = {"issuer": "http://127.0.0.1:1/another"}
    clock.advance(AGAIN_S + 1)
    with pytest.raises(ProviderAway, match="calls itself"):
        await provider.start(Journey.begin(clock, "/"), REDIRECT, "vi")


async def test_keys_that_are_rotated_are_fetched_anew_but_not_for_every_forger(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    await sign_in(provider, there, clock)
    fresh = RSAKey.generate_key(2048, auto_kid=True)
    there.keys = [fresh.as_dict(private=False)]
    there.sign = lambda claims: signed(claims, fresh, "PS256")
    clock.advance(AGAIN_S + 1)
    assert (await sign_in(provider, there, clock))["sub"] == "1"
    there.sign = lambda claims: signed(claims, OTHER)
    for _ in range(5):
        with pytest.raises(OidcError, match="none of its keys"):
            await sign_in(provider, there, clock)
    assert there.asked.count("certs") == 2, "not within ten seconds of the last time"


async def test_keys_that_are_not_understood_are_passed_over_and_weak_ones_are_no_keys(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    curve, good = ECKey.generate_key("P-256", auto_kid=True), there.keys[0]
    there.keys = [
        7, None, {}, {"kty": "AKP", "alg": "ML-DSA-44", "pub": "x"}, {"kty": "EC", "crv": "none", "x": "1", "y": "2"},
        {"kty": "RSA", "n": "not base64 ***" * 40, "e": "AQAB"}, {"kty": "oct", "k": segment(b"x" * 32)},
        {**OTHER.as_dict(private=False), "use": "enc"}, curve.as_dict(private=False), good,
    ]  # fmt: skip
    await sign_in(provider, there, clock)
    assert [key.key_type for key in await provider._key_set()] == ["EC", "RSA"]
    there.sign = lambda claims: jws.serialize_compact({"alg": "ES256"}, json.dumps(claims), curve, algorithms=["ES256"])
    assert (await sign_in(provider, there, clock))["sub"] == "1", "a token without a kid is tried with each key"
    there.keys = [{"kty": "RSA", "n": segment(b"\xff" * 128), "e": "AQAB"}]
    clock.advance(KNOWN_S + 1)
    with pytest.raises(ProviderAway, match="holds no key"):
        await sign_in(provider, there, clock)


async def test_what_an_id_token_leaves_out_is_asked_for_and_only_of_the_same_person(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    there.only_userinfo = frozenset({"groups", "preferred_username"})
    claims = await sign_in(provider, there, clock)
    assert (claims["groups"], claims["preferred_username"]) == (["/vận hành"], "binh")
    there.only_userinfo = frozenset({"preferred_username"})
    assert (await sign_in(provider, there, clock))["preferred_username"] == "binh"
    there.instead["userinfo"] = (200, b'{"sub": "2", "groups": ["admins"]}')
    with pytest.raises(OidcError, match="userinfo is of somebody else"):
        await sign_in(provider, there, clock)


async def test_a_wrong_secret_is_told_with_its_cure_and_without_what_it_is(
    there: OpenidProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OIDC_SECRET", "wrong one")
    found = settings(there.issuer, client_secret={"env": "OIDC_SECRET"})
    with pytest.raises(
        OidcError, match=r"invalid_client wrong secret; check client_id and client_secret .*not every provider"
    ) as refused:
        await sign_in(Provider(found, clock, tmp_path), there, clock)
    assert "wrong one" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
    monkeypatch.delenv("OIDC_SECRET")
    with pytest.raises(OidcError, match="OIDC_SECRET"):
        await sign_in(Provider(found, clock, tmp_path), there, clock)


async def test_a_provider_that_is_away_is_not_waited_for_by_everybody_and_asked_again_soon(
    provider: Provider, there: OpenidProvider, clock: ManualClock
) -> None:
    there.instead["openid-configuration"] = (503, b"{}")
    told = await asyncio.gather(*(sign_in(provider, there, clock) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, ProviderAway) for one in told)
    assert len(there.asked) == 1
    there.instead.clear()
    clock.advance(AGAIN_S + 1)
    assert (await sign_in(provider, there, clock))["sub"] == "1"


async def test_authorities_that_cannot_be_read_are_told_with_their_file(clock: ManualClock, tmp_path: Path) -> None:
    found = settings("https://127.0.0.1:1", trust="nowhere.pem")
    with pytest.raises(ProviderAway, match=r"web\.oidc\.trust .*nowhere\.pem cannot be read: No such file"):
        await Provider(found, clock, tmp_path).start(Journey.begin(clock, "/"), REDIRECT, "vi")


def test_only_the_browser_that_set_out_comes_back_with_its_own_state_and_in_time(clock: ManualClock) -> None:
    journey, other = Journey.begin(clock, "/incident/7?a=ạ"), Journey.begin(clock, "/")
    assert Journey.of(journey.cookie, journey.state, clock) == journey
    assert Journey.of(other.cookie, journey.state, clock) is None
    assert Journey.of("", journey.state, clock) is None
    later = f"{journey.key}.{journey.begun_s + 5}.{journey.cookie.split('.')[2]}"
    assert Journey.of(later, journey.state, clock) is None, "when it set out is part of the state"
    assert len({journey.key, journey.state, journey.nonce, journey.verifier}) == 4
    assert 43 <= len(journey.verifier) <= 128, "RFC 7636 section 4.1"
    clock.advance(JOURNEY_S + 1)
    assert Journey.of(journey.cookie, journey.state, clock) is None


def test_a_browser_keeps_its_newest_journeys_and_each_ends_alone(clock: ManualClock) -> None:
    journeys = [Journey.begin(clock, f"/{number}{'ạ' * 130}") for number in range(MOST_JOURNEYS + 1)]
    cookie = "x" * 5000
    for one in journeys:
        cookie = one.joined(cookie)
    assert len(cookie) < 4096
    assert [Journey.of(cookie, one.state, clock) for one in journeys] == [None, *journeys[1:]]
    cookie = journeys[2].ended(cookie)
    assert Journey.of(cookie, journeys[2].state, clock) is None
    assert Journey.of(cookie, journeys[3].state, clock) == journeys[3]
    assert journeys[0].ended(journeys[0].joined("")) == ""
    assert Journey.begin(clock, "/" + "ạ" * 140).back == "/"


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_browser_brings_is_no_journey(cookie: str, state: str) -> None:
    assert Journey.of(cookie, state, ManualClock()) is None


async def test_a_provider_with_a_certificate_by_an_authority_of_ones_own_is_trusted_when_it_is_named(
    provider: Provider, there: OpenidProvider, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (tmp_path / "tls").mkdir()
    context.load_cert_chain(Authority(tmp_path / "tls").issue("sso.pem", "127.0.0.1"))
    secure = OpenidProvider(context)
    secure.clock_s = lambda: clock.utc_ns() / 1e9
    monkeypatch.setenv("OIDC_SECRET", SECRET)
    said = {"client_secret": {"env": "OIDC_SECRET"}}
    try:
        named = settings(secure.issuer, trust="tls/authority.pem", **said)
        assert (await sign_in(Provider(named, clock, tmp_path), secure, clock))["sub"] == "1"
        with pytest.raises(ProviderAway, match=r"cannot be asked: .*set web\.oidc\.trust to the authority"):
            await sign_in(Provider(settings(secure.issuer, **said), clock, tmp_path), secure, clock)
        there.describes = {"jwks_uri": f"HTTPS{secure.issuer[5:]}/protocol/certs"}
        with pytest.raises(ProviderAway, match="CERTIFICATE_VERIFY_FAILED"):
            await sign_in(provider, there, clock)
    finally:
        secure.close()
