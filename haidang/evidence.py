"""Evidence at the moment of failure: what is known of an incident is gathered right after it was told, and kept.

Nothing here ever delays a message: it begins when the first one is in the outbox, has a deadline, and what it finds is
in the next message and under ``haidang incidents NUMBER``.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from alerting import records
from alerting.handling import OURSELVES
from alerting.incidents import OWN, Incidents
from alerting.records import Incident, Owner
from availability.evidence import AFTER_NS, BATTERY_NS, Evidence, Kind, Said, power_or_line
from collectors.load import is_end
from config import Configuration, Target
from haidang.clock import Clock
from haidang.model import CheckId, State
from haidang.show import local
from probes.icmp import IcmpUnavailable
from probes.path import trace
from storage.database import Database
from storage.events import Recorded, heard
from storage.ledger import LedgerReader
from storage.metrics import MetricStore, Query, StoreError

logger = structlog.get_logger(__name__)

S = 10**9
AFTER_TOLD_NS = 10 * S
"""Gathered so long after the first message: traps come late, and other verdicts with the same cause are given."""
TOO_LATE_NS = 600 * S
"""What happened longer ago than this, as after a restart of the daemon, is not looked into any more."""
DEADLINE_S = 20.0
TRACE_S = 8.0
AT_ONCE = 4
MOST_WAITING = 50
MOST_LINES = 12
AROUND_NS = 120 * S
EVENTS_BEFORE_NS = 900 * S
PORTS_BEFORE_NS = 900 * S

_SAID = {
    "dyingGasp": Said.DYING_GASP, "upsTrapOnBattery": Said.ON_BATTERY, "upsOnBattery": Said.ON_BATTERY,
    "powerRestored": Said.ON_MAINS, "linkDown": Said.LINK_DOWN,
}  # fmt: skip
_PORT = {1: "up", 2: "down", 3: "testing", 4: "unknown", 5: "dormant", 6: "notPresent", 7: "lowerLayerDown"}

Trace = Callable[[str], Awaitable[Sequence[str]]]
"""Follows the way to an address and returns where it ends, and a line for each hop."""


async def followed(address: str) -> Sequence[str]:
    """Follow the way to an address with echoes, see `Trace`; no lines where none can be sent.

    Raises:
        OSError: this machine has no route there.
    """
    try:
        path = await trace(address, TRACE_S)
    except IcmpUnavailable:
        return []
    hops = [
        f"hop {hop.number}: {' '.join(hop.addresses) or 'no answer'}"
        + (f" {hop.rtt_ms:.1f} ms, {hop.loss_percent:.0f} % lost" if hop.rtt_ms is not None else "")
        for hop in path.hops
    ]
    return [path.words, *hops]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where evidence comes from.

    Parameters:
        state: what a check is in now.
        store: of measurements; one that is away costs only what it would have known.
        trace: follows the way to an address; ``None`` when that cannot be done here.
    """

    state: Callable[[CheckId], State | None]
    store: MetricStore
    trace: Trace | None = None


