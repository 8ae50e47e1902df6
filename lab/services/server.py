"""What servers of all kinds have in common: one service at one address."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from haidang.clock import Clock
from lab.network import Unavailable
from lab.services.certificates import Authority
from lab.services.doors import Door, Peer, TcpDoor, UdpDoor, Yard
from lab.services.limits import Limits
from lab.services.mailbox import Mailbox
from lab.services.words import Fault, Words

OptionsT = TypeVar("OptionsT", bound=Words)
FaultT = TypeVar("FaultT", bound=Fault)
_TRIES = 8  # to find a port that is free for both transports
_LINGER_S = 2.0  # for a client to take the last answer


@dataclass(frozen=True, slots=True)
class Around:
    """What a server finds around itself.

    Parameters:
        clock: what time it is in the lab.
        yard: where doors are.
        authority: gives who signs certificates.
        mailbox: where mail goes.
    """

    clock: Clock
    yard: Yard
    authority: Callable[[], Authority]
    mailbox: Mailbox

    @property
    def limits(self) -> Limits:
        """How much a client may use up."""
        return self.yard.limits


class Server(Generic[OptionsT, FaultT]):
    """One service at one address; each kind has a class of its own that answers.

    Parameters:
        address: its own.
        options: what it is told to be.
        fault: what is wrong with it at first: nothing.
        around: see `Around`.

    Attributes:
        fault: what is wrong with it now.
        answered: requests that got an answer, also a refusing one.
        malformed: requests that made no sense.
    """

    transports: ClassVar[tuple[Literal["tcp", "udp"], ...]] = ("tcp",)

    def __init__(self, address: str, options: OptionsT, fault: FaultT, around: Around) -> None:
        self.address = address
        self.options = options
        self.fault = fault
        self.around = around
        self.answered = 0
        self.malformed = 0
        self._doors: tuple[Door, ...] = ()

    @property
    def port(self) -> int:
        """The port it has, once it was open."""
        return self._doors[0].port

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return sum(door.connections for door in self._doors)

    @property
    def refused(self) -> int:
        """Connections and answers that were one too many."""
        return sum(door.refused for door in self._doors)

    def open(self, port: int) -> None:
        """Open its sockets, all at the same port.

        Parameters:
            port: 0 for any that is free.

        Raises:
            Unavailable: the kernel refuses one.
        """
        for tries_left in reversed(range(_TRIES if port == 0 else 1)):
            try:
                self._open(port)
            except Unavailable:
                self.close()
                if not tries_left:
                    raise
            else:
                return

    def _open(self, port: int) -> None:
        yard = self.around.yard
        doors: list[Door] = []
        for transport in self.transports:
            door = (
                TcpDoor(yard, self.address, port, self.converse) if transport == "tcp"
                else UdpDoor(yard, self.address, port, self.datagram, lambda: self.fault.delay_s)
            )  # fmt: skip
            doors.append(door)
            self._doors = tuple(doors)
            door.open()
            port = door.port

    def behave(self, fault: FaultT) -> list[asyncio.Task[None]]:
        """Have something wrong from now on; returns the conversations that end by it.

        Raises:
            Unavailable: it was away, and its port has been taken meanwhile; it stays away.
        """
        if not fault.away:
            for door in self._doors:
                door.open()
        self.fault = fault
        return self.close() if fault.away else []

    def close(self) -> list[asyncio.Task[None]]:
        """Close its sockets and connections; returns the conversations that are still ending."""
        return [task for door in self._doors for task in door.close()]

    async def converse(self, sock: socket.socket) -> None:
        """Serve a connection until its end."""
        async with self.streams(sock, self.context()) as (reader, writer):
            await self.talk(reader, writer)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection as streams; for kinds that speak TCP."""
        raise NotImplementedError

    def datagram(self, data: bytes, peer: Peer) -> tuple[bytes, Peer] | None:
        """Answer a datagram, see `lab.services.doors.Answer`; for kinds that speak UDP."""
        raise NotImplementedError

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS that connections begin with, ``None`` for none."""
        return None

    @asynccontextmanager
    async def streams(
        self, sock: socket.socket, context: ssl.SSLContext | None = None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Read and write a connection as streams; it is closed at the end, and aborted when the end is an error."""
        limits, loop = self.around.limits, asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=limits.head_bytes, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        handshake_s = None if context is None else limits.request_s
        transport, _ = await loop.connect_accepted_socket(
            lambda: protocol, sock, ssl=context, ssl_handshake_timeout=handshake_s, ssl_shutdown_timeout=handshake_s
        )
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            yield reader, writer
            if writer.can_write_eof():  # what is unread at a close makes the kernel throw our last answer away
                writer.write_eof()
                async with asyncio.timeout(_LINGER_S):
                    while await reader.read(limits.head_bytes):
                        pass
            writer.close()
            async with self.deadline():
                await writer.wait_closed()
        finally:
            transport.abort()

    def deadline(self) -> asyncio.Timeout:
        """Bound how long a client may take."""
        return asyncio.timeout(self.around.limits.request_s)

    async def hesitate(self, reader: asyncio.StreamReader) -> None:
        """Do before an answer what is wrong: be late, or say nothing until the client gives up.

        Raises:
            EOFError: it has given up.
        """
        if self.fault.delay_s:
            await asyncio.sleep(self.fault.delay_s)
        if self.fault.silent:
            while await reader.read(self.around.limits.head_bytes):
                pass
            raise EOFError("the client has waited long enough")

    async def say(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        """Send an answer, within the deadline."""
        self.answered += 1
        writer.write(data)
        async with self.deadline():
            await writer.drain()
