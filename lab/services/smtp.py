"""A mail server that keeps what it takes (RFC 5321); the protocol is aiosmtpd's."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any, AnyStr

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from lab.services.mailbox import Full
from lab.services.server import Around, Server
from lab.services.sink import Greylist, SmtpFault, SmtpOptions

logger = structlog.get_logger(__name__)

MOST_RECIPIENTS = 100  # RFC 5321 §4.5.3.1.8


class SmtpServer(Server[SmtpOptions, SmtpFault]):
    """A mail server; also what aiosmtpd calls a handler."""

    def __init__(self, address: str, options: SmtpOptions, fault: SmtpFault, around: Around) -> None:
        super().__init__(address, options, fault, around)
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd would write what clients say, as they say it
        self._greylist = Greylist(0)
        self._context: ssl.SSLContext | None = None
        if options.security != "none":
            self._context = around.authority().context(options.certificate, address)

    def behave(self, fault: SmtpFault) -> list[asyncio.Task[None]]:
        """See `Server.behave`."""
        self._greylist = Greylist(fault.greylist_s)
        return super().behave(fault)

    def context(self) -> ssl.SSLContext | None:
        """See `Server.context`."""
        return self._context if self.options.security == "tls" else None

    async def converse(self, sock: socket.socket) -> None:
        """See `Server.converse`."""
        if self.fault.silent or self.fault.unavailable:
            await super().converse(sock)
            return
        limits, options = self.around.limits, self.options
        starttls = self._context if options.security == "starttls" else None
        session = _Session(
            self, data_size_limit=limits.mail_bytes, enable_SMTPUTF8=True, hostname=options.hostname,
            ident="Haidang lab", tls_context=starttls, timeout=limits.request_s, loop=asyncio.get_running_loop(),
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
        )  # fmt: skip
        context = self.context()
        handshake_s = None if context is None else limits.request_s
        try:
            await session.loop.connect_accepted_socket(
                lambda: session, sock, ssl=context, ssl_handshake_timeout=handshake_s
            )
            await session.lost.wait()
        finally:
            session.abort()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Turn a client away: at once, or by silence."""
        await self.hesitate(reader)
        await self.say(writer, f"421 4.3.2 {self.options.hostname} is not available\r\n".encode())

    async def pause(self) -> None:
        """Wait as long as a line has to wait; for ever in a silent server, the session's end cancels it."""
        if self.fault.silent:
            await asyncio.Event().wait()
        wait_s = self.fault.tarpit_s + self.fault.delay_s
        if wait_s:
            await asyncio.sleep(wait_s)

    async def handle_MAIL(  # noqa: N802 aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a sender."""
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, put it off, or refuse it."""
        self.answered += 1
        if self.fault.reject and address.casefold() == self.fault.reject.casefold():
            return "550 5.1.1 there is no such mailbox"
        if self._greylist.must_wait(envelope.mail_from or "", self.around.clock.monotonic_ns()):
            return "451 4.7.1 greylisted, come again later"
        if len(envelope.rcpt_tos) >= MOST_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: _Session, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        self.answered += 1
        source = envelope.original_content or b""
        try:
            await self.around.mailbox.put(self.around.clock, envelope.mail_from or "", envelope.rcpt_tos, source)
        except (Full, OSError) as error:
            logger.warning("mail not kept", address=self.address, reason=str(error))
            return "452 4.3.1 no room"
        if self.fault.drop_after_data:
            server.abort()
        return "250 2.0.0 OK, kept"

    async def handle_exception(self, error: Exception) -> str:
        """Go on after what a client has brought about."""
        self.malformed += 1
        logger.info("mail conversation failed", address=self.address, reason=type(error).__name__)
        return "451 4.3.0 that did not work"


class _Session(SMTP):
    """One connection: slow when told so, and it says when it is over."""

    def __init__(self, sink: SmtpServer, **options: Any) -> None:  # noqa: ANN401 aiosmtpd's
        super().__init__(sink, **options)
        self._sink = sink
        self._connections: list[asyncio.BaseTransport] = []
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol; it comes a second time after STARTTLS."""
        self._connections.append(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """See asyncio.Protocol."""
        super().connection_lost(error)
        self.lost.set()

    async def push(self, status: AnyStr) -> None:
        """Say a line."""
        await self._sink.pause()
        try:
            async with self._sink.deadline():
                await super().push(status)
        except TimeoutError:  # nobody reads
            self.abort()

    def abort(self) -> None:
        """End the connection at once."""
        for transport in self._connections:
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
