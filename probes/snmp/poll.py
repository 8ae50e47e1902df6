"""A poll: who the device is, its interfaces, and the sensors its profile knows, inside one time budget."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from probes.snmp import ber, interfaces, mib, values
from probes.snmp import oid as oids
from probes.snmp.ber import Value, VarBind
from probes.snmp.identify import facts, identify
from probes.snmp.interfaces import Interface
from probes.snmp.memory import Memory, walked
from probes.snmp.neighbours import COLUMNS as NEIGHBOUR_COLUMNS
from probes.snmp.neighbours import Neighbour, neighbours
from probes.snmp.profile import Library
from probes.snmp.rows import table
from probes.snmp.sensors import Sensor, sensors
from probes.snmp.session import Session

TICKS_WRAP = 1 << 32
NO_PROFILES = Library()
WHO = (
    mib.SYS_UP_TIME, mib.SYS_OBJECT_ID, mib.SYS_DESCR, mib.SYS_NAME, mib.HR_SYSTEM_UPTIME, mib.SNMP_ENGINE_BOOTS,
    mib.SNMP_ENGINE_TIME,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is.

    Parameters:
        vendor, profile, device_class: by its profile; ``None`` when none fits.
        model, serial, software: as far as the profile knows where to look.
        uptime_s: since the machine started, as far as it tells; an agent's restart alone does not change it.
        agent_ticks: sysUpTime, 1/100 s since the agent started, wrapping at 2**32: the clock of its counters.
        engine_boots: snmpEngineBoots.
    """

    sys_object_id: str | None = None
    sys_descr: str | None = None
    sys_name: str | None = None
    vendor: str | None = None
    profile: str | None = None
    device_class: str | None = None
    model: str | None = None
    serial: str | None = None
    software: str | None = None
    uptime_s: float | None = None
    agent_ticks: int | None = None
    engine_boots: int | None = None


@dataclass(frozen=True, slots=True)
class PollResult:
    """What a poll found; what it could not read is absent, and ``errors`` says why.

    Parameters:
        identity, interfaces, sensors: what was read.
        errors: sentences for a person.
        neighbours: at the other end of its ports; only where they were asked for.
        began, ended: loop time, seconds; the counters were read between them.
    """

    identity: Identity
    interfaces: tuple[Interface, ...]
    sensors: tuple[Sensor, ...]
    errors: tuple[str, ...]
    began: float
    ended: float
    neighbours: tuple[Neighbour, ...] = ()

    @classmethod
    def empty(cls, reason: str, now: float) -> PollResult:
        """Make the result of a device that does not answer."""
        return cls(Identity(), (), (), (reason,), now, now)

    def as_json(self) -> dict[str, Any]:
        """Give the shape of ``haidang poll --json``."""
        who = asdict(self.identity)
        who["class"] = who.pop("device_class")
        return {
            "identity": who,
            "interfaces": [asdict(interface) for interface in self.interfaces],
            "sensors": [asdict(sensor) for sensor in self.sensors],
            "neighbours": [asdict(neighbour) for neighbour in self.neighbours],
            "errors": list(self.errors),
        }


