"""Signing in at an OpenID provider: authorization code with PKCE (OpenID Connect Core 1.0 section 3.1, RFC 7636).

Errors: `OidcError`, whose words are for the log; what the provider sends never reaches a page.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from config.schema.web import Oidc
from config.secrets import SecretUnavailable
from haidang.clock import Clock

TIMEOUT_S = 10.0
MOST_BYTES = 262_144
KNOWN_S = 3600.0
"""How long the provider's description and keys are believed."""
AGAIN_S = 30.0
"""A key that is not known makes the keys be fetched anew no more often than this."""
LEEWAY_S = 60
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""With keys that only the provider has; ``none`` and those by a shared secret are never believed."""


class OidcError(Exception):
    """Nobody is signed in; the words say why."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """What is used of a provider's description (OpenID Connect Discovery 1.0 section 3)."""

    authorize: str
    token: str
    keys: str
    basic: bool


class Provider:
    """One provider.

    Parameters:
        settings: who it is and who we are to it.
        clock: the time.
    """

    def __init__(self, settings: Oidc, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._one = asyncio.Lock()
        self._endpoints: Endpoints | None = None
        self._described_s = self._fetched_s = 0.0
        self._keys: KeySet | None = None

    async def address(self, redirect: str, state: str, nonce: str, verifier: str) -> str:
        """Return where a browser is sent to.

        Raises:
            OidcError: the provider does not say.
        """
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        start = (await self._described()).authorize
        asked = {
            "response_type": "code", "client_id": self.settings.client_id, "redirect_uri": redirect,
            "scope": " ".join(dict.fromkeys(("openid", *self.settings.scopes))), "state": state, "nonce": nonce,
            "code_challenge": challenge, "code_challenge_method": "S256",
        }  # fmt: skip
        return f"{start}{'&' if urlsplit(start).query else '?'}{urlencode(asked)}"

    async def claims(self, code: str, redirect: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        """Return what the provider vouches for of whoever came back with a code.

        Raises:
            OidcError: it vouches for nobody.
        """
        endpoints = await self._described()
        form = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier,
            "client_id": self.settings.client_id,
        }  # fmt: skip
        try:
            secret = self.settings.client_secret.read() if self.settings.client_secret else ""
        except SecretUnavailable as error:
            raise OidcError(str(error)) from error
        basic = httpx2.BasicAuth(self.settings.client_id, secret) if secret and endpoints.basic else None
        if secret and basic is None:
            form["client_secret"] = secret
        answer = await self._ask("POST", endpoints.token, data=form, auth=basic)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise OidcError("the provider sent no ID token")
        return await self._proven(token, nonce)

    async def _proven(self, token: str, nonce: str) -> Mapping[str, Any]:
        """Check an ID token as OpenID Connect Core section 3.1.3.7 says."""
        settings = self.settings
        try:
            claims = jwt.decode(token, await self._key_set(), algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            try:  # the provider may have other keys by now (section 10.1.1)
                claims = jwt.decode(token, await self._key_set(fresh=True), algorithms=ALGORITHMS).claims
            except (JoseError, ValueError) as error:
                raise OidcError(f"the ID token is not the provider's: {error}") from error
        audience = claims.get("aud")
        named = [audience] if isinstance(audience, str) else audience if isinstance(audience, list) else []
        now_s = self._clock.utc_ns() // 10**9
        ends, begun = claims.get("exp"), claims.get("iat")
        wrong = [
            what
            for what, fine in (
                ("issuer", claims.get("iss") == settings.issuer),
                ("audience", settings.client_id in named),
                ("authorized party", claims.get("azp", settings.client_id) == settings.client_id),
                ("nonce", claims.get("nonce") == nonce),
                ("end", isinstance(ends, int | float) and now_s < ends + LEEWAY_S),
                ("time", isinstance(begun, int | float) and begun <= now_s + LEEWAY_S),
                ("subject", isinstance(claims.get("sub"), str) and 0 < len(claims["sub"]) <= 255),
            )
            if not fine
        ]
        if wrong:
            raise OidcError(f"the ID token has another {wrong[0]} than it should")
        return claims

    async def _described(self) -> Endpoints:
        async with self._one:
            now_s = self._clock.monotonic_ns() / 1e9
            if self._endpoints is not None and now_s - self._described_s < KNOWN_S:
                return self._endpoints
            issuer = self.settings.issuer
            found = await self._ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != issuer:
                raise OidcError(f"the provider calls itself {str(found.get('issuer'))[:100]!r}, not {issuer!r}")
            methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
            self._endpoints = Endpoints(
                self._place(found, "authorization_endpoint"), self._place(found, "token_endpoint"),
                self._place(found, "jwks_uri"), "client_secret_basic" in methods,
            )  # fmt: skip
            self._described_s = now_s
            return self._endpoints

    def _place(self, found: Mapping[str, Any], key: str) -> str:
        value = found.get(key)
        if not isinstance(value, str) or urlsplit(value).scheme not in ("https", urlsplit(self.settings.issuer).scheme):
            raise OidcError(f"the provider's {key} is no address of its kind")
        return value

    async def _key_set(self, *, fresh: bool = False) -> KeySet:
        endpoints = await self._described()
        async with self._one:
            now_s = self._clock.monotonic_ns() / 1e9
            age_s = now_s - self._fetched_s
            if self._keys is not None and age_s < (AGAIN_S if fresh else KNOWN_S):
                return self._keys
            found = await self._ask("GET", endpoints.keys)
            try:
                self._keys = KeySet.import_key_set({"keys": found["keys"]})
            except (JoseError, KeyError, TypeError, ValueError) as error:
                raise OidcError("the provider's keys cannot be read") from error
            self._fetched_s = now_s
            return self._keys

    async def _ask(self, method: str, url: str, **words: Any) -> dict[str, Any]:  # noqa: ANN401 httpx's own
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client,
                client.stream(method, url, headers={"accept": "application/json"}, **words) as answer,
            ):
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise OidcError(f"{url} answers with more than {MOST_BYTES} bytes")
            if answer.status_code != 200:
                raise OidcError(f"{url} answers with {answer.status_code}")
            found = json.loads(body)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError, OSError) as error:
            raise OidcError(f"{url} cannot be asked: {type(error).__name__} {error}") from error
        except (ValueError, RecursionError) as error:
            raise OidcError(f"{url} answers with something else than JSON") from error
        if not isinstance(found, dict):
            raise OidcError(f"{url} answers with something else than an object")
        return found
