"""Echoes to one address and what came back."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from probes.icmp.link import Link

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as Python gives and takes it: host, port, and for IPv6 flow and scope."""


class Burst:
    """Echoes to one address, spread over time, and what came back.

    Attributes:
        address: the address in its normal form.
        sent_ns: monotonic send time of each echo sent so far; 0 for one that could not be sent.
        rtts_ns: round-trip time of each echo, -1 without an answer.
        unsent: echoes that this machine failed to send (firewall, buffers): they say nothing of the network.
        blind: replies were dropped in our own receive buffer meanwhile, so a missing answer proves nothing.
        no_route: this machine has no route to the target, or its own interface is down.
        reason: the last ICMP error or local failure, in words; empty when there was none.
        duplicates, foreign: answers that came twice, or from an address that was not asked.
    """

    __slots__ = (
        "address", "answered", "blind", "count", "duplicates", "foreign", "index", "interval_ns", "no_route", "on_done",
        "reason",
        "rtts_ns", "sent_ns", "timeout_ns", "token", "unsent",
    )  # fmt: skip

    def __init__(
        self, address: str, token: int, count: int, interval_ns: int, timeout_ns: int, on_done: Callable[[Burst], None]
    ) -> None:
        self.address = address
        self.token = token
        self.count = count
        self.interval_ns = interval_ns
        self.timeout_ns = timeout_ns
        self.on_done = on_done
        self.index = 0
        self.answered = self.unsent = self.duplicates = self.foreign = 0
        self.blind = self.no_route = False
        self.reason = ""
        self.sent_ns: list[int] = []
        self.rtts_ns: list[int] = [-1] * count


class Flight(Burst):
    """A burst on its way over a socket.

    Attributes:
        due_ns: when the next echo is to be sent, monotonic.
        drops: the link's count of dropped replies when it began.
    """

    __slots__ = ("drops", "dscp", "due_ns", "link", "name", "padding")

    def __init__(
        self, link: Link, name: Address, token: int, count: int, interval_ns: int, timeout_ns: int,
        padding: bytes, dscp: int, on_done: Callable[[Burst], None],
    ) -> None:  # fmt: skip
        super().__init__(name[0], token, count, interval_ns, timeout_ns, on_done)
        self.link = link
        self.name = name
        self.padding = padding
        self.dscp = dscp
        self.due_ns = 0
        self.drops = link.drops


class Pinger(Protocol):
    """Something that pings: `probes.icmp.IcmpEngine`, or the lab's in simulated time. See there for the meanings."""

    def open(self, family: socket.AddressFamily) -> object:
        """Make ready for a family."""
        ...

    def start(
        self, address: str, on_done: Callable[[Burst], None], *, count: int = 1, interval_s: float = 1.0,
        timeout_s: float = 2.0, size: int = 56, dscp: int = 0,
    ) -> Burst:  # fmt: skip
        """Send a burst."""
        ...

    def stop(self, burst: Burst) -> None:
        """Give up a burst."""
        ...

    def drops(self) -> int:
        """Count what was dropped in our own buffers."""
        ...

    def close(self) -> None:
        """End; bursts in flight end without a callback."""
        ...