class Gathering:
    """Gathers.

    Parameters:
        configuration: what hangs on what; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
        incidents: keeps what is found.
        sources: where it comes from.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, incidents: Incidents, sources: Sources
    ) -> None:  # fmt: skip
        self._configuration = configuration
        self._sql = database.connection
        self._clock = clock
        self._incidents = incidents
        self._sources = sources
        self._tasks: set[asyncio.Task[None]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._seen = 0
        self.left_out = 0
        """Incidents that nothing was gathered of: more at once than wait their turn."""

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._configuration = configuration

    def tick(self) -> None:
        """Begin with what was told a moment ago; call it every second."""
        now_ns = self._clock.utc_ns()
        for incident in records.told_between(self._sql, self._seen, now_ns - TOO_LATE_NS, now_ns - AFTER_TOLD_NS):
            self._seen = max(self._seen, incident.number)
            if incident.check.target == OWN or records.evidence(self._sql, incident.number):
                continue
            if len(self._tasks) >= MOST_WAITING:
                self.left_out += 1
                continue
            task = asyncio.create_task(self._gather(incident), name=f"evidence {incident.number}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give up what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _gather(self, incident: Incident) -> None:
        target = self._configuration.inventory.targets.get(incident.check.target)
        kinds: Mapping[str, Callable[[], Awaitable[Sequence[str]]]] = {
            "samples": lambda: self._samples(incident),
            "events": lambda: self._events(incident, target),
            "others": lambda: self._others(incident),
            "path": lambda: self._path(target),
            "ports": lambda: self._ports(incident, target),
        }
        async with self._turns:
            for kind, find in kinds.items():
                try:
                    async with asyncio.timeout(DEADLINE_S):
                        lines = await find()
                    if lines:
                        self._incidents.keep_evidence(incident.number, kind, lines[:MOST_LINES])
                except (StoreError, TimeoutError, OSError, sqlite3.Error) as error:
                    logger.warning("evidence not found", incident=incident.number, kind=kind, reason=str(error))
                except Exception:  # noqa: BLE001 what one source did not foresee must not lose the others
                    logger.exception("evidence not found", incident=incident.number, kind=kind)
            self._attribute(incident, target)
        logger.info("evidence gathered", incident=incident.number)

    async def _samples(self, incident: Incident) -> Sequence[str]:
        found = LedgerReader(self._sql).proof(incident.number)
        first = f"first bad sample {self._at(incident.since_ns)}"
        if found is None:
            return [first]
        failures, good_ns = found.get("failures"), found.get("last_good_ns")
        counted = f", {failures} failed in {float(found.get('span_s', 0)):.0f} s" if failures else ""
        last = [f"last good sample {self._at(int(good_ns))}"] if isinstance(good_ns, int) else []
        return [*last, first + counted]

    async def _events(self, incident: Incident, target: Target | None) -> Sequence[str]:
        if target is None:
            return []
        near = [target.id, *target.parents]
        found = heard(self._sql, near, incident.since_ns - EVENTS_BEFORE_NS, self._clock.utc_ns())
        return [
            f"{self._at(one.last_ns)} {one.target}: {one.name} {one.text}"[:200] for one in found[:MOST_LINES]
        ]  # fmt: skip

    async def _others(self, incident: Incident) -> Sequence[str]:
        start_ns, end_ns = incident.since_ns - AROUND_NS, incident.since_ns + AROUND_NS
        ours = {incident.check, *records.members(self._sql, incident.number)}
        found = [
            one for one in LedgerReader(self._sql).failed_between(start_ns, end_ns) if one.check not in ours
        ]  # fmt: skip
        if not found:
            return ["nothing else failed within 2 minutes"]
        named = [f"{one.check} {one.state} at {self._at(one.start_ns)}" for one in found[: MOST_LINES - 1]]
        return [f"{len(found)} others failed within 2 minutes", *named]

    async def _path(self, target: Target | None) -> Sequence[str]:
        """Say up to where the way is known to work: what stands above the target, and the trace where there is one."""
        if target is None:
            return []
        targets = self._configuration.inventory.targets
        lines: list[str] = []
        seen, level = {target.id}, [target.id]
        while level and len(lines) < MOST_LINES:
            above = [name for one in level for name in targets[one].parents if name not in seen]
            seen.update(above)
            level = list(dict.fromkeys(above))
            for name in level:
                state = self._sources.state(targets[name].primary)
                lines.append(f"on the way: {name} ({targets[name].address}) is {state or State.UNKNOWN}")
        if self._sources.trace is not None and target.address:
            lines = [*(await self._sources.trace(target.address)), *lines]
        return lines

    async def _ports(self, incident: Incident, target: Target | None) -> Sequence[str]:
        """Return the state of the circuit's ports at both ends, as they were polled last."""
        inventory = self._configuration.inventory
        circuit = inventory.circuits.get(target.circuit or "") if target else None
        if circuit is None or target is None:
            return []
        names = {target.id, *target.parents} | {
            one.id for one in inventory.targets.values() if one.circuit == circuit.id
        }
        lines = []
        for name in sorted(names):
            end = inventory.targets[name]
            if end.snmp is None:
                continue
            start_ns, now_ns = incident.since_ns - PORTS_BEFORE_NS, self._clock.utc_ns()
            wanted = end.snmp.interface if end.circuit == circuit.id else None
            for curve in await self._sources.store.read(
                Query("interface", start_ns, now_ns, ("ifOperStatus",), {"target": name})
            ):
                if curve.times_ns and is_end(dict(curve.series.tags), circuit, wanted):
                    port = dict(curve.series.tags).get("ifName", "")
                    state = _PORT.get(round(curve.mean[-1]), "unknown")
                    lines.append(f"{self._at(curve.times_ns[-1])} {name} port {port} is {state}")
        return lines

    def _attribute(self, incident: Incident, target: Target | None) -> None:
        """Say whose fault it is when the devices have: power, or the line with its carrier."""
        if target is None or incident.owner_by not in ("", OURSELVES):
            return
        site = [
            one.id for one in self._configuration.inventory.targets.values() if one.site and one.site == target.site
        ]
        since_ns = incident.since_ns
        said = [
            *_said(heard(self._sql, [target.id, *site], since_ns - BATTERY_NS, since_ns + AFTER_NS)),
            *_said(heard(self._sql, target.parents, since_ns - BATTERY_NS, since_ns + AFTER_NS), only=Said.LINK_DOWN),
        ]
        kind = power_or_line(since_ns, said)
        words = ", ".join(f"{one.said} at {self._at(one.at_ns)}" for one in said[-3:])
        circuit = self._configuration.inventory.circuits.get(target.circuit or "")
        if kind is Kind.POWER:
            self._incidents.attribute(incident.number, OURSELVES, Owner.POWER, words)
        elif kind is Kind.LINE and circuit is not None and circuit.carrier:
            self._incidents.attribute(incident.number, OURSELVES, Owner.CARRIER, words)

    def _at(self, at_ns: int) -> str:
        return local(at_ns, self._configuration.timezone)


def _said(events: Sequence[Recorded], *, only: Said | None = None) -> list[Evidence]:
    found = [(_SAID.get(one.name), one.first_ns) for one in reversed(events)]
    return [Evidence(said, at_ns) for said, at_ns in found if said is not None and only in (None, said)]
