"""Signing in at an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636).

::

    OidcError           nobody is signed in; the words are for the log, what a provider sends never reaches a page
    └── ProviderAway    because the provider does not answer, or not as one

"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from alerting.text import clean
from config.schema.web import Oidc
from config.secrets import SecretUnavailable
from haidang.clock import Clock
from probes.threads import in_thread

TIMEOUT_S = 10.0
"""For each question to the provider, with all of its answer; a sign-in asks four at most."""
MOST_BYTES = 262_144
MOST_KEYS = 50
KNOWN_S = 3600.0
"""How long the provider's description and keys are believed."""
AGAIN_S = 10.0
"""How long a provider that was away is left alone, and how rarely an unknown key makes the keys be fetched anew."""
LEEWAY_S = 60
"""How far the provider's clock and ours may be apart."""
JOURNEY_S = 600
"""How long somebody may take at the provider."""
MOST_JOURNEYS = 4
"""Of one browser at a time: somebody who opened two pages goes there in both, and a provider signs in both at once."""
MOST_BACK = 400
"""Bytes of the path that a browser goes to afterwards: all its journeys have to fit a cookie of 4096."""
MOST_COOKIE = 600
"""Characters of one journey in that cookie; what is longer is not ours."""
BETWEEN = "~"
LEAST_RSA = 342
"""Characters of a modulus of 2048 bits (RFC 7518 section 3.3)."""
PUBLIC = ("kty", "kid", "alg", "use", "n", "e", "crv", "x", "y")
"""What is taken of a key (RFC 7517 section 4, RFC 7518 section 6)."""
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""With keys that only the provider has; ``none`` and those by a shared secret are never believed."""


_ODD = "not every provider understands a secret with other characters than letters, digits, - . _"
"""RFC 6749 section 2.3.1 wants it encoded, and some do not undo that."""


class OidcError(Exception):
    """Nobody is signed in; the words say why."""


class ProviderAway(OidcError):
    """The provider does not answer, or not as one."""


@dataclass(frozen=True, slots=True)
class Journey:
    """A browser on its way to the provider and back.

    Only it has the key, from which all else follows: nothing is kept here, so that nobody can fill our memory or push
    others out of it.

    Parameters:
        key: random, in a cookie that no script reads.
        begun_s: when it set out, in seconds since 1970.
        back: where it goes afterwards.
    """

    key: str
    begun_s: int
    back: str

    @classmethod
    def begin(cls, clock: Clock, back: str) -> Journey:
        """Set out."""
        return cls(secrets.token_urlsafe(32), clock.utc_ns() // 10**9, back if len(back.encode()) <= MOST_BACK else "/")

    @classmethod
    def of(cls, cookie: str, state: str, clock: Clock) -> Journey | None:
        """Return which of its journeys a browser comes back from; ``None``: it is another's, or too old."""
        for one in cookie.split(BETWEEN)[-MOST_JOURNEYS:]:
            try:
                key, begun, back = one.split(".")
                found = cls(key, int(begun[:20]), base64.urlsafe_b64decode(back).decode())
            except ValueError:
                continue
            good = hmac.compare_digest(found.state.encode(), state.encode("utf-8", "replace"))
            if good and 0 <= clock.utc_ns() // 10**9 - found.begun_s <= JOURNEY_S:
                return found
        return None

    def joined(self, cookie: str) -> str:
        """Return what a browser keeps that sets out once more; its oldest journeys are forgotten."""
        others = [one for one in cookie.split(BETWEEN) if 0 < len(one) <= MOST_COOKIE]
        return BETWEEN.join([*others[1 - MOST_JOURNEYS :], self.cookie])

    def ended(self, cookie: str) -> str:
        """Return what a browser keeps that is back from this one; empty: nothing."""
        return BETWEEN.join(one for one in cookie.split(BETWEEN)[-MOST_JOURNEYS:] if one != self.cookie)

    @property
    def cookie(self) -> str:
        """What the browser keeps of it."""
        return f"{self.key}.{self.begun_s}.{base64.urlsafe_b64encode(self.back.encode()).decode()}"

    @property
    def state(self) -> str:
        """What it has to bring back: nobody else's answer is taken (RFC 6749 section 10.12)."""
        return self._derived(f"state {self.begun_s}")

    @property
    def nonce(self) -> str:
        """What the ID token has to hold."""
        return self._derived("nonce")

    @property
    def verifier(self) -> str:
        """What PKCE asks for with the code."""
        return self._derived("verifier")

    def _derived(self, use: str) -> str:
        return _base64(hmac.new(self.key.encode(), use.encode(), hashlib.sha256).digest())


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is used of a provider's description (OpenID Connect Discovery 1.0 section 3); empty: it has none."""

    authorize: str
    token: str
    keys: str
    userinfo: str
    leave: str
    basic: bool


