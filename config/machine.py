"""What this machine is connected to: default gateways and resolvers, read from the kernel's and libc's files."""

from __future__ import annotations

import ipaddress
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

RTF_UP, RTF_GATEWAY, RTF_REJECT = 0x1, 0x2, 0x200
_INTERFACE = re.compile(r"[A-Za-z0-9_.-]{1,15}")


@dataclass(frozen=True, slots=True)
class Route:
    """One route: where to, and through which gateway; ``None`` when the network is at hand."""

    network: Network
    gateway: Address | None


@dataclass(frozen=True, slots=True)
class Machine:
    """The texts that say what a machine is connected to.

    Parameters:
        routes: ``/proc/net/route``.
        routes6: ``/proc/net/ipv6_route``.
        addresses6: ``/proc/net/if_inet6``.
        resolv: ``/etc/resolv.conf``.
    """

    routes: str = ""
    routes6: str = ""
    addresses6: str = ""
    resolv: str = ""

    @classmethod
    def this(cls, root: Path = Path("/")) -> Machine:
        """Read this machine's; what cannot be read is empty."""

        def text(name: str) -> str:
            try:
                return (root / name).read_text(encoding="utf-8", errors="replace")
            except OSError:
                return ""

        return cls(
            text("proc/net/route"), text("proc/net/ipv6_route"), text("proc/net/if_inet6"), text("etc/resolv.conf")
        )

    def gateways(self) -> list[Address]:
        """Return the default gateways, each once."""
        found = (route.gateway for route in self._all_routes() if route.network.prefixlen == 0)
        return list(dict.fromkeys(gateway for gateway in found if gateway is not None))

    def resolvers(self) -> list[Address]:
        """Return the name servers in use, each once (libc takes the first three: resolv.conf(5))."""
        found = []
        for line in self.resolv.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0] == "nameserver" and (address := _address(words[1])):
                found.append(address)
        return list(dict.fromkeys(found))[:3]

    def gateway_to(self, address: Address) -> Address | None:
        """Return the gateway an address is reached through; ``None`` when it is at hand or nothing leads there."""
        fitting = [route for route in self._all_routes() if address in route.network]
        return max(fitting, key=lambda route: route.network.prefixlen).gateway if fitting else None

    def has_loopback6(self) -> bool:
        """Tell whether ``::1`` is there."""
        return any(line.split()[:1] == ["0" * 31 + "1"] for line in self.addresses6.splitlines())

    def _all_routes(self) -> Iterator[Route]:
        yield from _routes4(self.routes)
        yield from _routes6(self.routes6)


def _routes4(text: str) -> Iterator[Route]:
    for line in text.splitlines()[1:]:
        words = line.split()
        try:
            target, gateway, flags, mask = words[1], words[2], int(words[3], 16), words[7]
            network = ipaddress.IPv4Network((_ipv4(target), str(_ipv4(mask))))
            through = _ipv4(gateway) if flags & RTF_GATEWAY else None
        except (IndexError, ValueError):
            continue
        if flags & RTF_UP and not flags & RTF_REJECT:
            yield Route(network, through)


def _routes6(text: str) -> Iterator[Route]:
    for line in text.splitlines():
        words = line.split()
        try:
            flags = int(words[8], 16)
            network = ipaddress.IPv6Network((int(words[0], 16), int(words[1], 16)))
            gateway = ipaddress.IPv6Address(int(words[4], 16))
            through = _address(f"{gateway}%{words[9]}" if gateway.is_link_local else str(gateway))
        except (IndexError, ValueError):
            continue
        if flags & RTF_UP and not flags & RTF_REJECT:
            yield Route(network, through if flags & RTF_GATEWAY else None)


def _ipv4(digits: str) -> ipaddress.IPv4Address:
    """Read an address as /proc/net/route writes it: the four bytes as one number of this machine's byte order."""
    return ipaddress.IPv4Address(int(digits, 16).to_bytes(4, sys.byteorder))


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    scope = getattr(address, "scope_id", None)
    if address.is_unspecified or address.is_multicast or (scope and not _INTERFACE.fullmatch(scope)):
        return None
    return None if address.version == 6 and address.is_link_local and not scope else address
