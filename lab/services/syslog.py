"""A device that logs to the observer: syslog of both forms, over UDP and TCP (RFC 5424, 3164, 5426, 6587)."""

from __future__ import annotations

import asyncio
import datetime
import re
import socket
from dataclasses import dataclass
from enum import IntEnum
from types import TracebackType
from typing import Literal

import structlog

from haidang.clock import Clock, SystemClock
from lab.network import Address, Space
from lab.services.sockets import bind

logger = structlog.get_logger(__name__)

PORT = 514
LONGEST = 2048  # octets that every receiver should take (RFC 5424 §6.1)
DEADLINE_S = 5.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = re.compile(r"[!-~]{1,48}")


class Severity(IntEnum):
    """How bad it is (RFC 5424 §6.2.1)."""

    EMERGENCY = 0
    ALERT = 1
    CRITICAL = 2
    ERROR = 3
    WARNING = 4
    NOTICE = 5
    INFORMATIONAL = 6
    DEBUG = 7


@dataclass(frozen=True, slots=True)
class Writer:
    """How a device writes its messages.

    Parameters:
        hostname: what it calls itself.
        form: ``5424``, or ``3164`` as old devices do: local time without a year or a zone.
        program: what writes them (APP-NAME, TAG).
        facility: 0 to 23; 23 is local7, what network devices use.
        zone: of the old form's times.

    Raises:
        ValueError: a name has spaces or is too long, or there is no such facility.
    """

    hostname: str
    form: Literal["5424", "3164"] = "5424"
    program: str = "lab"
    facility: int = 23
    zone: datetime.tzinfo = datetime.UTC

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.hostname) or not _NAME.fullmatch(self.program):
            raise ValueError(f"{self.hostname!r} and {self.program!r} must be 1 to 48 printable characters, no spaces")
        if self.form not in ("5424", "3164") or not 0 <= self.facility <= 23:
            raise ValueError("form is 5424 or 3164, facility 0 to 23")

    def write(self, utc_ns: int, severity: Severity, text: str) -> bytes:
        """Write a message; one that is too long is cut off between characters.

        Parameters:
            utc_ns: its time, UTC nanoseconds.
        """
        priority = self.facility * 8 + severity
        seconds, ns = divmod(utc_ns, 1_000_000_000)
        now = datetime.datetime.fromtimestamp(seconds, self.zone if self.form == "3164" else datetime.UTC)
        line = " ".join(text.splitlines())
        if self.form == "3164":
            stamp = f"{_MONTHS[now.month - 1]} {now.day:2} {now:%H:%M:%S}"
            head = f"<{priority}>{stamp} {self.hostname} {self.program}: "
        else:
            stamp = f"{now:%Y-%m-%dT%H:%M:%S}.{ns // 1000:06}Z"
            head = f"<{priority}>1 {stamp} {self.hostname} {self.program} - - - \ufeff"
        return (head + line).encode("utf-8", "replace")[:LONGEST].decode("utf-8", "ignore").encode()


class SyslogSource:
    """A device that sends messages to a receiver. Use it in ``async with``, or `close` it.

    Parameters:
        writer: how it writes.
        address: the device's own, of which the messages come.
        receiver: host and port.
        transport: ``udp``, or ``tcp`` with a length before each message (RFC 6587 §3.4.1).
        space: whose services' namespace it lives in; ``None`` for the current one.
        clock: stamps the messages; this machine's when ``None``.

    Attributes:
        sent, failed: messages that the kernel has taken, and those it would not.
    """

    def __init__(
        self, writer: Writer, address: str, receiver: Address, *, transport: Literal["udp", "tcp"] = "udp",
        space: Space | None = None, clock: Clock | None = None,
    ) -> None:  # fmt: skip
        self.sent = 0
        self.failed = 0
        self._writer = writer
        self._address = address
        self._receiver = receiver
        self._transport = transport
        self._space = space
        self._clock = clock or SystemClock()
        self._socket: socket.socket | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> SyslogSource:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def send(self, severity: Severity, text: str) -> bool:
        """Send a message, stamped now; over TCP it connects when it has to.

        Returns:
            whether the kernel has taken it. Over UDP that says nothing of the receiver, over TCP little.
        """
        message = self._writer.write(self._clock.utc_ns(), severity, text)
        if self._transport == "tcp":
            message = b"%d %b" % (len(message), message)
        async with self._turn:
            try:
                async with asyncio.timeout(DEADLINE_S):
                    await self._send(message)
            except (OSError, TimeoutError) as error:
                self.close()
                self.failed += 1
                logger.info("syslog message not sent", source=self._address, reason=str(error) or "no answer in time")
                return False
        self.sent += 1
        return True

    def close(self) -> None:
        """Close the socket; the next message opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _send(self, message: bytes) -> None:
        loop = asyncio.get_running_loop()
        if self._socket is not None and self._transport == "tcp" and self._ended(self._socket):
            self.close()
        if self._socket is None:
            kind = socket.SOCK_STREAM if self._transport == "tcp" else socket.SOCK_DGRAM
            self._socket = bind(self._space, kind, self._address, 0)
            await loop.sock_connect(self._socket, self._receiver)
        await loop.sock_sendall(self._socket, message)

    @staticmethod
    def _ended(sock: socket.socket) -> bool:
        """Tell whether the receiver has hung up: what is sent then would be lost without a word."""
        try:
            return not sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
