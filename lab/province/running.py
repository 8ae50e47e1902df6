"""A province that lives: its network, its devices, its power, and what a scenario does to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Protocol

from haidang.clock import Clock
from lab.devices import Behaviour, Device, Event, Sink, Timeline
from lab.lines import Answer, Conditions, Line
from lab.network import Address, Reply
from lab.network.network import OBSERVER
from lab.province.build import UPLINK, build_network
from lab.province.course import Course
from lab.province.nouns import Link, Province, Unit
from lab.province.plan import second
from lab.province.register import Register

SNMP_PORT, TRAP_PORT = 161, 162
SINKS = tuple(Sink(address) for address in OBSERVER)
PERFECT = Conditions()


class Services(Protocol):
    """What `RunningProvince.service` needs of ``lab.services.Services``."""

    def behave(self, address: str, port: int, **fault: object) -> None:
        """Let the service at an address and port fail in some way, or be well."""
        ...


class RunningProvince:
    """A province at work.

    In real time: ``network.start(space)``, then keep ``drive()`` as a task. In simulated time (`lab.simulated`) only
    the task; or move the clock by hand and call `advance`. ``network.round_trip`` then tells what a ping would measure.

    Every command happens now, by the clock, and has happened when it returns. Targets, lines, sites and feeders are
    called by their ids; an unknown one raises ValueError with the nearest name. A line may also be a target: then its
    own last bit of line is meant, with nobody else behind it.

    Parameters:
        province: what is there.
        clock: whose time passes; steps of its wall clock leave the lab alone.
        sinks: where traps go, each device's to those of its address family; port 162 of the observer if not given.
        tell: takes each trap as it leaves its device, instead of the network: the unit that sends it and the event.
            Whether it would arrive is then the taker's question.

    Attributes:
        network: the lines and addresses; start it for real packets.
        register: finds things by name.
        services: what the units' real sockets are behind, for `service`; set it once they are open.
    """

    def __init__(
        self, province: Province, clock: Clock, *, sinks: Sequence[Sink] = SINKS,
        tell: Callable[[Unit, Event], None] | None = None,
    ) -> None:  # fmt: skip
        self.province = province
        self.network = build_network(province)
        self.register = Register(province)
        self.services: Services | None = None
        self._usual = {name: line.conditions for name, line in self.network.topology.lines.items()}
        self._timeline = Timeline(clock)
        self._course = Course(province, self.network, self.now_ns, sinks, tell or self._send)
        for unit in province.units.values():
            for address in unit.addresses:
                host = self.network.host(address)
                if unit.services:
                    self.network.open_gate(host)
                if unit.access:
                    host.serve(SNMP_PORT, partial(self._ask, unit, address))
                    host.serve(TRAP_PORT, partial(self._acknowledge, unit))

    def now_ns(self) -> int:
        """Tell the lab's time, UTC ns."""
        return self._timeline.now_ns()

    # lines

    def cut(self, line: str, answer: Answer | str = Answer.SILENT) -> None:
        """Let nothing pass over a line; the ports at its ends go down and their devices tell so.

        Parameters:
            answer: what the router before the break says.
        """
        answer = Answer(answer)
        for one in self._lines(line):
            one.cut(answer)
        self._turn_ports(line, "down")

    def mend(self, line: str) -> None:
        """Give a line its usual conditions back, and end its outage."""
        for one in self._lines(line):
            one.set(**dataclasses.asdict(self._usual.get(one.name, PERFECT)))
            one.mend()
        self._turn_ports(line, "up")

    def set_line(self, line: str, **conditions: object) -> None:
        """Change some of a line's conditions, see `lab.lines.Conditions`.

        Raises:
            ValueError: an unknown condition or a number out of range; nothing is changed then.
        """
        for one in self._lines(line):
            one.set(**conditions)

    # power and devices

    def power(self, site: str, state: str) -> None:
        """Switch the mains of a site, or of all sites of a feeder, ``on`` or ``off``."""
        if state not in ("on", "off"):
            raise ValueError(f"mains is on or off, not {state!r}")
        supply, now_ns = self._course.supply, self.now_ns()
        for one in self.register.sites(site):
            (supply.on if state == "on" else supply.off)(one, now_ns)
        self.advance()

    def reboot(self, target: str) -> None:
        """Restart a device; while it boots it neither answers nor forwards."""
        self.device(target).reboot(self.now_ns())
        self.advance()

    def behave(self, target: str, behaviour: Behaviour) -> None:
        """Let a device's agent treat requests in another way; ``HONEST`` makes it well again."""
        self.device(target).behave(behaviour, self.now_ns())
        self.advance()

    def service(self, target: str, **fault: object) -> None:
        """Let a target's services fail, see ``lab.services.Services.behave``; without a fault they are well again.

        Raises:
            ValueError: it has none, the lab runs without services, or there is no such fault.
        """
        offers = list(self.register.unit(target).offers)
        if not offers:
            raise ValueError(f"{target} has no service")
        if self.services is None:
            raise ValueError("this lab has no services open")
        for offer in offers:
            self.services.behave(offer.address, offer.port, **fault)

    def device(self, target: str) -> Device:
        """Give a target's device, to command it in all other ways; what is planned for it will happen by itself."""
        unit = self.register.unit(target)
        if not unit.is_device:
            raise ValueError(f"{target} is the carrier's, not a device of ours")
        return self._course.fleet.device(unit)

    # time

    def advance(self, most: int | None = None) -> bool:
        """Let everything happen that is due by now.

        Parameters:
            most: moments to work off at most; any number if not given.

        Returns:
            whether something is left to do.
        """
        return self._course.advance(most)

    @property
    def next_ns(self) -> int | None:
        """When the next thing happens by itself, UTC ns."""
        return self._course.next_ns

    async def drive(self) -> None:
        """Let things happen as their time comes, until cancelled."""
        await self._course.drive()

    def describe(self) -> dict[str, object]:
        """Describe what differs from a quiet day, for people and programs."""
        topology = self.network.topology
        return {
            "sites": self._course.supply.troubled(),
            "dark": sorted(self._course.dark),
            "lines": {
                line.name: line.describe()
                for line in [*topology.lines.values(), *(one.private for one in topology.hosts.values() if one.private)]
                if line.outage or line.conditions != self._usual.get(line.name, PERFECT)
            },
            "devices": len(self._course.fleet),
        }  # fmt: skip

    def _lines(self, name: str) -> list[Line]:
        if name == UPLINK:
            return [self.network.line(name)]
        found = self.register.line(name)
        if isinstance(found, Link):
            return [self.network.line(name)]
        return [self.network.host(address).access for address in found.addresses]

    def _turn_ports(self, line: str, status: str) -> None:
        link = self.province.links.get(line)
        ends = [] if link is None else [(link.upper, link.upper_port), (link.lower, link.lower_port)]
        now_ns = self.now_ns()
        for name, port in ends:
            if port:
                self.device(name).port(port, status, now_ns)
        self.advance()

    def _ask(self, unit: Unit, address: str, data: bytes, _: Address) -> Iterable[Reply]:
        replies = self._course.fleet.device(unit).receive(data, self.now_ns())
        self._course.expect(unit)  # a wrong community is told by a trap
        return [
            (reply.delay_s, reply.data, second(address)) if reply.wrong_source else (reply.delay_s, reply.data)
            for reply in replies
        ]

    def _acknowledge(self, unit: Unit, data: bytes, _: Address) -> Iterable[Reply]:
        self._course.fleet.device(unit).acknowledge(data, self.now_ns())
        return ()

    def _send(self, unit: Unit, event: Event) -> None:
        self.network.send((unit.addresses[0], TRAP_PORT), (event.sink.address, event.sink.port), event.datagram)
