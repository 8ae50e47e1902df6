"""TUN devices: the lab's ends of the simulated network."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lab.network.namespace import DEVICE, Unavailable
from lab.network.netlink import Netlink

_TUNSETIFF = 0x400454CA
_TUN_NO_PI = 0x1001
QUEUE = 50_000  # packets the kernel keeps for the simulator; the usual 500 would drop a round of pings sent at once
_CURE = "run as root, or where the system lets plain users make namespaces"


class Tun:
    """A TUN device in the namespace of the thread that opens it.

    Parameters:
        name: of the link, at most 15 characters.
        mtu: bytes.

    Raises:
        Unavailable: the device may not be made.
    """

    def __init__(self, name: str, mtu: int) -> None:
        self.name = name
        self.mtu = mtu
        self.fd = os.open(DEVICE, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.ioctl(self.fd, _TUNSETIFF, struct.pack("16sH22x", name.encode("ascii"), _TUN_NO_PI))
        except OSError as error:
            os.close(self.fd)
            raise Unavailable(f"a TUN device may not be made ({error.strerror})", _CURE) from error
        # The kernel's own chatter (router solicitations, a link-local address) would only be noise to the simulator.
        for key, value in (("accept_dad", "0"), ("addr_gen_mode", "1"), ("router_solicitations", "0")):
            _sysctl(f"ipv6/conf/{name}/{key}", value)

    def close(self) -> None:
        """Take the device away."""
        os.close(self.fd)


def prepare_observer(tun: Tun, addresses: Iterable[str], prefixes: Iterable[str]) -> None:
    """Bring up the observer's side: its own addresses, and routes for everything simulated.

    Raises:
        Unavailable: the kernel refuses, e.g. because it has no IPv6.
    """
    sources = {":" in address: address for address in addresses}
    _sysctl("ipv4/ping_group_range", "0 0")
    _sysctl("ipv4/ping_group_range", "0 2147483647")  # plain root's namespace knows all groups
    try:
        with Netlink() as netlink:
            netlink.up("lo")
            netlink.up(tun.name, tun.mtu, QUEUE)
            for address in sources.values():
                netlink.address(tun.name, address)
            for prefix in prefixes:
                netlink.route(prefix, tun.name, sources.get(":" in prefix, ""))
    except OSError as error:
        raise Unavailable(f"the observer's network cannot be set up ({error.strerror})", _CURE) from error


def prepare_services(tun: Tun, observers: Iterable[str], prefixes: Iterable[str]) -> None:
    """Bring up the services' side: every simulated address is local here, only the observer is elsewhere.

    Raises:
        Unavailable: the kernel refuses.
    """
    _sysctl("ipv6/ip_nonlocal_bind", "1")  # unlike IPv4's, a local route alone does not let sockets bind
    try:
        with Netlink() as netlink:
            netlink.up("lo")
            netlink.up(tun.name, tun.mtu, QUEUE)
            for prefix in prefixes:
                netlink.local(prefix)
            for address in observers:
                netlink.route(f"{address}/{128 if ':' in address else 32}", tun.name)
    except OSError as error:
        raise Unavailable(f"the services' network cannot be set up ({error.strerror})", _CURE) from error


def _sysctl(key: str, value: str) -> None:
    with suppress(OSError):  # read-only /proc/sys, or a kernel without it: the lab works all the same
        Path("/proc/sys/net", key).write_text(value, "ascii")
