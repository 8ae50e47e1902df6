"""Who lives where: places joined by lines, addresses at places, and the way a packet takes to each."""

from __future__ import annotations

import heapq
import ipaddress
import math
from collections.abc import Callable
from random import Random

from lab.impairments import Jitter
from lab.lines import Answer, Conditions, Line, summed
from lab.network.places import Host, Place, Route

_NOWHERE = Line("no line leads there")
_NOWHERE.cut()


class Topology:
    """All places, lines and hosts.

    Parameters:
        seed: of all random numbers.
        converge_ns: how long routers need until they take another way round a broken (or back to a mended) line.

    Attributes:
        on_change: called after each change of a line, a place or a host.
    """

    def __init__(self, seed: str = "0", converge_ns: int = 3_000_000_000) -> None:
        self.seed = seed
        self.places: dict[str, Place] = {}
        self.lines: dict[str, Line] = {}
        self.hosts: dict[bytes, Host] = {}
        self._ends: dict[str, tuple[Place, Place]] = {}
        self.on_change: list[Callable[[], None]] = []
        self._random = Random(f"{seed}/routes")
        self._converge_ns = converge_ns
        self._version = 0
        self._withdrawn: set[str] = set()
        self._pending: list[tuple[int, str, bool]] = []  # when routers have noticed, which line, withdrawn or not
        self._fresh: list[tuple[str, bool]] = []
        self._ways: dict[str, tuple[Place, Line] | None] = {}
        self._all_ways: dict[str, tuple[Place, Line] | None] = {}

    def add_place(self, name: str, *addresses: str, stub: bool = False) -> Place:
        """Add a router; the first one is the centre, where the observer is.

        Parameters:
            stub: see `Place`.

        Raises:
            ValueError: the name or an address is taken, or there are two addresses of one family.
        """
        if name in self.places:
            raise ValueError(f"there is a place {name!r} already")
        packed = tuple(ipaddress.ip_address(one).packed for one in addresses)
        if len({len(one) for one in packed}) < len(packed):
            raise ValueError(f"{name}: a place has at most one address of each family")
        place = self.places[name] = Place(name, packed, stub=stub)
        for address in addresses:
            self._add_host(address, place, None, router=True)
        self._ways.clear()
        self._all_ways.clear()
        return place

    def add_line(
        self, name: str, upper: str, lower: str, conditions: Conditions | None = None, *, cost: int = 1
    ) -> Line:
        """Join two places; of several ways packets take the cheapest, of equals the one added first.

        Raises:
            ValueError: the name is taken or a place is unknown.
        """
        if name in self.lines:
            raise ValueError(f"there is a line {name!r} already")
        ends = (self._place(upper), self._place(lower))
        line = self.lines[name] = Line(name, self.seed, conditions, self.changed)
        self._ends[name] = ends
        ends[0].links.append((line, ends[1], cost))
        ends[1].links.append((line, ends[0], cost))
        self._ways.clear()
        self._all_ways.clear()
        self._tell()
        return line

    def add_host(self, address: str, place: str, *, via: str = "") -> Host:
        """Add an address at a place.

        Parameters:
            via: a line that ends at the place, if the address is reached over that line only (a circuit's end).

        Raises:
            ValueError: the address is taken, the place or the line is unknown or does not end there.
        """
        where = self._place(place)
        line = None
        if via:
            if via not in self.lines or where not in self._ends[via]:
                raise ValueError(f"no line {via!r} ends at {place}")
            line = self.lines[via]
        return self._add_host(address, where, line, router=False)

    def _add_host(self, address: str, place: Place, via: Line | None, *, router: bool) -> Host:
        packed = ipaddress.ip_address(address).packed
        if packed in self.hosts:
            raise ValueError(f"there is a host {address} already")
        host = self.hosts[packed] = Host(
            address, packed, place, via, router=router, seed=self.seed, changed=self.changed
        )  # fmt: skip
        return host

    def _place(self, name: str) -> Place:
        place = self.places.get(name)
        if place is None:
            raise ValueError(f"there is no place {name!r}")
        return place

    def ends(self, name: str) -> tuple[str, str]:
        """Return the places a line joins."""
        upper, lower = self._ends[name]
        return upper.name, lower.name

    def changed(self, line: Line, outage: bool) -> None:
        """Follow a change of a line; routers will notice an outage when the next packets come, a while later."""
        if outage and line.name in self.lines:
            self._fresh.append((line.name, self._is_broken(line)))
        self._tell()

    def switch_host(self, host: Host, *, on: bool) -> None:
        """Switch a host on or off; without current it answers nothing, and nothing tells so."""
        host.dark = not on
        self._tell()

    def switch_place(self, name: str, *, on: bool) -> None:
        """Switch a router on or off: with it goes all that is reached through it, unless there is another way.

        Raises:
            ValueError: there is no such place, or it is the first one, where the observer is.
        """
        place = self._place(name)
        if place is next(iter(self.places.values())):
            raise ValueError(f"{name} is where the observer is: cut its lines instead")
        place.dark = not on
        for line, _, _ in place.links:
            self.changed(line, outage=True)

    def _is_broken(self, line: Line) -> bool:
        return line.outage or any(place.dark for place in self._ends[line.name])

    def route(self, host: Host, now_ns: int) -> Route:
        """Return the way to a host as routers know it at ``now_ns`` (monotonic)."""
        version = self.version(now_ns)
        route = host.route
        if route is None or route.version != version:
            route = host.route = self._compile(host)
        return route

    def version(self, now_ns: int) -> int:
        """Count what has changed any way to a host, as routers know it at ``now_ns`` (monotonic)."""
        if self._fresh or self._pending:
            self._converge(now_ns)
        return self._version

    def settled(self, now_ns: int) -> bool:
        """Tell whether routers have noticed everything, so that no way to a host changes by itself."""
        self.version(now_ns)
        return not self._pending

    def _tell(self) -> None:
        self._version += 1
        for heard in self.on_change:
            heard()

    def _converge(self, now_ns: int) -> None:
        for name, outage in self._fresh:
            self._pending.append((now_ns + self._converge_ns, name, outage))
        self._fresh.clear()
        while self._pending and self._pending[0][0] <= now_ns:
            _, name, outage = self._pending.pop(0)
            (self._withdrawn.add if outage else self._withdrawn.discard)(name)
            self._ways.clear()
            self._version += 1

    def _compile(self, host: Host) -> Route:
        target = host.place
        tail: tuple[Line, ...] = ()
        last: tuple[Place, ...] = ()
        if host.via is not None:
            upper, lower = self._ends[host.via.name]
            tail, last = (host.via,), (target,)
            target = upper if target is lower else lower
        places, lines = self._walk(target)
        places, lines = places + last, lines + tail
        needs = len(places) + (0 if host.router else 1)
        if host.private is not None:
            lines += (host.private,)
        if host.dark:
            lines += (_NOWHERE,)
        broken = next((index for index, line in enumerate(lines) if line.outage), -1)
        answer = lines[broken].answer if broken >= 0 else Answer.SILENT
        dark = next((index for index, place in enumerate(places) if place.dark), 0)
        if dark and not 0 <= broken < dark:
            broken, answer = dark - 1, Answer.SILENT
        forth = tuple(line.forth for line in lines if not line.forth.idle)
        back = tuple(line.back for line in reversed(lines) if not line.back.idle)
        steady = summed((*forth, *back))
        jitter = None
        if steady is not None and steady.variance:
            jitter = Jitter(self._random, math.sqrt(steady.variance), "normal", steady.covariance / steady.variance)
        return Route(self._version, places, lines, needs, broken, answer, forth, back, steady, jitter)

    def _walk(self, target: Place) -> tuple[tuple[Place, ...], tuple[Line, ...]]:
        """Go from a place up to the centre over lines that routers believe in, else over all."""
        if not self._ways:
            self._ways = self._tree(self._withdrawn)
        ways = self._ways
        if target.name not in ways:
            if not self._all_ways:
                self._all_ways = self._tree(set())
            ways = self._all_ways
        if target.name not in ways:
            return (next(iter(self.places.values())), target), (_NOWHERE,)
        places, lines = [target], []
        while (step := ways.get(places[-1].name)) is not None:
            places.append(step[0])
            lines.append(step[1])
        return tuple(reversed(places)), tuple(reversed(lines))

    def _tree(self, without: set[str]) -> dict[str, tuple[Place, Line] | None]:
        """Return for each place the next one towards the centre, and the line to it (Dijkstra)."""
        if not self.places:
            return {}
        centre = next(iter(self.places.values()))
        best: dict[str, tuple[Place, Line] | None] = {}
        number = 0
        heap: list[tuple[int, int, Place, tuple[Place, Line] | None]] = [(0, 0, centre, None)]
        while heap:
            distance, _, place, step = heapq.heappop(heap)
            if place.name in best:
                continue
            best[place.name] = step
            if place.stub:
                continue
            for line, other, cost in place.links:
                if other.name not in best and line.name not in without:
                    number += 1
                    heapq.heappush(heap, (distance + cost, number, other, (place, line)))
        return best
