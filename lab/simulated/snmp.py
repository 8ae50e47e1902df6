"""SNMP in simulated time: the engine's own packets, handed to the lab's hosts without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from haidang.clock import Clock
from lab.network import Network
from probes.snmp.link import OnErrors, OnPacket
from probes.snmp.sockets import Address

OBSERVER = ("10.255.255.254", 40_161)
HEADERS = 28  # bytes of IPv4 and UDP around a datagram


class SimulatedLink:
    """A `probes.snmp.link.Link` into the lab's network.

    Parameters:
        network: whose hosts' handlers are asked; not started.
        clock: the one of the loop it runs on.
        on_packet: gets the answers.
    """

    drops = 0

    def __init__(self, network: Network, clock: Clock, on_packet: OnPacket) -> None:
        self._network = network
        self._clock = clock
        self._on_packet = on_packet
        self._closed = False

    def send(self, packet: bytes, address: Address) -> str:
        """See `probes.snmp.link.Link.send`; a request or its answer may be lost on the way."""
        host, port = address[0], address[1]
        try:
            rtt_ns = self._network.round_trip(host, self._clock.monotonic_ns(), len(packet) + HEADERS)
            handler = self._network.host(host).handlers.get(port)
        except KeyError:
            return ""
        if rtt_ns is None or handler is None:
            return ""
        loop = asyncio.get_running_loop()

        def arrive() -> None:
            for seconds, data, *source in handler(packet, OBSERVER):
                answered_by = (source[0] if source else host, port)
                loop.call_later(seconds + rtt_ns / 2e9, self._take, data, answered_by)

        loop.call_later(rtt_ns / 2e9, arrive)
        return ""

    def drain(self) -> None:
        """See `probes.snmp.link.Link.drain`; nothing waits in a buffer."""

    def close(self) -> None:
        """See `probes.snmp.link.Link.close`."""
        self._closed = True

    def _take(self, data: bytes, source: Address) -> None:
        if not self._closed:
            self._on_packet(data, source)


def links(network: Network, clock: Clock) -> Callable[[int, OnPacket, OnErrors], SimulatedLink]:
    """Return what `probes.snmp.SnmpEngine` opens its links with."""
    return lambda _family, on_packet, _on_errors: SimulatedLink(network, clock, on_packet)
