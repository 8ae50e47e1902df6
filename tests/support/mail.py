"""A real SMTP server on loopback that misbehaves on request, with its own certificate authority."""

from __future__ import annotations

import asyncio
import datetime
import email
import ipaddress
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DROP = "drop the connection"
HANG = "say nothing any more"

Answer = Callable[[str, int], str | None]
"""Asked with a recipient (RCPT) or a message id (DATA) and how often it came; an SMTP line, DROP, HANG, or None: fine."""


@dataclass(frozen=True)
class Mail:
    """One mail that was taken."""

    sender: str
    recipient: str
    content: bytes

    @property
    def parsed(self) -> EmailMessage:
        """It, as a mail program reads it."""
        return email.message_from_bytes(self.content, policy=modern)  # type: ignore[return-value]

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
    """What the server was told and how it shall behave. Safe to read from another thread."""

    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    """Acknowledged, or taken in full before the connection was dropped."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    at_recipient: Answer = lambda _recipient, _count: None
    at_data: Answer = lambda _message_id, _count: None
    on_mail: Callable[[Mail], None] = lambda _mail: None
    _seen: dict[str, int] = field(default_factory=dict)
    _released: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = field(default_factory=list)

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
            self.on_mail(mail)
        return "250 OK" if answer is None else await self._misbehave(server, answer)

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"right", handled=False)

    def release(self) -> None:
        """Let go of everybody who hangs."""
        for loop, event in self._released:
            loop.call_soon_threadsafe(event.set)

    async def _misbehave(self, server: SMTP, answer: str) -> str:
        if answer == DROP:
            assert server.transport is not None
            server.transport.abort()
        elif answer == HANG:
            event = asyncio.Event()
            self._released.append((asyncio.get_running_loop(), event))
            await event.wait()
            return "421 4.3.2 shutting down"
        return answer if answer[0].isdigit() else "421 4.3.2 gone"

    def _count(self, key: str) -> int:
        self._seen[key] = self._seen.get(key, 0) + 1
        return self._seen[key]


@contextmanager
def smtp_server(
    certificate: Certificate | None = None, *, implicit_tls: bool = False, auth: bool = False, host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[SmtpServer]:  # fmt: skip
    """Run a server; with a certificate it offers STARTTLS, or speaks TLS from the first byte."""
    server = SmtpServer()
    options: dict[str, Any] = {"enable_SMTPUTF8": True, "data_size_limit": 1 << 22}
    if certificate is not None:
        options |= {"ssl_context": certificate.context} if implicit_tls else {"tls_context": certificate.context}
    if auth:
        options |= {"authenticator": server.authenticate, "auth_required": True, "auth_require_tls": True}
    controller = _Controller(server, hostname=host, port=port, **options)
    controller.start()
    server.port = controller.bound_port
    try:
        yield server
    finally:
        server.release()
        controller.stop()


class _Controller(Controller):
    """Knows the port it got, and does not connect to itself at the start."""

    @property
    def bound_port(self) -> int:
        return int(self.server.sockets[0].getsockname()[1])  # type: ignore[union-attr]

    def _trigger_server(self) -> None:
        return


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


class Arrivals:
    """Lets a test wait until enough mails have been taken, without polling."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._changed = threading.Condition()
        server.on_mail = lambda _mail: self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    async def count(self, wanted: int, timeout_s: float = 10.0) -> list[Mail]:
        """Return the mails once there are as many; fails when that takes too long."""
        there = await asyncio.to_thread(self._wait, wanted, timeout_s)
        assert there, f"{len(self._server.taken)} of {wanted} mails after {timeout_s:g} s"
        return list(self._server.taken)

    def _wait(self, wanted: int, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: len(self._server.taken) >= wanted, timeout_s)
