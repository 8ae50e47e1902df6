"""The UDP sockets under the SNMP engine, and the addresses they speak to."""

from __future__ import annotations

import ipaddress
import socket

from probes.sockets import prepare

Address = tuple[str, int] | tuple[str, int, int, int]


def open_socket(family: int) -> socket.socket:
    """Open a non-blocking UDP socket for every device of a family.

    Its receive buffer holds the answers of thousands of devices: what does not fit would look like a lost answer.
    ICMP errors are kept in its error queue, so that "port unreachable" can be told from silence.

    Raises:
        OSError: the family is switched off on this machine.
    """
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        prepare(sock)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    except BaseException:
        sock.close()
        raise
    return sock


def parse_address(text: str, port: int) -> tuple[int, Address, Address]:
    """Turn a numeric address, with ``%interface`` where it is link-local, into what the socket calls use.

    Returns:
        family, the name to send to, and the name answers come from.

    Raises:
        ValueError: not a numeric address, or no such interface.
    """
    if not 1 <= port <= 65_535:
        raise ValueError(f"{port} is not a UDP port")
    try:
        ipaddress.ip_address(text)  # the resolver would take 10.0.0 for 10.0.0.0
        found = socket.getaddrinfo(text, port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, ValueError) as error:
        raise ValueError(f"{text!r} is not an IP address: {error}") from error
    family, _, _, _, name = found[0]
    if family == socket.AF_INET:
        return family, (str(name[0]), port), (str(name[0]), port)
    host, _, _, scope = (*name, 0, 0)[:4]
    return family, (str(host), port, 0, int(scope)), plain6((str(host), port, 0, int(scope)))


def plain6(name: tuple[str, int, int, int]) -> Address:
    """Bring an IPv6 socket name into one form: without ``%interface`` in the text and without a flow label."""
    return (name[0].partition("%")[0], name[1], 0, name[3])
