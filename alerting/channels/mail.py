"""E-mail by SMTP (RFC 5321): encrypted unless told otherwise, several servers in order, one connection a message."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo

import aiosmtplib

from alerting.channels.base import DeliveryError, Message, Misconfigured, Refused, Retryable
from alerting.channels.dial import Dialler
from alerting.channels.mime import as_mail, mail_address
from alerting.channels.oauth import OAuthSettings, Tokens, bearer
from alerting.gate import Gate
from alerting.text import clean
from haidang.clock import Clock, SystemClock


class Security(StrEnum):
    """How the way to the server is protected."""

    STARTTLS = "starttls"
    """Plain at first, then encrypted (RFC 3207); a server that does not offer it gets nothing."""
    TLS = "tls"
    """Encrypted from the first byte (RFC 8314)."""
    NONE = "none"
    """In clear: only for a relay on this machine or in a network of one's own."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """One SMTP server.

    Parameters:
        host, port: where; an address or a name.
        security: see `Security`.
        verify: check the server's certificate and name.
        ca_file: who may sign it; the system's authorities when ``None``.
        username, password: for AUTH; none when empty.
        oauth2: where access tokens come from, instead of a password.
        timeout_s: for everything up to the server's readiness to take the text.
        data_timeout_s: for the text and its acknowledgement; long, as a server that scans mail first and is left too
            early would get it twice (RFC 5321 §4.5.3.2).
    """

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    verify: bool = True
    ca_file: Path | None = None
    username: str = ""
    password: str = field(default="", repr=False)
    oauth2: OAuthSettings | None = None
    timeout_s: float = 30.0
    data_timeout_s: float = 120.0

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"


@dataclass(frozen=True, slots=True)
class MailSettings:
    """How mail is sent.

    Parameters:
        sender: the From address and the envelope's; bounces go there.
        servers: tried in this order within one attempt; at least one.
        sender_name: shown beside the sender.
        zone: of the Date header.
        hostname: how we name ourselves to the server (EHLO); the address literal when empty, as looking up our own
            name would hang when DNS is dead.
    """

    sender: str
    servers: tuple[MailServer, ...]
    sender_name: str = "Hải Đăng"
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))
    hostname: str = ""


class MailChannel:
    """Sends mail; see `alerting.channels.base` for the contract.

    Parameters:
        settings: how.
        dialler: opens connections.
        clock: says how long a server that seems dead is passed over.

    Raises:
        ValueError: the sender is no mail address.
    """

    def __init__(self, settings: MailSettings, dialler: Dialler | None = None, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._gates = {server: Gate() for server in settings.servers}
        self._tokens = {one: Tokens(one.oauth2, self._clock) for one in settings.servers if one.oauth2 is not None}
        self._sender = mail_address(settings.sender)
        self._dialler = dialler or Dialler()

    @property
    def domain(self) -> str:
        """The sender's domain, for message ids."""
        return self._sender.domain

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        try:
            content, utf8 = as_mail(message, self._sender, self._settings.sender_name, self._settings.zone)
        except ValueError as error:
            raise Refused(str(error)) from error
        recipient = mail_address(message.address).addr_spec
        errors: list[DeliveryError] = []
        for server in self._in_order():
            gate = self._gates[server]
            gate.take(self._clock.monotonic_ns())
            try:
                await self._hand_over(server, recipient, content, utf8=utf8)
            except DeliveryError as error:
                if error.dead:
                    gate.failed(self._clock.monotonic_ns())
                else:
                    gate.passed()
                if isinstance(error, Refused):
                    raise
                errors.append(error)
            except BaseException:  # the sender's deadline, or the end: it says nothing of this server
                gate.undecided()
                raise
            else:
                gate.passed()
                return
        text = "; ".join(str(error) for error in errors)
        dead = all(error.dead for error in errors)
        if any(isinstance(error, Retryable) for error in errors):
            raise Retryable(text, dead=dead)
        raise Misconfigured(text or "no mail server is configured", dead=dead)

    def _in_order(self) -> list[MailServer]:
        """Return the servers to try, in their order; those that seem dead only when there is no other."""
        now_ns = self._clock.monotonic_ns()
        alive = [server for server in self._settings.servers if self._gates[server].free(now_ns)]
        return alive or list(self._settings.servers)

    async def _hand_over(self, server: MailServer, recipient: str, content: bytes, *, utf8: bool) -> None:
        """Give the mail to one server, every error translated."""
        token = await self._tokens[server].get() if server in self._tokens else ""
        stage = "connecting"
        try:
            async with asyncio.timeout(server.timeout_s) as limit, self._connection(server) as smtp:
                stage = "greeting"
                await self._secure(smtp, server)
                if server.username:
                    stage = "login"
                    await (self._show(smtp, server, token) if token else smtp.login(server.username, server.password))
                stage = "envelope"
                options = ["SMTPUTF8"] if utf8 else []
                if utf8 and not smtp.supports_extension("smtputf8"):
                    raise Misconfigured(f"{server}: does not know SMTPUTF8, which the address {recipient} needs")
                encoding = "utf-8" if utf8 else "ascii"
                await smtp.mail(self._sender.addr_spec, options=options, encoding=encoding)
                await smtp.rcpt(recipient, encoding=encoding)
                stage = "text"
                limit.reschedule(asyncio.get_running_loop().time() + server.data_timeout_s)
                await smtp.data(content)
        except DeliveryError:
            raise
        except aiosmtplib.SMTPResponseException as error:
            if stage == "login" and token:
                self._tokens[server].forget(token)  # it may be void before its time; the next try has a fresh one
            raise _judge(server, stage, error) from error
        except TimeoutError as error:
            limit_s = server.data_timeout_s if stage == "text" else server.timeout_s
            raise Retryable(f"{server}: {stage} took longer than {limit_s:g} s", dead=True) from error
        except (OSError, aiosmtplib.SMTPException, ValueError) as error:
            raise _explain(server, stage, error) from error

    async def _show(self, smtp: aiosmtplib.SMTP, server: MailServer, token: str) -> None:
        """Show an access token by what the server offers."""
        offered = _mechanisms(smtp)
        if "OAUTHBEARER" in offered and "XOAUTH2" not in offered:
            words = base64.b64encode(bearer(server.username, server.host, server.port, token))
            answer = await smtp.execute_command(b"AUTH", b"OAUTHBEARER", words)
            if answer.code == 334:
                answer = await smtp.execute_command(b"AQ==")  # RFC 7628 §3.2.3: a refusal is told in two steps
            if answer.code != 235:
                raise aiosmtplib.SMTPAuthenticationError(answer.code, answer.message)
            return
        await smtp.auth_xoauth2(server.username, token)

    @asynccontextmanager
    async def _connection(self, server: MailServer) -> AsyncIterator[aiosmtplib.SMTP]:
        sock = await self._dialler.connect(server.host, server.port, server.timeout_s / 2)
        hostname = self._settings.hostname or _literal(sock.getsockname()[0])
        context = None if server.security is Security.NONE else _tls(server)
        smtp = aiosmtplib.SMTP(
            hostname=server.host, port=None, sock=sock, local_hostname=hostname, start_tls=False,
            use_tls=server.security is Security.TLS, tls_context=context, timeout=server.data_timeout_s,
        )  # fmt: skip
        try:
            await smtp.connect()
            yield smtp
        finally:
            if smtp.transport is None:
                sock.close()
            elif not smtp.transport.is_closing() and isinstance(smtp.transport, asyncio.WriteTransport):
                smtp.transport.write(b"QUIT\r\n")  # the mail is taken or not, whatever comes back: say it and go
            smtp.close()

    async def _secure(self, smtp: aiosmtplib.SMTP, server: MailServer) -> None:
        await smtp.ehlo()
        if server.security is not Security.STARTTLS:
            return
        if not smtp.supports_extension("starttls"):
            raise Misconfigured(
                f"{server}: does not offer STARTTLS; nothing is sent in clear. Check the port, or set security to tls "
                "(port 465), or to none for a relay in a network of your own", dead=True,
            )  # fmt: skip
        await smtp.starttls()
        await smtp.ehlo()


