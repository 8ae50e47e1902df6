"""What the engines' sockets have in common: large buffers, counted drops, and the error queue.

Linux only. The numbers are kernel ABI that Python's socket module does not name (include/uapi: asm-generic/socket.h,
linux/in.h, linux/in6.h, linux/errqueue.h).
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_MEMINFO = 55
SK_MEMINFO_DROPS = 8
IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
SO_EE_ORIGIN_ICMP = 2
SO_EE_ORIGIN_ICMP6 = 3

BUFFER_BYTES = 4 << 20  # the kernel doubles it: 8 MiB hold about 10,000 small packets, the default only some 250

_UNREACHABLE = {
    0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
    4: "packet too big", 5: "source route failed", 6: "network unknown", 7: "host unknown", 8: "host isolated",
    9: "network prohibited", 10: "host prohibited", 11: "network unreachable for this class of service",
    12: "host unreachable for this class of service", 13: "prohibited by a filter", 14: "precedence violation",
    15: "precedence cut off",
}  # fmt: skip
_UNREACHABLE6 = {
    0: "no route", 1: "prohibited by a filter", 2: "beyond the scope of the source address", 3: "host unreachable",
    4: "port unreachable", 5: "source address refused by policy", 6: "route rejected",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class IcmpError:
    """One entry of the error queue: which packet it is about, in words, and who said so.

    ``offender`` is empty when this machine says it; ``info`` is the next hop's MTU where the packet was too big.
    """

    destination: str
    quoted: bytes
    text: str
    offender: str = ""
    kind: int = -1
    info: int = 0


def prepare(sock: socket.socket) -> None:
    """Make a socket non-blocking, give it large buffers, and have ICMP errors kept in its error queue."""
    sock.setblocking(False)
    enlarge(sock)
    if sock.family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)


def enlarge(sock: socket.socket) -> int:
    """Give a socket buffers for thousands of packets, as far as this machine allows.

    Returns:
        the size of its receive buffer as the kernel counts it, bytes.
    """
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:  # needs CAP_NET_ADMIN; without it net.core.rmem_max is the ceiling
            sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def dropped(sock: socket.socket) -> int:
    """Count the packets the kernel dropped on this socket because its buffer was full, since it was opened."""
    meminfo = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    (count,) = struct.unpack_from("=I", meminfo, SK_MEMINFO_DROPS * 4)
    return int(count)


def errors(sock: socket.socket, limit: int = 256) -> Iterator[IcmpError]:
    """Drain the socket's error queue: what routers (or this machine) said of our packets."""
    for _ in range(limit):
        try:
            quoted, control, _, name = sock.recvmsg(256, 256, MSG_ERRQUEUE)
        except OSError:
            return
        for level, kind, data in control:
            if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                yield _error(name[0] if name else "", quoted, data)


def _error(destination: str, quoted: bytes, data: bytes) -> IcmpError:
    """Read one ``struct sock_extended_err`` and the offender behind it."""
    if len(data) < 16:
        return IcmpError(destination, quoted, "unreadable error")
    errno, origin, kind, code, _, info = struct.unpack_from("=IBBBBI", data)
    offender = ""
    with suppress(ValueError, struct.error):
        (family,) = struct.unpack_from("=H", data, 16)
        if family == socket.AF_INET:
            offender = socket.inet_ntop(socket.AF_INET, data[20:24])
        elif family == socket.AF_INET6:
            offender = socket.inet_ntop(socket.AF_INET6, data[24:40])
    text = os.strerror(errno).lower()
    if origin == SO_EE_ORIGIN_ICMP:
        if kind == 3:
            text = _UNREACHABLE.get(code, f"unreachable, code {code}")
        elif kind == 11:
            text = "time to live exceeded"
    elif origin == SO_EE_ORIGIN_ICMP6:
        if kind == 1:
            text = _UNREACHABLE6.get(code, f"unreachable, code {code}")
        elif kind == 2:
            text = "packet too big"
        elif kind == 3:
            text = "hop limit exceeded"
    if text == "packet too big" and info:
        text += f" (path MTU {info})"
    by_icmp = origin in (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6)
    words = f"{text}, says {offender}" if offender else text
    return IcmpError(destination, quoted, words, offender, kind if by_icmp else -1, info)
