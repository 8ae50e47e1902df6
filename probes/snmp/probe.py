"""SNMP as a probe: one question or a whole poll, told as an observation.

Any answer of the agent is *up*. Silence, malformed answers and a refusal of the security model are *down*, with the
reason: the device may be well, but SNMP cannot watch it. What never left this machine, or may have been lost in our
own buffers, is *unknown*.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from haidang.clock import Clock
from haidang.model import FieldValue, Observation, Sample, Status
from probes.snmp import mib, values
from probes.snmp.engine import SnmpEngine
from probes.snmp.errors import NoAnswer, NotAsked, Refused, SnmpError
from probes.snmp.memory import Memory
from probes.snmp.poll import NO_PROFILES, PollResult, poll
from probes.snmp.profile import Library
from probes.snmp.session import Access, Session


async def check(session: Session, clock: Clock, target: str, *, slot_ns: int | None = None) -> Observation:
    """Ask for sysUpTime: the cheapest question that every agent can answer.

    Parameters:
        session: whom.
        clock: stamps the observation.
        target: id for the observation.
        slot_ns: the scheduled time, now when ``None``.
    """
    started = clock.monotonic_ns()
    slot_ns = slot_ns or clock.utc_ns()
    fields: dict[str, FieldValue] = {}
    fault: SnmpError | None = None
    try:
        ((_, tag, value),) = await session.get([mib.SYS_UP_TIME])
    except SnmpError as error:
        fault = error
    else:
        ticks = values.counter(tag, value, 32)
        if ticks is not None:
            fields["sys_uptime_s"] = ticks / 100
    passed_ns = clock.monotonic_ns() - started
    sent_ns = clock.utc_ns() - passed_ns  # stamped at the end: a step of the wall clock meanwhile must not show
    duration_ms = passed_ns / 1e6
    if fault is None or isinstance(fault, Refused):
        fields["response_time_ms"] = duration_ms
    return _observation(target, slot_ns, sent_ns, duration_ms, fields, fault, session)


async def check_by_poll(
    session: Session,
    clock: Clock,
    target: str,
    *,
    slot_ns: int | None = None,
    budget_s: float = 30.0,
    library: Library = NO_PROFILES,
    memory: Memory | None = None,
    with_neighbours: bool = False,
) -> tuple[Observation, PollResult | None]:
    """Poll a device and judge it by that.

    Parameters: as `check`; ``budget_s`` seconds for everything; the others as `probes.snmp.poll.poll`.

    Returns:
        the observation, and what was found when the device answered.
    """
    started = clock.monotonic_ns()
    slot_ns = slot_ns or clock.utc_ns()
    fields: dict[str, FieldValue] = {}
    result: PollResult | None = None
    fault: SnmpError | None = None
    try:
        result = await poll(session, budget_s=budget_s, library=library, memory=memory, with_neighbours=with_neighbours)
    except SnmpError as error:
        fault = error
    else:
        fields = {"interfaces": len(result.interfaces), "sensors": len(result.sensors), "errors": len(result.errors)}
        if result.identity.uptime_s is not None:
            fields["uptime_s"] = result.identity.uptime_s
        if result.identity.agent_ticks is not None:
            fields["sys_uptime_s"] = result.identity.agent_ticks / 100
    passed_ns = clock.monotonic_ns() - started
    sent_ns = clock.utc_ns() - passed_ns  # stamped at the end: a step of the wall clock meanwhile must not show
    duration_ms = passed_ns / 1e6
    observation = _observation(target, slot_ns, sent_ns, duration_ms, fields, fault, session)
    return observation, result


def _observation(
    target: str, slot_ns: int, sent_ns: int, duration_ms: float, fields: Mapping[str, FieldValue],
    fault: SnmpError | None, session: Session,
) -> Observation:  # fmt: skip
    status, reason = Status.UP, ""
    samples: tuple[Sample, ...] = (Sample(sent_ns, ok=True),)
    if isinstance(fault, Refused):
        reason = f"{session.peer}: {fault}"
    elif isinstance(fault, NotAsked):
        status, reason, samples = Status.UNKNOWN, str(fault), ()
    elif isinstance(fault, NoAnswer) and fault.blind:
        reason = f"our own receive buffer overflowed: {fault} proves nothing"
        status, samples = Status.UNKNOWN, ()
    elif fault is not None:
        reason = session.explain(fault)
        status, samples = Status.DOWN, (Sample(sent_ns, ok=False),)
    return Observation(target, "snmp", slot_ns, status, reason, fields, duration_ms, samples)


async def probe_snmp(clock: Clock, address: str, access: Access) -> Observation:
    """Ask one agent once, now, with an engine of its own: for the command line.

    Raises:
        ValueError: not a numeric address.
        OSError: this machine has no such address family.
    """
    engine = SnmpEngine()
    try:
        return await check(Session(engine, address, access), clock, address)
    finally:
        engine.close()


async def poll_device(
    address: str, access: Access, *, budget_s: float = 60.0, library: Library = NO_PROFILES
) -> dict[str, Any]:
    """Poll one device, now: for the command line. The shape is that of ``haidang poll --json``.

    A device that does not answer gives a result with nothing in it but its ``errors``.

    Raises:
        ValueError: not a numeric address.
        OSError: this machine has no such address family.
    """
    engine = SnmpEngine()
    try:
        session = Session(engine, address, access)
        try:
            result = await poll(session, budget_s=budget_s, library=library, with_neighbours=True)
        except SnmpError as error:
            result = PollResult.empty(session.explain(error), asyncio.get_running_loop().time())
        return result.as_json()
    finally:
        engine.close()
