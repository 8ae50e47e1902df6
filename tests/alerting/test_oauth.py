"""Mail by access tokens: a real token endpoint, with TLS, and a real mail server that takes nothing else."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from alerting.channels.base import DeliveryError, Message, Misconfigured, Retryable
from alerting.channels.mail import MailChannel, MailServer, MailSettings
from alerting.channels.oauth import OAuthSettings
from haidang.clock import ManualClock
from tests.alerting.province import START
from tests.support.mail import Certificate, SmtpServer, make_certificate, smtp_server


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("authority"))


@dataclass
class Endpoint:
    """A token endpoint: gives token-1, token-2, … for an hour each, or what it is told to say."""

    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    answer: Callable[[int], tuple[int, Any]] = lambda number: (
        200, {"access_token": f"token-{number}", "expires_in": 3600, "refresh_token": f"refresh-{number}"},
    )  # fmt: skip

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(int(one.split(":")[1]) for one in head.split("\r\n") if one.lower().startswith("content-length"))
        self.asked.append({key: one[0] for key, one in parse_qs((await reader.readexactly(length)).decode()).items()})
        status, said = self.answer(len(self.asked))
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def endpoint(context: ssl.SSLContext) -> AsyncIterator[Endpoint]:
    made = Endpoint()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class TokenServer(SmtpServer):
    """Takes the tokens it is told to."""

    good: set[str] = field(default_factory=set)
    shown: list[str] = field(default_factory=list)

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 aiosmtpd's name
        self.shown.append(base64.b64decode(args[1]).decode())
        if self.shown[-1].split("Bearer ")[1].strip("\x01") in self.good:
            return AuthResult(success=True)
        await server.challenge_auth(b'{"status":"401"}')
        return AuthResult(success=False, handled=False)


@dataclass
class BearerServer(TokenServer):
    """Knows OAUTHBEARER beside it; the other is left out by the test."""

    async def auth_OAUTHBEARER(self, server: SMTP, args: list[str]) -> AuthResult:  # noqa: N802 aiosmtpd's name
        return await self.auth_XOAUTH2(server, args)


def message(number: int = 1) -> Message:
    payload = {"subject": "Mất kết nối", "text": "Mất kết nối\n", "html": ""}
    return Message(
        number, 12, "opened", "an", "mail", "an@example.vn", "vi", f"<{number}@example.vn>", payload, START, 1
    )  # fmt: skip


def channel(
    server: SmtpServer, tokens: Endpoint, authority: Path, clock: ManualClock, refresh: str = ""
) -> MailChannel:  # fmt: skip
    oauth2 = OAuthSettings(
        f"https://127.0.0.1:{tokens.port}/token", "haidang", "s3cret", refresh, "smtp.send", authority, timeout_s=3
    )
    one = MailServer("127.0.0.1", server.port, trust=authority, username="h@example.vn", oauth2=oauth2)
    return MailChannel(MailSettings("h@example.vn", (one,)), clock=clock)


async def test_one_token_serves_many_mails_and_a_new_one_is_fetched_before_it_is_over(
    certificate: Certificate,
) -> None:
    clock = ManualClock()
    server = TokenServer(good={"token-1", "token-2"})
    async with endpoint(certificate.context) as tokens, smtp_server(certificate, auth=True, handler=server):
        way = channel(server, tokens, certificate.authority, clock)
        await asyncio.gather(way.send(message(1)), way.send(message(2)))
        assert tokens.asked == [
            {"client_id": "haidang", "client_secret": "s3cret", "scope": "smtp.send",
             "grant_type": "client_credentials"},
        ]  # fmt: skip
        clock.advance(3541)
        await way.send(message(3))
    assert len(tokens.asked) == 2
    assert server.shown[-1] == "user=h@example.vn\x01auth=Bearer token-2\x01\x01"
    assert len(server.taken) == 3


async def test_a_token_that_is_refused_is_not_shown_again_and_refresh_tokens_follow_each_other(
    certificate: Certificate,
) -> None:
    server = TokenServer(good={"token-2"})
    async with endpoint(certificate.context) as tokens, smtp_server(certificate, auth=True, handler=server):
        way = channel(server, tokens, certificate.authority, ManualClock(), refresh="refresh-0")
        with pytest.raises(DeliveryError, match="login: 535"):
            await way.send(message())
        await way.send(message())
    assert [one["refresh_token"] for one in tokens.asked] == ["refresh-0", "refresh-1"]
    assert len(server.taken) == 1


async def test_a_server_that_knows_only_oauthbearer_is_shown_that(certificate: Certificate) -> None:
    server = BearerServer(good={"token-1"})
    async with (
        endpoint(certificate.context) as tokens,
        smtp_server(certificate, auth=True, handler=server, without=("XOAUTH2",)),
    ):
        await channel(server, tokens, certificate.authority, ManualClock()).send(message())
    assert server.shown == [f"n,a=h@example.vn,\x01host=127.0.0.1\x01port={server.port}\x01auth=Bearer token-1\x01\x01"]
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        ((400, {"error": "invalid_client"}), Misconfigured, "invalid_client; check token_url, client_id"),
        ((200, b"<html>"), Misconfigured, "check token_url"),
        ((200, {"access_token": "a\r\nRCPT TO:<e@e>"}), Misconfigured, "check token_url"),
        ((503, b""), Retryable, "HTTP 503"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_operator_is_told_why(
    certificate: Certificate, answer: tuple[int, Any], kind: type[DeliveryError], said: str
) -> None:
    server = TokenServer()
    async with endpoint(certificate.context) as tokens, smtp_server(certificate, auth=True, handler=server):
        tokens.answer = lambda _number: answer
        with pytest.raises(kind, match=said) as caught:
            await channel(server, tokens, certificate.authority, ManualClock()).send(message())
    assert "s3cret" not in str(caught.value)
    assert (server.shown, server.taken) == ([], [])
