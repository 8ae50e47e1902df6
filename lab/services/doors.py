"""Where clients come in: one real socket per address and port, with a bounded number of clients behind it.

A wildcard socket that tells the addresses apart would be cheaper still (`benchmarks/lab_services.py`), but the kernel
would then take connections for every address of the lab and never refuse one: a service that is away would look like
one that hangs up.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from lab.network import Space, Unavailable
from lab.services.limits import Limits
from lab.services.sockets import bind

logger = structlog.get_logger(__name__)

BACKLOG = 64
BATCH = 64  # connections or datagrams taken before other sockets have their turn
PAUSE_S = 1.0  # until connections are taken again after the kernel had none to give

Peer = tuple[Any, ...]
"""A client as the socket tells it: address, port, and for IPv6 flow and scope."""
Talk = Callable[[socket.socket], Awaitable[None]]
"""Serves one connection until its end."""
Answer = Callable[[bytes, Peer], tuple[bytes, Peer] | None]
"""Gets a datagram and who sent it; returns what to send and where, ``None`` for nothing."""


@dataclass(slots=True)
class Yard:
    """What all doors share.

    Parameters:
        limits: how many may come in.
        space: whose services' namespace sockets are opened in; ``None`` for the current one.

    Attributes:
        connections: open now, behind all doors.
    """

    limits: Limits
    space: Space | None = None
    connections: int = field(default=0, init=False)


class Door(Protocol):
    """A socket that can be opened and closed."""

    port: int
    refused: int

    def open(self) -> None:
        """Open it.

        Raises:
            Unavailable: the kernel refuses.
        """
        ...

    def close(self) -> list[asyncio.Task[None]]:
        """Close it and everything that came in; returns what is still ending."""
        ...

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        ...


class TcpDoor:
    """A listening socket.

    Parameters:
        yard: see `Yard`.
        address, port: where it listens; port 0 for any that is free.
        talk: serves a connection.

    Attributes:
        port: the one it has.
        refused: connections closed at once because there were too many.
    """

    __slots__ = ("_address", "_listener", "_loop", "_pause", "_talk", "_talks", "_yard", "port", "refused")

    def __init__(self, yard: Yard, address: str, port: int, talk: Talk) -> None:
        self.port = port
        self.refused = 0
        self._yard = yard
        self._address = address
        self._talk = talk
        self._talks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._listener: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        """See `Door.connections`."""
        return len(self._talks)

    def open(self) -> None:
        """See `Door.open`."""
        if self._listener is None:
            self._listener = _open(self._yard, socket.SOCK_STREAM, self._address, self.port)
            self._listener.listen(BACKLOG)
            self.port = self._listener.getsockname()[1]
            self._watch(self._listener)

    def close(self) -> list[asyncio.Task[None]]:
        """See `Door.close`."""
        if self._listener is not None:
            if self._pause is not None:
                self._pause.cancel()
            self._loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        for task in self._talks:
            task.cancel()
        return list(self._talks)

    def _watch(self, listener: socket.socket) -> None:
        self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                sock, _ = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    logger.warning("no connection can be taken", address=self._address, reason=error.strerror)
                    self._loop.remove_reader(listener)
                    self._pause = self._loop.call_later(PAUSE_S, self._watch, listener)
                return
            limits = self._yard.limits
            if len(self._talks) >= limits.connections_each or self._yard.connections >= limits.connections:
                self.refused += 1
                sock.close()
                continue
            sock.setblocking(False)
            self._yard.connections += 1
            task = self._loop.create_task(self._serve(sock))
            self._talks.add(task)
            task.add_done_callback(self._leave)

    def _leave(self, task: asyncio.Task[None]) -> None:
        self._talks.discard(task)
        self._yard.connections -= 1

    async def _serve(self, sock: socket.socket) -> None:
        try:
            async with asyncio.timeout(self._yard.limits.conversation_s):
                await self._talk(sock)
        except EOFError:  # it has no more to ask
            pass
        except (OSError, TimeoutError) as error:  # it is gone, took too long, or has no TLS
            logger.debug("connection ended", address=self._address, port=self.port, reason=str(error))
        except Exception:  # noqa: BLE001 one client must not stop the service for the others
            logger.exception("conversation failed", address=self._address, port=self.port)
        finally:
            sock.close()


class UdpDoor:
    """A datagram socket.

    Parameters:
        yard: see `Yard`.
        address, port: where it listens; port 0 for any that is free.
        answer: answers a datagram.
        delay_s: tells how much later answers are sent now, seconds.

    Attributes:
        port: the one it has.
        refused: answers that were not sent: too many waited, or the kernel would not take them.
    """

    __slots__ = ("_address", "_answer", "_delay_s", "_loop", "_socket", "_waiting", "_yard", "port", "refused")

    def __init__(self, yard: Yard, address: str, port: int, answer: Answer, delay_s: Callable[[], float]) -> None:
        self.port = port
        self.refused = 0
        self._yard = yard
        self._address = address
        self._answer = answer
        self._delay_s = delay_s
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._waiting = 0

    @property
    def connections(self) -> int:
        """See `Door.connections`: datagrams have none."""
        return 0

    def open(self) -> None:
        """See `Door.open`."""
        if self._socket is None:
            self._socket = _open(self._yard, socket.SOCK_DGRAM, self._address, self.port)
            self.port = self._socket.getsockname()[1]
            self._loop.add_reader(self._socket, self._receive, self._socket)

    def close(self) -> list[asyncio.Task[None]]:
        """See `Door.close`; answers that still wait are not sent."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
        return []

    def _receive(self, sock: socket.socket) -> None:
        for _ in range(BATCH):
            try:
                data, peer = sock.recvfrom(65535)
            except OSError:
                return
            try:
                made = self._answer(data, peer)
            except Exception:  # noqa: BLE001 one datagram must not stop the service
                logger.exception("datagram failed", address=self._address, port=self.port)
                continue
            if made is not None:
                self._send_later(self._delay_s(), *made)

    def _send_later(self, delay_s: float, data: bytes, peer: Peer) -> None:
        if delay_s <= 0:
            self._send(data, peer)
        elif self._waiting >= self._yard.limits.delayed:
            self.refused += 1
        else:
            self._waiting += 1
            self._loop.call_later(delay_s, self._send_waiting, data, peer)

    def _send_waiting(self, data: bytes, peer: Peer) -> None:
        self._waiting -= 1
        self._send(data, peer)

    def _send(self, data: bytes, peer: Peer) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(data, peer)
        except (OSError, OverflowError):  # no route, no buffer, or no such port
            self.refused += 1


def _open(yard: Yard, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    try:
        return bind(yard.space, kind, address, port)
    except OSError as error:
        name = "TCP" if kind == socket.SOCK_STREAM else "UDP"
        raise Unavailable(f"{address} {name} port {port} cannot be opened ({error.strerror})", _cure(error)) from error


def _cure(error: OSError) -> str:
    if error.errno == errno.EACCES:
        return "run as root, or give the service a port above 1023"
    if error.errno == errno.EADDRINUSE:
        return "end the program that has it (ss -lntup), or give the service another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "use an address of this machine (127.0.0.0/8), or start the lab's network first"
    return "see ip(7)"
