"""What becomes of a packet: the way it takes, where it is lost, who answers it.

A packet's whole way to a host is worked out when it enters; only what happens later (a handler's turn, a reply) is put
off. So an outage that begins while a packet is under way does not catch it.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from lab.lines import Answer, Direction
from lab.network.fragments import Reassembler
from lab.network.packets import (
    HOPS,
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Malformed,
    Packet,
    echo_reply,
    icmp_error,
    packets,
    parse,
    tcp_reset,
    udp_datagram,
    udp_payload,
)  # fmt: skip
from lab.network.places import Host, Place, Reply, Route
from lab.network.topology import Topology

logger = structlog.get_logger(__name__)

Work = bytes | Callable[[int], None]
"""A packet for the observer's side, or something to do with the time it is done at (monotonic nanoseconds)."""

TIME_EXCEEDED = ((11, 0), (3, 0))  # type and code for IPv4 and for IPv6
PORT_UNREACHABLE = ((3, 3), (1, 4))
PROTOCOL_UNREACHABLE = ((3, 2), (4, 1))
_BROKEN = {
    Answer.NET: ((3, 0), (1, 0)),
    Answer.HOST: ((3, 1), (1, 3)),
    Answer.PROHIBITED: ((3, 13), (1, 1)),
}


@dataclass(slots=True)
class Counts:
    """What was seen so far, in packets."""

    received: int = 0
    malformed: int = 0
    nobody: int = 0
    stopped: int = 0
    lost: int = 0
    echoes: int = 0


def cross(ways: Iterable[Direction], at_ns: int, size: int) -> Iterable[int]:
    """Return when a packet that enters the first of some directions comes out of the last: never, once, or oftener."""
    times: tuple[int, ...] = (at_ns,)
    for way in ways:
        if len(times) == 1:
            times = way.cross(times[0], size)
        else:
            times = tuple(out for time in times for out in way.cross(time, size))
        if not times:
            break
    return times


