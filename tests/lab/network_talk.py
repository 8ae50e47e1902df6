"""Talks to a host of the lab: ``udp|repeat|tcp|trap|walk ADDRESS ARGUMENT``; prints what it found as JSON."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable

from lab.control import ControlClient

TIMEOUT_S = 1.0


def udp(address: str, size: str, port: int = 161) -> object:
    """Send a datagram of a size; returns who the lab says sent it and the answer's size, or the error."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(TIMEOUT_S)
        sock.connect((address, port))
        try:
            sock.send(b"x" * int(size))
            answer = sock.recv(65536)
        except OSError as error:
            return type(error).__name__
    asker, _, data = answer.partition(b" ")
    return [asker.decode(), len(data)]


def repeat(address: str, size: str) -> object:
    """Ask the real UDP server of the stage."""
    return udp(address, size, 5353)


def tcp(address: str, port: str) -> object:
    """Send 100 kB and let it be repeated; returns what came, in bytes, or the error."""
    try:
        with socket.create_connection((address, int(port)), TIMEOUT_S) as sock:
            sock.sendall(b"x" * 100_000)
            sock.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: sock.recv(65536), b""))
    except OSError as error:
        return type(error).__name__
    return [got[:6].decode(), len(got)]


def trap(address: str, name: str) -> object:
    """Have a host send us a datagram; returns its source and data."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, ControlClient(name) as client:
        sock.settimeout(TIMEOUT_S)
        sock.bind(("10.255.255.254", 0))
        words = {"from": address, "to": "10.255.255.254", "port": sock.getsockname()[1], "data": "up"}
        client.ask("trap", **words)
        data, source = sock.recvfrom(100)
    return [source, data.decode()]


def walk(address: str, hops: str) -> object:
    """Send echoes with a growing time to live; returns who answered each (as a traceroute does)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    v4 = family == socket.AF_INET
    level, option = (socket.IPPROTO_IP, socket.IP_TTL) if v4 else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)
    found = []
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6) as sock:
        sock.settimeout(TIMEOUT_S)
        for ttl in range(1, int(hops) + 1):
            sock.setsockopt(level, option, ttl)
            # id 1, sequence of the hop; the checksum of IPv4 by hand, of IPv6 by the kernel
            body = bytes((0, 1, 0, ttl))
            total = 0xFFFF - (0x0801 + ttl)
            sock.sendto((b"\x08\0" + total.to_bytes(2, "big") if v4 else b"\x80\0\0\0") + body, (address, 0))
            source, *_ = sock.recvfrom(2048)[1]
            found.append(source)
    return found


TALKS: dict[str, Callable[[str, str], object]] = {"udp": udp, "repeat": repeat, "tcp": tcp, "trap": trap, "walk": walk}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(TALKS[sys.argv[1]](sys.argv[2], sys.argv[3])))