async def poll(
    session: Session,
    *,
    budget_s: float = 30.0,
    library: Library = NO_PROFILES,
    memory: Memory | None = None,
    with_neighbours: bool = False,
) -> PollResult:
    """Poll a device.

    Parameters:
        session: whom.
        budget_s: seconds for everything; what was read until then is kept.
        library: the profiles, one of which says what else than interfaces is read; without any there are no sensors.
        memory: what earlier polls of the same device found; without it everything is walked.
        with_neighbours: ask for those too, when everything is walked; between two walks the last answer is given.

    Raises:
        SnmpError: the device does not answer at all, or refuses the first question.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline = began + budget_s
    errors: list[str] = []
    identity = read_identity(await session.get(WHO, deadline=deadline))
    memory = memory or Memory()
    new = memory.begin((identity.sys_object_id, identity.sys_descr), identity.engine_boots, identity.agent_ticks)
    found = await _interfaces(session, memory, deadline, errors)
    ended = loop.time()
    if new:
        memory.take(await identify(session, library, identity.sys_object_id, identity.sys_descr, deadline=deadline))
    read: tuple[Sensor, ...] = ()
    match = memory.match
    if match is not None:
        cells = table(await memory.columns(session, memory.roots, memory.live, deadline, errors))
        told = facts(match.profile.facts, cells, identity.sys_descr)
        identity = replace(
            identity, vendor=match.vendor, profile=match.profile.name, device_class=match.device_class,
            model=told.get("model"), serial=told.get("serial"), software=told.get("software"),
        )  # fmt: skip
        read = sensors(match.profile.rules, cells)
    if with_neighbours and new:
        columns = await walked(session, NEIGHBOUR_COLUMNS, deadline, errors)
        near = neighbours(columns, found)
        if near or not any(column.fault for column in columns):
            memory.near = near
    return PollResult(
        identity, found, read, tuple(dict.fromkeys(errors)), began, ended, memory.near if with_neighbours else ()
    )


async def _interfaces(session: Session, memory: Memory, deadline: float, errors: list[str]) -> tuple[Interface, ...]:
    names = {**mib.IF_TABLE, **mib.IF_X_TABLE, **mib.IF_ETHERNET}
    rows = interfaces.rows(await memory.columns(session, names, mib.IF_LIVE, deadline, errors), names)
    if rows and interfaces.lacks_64_bit(rows):
        narrow = await memory.columns(session, mib.IF_32_BIT, mib.IF_LIVE, deadline, errors)
        for index, row in interfaces.rows(narrow, mib.IF_32_BIT).items():
            rows.setdefault(index, {}).update(row)
    return tuple(interfaces.build(index, rows[index]) for index in sorted(rows))


def read_identity(varbinds: Iterable[VarBind]) -> Identity:
    """Read the answer to the first question of a poll."""
    found = {name: (tag, value) for name, tag, value in varbinds}
    nothing = (0, None)
    agent_ticks = values.counter(*found.get(mib.SYS_UP_TIME, nothing), 32)
    engine_time = values.gauge(*found.get(mib.SNMP_ENGINE_TIME, nothing))
    return Identity(
        sys_object_id=_object_id(*found.get(mib.SYS_OBJECT_ID, nothing)),
        sys_descr=values.text(found.get(mib.SYS_DESCR, nothing)[1]),
        sys_name=values.text(found.get(mib.SYS_NAME, nothing)[1]),
        uptime_s=uptime_s(
            agent_ticks, values.counter(*found.get(mib.HR_SYSTEM_UPTIME, nothing), 32), engine_time
        ),
        agent_ticks=agent_ticks,
        engine_boots=values.gauge(*found.get(mib.SNMP_ENGINE_BOOTS, nothing)),
    )  # fmt: skip


def _object_id(tag: int, value: Value) -> str | None:
    return oids.decode(value) or None if tag == ber.OBJECT_ID and isinstance(value, bytes) else None


def uptime_s(agent_ticks: int | None, host_ticks: int | None, engine_time_s: int | None) -> float | None:
    """Tell how long a machine is up.

    hrSystemUptime is the machine's, sysUpTime only the agent's. Both wrap after 497 days; snmpEngineTime wraps after 68
    years but means something else on many devices, so it is believed only where it differs from sysUpTime by exactly
    whole wraps. A machine is up at least as long as its agent.
    """
    agent = agent_ticks
    if agent is not None and engine_time_s is not None:
        missing = engine_time_s * 100 - agent
        wraps = round(missing / TICKS_WRAP)
        if wraps >= 1 and abs(missing - wraps * TICKS_WRAP) <= 6_000:
            agent += wraps * TICKS_WRAP
    if host_ticks is None:
        return None if agent is None else agent / 100
    if agent is not None and host_ticks + 6_000 < agent:
        host_ticks += -(-(agent - 6_000 - host_ticks) // TICKS_WRAP) * TICKS_WRAP
    return host_ticks / 100
