"""Addresses, routes and links set over rtnetlink, so that the lab needs no `ip` command (RFC 3549, rtnetlink(7))."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from types import TracebackType

_NEWLINK, _NEWADDR, _NEWROUTE = 16, 20, 24
_REQUEST_ACK_CREATE = 0x405
_UP = 1
_NODAD = 2
_IFLA_MTU, _IFLA_TXQLEN = 4, 13
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_PREFSRC = 1, 4, 7
_MAIN_TABLE, _STATIC = 254, 4
_UNICAST, _LOCAL = 1, 2
_SCOPE_HOST = 254


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


class Netlink:
    """A conversation with the kernel about the network namespace this thread is in. Use it in ``with``.

    All methods raise OSError when the kernel refuses.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def up(self, name: str, mtu: int = 0, queue: int = 0) -> None:
        """Bring a link up.

        Parameters:
            mtu, queue: bytes and packets; 0 leaves them as they are.
        """
        attributes = _attribute(_IFLA_MTU, struct.pack("=I", mtu)) if mtu else b""
        attributes += _attribute(_IFLA_TXQLEN, struct.pack("=I", queue)) if queue else b""
        self._ask(_NEWLINK, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), _UP, _UP) + attributes)

    def address(self, name: str, address: str) -> None:
        """Give a link an address, without a prefix of its own."""
        packed = ipaddress.ip_address(address).packed
        head = struct.pack("=BBBBI", _family(packed), len(packed) * 8, _NODAD, 0, socket.if_nametoindex(name))
        self._ask(_NEWADDR, head + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed))

    def route(self, prefix: str, name: str, source: str = "") -> None:
        """Send a prefix out of a link.

        Parameters:
            source: the address that local programs use towards it.
        """
        extra = _attribute(_RTA_PREFSRC, ipaddress.ip_address(source).packed) if source else b""
        self._route(prefix, name, 0, _UNICAST, extra)

    def local(self, prefix: str) -> None:
        """Make every address of a prefix this namespace's own, so that programs can bind to it."""
        self._route(prefix, "lo", _SCOPE_HOST, _LOCAL, b"")

    def _route(self, prefix: str, name: str, scope: int, kind: int, extra: bytes) -> None:
        network = ipaddress.ip_network(prefix)
        packed = network.network_address.packed
        head = struct.pack(
            "=BBBBBBBBI", _family(packed), network.prefixlen, 0, 0, _MAIN_TABLE, _STATIC, scope, kind, 0
        )  # fmt: skip
        link = _attribute(_RTA_OIF, struct.pack("=I", socket.if_nametoindex(name)))
        self._ask(_NEWROUTE, head + _attribute(_RTA_DST, packed) + link + extra)

    def _ask(self, kind: int, body: bytes) -> None:
        self._sequence += 1
        self._socket.send(struct.pack("=IHHII", 16 + len(body), kind, _REQUEST_ACK_CREATE, self._sequence, 0) + body)
        answer = self._socket.recv(65536)
        (error,) = struct.unpack_from("=i", answer, 16)
        if error:
            raise OSError(-error, os.strerror(-error))


def _family(packed: bytes) -> int:
    return socket.AF_INET if len(packed) == 4 else socket.AF_INET6