class Provider:
    """One provider.

    Parameters:
        settings: who it is and who we are to it.
        clock: the time.
        folder: that relative paths begin at.
    """

    def __init__(self, settings: Oidc, clock: Clock, folder: Path) -> None:
        self.settings = settings
        self._clock = clock
        self._folder = folder
        self._one = asyncio.Lock()
        self._tls: ssl.SSLContext | None = None
        self._endpoints: Endpoints | None = None
        self._described_s = self._fetched_s = 0.0
        self._keys: tuple[Key, ...] = ()
        self._away: tuple[float, str] | None = None

    async def ready(self) -> int:
        """Ask for description and keys, and return how many keys may sign.

        Raises:
            ProviderAway: nobody could sign in now.
        """
        return len(await self._key_set())

    async def start(self, journey: Journey, redirect: str, language: str) -> str:
        """Return the address at the provider that a browser is sent to.

        Parameters:
            language: what the provider may speak with them.

        Raises:
            ProviderAway: it does not say.
        """
        challenge = _base64(hashlib.sha256(journey.verifier.encode()).digest())
        return _with(
            (await self._described(AGAIN_S)).authorize,  # a browser is not sent to somebody who is away
            {
                "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": redirect,
                "scope": " ".join(dict.fromkeys(("openid", *self.settings.scopes))), "state": journey.state,
                "nonce": journey.nonce, "code_challenge": challenge, "code_challenge_method": "S256",
                "ui_locales": language,
            },
        )  # fmt: skip

    async def leave(self, back: str, language: str) -> str:
        """Return the address at which a browser signs out of the provider too (RP-Initiated Logout 1.0 section 2).

        Raises:
            ProviderAway: it does not say, or has none.
        """
        endpoint = (await self._described()).leave
        if not endpoint:
            raise ProviderAway("the provider has no end_session_endpoint")
        where = {"post_logout_redirect_uri": back, "ui_locales": language}
        return _with(endpoint, {"client_id": self.settings.client_id, **where})

    async def claims(self, code: str, redirect: str, journey: Journey) -> Mapping[str, Any]:
        """Return what the provider vouches for of whoever came back with a code.

        What the ID token leaves out of name and groups is asked for at the provider's userinfo endpoint (Core 5.3).

        Raises:
            OidcError: it vouches for nobody.
        """
        endpoints = await self._described()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect,
            "code_verifier": journey.verifier, "client_id": self.settings.client_id,
        }  # fmt: skip
        try:
            secret = self.settings.client_secret.read() if self.settings.client_secret else ""
        except SecretUnavailable as error:
            raise OidcError(str(error)) from error
        headers = {}
        if secret and endpoints.basic:
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret)}"  # RFC 6749 section 2.3.1
            headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        elif secret:
            form["client_secret"] = secret
        try:
            answer = await self._ask("POST", endpoints.token, headers, form)
        except OidcError as error:
            if headers and quote_plus(secret) != secret and "client_secret" in str(error):
                raise OidcError(f"{error}; {_ODD}") from error
            raise
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider sent no ID token: is the scope openid allowed for this client?")
        claims = self._judged(await self._verified(token), journey.nonce)
        access = answer.get("access_token")
        role, name = self.settings.role_claim, self.settings.name_claim
        whole = (role in claims or role.partition(".")[0] in claims) and name in claims
        if whole or not endpoints.userinfo:
            return claims
        if not isinstance(access, str) or not access.isascii() or not access.isprintable():
            return claims
        more = await self._ask("GET", endpoints.userinfo, {"authorization": f"Bearer {access}"})
        if more.get("sub") != claims["sub"]:
            raise OidcError("the provider's userinfo is of somebody else than its ID token")  # Core section 5.3.2
        return {**more, **claims}

    async def _verified(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that one of the provider's keys signed."""
        keys = await self._key_set()
        try:
            return _opened(token, keys)
        except OidcError:
            fresh = await self._key_set(fresh=True)  # it may sign with others by now (Core section 10.1.1)
            if fresh is keys:
                raise
            return _opened(token, fresh)

    def _judged(self, claims: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """Check an ID token as Core section 3.1.3.7 says."""
        client = self.settings.client_id
        audience, subject = claims.get("aud"), claims.get("sub")
        named = audience if isinstance(audience, list) else [audience]
        now_s = self._clock.utc_ns() / 1e9
        ends, begun, starts = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
        if claims.get("iss") != self.settings.issuer:
            raise OidcError(f"the ID token is of another issuer: {clean(str(claims.get('iss')), 100)}")
        if client not in named or claims.get("azp", client) != client:
            raise OidcError(f"the ID token is for another client than {client}")
        if claims.get("nonce") != nonce:
            raise OidcError("the ID token answers another sign-in: its nonce is not ours")
        if not _is_time(ends) or now_s >= ends + LEEWAY_S:
            raise OidcError(f"the ID token is too old{_apart(now_s, ends)}; are both clocks right?")
        for since in (begun, starts):
            if not _is_time(since) or since > now_s + LEEWAY_S:
                raise OidcError(f"the ID token is from the future{_apart(since, now_s)}; are both clocks right?")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise OidcError("the ID token names nobody")
        return claims

    async def _described(self, known_s: float = KNOWN_S) -> Endpoints:
        async with self._one:
            now_s, issuer = self._now_s(), self.settings.issuer
            if self._endpoints is not None and now_s - self._described_s < known_s:
                return self._endpoints
            with self._patience():
                return await self._describe(now_s, issuer)

    async def _describe(self, now_s: float, issuer: str) -> Endpoints:
        self._tls = None  # the file of the authorities may be a newer one
        found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise ProviderAway(
                f"the provider calls itself {clean(str(found.get('issuer')), 100)}, web.oidc.issuer says {issuer}: "
                "they have to be the same to the letter"
            )
        methods = found.get("token_endpoint_auth_methods_supported")
        basic = not isinstance(methods, list) or not methods or "client_secret_basic" in methods
        self._endpoints = Endpoints(
            self._place(found, "authorization_endpoint"), self._place(found, "token_endpoint"),
            self._place(found, "jwks_uri"), self._place(found, "userinfo_endpoint", needed=False),
            self._place(found, "end_session_endpoint", needed=False), basic,
        )  # fmt: skip
        self._described_s = now_s
        return self._endpoints

    def _place(self, found: Mapping[str, Any], key: str, *, needed: bool = True) -> str:
        value = found.get(key)
        if value is None and not needed:
            return ""
        schemes = ("https", urlsplit(self.settings.issuer).scheme)
        try:
            parts = urlsplit(value) if isinstance(value, str) and value.isascii() and value.isprintable() else None
        except ValueError:
            parts = None
        if parts is None or parts.scheme not in schemes or not parts.hostname or not isinstance(value, str):
            raise ProviderAway(f"the provider's {key} is no address of its kind")
        return value

    async def _key_set(self, *, fresh: bool = False) -> tuple[Key, ...]:
        endpoints = await self._described()
        async with self._one:
            now_s = self._now_s()
            if self._keys and now_s - self._fetched_s < (AGAIN_S if fresh else KNOWN_S):
                return self._keys
            with self._patience():
                listed = (await self._ask("GET", endpoints.keys)).get("keys")
                keys = tuple(_usable(listed[:MOST_KEYS])) if isinstance(listed, list) else ()
                if not keys:
                    raise ProviderAway(f"{endpoints.keys} holds no key that an ID token may be signed with")
            self._keys, self._fetched_s = keys, now_s
            return keys

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Ask what everybody waits for, but not somebody who was away just now."""
        if self._away is not None and self._now_s() - self._away[0] < AGAIN_S:
            raise ProviderAway(self._away[1])
        try:
            yield
        except ProviderAway as error:
            self._away = self._now_s(), str(error)
            raise
        self._away = None

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        place, status, body = url.partition("?")[0], 0, bytearray()
        verify: ssl.SSLContext | bool = False  # of http on this machine, where there is nothing to verify
        if urlsplit(url).scheme != "http":
            if self._tls is None:
                self._tls = await in_thread(self._trusted, "authorities")  # some 50 ms, in which no probe would start
            verify = self._tls
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                httpx2.AsyncClient(
                    timeout=TIMEOUT_S, trust_env=False, follow_redirects=False, verify=verify
                ) as client,
                client.stream(
                    method, url, data=form,
                    headers={"accept": "application/json", "accept-encoding": "identity", **(headers or {})},
                ) as answer,
            ):  # fmt: skip
                status = answer.status_code
                async for part in answer.aiter_raw():  # not unpacked: a kilobyte could become a gigabyte
                    body += part
                    if len(body) > MOST_BYTES:
                        raise ProviderAway(f"{place} answers with more than {MOST_BYTES} bytes")
            found = json.loads(body)
        except TimeoutError as error:
            raise ProviderAway(f"{place} does not answer within {TIMEOUT_S:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            text = clean(str(error) or type(error).__name__, 200)
            cure = "; set web.oidc.trust to the authority that signed it" if "CERTIFICATE_VERIFY" in text else ""
            raise ProviderAway(f"{place} cannot be asked: {text}{cure}") from error
        except (ValueError, RecursionError) as error:
            cure = (
                ": let it put name and groups into the ID token" if body.startswith(b"eyJ") else ""
            )  # a JWT, Core 5.3.2
            raise ProviderAway(f"{place} answers with HTTP {status} and no JSON{cure}") from error
        if not isinstance(found, dict) or (status != 200 and not (method == "POST" and 400 <= status < 500)):
            cure = "; is web.oidc.issuer right?" if status == 404 else ""
            raise ProviderAway(f"{place} answers with HTTP {status} and not what was asked for{cure}")
        if status != 200:
            said = clean(f"{found.get('error', '')} {found.get('error_description', '')}".strip(), 200)
            cure = "; check client_id and client_secret of web.oidc" if "client" in said else ""
            raise OidcError(f"{place} answers with HTTP {status} {said}".rstrip() + cure)
        return found

    def _trusted(self) -> ssl.SSLContext:
        if self.settings.trust is None:
            return httpx2.create_ssl_context()
        path = self._folder / self.settings.trust
        try:
            return ssl.create_default_context(cafile=path)
        except OSError as error:  # ssl.SSLError is one
            reason = clean(error.strerror or str(error), 200)
            raise ProviderAway(f"web.oidc.trust {path} cannot be read: {reason}") from error

    def _now_s(self) -> float:
        return self._clock.monotonic_ns() / 1e9


def _usable(listed: Iterable[object]) -> Iterable[Key]:
    """Yield the public keys for signatures; what is not understood is passed over (RFC 7517 section 5)."""
    for one in listed:
        if not isinstance(one, dict) or one.get("kty") not in ("RSA", "EC") or one.get("use", "sig") != "sig":
            continue
        if one["kty"] == "RSA" and len(str(one.get("n"))) < LEAST_RSA:
            continue
        try:
            yield import_key({name: one[name] for name in PUBLIC if name in one})
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue


def _opened(token: str, keys: Iterable[Key]) -> Mapping[str, Any]:
    why = "none of its keys has the token's kid"
    try:
        head = jws.extract_compact(token.encode()).headers()
        algorithm, kid = head.get("alg"), head.get("kid")
        if algorithm not in ALGORITHMS:
            raise OidcError(
                f"the ID token is signed by {clean(str(algorithm), 20)}: {', '.join(ALGORITHMS)} are believed"
            )
        for key in keys:
            if kid is not None and key.kid is not None and key.kid != kid:
                continue
            try:
                return jwt.decode(token, key, algorithms=[algorithm]).claims
            except (JoseError, ValueError) as error:
                why = str(error)
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        why = str(error)
    raise OidcError(f"the ID token is not the provider's: {clean(why, 200)}")


def _with(endpoint: str, words: Mapping[str, str]) -> str:
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(words)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11


def _apart(later: object, earlier: object) -> str:
    return f" by {later - earlier:.0f} s" if _is_time(later) and _is_time(earlier) else ""
