"""Access tokens for mail servers that take no passwords (OAuth 2.0, RFC 6749), fetched over HTTPS and kept until late.

With a refresh token the grant is RFC 6749 §6, without it the client's own credentials (§4.4). The server is shown the
token by XOAUTH2 or OAUTHBEARER (RFC 7628), whichever it offers.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from alerting.channels.base import Misconfigured, Retryable
from alerting.text import clean
from haidang.clock import Clock

EARLY_S = 60.0
"""A token that is over so soon is not used any more."""
USUAL_S = 3600.0
"""How long a token lasts whose server does not say (RFC 6749 §5.1 recommends that it does)."""
_LONGEST_ANSWER = 65_536


@dataclass(frozen=True, slots=True)
class OAuthSettings:
    """Where tokens come from.

    Parameters:
        token_url: the endpoint.
        client_id, client_secret: ours; without a secret we are a public client.
        refresh_token: what was consented to once; empty: the client's own credentials.
        scope: what the token is for; empty: the endpoint's usual one.
        ca_file: who may sign the endpoint's certificate; the system's authorities when ``None``.
        timeout_s: for the whole exchange.
    """

    token_url: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    scope: str = ""
    ca_file: Path | None = None
    timeout_s: float = 15.0


class Tokens:
    """Fetches a token when it is needed, once for all who wait, and keeps it until shortly before its end.

    Parameters:
        settings: where from.
        clock: says when a token is over.
    """

    def __init__(self, settings: OAuthSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._refresh_token = settings.refresh_token
        self._token = ""
        self._until_ns = 0
        self._asking = asyncio.Lock()

    async def get(self) -> str:
        """Return a token that is good now.

        Raises:
            Retryable: the endpoint is away, or too busy.
            Misconfigured: it refuses us; the text says what to check.
        """
        async with self._asking:
            if not self._token or self._clock.monotonic_ns() >= self._until_ns:
                await self._fetch()
            return self._token

    def forget(self, token: str) -> None:
        """Do not use a token again: a server has refused it."""
        if token == self._token:
            self._token = ""

    async def _fetch(self) -> None:
        settings = self._settings
        form = {"client_id": settings.client_id}
        if settings.client_secret:
            form["client_secret"] = settings.client_secret
        if settings.scope:
            form["scope"] = settings.scope
        if self._refresh_token:
            form |= {"grant_type": "refresh_token", "refresh_token": self._refresh_token}
        else:
            form["grant_type"] = "client_credentials"
        host = httpx2.URL(settings.token_url).host
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
            async with asyncio.timeout(settings.timeout_s), httpx2.AsyncClient(
                timeout=settings.timeout_s, follow_redirects=False, trust_env=False, verify=context
            ) as client:  # fmt: skip
                answer = await client.post(settings.token_url, data=form, headers={"Accept": "application/json"})
        except TimeoutError as error:
            raise Retryable(f"{host}: no token within {settings.timeout_s:g} s", dead=True) from error
        except (httpx2.HTTPError, httpx2.InvalidURL, ssl.SSLError, OSError, ValueError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise Misconfigured(f"{host}: the token endpoint's certificate is not trusted", dead=True) from error
            raise Retryable(f"{host}: no token: {clean(str(error) or type(error).__name__, 200)}", dead=True) from error
        self._take(host, answer.status_code, answer.content[:_LONGEST_ANSWER])

    def _take(self, host: str, status: int, content: bytes) -> None:
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            said = None
        said = said if isinstance(said, dict) else {}
        if status >= 500 or status in (408, 429):
            raise Retryable(f"{host}: no token: HTTP {status}", dead=True)
        token = said.get("access_token")
        if status != 200 or not isinstance(token, str) or not _plain(token):
            why = clean(f"{said.get('error', '')} {said.get('error_description', '')}".strip(), 200)
            raise Misconfigured(
                f"{host}: no token: HTTP {status} {why}".rstrip() + "; check token_url, client_id, client_secret, "
                "refresh_token and scope of oauth2", dead=True,
            )  # fmt: skip
        lasts_s = said.get("expires_in")
        if isinstance(lasts_s, bool) or not isinstance(lasts_s, int | float) or not 0 < lasts_s < 1e7:
            lasts_s = USUAL_S
        self._token = token
        self._until_ns = self._clock.monotonic_ns() + round(max(0.0, lasts_s - EARLY_S) * 1e9)
        fresh = said.get("refresh_token")
        if self._refresh_token and isinstance(fresh, str) and _plain(fresh):
            self._refresh_token = fresh  # RFC 6749 §6: the old one may be void from now on


def _plain(token: str) -> bool:
    """Whether a token is what RFC 6750 §2.1 and RFC 6749 appendix A allow: printable ASCII."""
    return 0 < len(token) <= 16_384 and all("!" <= char <= "~" for char in token)


def bearer(username: str, host: str, port: int, token: str) -> bytes:
    """Write the client's words of OAUTHBEARER (RFC 7628 §3.1), not yet in base64."""
    name = username.replace("=", "=3D").replace(",", "=2C")
    return f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01".encode()
