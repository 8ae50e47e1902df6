"""Sockets at the addresses of simulated hosts."""

from __future__ import annotations

import contextlib
import socket

from lab.network import Space

_IPV6_FREEBIND = 78  # linux/in6.h; the socket module has no name for it


def bind(space: Space | None, kind: socket.SocketKind, address: str, port: int) -> socket.socket:
    """Make a non-blocking socket and bind it.

    Parameters:
        space: whose services' namespace it lives in; ``None`` for the current one.
        kind: ``SOCK_STREAM`` or ``SOCK_DGRAM``.
        port: 0 for any that is free.

    Raises:
        OSError: the kernel refuses.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.nullcontext() if space is None else space.in_services():
        sock = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if space is not None and family == socket.AF_INET6:
            # A local route is enough for IPv4, but IPv6 wants the address on a link: see ip(7), IP_FREEBIND.
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock
