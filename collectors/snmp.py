"""The SNMP watch: polls a device at its cadence and makes points of it (Telegraf's ``interface`` measurement)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from collectors.names import AddressBook
from collectors.points import series
from collectors.watches import Deliver, TaskWatch
from haidang.clock import Clock
from haidang.model import CheckId, FieldValue, Observation, Point, Series, Status
from probes.snmp import Access, Interface, Library, PollResult, Sensor, Session, SnmpEngine, check, check_by_poll
from probes.snmp.memory import Memory
from probes.snmp.neighbours import Neighbour
from probes.snmp.rates import FAULTS, Dropped, Reading, rates, readings

FASTEST_S = 10.0
"""A suspect agent is not asked more often than this: each try takes seconds until its deadline."""

# Interface counters under the names that Telegraf's inputs.snmp gives them (IF-MIB's own).
_COUNTERS = {
    "in_octets": ("ifInOctets", "ifHCInOctets"),
    "out_octets": ("ifOutOctets", "ifHCOutOctets"),
    "in_ucast_packets": ("ifInUcastPkts", "ifHCInUcastPkts"),
    "out_ucast_packets": ("ifOutUcastPkts", "ifHCOutUcastPkts"),
    "in_errors": ("ifInErrors", "ifInErrors"),
    "out_errors": ("ifOutErrors", "ifOutErrors"),
    "in_discards": ("ifInDiscards", "ifInDiscards"),
    "out_discards": ("ifOutDiscards", "ifOutDiscards"),
}
_STATUS = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}
_STATES = {
    "up": 1, "down": 2, "testing": 3, "unknown": 4, "dormant": 5, "notPresent": 6, "lowerLayerDown": 7,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SnmpSettings:
    """How a device is polled.

    Parameters:
        access: credentials, port, timeout.
        cadence_s: seconds between polls.
        budget_s: seconds that one poll may take; what was read until then is kept.
    """

    access: Access
    cadence_s: float = 60.0
    budget_s: float = 30.0


class SnmpWatch(TaskWatch):
    """Polls a device."""

    def __init__(
        self, check_id: CheckId, name: str, settings: SnmpSettings, tags: Mapping[str, str], *, engine: SnmpEngine,
        addresses: AddressBook, clock: Clock, deliver: Deliver, profiles: Library,
    ) -> None:  # fmt: skip
        super().__init__(check_id, deliver)
        self._profiles = profiles
        self._memory = Memory()
        self._name = name
        self._settings = settings
        self._tags = dict(tags)
        self._engine = engine
        self._addresses = addresses
        self._clock = clock
        self._session: tuple[str, Session] | None = None
        self._readings: dict[int, Reading] = {}
        self._lines: dict[tuple[str, str, str, str], Series] = {}
        self._hostname = ""
        self.dropped_rates = 0

    def use(self, profiles: Library) -> None:
        """Take other profiles from the next poll on."""
        self._profiles = profiles
        self._memory.forget()

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        """Who was at the other end of its ports when they were last read."""
        return self._memory.near

    def start(self, slot_ns: int) -> None:
        """See `Watch.start`."""
        self.begin(lambda: self._poll(slot_ns))

    def start_fast(self, slot_ns: int) -> None:
        """See `Watch.start_fast`."""
        self.begin(lambda: self._check(slot_ns))

    def _reach(self, slot_ns: int) -> Session | None:
        """Return the session with the device, remembering what it has learned while the address stays the same."""
        address = self._addresses.address(self._name)
        reason = f"the name {self._name} has no address yet"
        if address is not None:
            if self._session is not None and self._session[0] == address:
                return self._session[1]
            try:
                session = Session(self._engine, address, self._settings.access)
            except (ValueError, OSError) as error:
                reason = str(error)
            else:
                self._session = (address, session)
                self._memory.forget()
                return session
        self._deliver(Observation(self.check.target, "snmp", slot_ns, Status.UNKNOWN, reason, {}, 0.0), ())
        return None

    async def _check(self, slot_ns: int) -> None:
        session = self._reach(slot_ns)
        if session is not None:
            self._deliver(await check(session, self._clock, self.check.target, slot_ns=slot_ns), ())

    async def _poll(self, slot_ns: int) -> None:
        session = self._reach(slot_ns)
        if session is None:
            return
        observation, result = await check_by_poll(
            session, self._clock, self.check.target, slot_ns=slot_ns, budget_s=self._settings.budget_s,
            library=self._profiles, memory=self._memory, with_neighbours=True,
        )  # fmt: skip
        points: list[Point] = []
        if result is not None:
            points = self._points(result, slot_ns)
            if observation.fields:
                device = self._line("snmp", self._tags["target"], "", "")
                points.append(Point(device, slot_ns, observation.fields))
        self._deliver(observation, points)

    def _points(self, result: PollResult, slot_ns: int) -> list[Point]:
        points = []
        now = readings(result)
        if result.identity.sys_name and result.identity.sys_name != self._hostname:
            self._hostname = result.identity.sys_name
            self._lines.clear()
        taken: set[Series] = set()
        for interface in result.interfaces:
            line = self._line("interface", interface.name, interface.alias or "", interface.descr or "")
            if line in taken:  # two interfaces that call themselves the same in every respect
                line = series("interface", {**dict(line.tags), "ifIndex": str(interface.index)})
            taken.add(line)
            points.append(Point(line, slot_ns, self._interface_fields(interface, now[interface.index])))
        self._readings = now
        points += [
            Point(self._line("sensor", sensor.name, sensor.kind, sensor.unit), slot_ns, _sensor_fields(sensor))
            for sensor in _named_apart(result.sensors)
        ]
        return points

    def _interface_fields(self, interface: Interface, reading: Reading) -> dict[str, FieldValue]:
        fields: dict[str, FieldValue] = {}
        wide = interface.counter_bits == 64
        for ours, (narrow_name, wide_name) in _COUNTERS.items():
            value = getattr(interface, ours)
            if value is not None:
                fields[wide_name if wide else narrow_name] = value
        if interface.oper_status in _STATES:
            fields["ifOperStatus"] = _STATES[interface.oper_status]
        if interface.admin_status in _STATES:
            fields["ifAdminStatus"] = _STATES[interface.admin_status]
        if interface.speed_bps:
            fields["ifSpeed"] = interface.speed_bps
        found = rates(self._readings.get(interface.index), reading)
        self.dropped_rates += sum(why is not Dropped.FIRST for why in found.dropped.values())
        for name in ("in_bps", "out_bps", *FAULTS):
            if name in found.values:
                fields[name] = round(found.values[name], 3 if name in FAULTS else 1)
        return fields

    def _line(self, measurement: str, name: str, alias: str, descr: str) -> Series:
        """Name a series once; an interface is known by its name, which outlives a reboot, not by its index."""
        key = (measurement, name, alias, descr)
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) > 10_000:  # a device that renames its interfaces for ever must not fill the memory
                self._lines.clear()
            if measurement == "interface":
                tags = {"ifName": name, "ifAlias": alias, "ifDescr": descr, "agent_host": self._name}
                tags["hostname"] = self._hostname  # as Telegraf's manual names sysName, and its dashboards ask for it
            elif measurement == "sensor":
                tags = {"sensor": name, "kind": alias, "unit": descr}
            else:
                tags = {"agent_host": self._name}
            line = self._lines[key] = series(measurement, {**self._tags, **tags})
        return line


def _sensor_fields(sensor: Sensor) -> dict[str, FieldValue]:
    """Give value and status; an unknown value is left out, its status says so."""
    fields: dict[str, FieldValue] = {"status_code": _STATUS[sensor.status]}
    if sensor.status != "unknown":
        fields["trouble"] = _STATUS[sensor.status]  # for rules: unknown is no trouble, and no end of one
    if sensor.value is not None:
        fields["value"] = float(sensor.value)
    return fields


def _named_apart(sensors: Sequence[Sensor]) -> Iterator[Sensor]:
    """Number sensors that call themselves the same, so that each has a series of its own."""
    seen: Counter[tuple[str, str, str]] = Counter()
    for sensor in sensors:
        key = (sensor.kind, sensor.name, sensor.unit)
        seen[key] += 1
        yield replace(sensor, name=f"{sensor.name} ({seen[key]})") if seen[key] > 1 else sensor
