"""The sockets under the ICMP engine, opened with the rights at hand. Numbers as in linux/icmp.h, icmpv6.h, filter.h."""

from __future__ import annotations

import ctypes
import os
import socket
import struct

from probes.sockets import prepare

SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
SOL_RAW = 255
ICMP_FILTER = 1
ICMPV6_FILTER = 1


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
        _make_ready(sock, family, cookie if kind == socket.SOCK_RAW else None)
        return sock, kind == socket.SOCK_RAW
    group = os.getegid()
    raise IcmpUnavailable(
        "no right to open an ICMP socket",
        f"sudo sysctl -w net.ipv4.ping_group_range='{group} {group}'  (or give the process CAP_NET_RAW)",
    ) from refused


def _make_ready(sock: socket.socket, family: socket.AddressFamily, cookie: bytes | None) -> None:
    prepare(sock)
    sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
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
