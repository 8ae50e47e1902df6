"""What a network is made of: places, hosts at them, and the way a packet takes from one to the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from lab.impairments import Jitter
from lab.lines import Answer, Direction, Line, Steady

Address = tuple[str, int]
"""Host and port."""
Reply = tuple[float, bytes] | tuple[float, bytes, str]
"""Seconds until it is sent, the data, and (for a host that answers from a wrong one) the source address."""
Handler = Callable[[bytes, Address], Iterable[Reply]]
"""Gets a datagram and who sent it; returns the replies. It must not block."""


class Place:
    """A router with what hangs on it: the centre, a district, a commune.

    Attributes:
        addresses: its own, at most one per family; it signs its ICMP errors with them.
        stub: packets to other places do not pass through it: an office with two lines is no way between its hubs.
        dark: it forwards nothing and answers nothing, see `Topology.switch_place`.
    """

    __slots__ = ("addresses", "dark", "links", "name", "stub")

    def __init__(self, name: str, addresses: tuple[bytes, ...], *, stub: bool = False) -> None:
        self.name = name
        self.addresses = addresses
        self.stub = stub
        self.dark = False
        self.links: list[tuple[Line, Place, int]] = []

    def address(self, *, v4: bool) -> bytes | None:
        """Return its address of a family."""
        return next((one for one in self.addresses if (len(one) == 4) == v4), None)


@dataclass(frozen=True, slots=True)
class Route:
    """The way from the centre to a host, compiled for use.

    Attributes:
        version: of the topology it was made from.
        places: routers on the way, the centre first.
        lines: between them, and the host's own access last where it has one.
        needs: the time to live a packet must leave the sender with to arrive.
        broken: index of the first line that leads nowhere, -1 if there is none; the router before it has the same
            index.
        answer: what the router before the break says.
        forth, back: the directions that do something to packets, in the order they are crossed.
        steady: what both of them add up to; ``None`` when they do more than delay.
        jitter: of that sum, with its memory of the packet before; ``None`` when there is none.
    """

    version: int
    places: tuple[Place, ...]
    lines: tuple[Line, ...]
    needs: int
    broken: int
    answer: Answer
    forth: tuple[Direction, ...]
    back: tuple[Direction, ...]
    steady: Steady | None
    jitter: Jitter | None


class Host:
    """One address of the lab.

    Parameters:
        address, packed: as text and as 4 or 16 bytes.
        place: where it is.
        via: the line it is reached over and no other, if there is one.
        seed: of its own line's random numbers.
        changed: told of each change of its own line, see `lab.lines.Line`.

    Attributes:
        router: it is a place's own address, reached without a further hop.
        handlers: by UDP port.
        gate: takes packets (TCP, and UDP to ports without a handler) to real sockets; ``None``: nobody listens.
        ttl: that its packets leave with.
        dark: it answers nothing, see `Topology.switch_host`.
    """

    __slots__ = (
        "_changed",
        "_seed",
        "address",
        "dark",
        "gate",
        "handlers",
        "packed",
        "place",
        "private",
        "route",
        "router",
        "ttl",
        "via",
    )

    def __init__(
        self, address: str, packed: bytes, place: Place, via: Line | None, *, router: bool, seed: str,
        changed: Callable[[Line, bool], None],
    ) -> None:  # fmt: skip
        self._seed = seed
        self._changed = changed
        self.address = address
        self.packed = packed
        self.place = place
        self.via = via
        self.router = router
        self.handlers: dict[int, Handler] = {}
        self.gate: Callable[[bytes], None] | None = None
        self.ttl = 64
        self.dark = False
        self.private: Line | None = None
        self.route: Route | None = None

    @property
    def access(self) -> Line:
        """Its own last bit of line: cut it and only this address is gone."""
        if self.private is None:
            self.private = Line(self.address, self._seed, on_change=self._changed)
        return self.private

    def serve(self, port: int, handler: Handler) -> None:
        """Let a handler answer the datagrams to a UDP port."""
        self.handlers[port] = handler
