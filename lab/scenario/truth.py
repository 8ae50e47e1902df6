"""What is true of a scenario that was played: the faults, where each really is, and how long everybody was away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lab.province import Province
from lab.scenario.cast import Cast, router_of
from lab.scenario.script import Expected, Scenario
from lab.scenario.witness import Outage


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is really wrong.

    Parameters:
        name: for the reader of a table.
        causes: checks (``unit/probe``, or ``name/kind`` of what several share) of which any is the right answer to
            "what is broken?".
        start_ns, end_ns: when, UTC nanoseconds.
        seen: what a daemon should make of it: ``down``, ``degraded``, ``warning`` or ``nothing``.
    """

    name: str
    causes: frozenset[str]
    start_ns: int
    end_ns: int
    seen: str


@dataclass(frozen=True, slots=True)
class Truth:
    """All of it.

    Parameters:
        start_ns, end_ns: of the scenario.
        faults: what is wrong.
        outages: of units, as the witness saw them.
        systems: of each unit.
    """

    start_ns: int
    end_ns: int
    faults: tuple[Fault, ...]
    outages: tuple[Outage, ...]
    systems: dict[str, str]

    def refined(self) -> Truth:
        """Let each fault that is an outage begin when it began: a UPS carries its site for a while."""
        began = []
        for fault in self.faults:
            units = {cause.partition("/")[0] for cause in fault.causes}
            starts = [
                outage.start_ns
                for outage in self.outages
                if outage.unit in units and fault.start_ns <= outage.start_ns < fault.end_ns
            ]
            first_ns = min(starts, default=fault.start_ns) if fault.seen == "down" else fault.start_ns
            began.append(replace(fault, start_ns=first_ns))
        return replace(self, faults=tuple(began))

    def down_s(self) -> dict[str, float]:
        """Add up each unit's downtime, seconds."""
        total: dict[str, float] = defaultdict(float)
        for outage in self.outages:
            start_ns, end_ns = max(outage.start_ns, self.start_ns), min(outage.end_ns, self.end_ns)
            if end_ns > start_ns:
                total[outage.unit] += (end_ns - start_ns) / 1e9
        return dict(total)

    def system_down_s(self) -> dict[str, float]:
        """Add up the downtime of all units of each system, seconds."""
        total: dict[str, float] = defaultdict(float)
        for unit, seconds in self.down_s().items():
            total[self.systems[unit]] += seconds
        return dict(sorted(total.items()))

    def affected(self, fault: Fault) -> set[str]:
        """Name the units that could not be reached while a fault lasted."""
        return {
            outage.unit
            for outage in self.outages
            if outage.start_ns < fault.end_ns and outage.end_ns > fault.start_ns
        }  # fmt: skip


def faults(scenario: Scenario, province: Province, cast: Cast, start_ns: int) -> Iterator[Fault]:
    """Work out the faults of a scenario in a province.

    Parameters:
        start_ns: when it began, UTC nanoseconds.
    """
    for number, expected in enumerate(scenario.truth, 1):
        shown = cast[expected.behind or expected.failed]
        kind = scenario.cast[expected.behind or expected.failed].of
        places = {member: _where(province, kind, member) for member in shown}
        groups = [shown] if expected.together else [(member,) for member in shown]
        for group in groups:
            causes = frozenset(f"{unit}/{expected.probe}" for member in group for unit in places[member])
            if len(group) > 1:
                causes |= _shared(province, kind, group)
            name = group[0] if len(group) == 1 else f"{expected.failed} ({len(group)})"
            yield Fault(
                f"{number} {name}", causes, start_ns + round(expected.at * 1e9), _end_ns(scenario, expected, start_ns),
                expected.seen,
            )  # fmt: skip


def _end_ns(scenario: Scenario, expected: Expected, start_ns: int) -> int:
    until = scenario.lasts if expected.until is None else expected.until
    return start_ns + round(until * 1e9)


def _shared(province: Province, kind: str, names: Sequence[str]) -> set[str]:
    """Name what several lines or sites have in common, as a daemon would: their carriers, their power feeders."""
    if kind == "lines":
        return {f"{province.links[name].carrier}/carrier" for name in names}
    return {f"{province.sites[name].feeder}/power" for name in names} if kind == "sites" else set()


def _where(province: Province, kind: str, name: str) -> set[str]:
    """Name the units whose failure a broken line, a dark site or a dead unit is."""
    if kind == "sites":
        return {router_of(province, name)}
    if kind == "units":
        return {name}
    ends = {unit.id for unit in province.units.values() if unit.circuit == name}
    return ends or {province.links[name].lower}
