"""A TCP connection for probes: with DSCP from the first packet on, bounded reading, and TLS that can begin later.

Not asyncio's streams: those close TLS in the background for half a minute, read ahead over a STARTTLS, and say nothing
of how much a peer may send.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

from probes.attempt import Attempt, Down, shown

T = TypeVar("T")
MOST_BYTES = 1 << 20
LONGEST_LINE = 16_384
_CHUNK = 65_536
_REMEMBERED = 64


class Closed(Down):
    """The peer closed the connection without a word."""


class Stream:
    """One connection; closed by ``async with``. Every wait ends with the attempt's deadline.

    Parameters:
        sock: connected, not blocking.
        most_bytes: what the peer may send in all.
    """

    def __init__(self, sock: socket.socket, most_bytes: int = MOST_BYTES) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._most_bytes = most_bytes
        self._buffer = bytearray()
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls: ssl.SSLObject | None = None
        self.received = 0
        self.heard = bytearray()
        """The beginning of what it answers, since we last said something; only what is read by lines or counts."""

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close at once; nothing is waited for."""
        self._sock.close()

    async def write(self, data: bytes) -> None:
        """Send everything.

        Raises:
            OSError: the connection broke.
        """
        self.heard.clear()
        if self.tls is None:
            await self._loop.sock_sendall(self._sock, data)
            return
        tls = self.tls
        await self._drive(lambda: tls.write(data))  # memory has room for all of it

    async def read(self) -> bytes:
        """Return what is there, at least one byte; nothing at the end.

        Raises:
            Down: the peer sends more than it may.
            OSError: the connection broke.
        """
        if self._buffer:
            data = bytes(self._buffer)
            self._buffer.clear()
            return data
        return await self._fetch()

    async def _fetch(self) -> bytes:
        if self.tls is None:
            return await self._receive()
        tls = self.tls
        try:
            return await self._drive(lambda: tls.read(_CHUNK))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""
        except ssl.SSLError as error:  # an alert comes here when it is the client's certificate that TLS 1.3 refuses
            raise Down(f"it broke TLS off: {_tls_words(error)}") from error

    async def until(self, end: bytes, most: int = LONGEST_LINE) -> bytes:
        """Return everything up to and with ``end``.

        Raises:
            Down: the peer closed before, or ``end`` does not come within ``most`` bytes.
        """
        searched = 0
        while (at := self._buffer.find(end, max(0, searched - len(end)))) < 0 or at > most:
            searched = len(self._buffer)
            if searched > most:
                raise Down(f"no end of its answer within {most} bytes: {shown(bytes(self._buffer[:64]), 40)}")
            await self._more()
        data = bytes(self._buffer[: at + len(end)])
        del self._buffer[: at + len(end)]
        return data

    async def line(self) -> str:
        """Return a line without its end; what is not UTF-8 in it is replaced.

        Raises:
            Down: as `until`.
        """
        return (await self.until(b"\n")).decode("utf-8", "replace").rstrip("\r\n")

    async def exactly(self, count: int) -> bytes:
        """Return so many bytes.

        Raises:
            Down: the peer closed before.
        """
        while len(self._buffer) < count:
            await self._more()
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> ssl.SSLObject:
        """Begin TLS.

        Parameters:
            context: how, and what is trusted.
            server_name: whom to expect; sent as SNI when it is a name.

        Raises:
            ssl.SSLCertVerificationError: the certificate is not the expected one.
            Down: the peer does not speak TLS, or not as we do.
            OSError: the connection broke.
        """
        if self._buffer:  # it could have been put there by somebody between (CVE-2011-0411)
            raise Down(f"it sent something before TLS began: {shown(bytes(self._buffer), 40)}")
        self.heard.clear()
        try:
            tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        except ValueError as error:
            raise Down(f"{shown(server_name)} is no name a certificate can be for: {error}") from error
        try:
            await self._drive(tls.do_handshake)
        except ssl.SSLCertVerificationError:
            raise
        except ssl.SSLEOFError as error:
            raise Down("it closed the connection during the TLS handshake") from error
        except ssl.SSLError as error:
            raise Down(f"no TLS: {_tls_words(error)}") from error
        self.tls = tls
        return tls

    async def _more(self) -> None:
        data = await self._fetch()
        if not data:
            if not self._buffer:
                raise Closed("it closed the connection without a word")
            raise Down(f"it closed the connection after {shown(bytes(self._buffer[:64]), 40)}")
        self._buffer += data
        self.heard += data[: _REMEMBERED - len(self.heard)]

    async def _receive(self) -> bytes:
        data = await self._loop.sock_recv(self._sock, _CHUNK)
        self.received += len(data)
        if self.received > self._most_bytes:
            raise Down(f"it sends more than {self._most_bytes >> 10} KiB, without an end")
        return data

    async def _drive(self, step: Callable[[], T]) -> T:
        """Run a step of TLS, and bring what it wants to and from the network."""
        while True:
            try:
                done = True
                result = step()
            except ssl.SSLWantReadError:
                done = False
            finally:  # an alert has to go out also when the step failed
                if data := self._outgoing.read():
                    await self._loop.sock_sendall(self._sock, data)
            if done:
                return result
            data = await self._receive()
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()


async def connect(
    attempt: Attempt, port: int, address: str = "", most_bytes: int = MOST_BYTES, field: str = "connect"
) -> Stream:
    """Connect, as the phase ``connect``.

    Parameters:
        attempt: whose address, unless another is given, and whose DSCP.
        port: TCP.
        address: numeric.
        most_bytes: see `Stream`.
        field: the phase's name.

    Raises:
        OSError: refused, reset, unreachable, or this machine's own fault.
    """
    address = address or attempt.address
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    where = f"port {port}" if address == attempt.host else f"{address} port {port}"
    with attempt.phase(field, f"connecting to {where}"):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            mark(sock, attempt.dscp)
            name = socket.getaddrinfo(address, port, family, socket.SOCK_STREAM, 0, socket.AI_NUMERICHOST)[0][4]
            await asyncio.get_running_loop().sock_connect(sock, name)
        except BaseException:
            sock.close()
            raise
    stream = Stream(sock, most_bytes)
    attempt.heard = stream.heard
    return stream


def mark(sock: socket.socket, dscp: int) -> None:
    """Give what a socket sends a differentiated services code point (RFC 2474: the upper six bits)."""
    if dscp:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)


_SOMETHING_ELSE = "what listens there speaks something else"
_TLS_WORDS = {
    "wrong version number": _SOMETHING_ELSE,
    "http request": _SOMETHING_ELSE,
    "record layer failure": _SOMETHING_ELSE,
    "packet length too long": _SOMETHING_ELSE,
    "tlsv1 alert protocol version": "it takes none of the versions that are safe, 1.2 and 1.3",
    "unsupported protocol": "it takes none of the versions that are safe, 1.2 and 1.3",
    "sslv3 alert handshake failure": "it refuses: no cipher in common, or it wants a client certificate",
    "tlsv13 alert certificate required": "it wants a client certificate",
    "tlsv1 alert unknown ca": "it does not trust the client certificate",
    "tlsv1 unrecognized name": "it knows no host of this name",
}


def _tls_words(error: ssl.SSLError) -> str:
    reason = (error.reason or "").replace("_", " ").lower()
    return _TLS_WORDS.get(reason) or reason or shown(str(error))
