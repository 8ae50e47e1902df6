"""A UDP socket on the event loop: sends, takes what comes, and reads its error queue."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from typing import Protocol

from probes.meter import Meter
from probes.snmp.sockets import Address, open_socket, plain6
from probes.sockets import dropped, errors

BATCH = 256  # datagrams taken in one go: about 10 ms of work, then the loop's turn
MOST_BATCHES = 40  # more than the receive buffer holds: a flood must not hold up the deadlines


OnPacket = Callable[[bytes, Address], None]
"""Gets a datagram and where it came from."""
OnErrors = Callable[[Mapping[str, str]], None]
"""Gets ICMP errors in words, by the address they are about."""


class Link(Protocol):
    """What the engine asks of a socket."""

    drops: int

    def send(self, packet: bytes, address: Address) -> str:
        """Hand a packet to the kernel; returns why it would not take it, else nothing."""
        ...

    def drain(self) -> None:
        """Take all that lies in the receive buffer, and count what did not fit in ``drops``."""
        ...

    def close(self) -> None:
        """Close the socket."""
        ...


class SocketLink:
    """One family's socket.

    Parameters:
        family: ``AF_INET`` or ``AF_INET6``.
        on_packet, on_errors: called on the event loop.
        meter: charged with the reading.

    Raises:
        OSError: this machine has no such family.
    """

    def __init__(self, family: int, on_packet: OnPacket, on_errors: OnErrors, meter: Meter | None = None) -> None:
        self._sock = open_socket(family)
        self._plain = family == socket.AF_INET
        self._on_packet = on_packet
        self._on_errors = on_errors
        self.drops = 0  # what the kernel dropped because the receive buffer was full, as of the last drain
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._sock.fileno(), (meter or Meter()).run, "snmp", self.read)

    def send(self, packet: bytes, address: Address) -> str:
        """See `Link.send`."""
        for last in (False, True):
            try:
                self._sock.sendto(packet, address)
            except OSError as error:
                if last:
                    return (error.strerror or str(error)).lower()
                # an ICMP error about any device surfaces once, in whatever call comes next
                self._read_errors()
            else:
                break
        return ""

    def read(self) -> bool:
        """Take what came, up to a batch; returns whether there may be more."""
        receive = self._sock.recvfrom
        for _ in range(BATCH):
            try:
                data, address = receive(65_535)
            except BlockingIOError:
                return False
            except OSError:  # an ICMP error: its words are in the error queue
                self._read_errors()
                continue
            self._on_packet(data, address if self._plain else plain6(address))
        return True

    def drain(self) -> None:
        """See `Link.drain`."""
        for _ in range(MOST_BATCHES):
            if not self.read():
                break
        self.drops = dropped(self._sock)

    def close(self) -> None:
        """Close the socket."""
        self._loop.remove_reader(self._sock.fileno())
        self._sock.close()

    def _read_errors(self) -> None:
        found = {error.destination: error.text for error in errors(self._sock)}
        if found:
            self._on_errors(found)
