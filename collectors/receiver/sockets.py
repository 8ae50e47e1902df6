"""The sockets the receiver listens on. The daemon opens them: low ports need a right that the receiver has not."""

from __future__ import annotations

import errno
import ipaddress
import socket
from dataclasses import dataclass

from collectors.receiver.settings import Listening
from probes.sockets import enlarge


class CannotListen(Exception):
    """An address or port cannot be listened on.

    Parameters:
        reason: which, and why.
        cure: what to do.
    """

    def __init__(self, reason: str, cure: str) -> None:
        super().__init__(f"{reason}; {cure}")
        self.reason = reason
        self.cure = cure


@dataclass(frozen=True, slots=True)
class Opened:
    """Open sockets, by what comes in through them."""

    traps: tuple[socket.socket, ...] = ()
    syslog_udp: tuple[socket.socket, ...] = ()
    syslog_tcp: tuple[socket.socket, ...] = ()

    def all(self) -> tuple[socket.socket, ...]:
        """Return every one of them."""
        return (*self.traps, *self.syslog_udp, *self.syslog_tcp)

    def close(self) -> None:
        """Close every one of them."""
        for sock in self.all():
            sock.close()


def open_all(listening: Listening) -> Opened:
    """Open what is wanted, all of it or nothing.

    Raises:
        CannotListen: one of them cannot be opened.
    """
    opened: list[socket.socket] = []
    try:
        groups = []
        for kind, places in (
            (socket.SOCK_DGRAM, listening.traps),
            (socket.SOCK_DGRAM, listening.syslog_udp),
            (socket.SOCK_STREAM, listening.syslog_tcp),
        ):
            groups.append(tuple(_open(kind, host, port) for host, port in places))
            opened += groups[-1]
    except BaseException:
        for sock in opened:
            sock.close()
        raise
    return Opened(*groups)


def _open(kind: socket.SocketKind, host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    transport = "udp" if kind == socket.SOCK_DGRAM else "tcp"
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise _cannot(error, transport, host, port) from error
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            enlarge(sock)  # a storm, and what comes while the receiver process starts again
        sock.bind((host, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _cannot(error, transport, host, port) from error
    return sock


def _cannot(error: OSError, transport: str, host: str, port: int) -> CannotListen:
    cure = "check receivers in the configuration"
    if isinstance(error, PermissionError):
        cure = (
            "ports under 1024 need CAP_NET_BIND_SERVICE: install haidang-receivers.conf (docs/operations.md), "
            "or let devices send to a port over 1023"
        )
    elif error.errno == errno.EADDRINUSE:
        cure = f"nothing if it is the daemon that listens there; else end the other program (ss -lnp 'sport = {port}')"
    elif error.errno == errno.EADDRNOTAVAIL:
        cure = "write an address that this machine has"
    return CannotListen(f"{transport} {host} port {port}: {(error.strerror or str(error)).lower()}", cure)
