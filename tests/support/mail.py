"""A real SMTP server on loopback that misbehaves on request, with its own certificate authority."""

from __future__ import annotations

import asyncio
import datetime
import email
import ipaddress
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DROP = "drop the connection"
HANG = "say nothing any more"

Answer = Callable[[str, int], str | None]
"""Asked with a recipient or a message id and how often it came: an SMTP line, DROP, HANG, or None when all is well."""


@dataclass(frozen=True)
class Mail:
    """One mail that was taken."""

    sender: str
    recipient: str
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        """It, as a mail program reads it."""
        return email.message_from_bytes(self.content, policy=modern)

    @property
    def message_id(self) -> str:
        """Its Message-ID."""
        return str(self.parsed["Message-ID"])


@dataclass
class Certificate:
    """A certificate for 127.0.0.1 and ::1, and the authority that signed it."""

    authority: Path
    context: ssl.SSLContext


@dataclass
class SmtpServer:
    """What the server was told and how it shall behave."""

    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    """Acknowledged, or taken in full before the connection was dropped."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    at_recipient: Answer = lambda _recipient, _count: None
    at_data: Answer = lambda _message_id, _count: None
    _seen: dict[str, int] = field(default_factory=dict)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802 aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.at_recipient(address, self._count(f"rcpt {address}"))
        if answer is None:
            envelope.rcpt_tos.append(address)
            return "250 OK"
        return await self._misbehave(server, answer)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content if isinstance(envelope.content, bytes) else str(envelope.content).encode()
        mail = Mail(str(envelope.mail_from), envelope.rcpt_tos[0], content)
        answer = self.at_data(mail.message_id, self._count(mail.message_id))
        if answer is None or answer == DROP:
            self.taken.append(mail)
            async with self._changed:
                self._changed.notify_all()
        return "250 OK" if answer is None else await self._misbehave(server, answer)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    async def count(self, wanted: int, timeout_s: float = 10.0) -> list[Mail]:
        """Return the mails once so many have been taken; fails when that takes too long."""
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: len(self.taken) >= wanted)
        except TimeoutError:
            raise AssertionError(f"{len(self.taken)} of {wanted} mails after {timeout_s:g} s") from None
        return list(self.taken)

    def release(self) -> None:
        """Let go of everybody who hangs."""
        self._released.set()

    async def _misbehave(self, server: SMTP, answer: str) -> str:
        if answer == DROP:
            assert isinstance(server.transport, asyncio.WriteTransport)
            server.transport.abort()
        elif answer == HANG:
            await self._released.wait()
            return "421 4.3.2 shutting down"
        return answer if answer[0].isdigit() else "421 4.3.2 gone"

    def _count(self, key: str) -> int:
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key]


@asynccontextmanager
async def smtp_server(
    certificate: Certificate | None = None, *, implicit_tls: bool = False, auth: bool = False, host: str = "127.0.0.1",
    port: int = 0, handler: SmtpServer | None = None, without: tuple[str, ...] = (),
) -> AsyncIterator[SmtpServer]:  # fmt: skip
    """Run a server on the test's own loop; with a certificate it offers STARTTLS, or speaks TLS from the first byte."""
    server = handler or SmtpServer()
    sessions: set[_Session] = set()
    options: dict[str, Any] = {"enable_SMTPUTF8": True, "data_size_limit": 1 << 22, "hostname": "mail.example.vn"}
    if certificate is not None and not implicit_tls:
        options["tls_context"] = certificate.context
    if auth:
        options |= {
            "authenticator": server.authenticate,
            "auth_required": True,
            "auth_require_tls": True,
            "auth_exclude_mechanism": without,
        }
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: _Session(sessions, server, **options), host, port,
        ssl=certificate.context if certificate is not None and implicit_tls else None,
    )  # fmt: skip
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        server.release()
        for session in tuple(sessions):
            session.abort()
        async with asyncio.timeout(5):
            await asyncio.gather(*(session.lost.wait() for session in tuple(sessions)))
            await listening.wait_closed()


class _Session(SMTP):
    """One client's connection, remembered so that none is left open."""

    def __init__(self, sessions: set[_Session], handler: SmtpServer, **options: Any) -> None:
        super().__init__(handler, **options)
        self._sessions = sessions
        self._connections: list[asyncio.BaseTransport] = []
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._sessions.add(self)
        self._connections.append(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._sessions.discard(self)
        self.lost.set()

    def abort(self) -> None:
        for transport in self._connections:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()


def make_certificate(folder: Path) -> Certificate:
    """Make an authority and a certificate of its for loopback, valid for a day."""
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)

    def build(name: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return (
            x509.CertificateBuilder().subject_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - day).not_valid_after(now + day)
        )  # fmt: skip

    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    authority = (
        build("test authority", authority_key).issuer_name(issuer)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )  # fmt: skip
    names = x509.SubjectAlternativeName(
        [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")] + [x509.DNSName("localhost")]
    )
    leaf = build("mail", key).issuer_name(issuer).add_extension(names, critical=False)
    certificate = leaf.sign(authority_key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(authority.public_bytes(pem))
    (folder / "mail.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "mail.pem")
    return Certificate(folder / "authority.pem", context)