class Simulator:
    """The far side of the network.

    Parameters:
        topology: who lives where.
        later: is given each `Work` with its time; what is due already it does at once.
        mtu: of the observer's network, bytes; longer answers are sent in fragments.
    """

    def __init__(self, topology: Topology, later: Callable[[int, Work], None], mtu: int = 1500) -> None:
        self.counts = Counts()
        self._topology = topology
        self._later = later
        self._mtu = mtu
        self._reassembler = Reassembler()
        self._ident = 0

    def receive(self, raw: bytes, now_ns: int) -> None:
        """Take a packet from the observer's side."""
        counts = self.counts
        counts.received += 1
        try:
            packet = parse(raw)
        except Malformed:
            counts.malformed += 1
            return
        host = self._topology.hosts.get(packet.destination)
        if host is None:
            counts.nobody += 1
            return
        route = self._topology.route(host, now_ns)
        if packet.ttl < route.needs or route.broken >= 0:
            self._stop(packet, route, now_ns)
            return
        arrivals = cross(route.forth, now_ns, len(packet.raw)) if route.forth else (now_ns,)
        if not arrivals:
            counts.lost += 1
        for at_ns in arrivals:
            if packet.protocol in (ICMP, ICMPV6) and packet.whole:
                self._answer_echo(host, route, packet, at_ns)  # nothing else can come in between: no need to wait
            elif at_ns <= now_ns:
                self._deliver(host, packet, at_ns)
            else:
                self._later(at_ns, lambda at_ns: self._deliver(host, packet, at_ns))

    def receive_from_host(self, raw: bytes, now_ns: int) -> None:
        """Take a packet that a real socket behind a host's gate sent to the observer."""
        try:
            packet = parse(raw)
        except Malformed:
            self.counts.malformed += 1
            return
        host = self._topology.hosts.get(packet.source)
        if host is not None and host.gate is not None and packet.destination not in self._topology.hosts:
            self._return(host, [packet.raw], now_ns)

    def send(self, host: Host, destination: bytes, ports: tuple[int, int], data: bytes, now_ns: int) -> None:
        """Send a datagram of a host's own accord, such as a trap.

        Parameters:
            destination: the observer's address, of the host's family.
            ports: source and destination.
        """
        self._return(
            host, self._pack(host, destination, UDP, udp_datagram(host.packed, destination, ports, data)), now_ns
        )

    def _stop(self, packet: Packet, route: Route, now_ns: int) -> None:
        """Let a packet end on the way: its time to live is over, or a line is broken."""
        self.counts.stopped += 1
        at = packet.ttl - 1 if packet.ttl < route.needs else len(route.lines)
        if packet.ttl < route.needs and not 0 <= route.broken < at:
            error = TIME_EXCEEDED
        else:
            at = route.broken
            if route.answer is Answer.SILENT:
                return
            error = _BROKEN[route.answer]
        at = min(max(at, 0), len(route.places) - 1)
        self._complain(route.places[at], route, at, packet, error, now_ns)

    def _complain(
        self, place: Place, route: Route, index: int, packet: Packet, error: tuple[tuple[int, int], ...], now_ns: int
    ) -> None:  # fmt: skip
        """Send an ICMP error from the ``index``-th router of a route."""
        source = place.address(v4=packet.v4)
        message = None if source is None else icmp_error(source, packet, *error[0 if packet.v4 else 1])
        if source is None or message is None:
            return
        lines = route.lines[:index]
        size = len(packet.raw)
        for at_ns in cross([line.forth for line in lines], now_ns, size):
            made = packets(source, packet.source, ICMP if packet.v4 else ICMPV6, message, HOPS - index, self._mtu, 0)
            for one in made:
                for out_ns in cross([line.back for line in reversed(lines)], at_ns, len(one)):
                    self._later(out_ns, one)

    def _deliver(self, host: Host, packet: Packet, now_ns: int) -> None:
        """Let a host take a packet that has arrived."""
        if not packet.whole:
            whole = self._reassembler.add(packet, now_ns)
            if whole is None:
                return
            packet = whole
        if packet.protocol == UDP:
            self._take_datagram(host, packet, now_ns)
        elif packet.protocol in (ICMP, ICMPV6):
            self._answer_echo(host, self._topology.route(host, now_ns), packet, now_ns)
        elif packet.protocol == TCP:
            reset = None if self._forward(host, packet) else tcp_reset(packet)
            if reset is not None:
                self._return(host, self._pack(host, packet.source, TCP, reset), now_ns)
        else:
            self._refuse(host, packet, PROTOCOL_UNREACHABLE, now_ns)

    def _answer_echo(self, host: Host, route: Route, packet: Packet, now_ns: int) -> None:
        reply = echo_reply(packet) if packet.protocol == (ICMP if packet.v4 else ICMPV6) else None
        if reply is not None:
            self.counts.echoes += 1
            self._send_back(route, self._pack(host, packet.source, packet.protocol, reply), now_ns)
        else:
            self._forward(host, packet)  # an error about what a real socket sent

    def _forward(self, host: Host, packet: Packet) -> bool:
        """Hand a packet to the real sockets behind a host, if there are any."""
        if host.gate is None:
            return False
        self._ident = self._ident + 1 & 0xFFFFFFFF
        ends = (packet.source, packet.destination)
        for raw in packets(*ends, packet.protocol, packet.payload, packet.ttl, self._mtu, self._ident):
            host.gate(raw)
        return True

    def _take_datagram(self, host: Host, packet: Packet, now_ns: int) -> None:
        taken = udp_payload(packet)
        if taken is None:
            self.counts.malformed += 1
            return
        source, port, data = taken
        handler = host.handlers.get(port)
        if handler is None:
            if not self._forward(host, packet):
                self._refuse(host, packet, PORT_UNREACHABLE, now_ns)
            return
        try:
            replies = list(handler(data, (_text(packet.source), source)))
        except Exception:  # noqa: BLE001 one device's mistake must not stop the others
            logger.exception("handler failed", host=host.address, port=port)
            return
        for reply in replies:
            self._reply(host, packet.source, (port, source), reply, now_ns)

    def _reply(self, host: Host, asker: bytes, ports: tuple[int, int], reply: Reply, now_ns: int) -> None:
        try:
            sender = host.packed if len(reply) < 3 else ipaddress.ip_address(reply[2]).packed
        except ValueError:
            sender = b""
        if len(sender) != len(asker) or len(reply[1]) > 65535 - 28:
            logger.warning("reply cannot be sent", host=host.address, size=len(reply[1]))
            return
        datagram = udp_datagram(sender, asker, ports, reply[1])
        made = self._pack(host, asker, UDP, datagram, sender)
        if reply[0] <= 0:
            self._return(host, made, now_ns)
        else:
            self._later(now_ns + round(reply[0] * 1e9), lambda at_ns: self._return(host, made, at_ns))

    def _refuse(self, host: Host, packet: Packet, error: tuple[tuple[int, int], ...], now_ns: int) -> None:
        message = icmp_error(host.packed, packet, *error[0 if packet.v4 else 1])
        if message is not None:
            self._return(host, self._pack(host, packet.source, ICMP if packet.v4 else ICMPV6, message), now_ns)

    def _pack(
        self, host: Host, destination: bytes, protocol: int, payload: bytes, source: bytes | None = None
    ) -> list[bytes]:
        """Make the packets a host's payload travels in, as they reach the observer."""
        self._ident = self._ident + 1 & 0xFFFFFFFF
        hops = 0 if host.route is None else host.route.needs - 1
        ttl = max(1, host.ttl - hops)
        return packets(source or host.packed, destination, protocol, payload, ttl, self._mtu, self._ident)

    def _return(self, host: Host, made: list[bytes], now_ns: int) -> None:
        """Send packets from a host to the observer."""
        route = self._topology.route(host, now_ns)
        if route.broken >= 0:
            self.counts.stopped += 1
        else:
            self._send_back(route, made, now_ns)

    def _send_back(self, route: Route, made: list[bytes], now_ns: int) -> None:
        for raw in made:
            times = cross(route.back, now_ns, len(raw)) if route.back else (now_ns,)
            if not times:
                self.counts.lost += 1
            for at_ns in times:
                self._later(at_ns, raw)


def _text(packed: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)