def _mechanisms(smtp: aiosmtplib.SMTP) -> set[str]:
    """Return every way to log in that the server names (RFC 4954 §3)."""
    return set(smtp.esmtp_extensions.get("auth", "").upper().split())


def _judge(server: MailServer, stage: str, error: aiosmtplib.SMTPResponseException) -> DeliveryError:
    """Tell what a server's refusal means for the message."""
    answer = clean(f"{error.code} {error.message}", 200)
    text = f"{server}: {stage}: {answer}"
    if not 500 <= error.code < 600 or stage in ("connecting", "greeting"):
        early = stage in ("connecting", "greeting", "login")
        return Retryable(text, dead=early or error.code == 421)  # RFC 5321 §3.8: 421 closes the channel
    if stage == "login":
        return Misconfigured(
            f"{text}; check username and password (or oauth2) of this server, and whether it allows AUTH", dead=True
        )
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        return Misconfigured(f"{text}; check the sender's address and whether this server wants a login", dead=True)
    if isinstance(error, aiosmtplib.SMTPRecipientRefused) and " 5.7." in f" {answer}":
        return Misconfigured(f"{text}; check whether this server relays for us, and whether it wants a login")
    return Refused(text)


def _explain(server: MailServer, stage: str, error: Exception) -> DeliveryError:
    """Tell what a failed conversation means for the message."""
    untrusted = error if isinstance(error, ssl.SSLCertVerificationError) else error.__cause__
    if isinstance(untrusted, ssl.SSLCertVerificationError):
        return Misconfigured(
            f"{server}: its certificate is not trusted ({untrusted.verify_message}); check its name and validity, "
            "or set ca_file to the authority that signed it", dead=True,
        )  # fmt: skip
    text = f"{server}: {stage}: {clean(str(error) or type(error).__name__, 200)}"
    if stage == "login" and not isinstance(error, OSError):
        return Misconfigured(f"{text}; check whether this server wants a login at all", dead=True)
    return Retryable(text, dead=True)


def _tls(server: MailServer) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=server.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"{server}: ca_file {server.ca_file} cannot be read ({error})", dead=True) from error
    if not server.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _literal(address: str) -> str:
    """Return our address as EHLO wants it (RFC 5321 §4.1.3)."""
    return f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"
