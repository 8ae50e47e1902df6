"""The judge: what a daemon recorded against what was true."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lab.scenario.truth import Fault, Truth

EARLY_NS = 5_000_000_000
"""An outage may be dated back by so much: to the last echo that was lost by chance before it."""
LATE_NS = 300_000_000_000
"""An incident may begin so much after the end of its fault: confirmation, and devices that still boot."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An incident as the daemon recorded it.

    Parameters:
        number: the daemon's.
        checks: what it says is broken, ``unit/probe`` or ``unit/rule:id``; several for a common cause.
        started_ns, opened_ns: since when, and when it was certain, UTC nanoseconds.
        ended_ns: the end of the failure; ``None`` while it lasts.
        messages: sent to people about it.
    """

    number: int
    checks: tuple[str, ...]
    started_ns: int
    opened_ns: int
    ended_ns: int | None
    messages: int


@dataclass(frozen=True, slots=True)
class Record:
    """What a daemon recorded during a scenario.

    Parameters:
        incidents: all that began in it.
        down_s: downtime of each unit by the ledger, seconds; down and unreachable together.
        degraded: checks (``unit/probe``) that were called degraded.
        messages: sent in all, those that belong to no incident included.
    """

    incidents: tuple[Seen, ...]
    down_s: dict[str, float]
    degraded: frozenset[str]
    messages: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How well it was seen.

    Parameters:
        scenario: its name.
        faults: that should have been told.
        incidents: recorded.
        root_cause_hits: faults with an incident that names the right cause.
        missed: faults without any incident.
        surplus: incidents beyond the first of a fault, and those about what was only degraded.
        false_alarms: incidents without a fault.
        messages: sent.
        delays_s: from each fault's start to its first incident.
        downtime_error_s: the largest error of any unit's downtime, and of which unit.
        system_down_s, system_recorded_s: true and recorded downtime of the units of each system, added up.
        notes: lines for a reader.
    """

    scenario: str
    faults: int
    incidents: int
    root_cause_hits: int
    missed: int
    surplus: int
    false_alarms: int
    messages: int
    delays_s: tuple[float, ...]
    downtime_error_s: float
    worst_unit: str
    system_down_s: dict[str, float]
    system_recorded_s: dict[str, float]
    notes: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Nothing missed, nothing invented, every cause named."""
        return not self.missed and not self.false_alarms and self.root_cause_hits == self.faults

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "scenario": self.scenario, "faults": self.faults, "incidents": self.incidents,
            "root_cause_hits": self.root_cause_hits, "missed": self.missed, "surplus": self.surplus,
            "false_alarms": self.false_alarms, "messages": self.messages,
            "detection_delay_s": {"median": _quantile(self.delays_s, 0.5), "p95": _quantile(self.delays_s, 0.95)},
            "downtime_error_s": round(self.downtime_error_s, 3), "worst_unit": self.worst_unit,
            "true_down_s": _rounded(self.system_down_s), "recorded_down_s": _rounded(self.system_recorded_s),
            "passed": self.passed, "notes": list(self.notes),
        }  # fmt: skip


def judge(scenario: str, truth: Truth, record: Record) -> Verdict:
    """Compare.

    Parameters:
        scenario: its name.
        truth: what was.
        record: what the daemon made of it.
    """
    told = [fault for fault in truth.faults if fault.seen in ("down", "warning")]
    of_fault: dict[Fault, list[Seen]] = {fault: [] for fault in told}
    notes: list[str] = []
    false_alarms = loud = 0
    for incident in record.incidents:
        fault = _fault_of(incident, truth, told)
        if fault is None and _fault_of(incident, truth, [one for one in truth.faults if one.seen == "degraded"]):
            loud += 1
            notes.append(f"called down, though it was only bad: {', '.join(incident.checks)}")
        elif fault is None:
            false_alarms += 1
            notes.append(f"false alarm: incident {incident.number} says {', '.join(incident.checks)}")
        else:
            of_fault[fault].append(incident)
    hits, missed, surplus = 0, 0, loud
    delays = []
    for fault, found in of_fault.items():
        if not found:
            missed += 1
            only = ", only called degraded" if fault.causes & record.degraded else ""
            notes.append(f"missed: {fault.name}{only}")
            continue
        surplus += len(found) - 1
        delays.append(max(0.0, (min(one.opened_ns for one in found) - fault.start_ns) / 1e9))
        if any(fault.causes & set(one.checks) for one in found):
            hits += 1
        else:
            notes.append(f"wrong cause: {fault.name} was called {', '.join(found[0].checks)}")
    notes += [
        f"not called degraded: {fault.name}"
        for fault in truth.faults
        if fault.seen == "degraded" and not fault.causes & record.degraded
    ]
    down = truth.down_s()
    errors = {unit: record.down_s.get(unit, 0.0) - down.get(unit, 0.0) for unit in {*down, *record.down_s}}
    worst = max(errors, key=lambda unit: abs(errors[unit]), default="")
    recorded: dict[str, float] = defaultdict(float)
    for unit, seconds in record.down_s.items():
        recorded[truth.systems.get(unit, "")] += seconds
    return Verdict(
        scenario, len(told), len(record.incidents), hits, missed, surplus, false_alarms, record.messages,
        tuple(delays), abs(errors[worst]) if worst else 0.0, worst, truth.system_down_s(),
        dict(sorted(recorded.items())), tuple(notes),
    )  # fmt: skip


def _fault_of(incident: Seen, truth: Truth, told: Sequence[Fault]) -> Fault | None:
    """Find the fault an incident is about: one that names its cause, else one that its check suffered from."""
    near = [
        fault
        for fault in told
        if incident.started_ns >= fault.start_ns - EARLY_NS and incident.started_ns <= fault.end_ns + LATE_NS
    ]
    checks = set(incident.checks)
    for fault in near:
        if fault.causes & checks:
            return fault
    units = {check.partition("/")[0] for check in checks}
    return next((fault for fault in near if truth.affected(fault) & units), None)


def _quantile(values: Sequence[float], share: float) -> float | None:
    """Return a quantile by linear interpolation; ``None`` of nothing."""
    if not values:
        return None
    if len(values) == 1:
        return round(values[0], 3)
    steps = statistics.quantiles(values, n=100, method="inclusive")
    return round(steps[round(share * 100) - 1], 3)


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 1) for name, value in values.items()}
