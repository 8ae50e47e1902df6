"""The network as the rest of the lab uses it: build it, start it, break it."""

from __future__ import annotations

import dataclasses
import ipaddress
from pathlib import Path

import structlog

from lab.lines import Conditions, Line
from lab.network.namespace import Space
from lab.network.places import Address, Host, Place, Route
from lab.network.pump import Pump
from lab.network.simulator import Simulator, Work, cross
from lab.network.topology import Topology
from lab.network.tun import Tun, prepare_observer, prepare_services

logger = structlog.get_logger(__name__)

OBSERVER = ("10.255.255.254", "fd00:ffff::fe")
IPV6 = Path("/proc/net/if_inet6")
PREFIXES = ("10.0.0.0/8", "fd00::/8")


class Network:
    """A simulated network: places joined by lines, hosts at places, an observer at the first place.

    Use: `add_place`, `add_line` and `add_host`, then `start` inside the namespace that `lab.network.isolate` made, on
    the event loop; `close` at the end. Lines and hosts can be added and changed at any time.

    Parameters:
        seed: of all random numbers: the same packets at the same times meet the same fate.
        observer: the addresses of the machine that watches, at most one per family.
        prefixes: what is routed into the simulator. Addresses in them without a host never answer.
        mtu: bytes, 1280 to 9000; longer answers come in fragments.
        converge_s: how long routers need to find another way, seconds.
    """

    def __init__(
        self, seed: int | str = 0, *, observer: tuple[str, ...] = OBSERVER, prefixes: tuple[str, ...] = PREFIXES,
        mtu: int = 1500, converge_s: float = 3.0,
    ) -> None:  # fmt: skip
        if not 1280 <= mtu <= 9000:
            raise ValueError(f"mtu must be 1280 to 9000 bytes, not {mtu}")
        self.observer = observer
        self.prefixes = prefixes
        self.mtu = mtu
        self.topology = Topology(str(seed), round(converge_s * 1e9))
        self.simulator = Simulator(self.topology, self._later, mtu)
        self._named: dict[str, Host] = {}
        self._pump: Pump | None = None
        self._tuns: list[Tun] = []
        self._services_fd = -1

    def add_place(self, name: str, *addresses: str, stub: bool = False) -> Place:
        """See `Topology.add_place`."""
        return self.topology.add_place(name, *addresses, stub=stub)

    def add_line(
        self, name: str, upper: str, lower: str, conditions: Conditions | None = None, *, cost: int = 1
    ) -> Line:
        """See `Topology.add_line`."""
        return self.topology.add_line(name, upper, lower, conditions, cost=cost)

    def add_host(self, address: str, place: str, *, via: str = "", services: bool = False) -> Host:
        """Add an address, see `Topology.add_host`.

        Parameters:
            services: real sockets behind it take TCP, and UDP to ports without a handler; open them in
                `Space.in_services`. Without it such packets are refused as a host without a listener does.
        """
        host = self.topology.add_host(address, place, via=via)
        if services:
            self.open_gate(host)
        return host

    def open_gate(self, host: Host) -> None:
        """Let real sockets among the services answer for a host, also for a place's own address."""
        host.gate = self._to_services

    def line(self, name: str) -> Line:
        """Return a line by its name.

        Raises:
            KeyError: there is none.
        """
        return self.topology.lines[name]

    def host(self, address: str) -> Host:
        """Return a host by its address.

        Raises:
            KeyError: there is none.
            ValueError: that is no address.
        """
        host = self._named.get(address)
        if host is None:
            host = self._named[address] = self.topology.hosts[ipaddress.ip_address(address).packed]
        return host

    def switch(self, place: str, *, on: bool) -> None:
        """Switch a router on or off, see `Topology.switch_place`."""
        self.topology.switch_place(place, on=on)

    def switch_host(self, address: str, *, on: bool) -> None:
        """Switch a host on or off, see `Topology.switch_host`.

        Raises:
            KeyError: there is none.
            ValueError: that is no address.
        """
        self.topology.switch_host(self.host(address), on=on)

    def start(self, space: Space) -> None:
        """Bring the network up, in the namespaces this process lives in.

        Raises:
            Unavailable: the kernel refuses a device, an address or a route.
        """
        observers, prefixes = self.observer, self.prefixes
        if not IPV6.exists():
            logger.warning("this kernel has no IPv6: the lab goes without")
            observers, prefixes = (tuple(one for one in each if ":" not in one) for each in (observers, prefixes))
        try:
            with space.in_services():
                services = Tun("lab1", self.mtu)
                self._tuns.append(services)
                prepare_services(services, observers, prefixes)
            observer = Tun("lab0", self.mtu)
            self._tuns.append(observer)
            prepare_observer(observer, observers, prefixes)
        except BaseException:
            self.close()
            raise
        self._services_fd = services.fd
        self._pump = Pump(observer)
        self._pump.read(observer, self.simulator.receive)
        self._pump.read(services, self.simulator.receive_from_host)
        logger.info("network up", hosts=len(self.topology.hosts), lines=len(self.topology.lines))

    def close(self) -> None:
        """Take the network down."""
        if self._pump is not None:
            self._pump.close()
            self._pump = None
        for tun in self._tuns:
            tun.close()
        self._tuns.clear()

    def send(self, source: Address, destination: Address, data: bytes) -> None:
        """Send a datagram of a host's own accord to the observer, such as a trap; lost while nothing is started.

        Raises:
            KeyError: the source is no host.
            ValueError: the addresses are of different families or none at all.
        """
        host = self.host(source[0])
        target = ipaddress.ip_address(destination[0]).packed
        if len(target) != len(host.packed):
            raise ValueError(f"{source[0]} cannot send to {destination[0]}: different address families")
        if self._pump is not None:  # else the time is not this machine's, and routes must not see both
            self.simulator.send(host, target, (source[1], destination[1]), data, self._pump.now())

    def round_trip(self, address: str | Host, at_ns: int, size: int = 84) -> int | None:
        """Tell what an echo would measure, without a packet: for compressed time.

        Parameters:
            address: of a host, or the host itself: who asks often saves the look-up.
            at_ns: when it is sent, in the time all such questions use; it must not run backwards.
            size: of the packet, bytes.

        Returns:
            nanoseconds, ``None`` when nothing comes back.
        """
        host = self.host(address) if isinstance(address, str) else address
        route = self.topology.route(host, at_ns)
        if route.broken >= 0:
            return None
        if route.steady is not None:
            return _steady_trip(route)
        times = [back for there in cross(route.forth, at_ns, size) for back in cross(route.back, there, size)]
        return min(times) - at_ns if times else None

    def round_trips(self, host: Host, at_ns: int, count: int) -> list[int | None] | None:
        """Tell what several echoes would measure from ``at_ns`` on if nothing is changed meanwhile.

        Parameters:
            count: how many.

        Returns:
            of each nanoseconds, or ``None`` when nothing comes back. ``None`` for all when that cannot be foreseen:
            routers are about to take another way, or what becomes of a packet depends on when it comes.
        """
        if not self.topology.settled(at_ns):
            return None
        route = self.topology.route(host, at_ns)
        if route.broken >= 0:
            return [None] * count
        return None if route.steady is None else [_steady_trip(route) for _ in range(count)]

    def status(self) -> dict[str, object]:
        """Describe the network for people and programs: sizes, counts, lines that are not perfect."""
        private = [host.private for host in self.topology.hosts.values() if host.private is not None]
        odd = {line.name: line.describe() for line in [*self.topology.lines.values(), *private] if not line.perfect}
        return {
            "places": len(self.topology.places),
            "hosts": len(self.topology.hosts),
            "lines": len(self.topology.lines),
            "packets": dataclasses.asdict(self.simulator.counts),
            "refused": 0 if self._pump is None else self._pump.refused,
            "conditions": odd,
        }

    def _later(self, at_ns: int, work: Work) -> None:
        if self._pump is not None:
            self._pump.later(at_ns, work)

    def _to_services(self, raw: bytes) -> None:
        if self._pump is not None:
            self._pump.write(self._services_fd, raw)


def _steady_trip(route: Route) -> int:
    assert route.steady is not None  # noqa: S101 who asks has looked
    delay_ns = route.steady.delay_ns
    return delay_ns if route.jitter is None else max(0, delay_ns + round(route.jitter.draw()))
