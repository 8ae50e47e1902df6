"""The state of one device: power, ports, battery, broken parts; what its variables and traps are made from."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from enum import StrEnum

from lab.devices import traps
from lab.devices.model import Model
from lab.devices.ports import PortState
from lab.devices.schedule import Schedule
from lab.devices.traps import Trap
from lab.devices.tree import Content
from lab.devices.ups import Ups
from probes.snmp import ber
from probes.snmp.ber import Value

SECOND_NS = 1_000_000_000
TICK_NS = SECOND_NS // 100


class Power(StrEnum):
    """Where the current comes from."""

    MAINS = "mains"
    BATTERY = "battery"
    OFF = "off"


class State:
    """What a device is in. Its methods happen at a moment that the schedule has reached.

    Parameters:
        model: what it is.
        name, location, contact: of the system group.
        aliases: ifAlias by ifIndex.
        seed: makes its noise.
        now_ns: when the world begins, UTC ns.
        up_for_s: how long it has been up by then.
        boots: snmpEngineBoots.
        announce: takes its traps and their time.
        planned: told the time of whatever will happen to it.
    """

    def __init__(
        self, model: Model, *, name: str, location: str, contact: str, aliases: Mapping[int, str], seed: int,
        now_ns: int, up_for_s: float, boots: int, announce: Callable[[Trap, int], None],
        planned: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        self.model = model
        self.name, self.location, self.contact = name, location, contact
        self.aliases = aliases
        self.schedule = Schedule(now_ns, planned)
        self.tree = model.tree
        self.overrides: dict[bytes, bytes] = {}
        self.phase = zlib.crc32(f"{seed}/{name}".encode())
        self.machine_since_ns = self.agent_since_ns = now_ns - round(up_for_s * SECOND_NS)
        self.boots = boots
        self.power = Power.MAINS
        self.alive = True
        self.faults: frozenset[str] = frozenset()
        self.ups = Ups(model.cells, now_ns) if model.cells else None
        self._announce = announce
        self._known = {port.index: port for port in model.ports}
        self._ports: dict[int, PortState] = {}
        self._changes: dict[bytes, Content | None] = {}
        self._fallen = 0  # how often it went dark: a start that was planned before is void

    # what the variables are made from

    def ticks(self, at_ns: int) -> int:
        """Tell sysUpTime at a time: 1/100 s, wrapping after 497.1 days."""
        return max(0, at_ns - self.agent_since_ns) // TICK_NS & 0xFFFFFFFF

    def engine_time(self, now_ns: int) -> int:
        """Tell snmpEngineTime: seconds since the agent began, which do not wrap with sysUpTime."""
        return max(0, now_ns - self.agent_since_ns) // SECOND_NS

    def port(self, index: int) -> PortState:
        """Give a port's state.

        Raises:
            KeyError: the model has no such port.
        """
        found = self._ports.get(index)
        if found is None:
            phase = zlib.crc32(b"%d/%d" % (self.phase, index)) & 0xFFF
            found = self._ports[index] = PortState(self._known[index], phase, self.machine_since_ns // 1_000_000)
        return found

    def read(self, name: bytes, now_ns: int) -> bytes | None:
        """Read a variable as the agent would, encoded; ``None`` when there is none."""
        place = self.tree.places.get(name)
        if place is None:
            return None
        content = self.tree.contents[place]
        value = content if isinstance(content, bytes) else content(self, now_ns)
        return None if value is None else self.overrides.get(name, value)

    # what happens to it

    def tell(self, trap: Trap, at_ns: int) -> None:
        """Send a trap, if there is current to send it with."""
        if self.alive:
            self._announce(trap, at_ns)

    def turn_port(self, index: int, status: str, at_ns: int) -> None:
        """Bring a line up or down, or shut a port; whoever has current tells it."""
        if self.port(index).turn(status, at_ns):
            self.tell(traps.link(self, index, at_ns), at_ns)

    def supply(self, power: Power, at_ns: int) -> None:
        """Change where the current comes from; only a UPS notices the difference between mains and battery."""
        if power is self.power:
            return
        before, self.power = self.power, power
        if power is Power.OFF:
            if self.model.dying_gasp:
                self.tell(traps.dying_gasp(self, at_ns), at_ns)
            self._go_dark(at_ns)
        elif before is Power.OFF:
            self._boot(at_ns)
        if self.ups is not None:
            self.ups.feed(self, at_ns, mains=power is Power.MAINS, discharging=power is Power.BATTERY)

    def cut(self, at_ns: int) -> None:
        """Lose all power."""
        self.supply(Power.OFF, at_ns)

    def reboot(self, at_ns: int) -> None:
        """Go dark and come back ``boot_s`` later, with everything counted from 0."""
        if self.power is not Power.OFF:
            self._go_dark(at_ns)
            self._boot(at_ns)

    def restart_agent(self, at_ns: int) -> None:
        """Restart the agent alone: sysUpTime begins anew, the machine and its counters go on."""
        if not self.alive:
            return
        self.boots += 1
        self.agent_since_ns = at_ns
        for port in self._ports.values():
            port.changed_ns = port.cleared_ns = 0
        self.tell(traps.WARM_START, at_ns)

    def fault(self, part: str, *, mended: bool) -> None:
        """Break a fan, a power supply or a sensor, or mend it."""
        self.faults = self.faults - {part} if mended else self.faults | {part}

    def _go_dark(self, at_ns: int) -> None:
        self.alive = False
        self._fallen += 1
        if self.ups is not None:
            self.ups.alarms.clear()
        for index in self._known:
            self.port(index).halt(at_ns)

    def _boot(self, at_ns: int) -> None:
        fallen = self._fallen

        def start(now_ns: int) -> None:
            if fallen != self._fallen:
                return
            self.alive = True
            self.boots += 1
            self.machine_since_ns = self.agent_since_ns = now_ns
            for port in self._ports.values():
                port.restart(now_ns)
            self.tell(traps.COLD_START, now_ns)
            if self.ups is not None:
                self.ups.raise_alarms(self, now_ns)

        self.schedule.add(at_ns + round(self.model.boot_s * SECOND_NS), start)

    # what a scenario holds by hand

    def hold(self, name: bytes, value: Value | tuple[int, Value], now_ns: int) -> None:
        """Hold a variable at a value; one that does not exist is added, ``None`` takes it away."""
        now = self.read(name, now_ns)
        self.overrides.pop(name, None)
        if value is None:
            self._change(name, None)
            return
        if isinstance(value, tuple):
            tag, value = value
        else:
            tag = now[0] if now else ber.INTEGER if isinstance(value, int) else ber.OCTET_STRING
        encoded = ber.encode_value(tag, value)
        if now is None:
            self._change(name, encoded)
        else:
            self.overrides[name] = encoded

    def release(self, name: bytes) -> None:
        """Let a variable go its own way again."""
        self.overrides.pop(name, None)
        if name in self._changes:
            del self._changes[name]
            self._rebuild()

    def _change(self, name: bytes, content: Content | None) -> None:
        self._changes[name] = content
        self._rebuild()

    def _rebuild(self) -> None:
        self.tree = self.model.tree.replaced(self._changes) if self._changes else self.model.tree
