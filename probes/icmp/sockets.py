"""The sockets under the ICMP engine: opening them with the rights at hand, reading their drops and their error queue.

Linux only. The numbers below are kernel ABI that Python's socket module does not name
(include/uapi: asm-generic/socket.h, linux/icmp.h, icmpv6.h, in.h, in6.h, errqueue.h, filter.h).
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

SO_TIMESTAMPNS = 35
SO_SNDBUFFORCE = 32
SO_RCVBUFFORCE = 33
SO_ATTACH_FILTER = 26
SO_MEMINFO = 55
SK_MEMINFO_DROPS = 8
SOL_RAW = 255
ICMP_FILTER = 1
ICMPV6_FILTER = 1
IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
SO_EE_ORIGIN_ICMP = 2
SO_EE_ORIGIN_ICMP6 = 3

BUFFER_BYTES = 4 << 20  # the kernel doubles it: 8 MiB hold about 10,000 replies, the default only some 250

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


class IcmpUnavailable(Exception):
    """No ICMP socket can be had; the text is one line and names the cure.

    Attributes:
        reason: what is missing.
        cure: the command that mends it; empty when there is none.
    """

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__(f"{reason}; run: {cure}" if cure else reason)
        self.reason = reason
        self.cure = cure


@dataclass(frozen=True, slots=True)
class IcmpError:
    """One entry of the error queue: which echo it is about, in words, and who said so."""

    destination: str
    quoted: bytes
    text: str


def open_socket(family: socket.AddressFamily, cookie: bytes, *, raw: bool | None = None) -> tuple[socket.socket, bool]:
    """Open a non-blocking ICMP socket, raw where allowed (CAP_NET_RAW), else a datagram one (``ping_group_range``).

    Parameters:
        family: ``AF_INET`` or ``AF_INET6``.
        cookie: 8 bytes at the head of our payload; a raw socket drops in the kernel what does not carry them,
            otherwise it would be handed every reply that anything on this machine asked for.
        raw: force one kind; ``None`` takes what is allowed.

    Returns:
        the socket and whether it is raw.

    Raises:
        IcmpUnavailable: neither kind may be opened, or the family is switched off.
    """
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    refused: OSError | None = None
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        if raw is not None and raw != (kind == socket.SOCK_RAW):
            continue
        try:
            sock = socket.socket(family, kind, protocol)
        except PermissionError as error:
            refused = error
            continue
        except OSError as error:
            version = 4 if family == socket.AF_INET else 6
            raise IcmpUnavailable(f"this machine has no IPv{version} ({error.strerror})") from error
        _prepare(sock, family, cookie if kind == socket.SOCK_RAW else None)
        return sock, kind == socket.SOCK_RAW
    group = os.getegid()
    raise IcmpUnavailable(
        "no right to open an ICMP socket",
        f"sudo sysctl -w net.ipv4.ping_group_range='{group} {group}'  (or give the process CAP_NET_RAW)",
    ) from refused


def _prepare(sock: socket.socket, family: socket.AddressFamily, cookie: bytes | None) -> None:
    sock.setblocking(False)
    for force, plain in ((SO_RCVBUFFORCE, socket.SO_RCVBUF), (SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, BUFFER_BYTES)
        except OSError:  # needs CAP_NET_ADMIN; without it net.core.rmem_max is the ceiling
            sock.setsockopt(socket.SOL_SOCKET, plain, BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
    if cookie is None:
        return
    if family == socket.AF_INET:
        sock.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("I", ~(1 << 0) & 0xFFFFFFFF))
    else:
        blocked = [0xFFFFFFFF] * 8
        blocked[129 >> 5] &= ~(1 << (129 & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("8I", *blocked))
    _attach_cookie_filter(sock, family, cookie)


def _attach_cookie_filter(sock: socket.socket, family: socket.AddressFamily, cookie: bytes) -> None:
    """Let the kernel drop every reply without our cookie (classic BPF)."""
    high, low = struct.unpack("!II", cookie)
    load_header_length = (0xB1, 0, 0, 0) if family == socket.AF_INET else (0x01, 0, 0, 0)  # ldxb 4*([0]&0xf) | ldx #0
    program = [
        load_header_length,
        (0x40, 0, 0, 8),  # ld [x + 8]
        (0x15, 0, 3, high),  # jeq high, next, drop
        (0x40, 0, 0, 12),  # ld [x + 12]
        (0x15, 0, 1, low),  # jeq low, next, drop
        (0x06, 0, 0, 0xFFFFFFFF),  # ret all
        (0x06, 0, 0, 0),  # ret 0: drop
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(code)))


def dropped(sock: socket.socket) -> int:
    """Count the packets the kernel dropped on this socket because its buffer was full, since it was opened."""
    meminfo = sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36)
    (count,) = struct.unpack_from("=I", meminfo, SK_MEMINFO_DROPS * 4)
    return int(count)


def errors(sock: socket.socket, limit: int = 256) -> Iterator[IcmpError]:
    """Drain the socket's error queue: the ICMP errors that routers (or this machine) sent about our echoes."""
    for _ in range(limit):
        try:
            quoted, control, _, name = sock.recvmsg(256, 256, MSG_ERRQUEUE)
        except OSError:
            return
        for level, kind, data in control:
            if (level, kind) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                yield IcmpError(name[0] if name else "", quoted, _words(data))


def _words(data: bytes) -> str:
    """Put one ``struct sock_extended_err`` and the offender behind it into words."""
    if len(data) < 16:
        return "unreadable error"
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
    return f"{text}, says {offender}" if offender else text
