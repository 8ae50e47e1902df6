"""What was promised, put into the terms of the arithmetic: one promise for every objective of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from availability.periods import Hours, Period, last_days, month_at, quarter_at, year_at
from availability.systems import Formula, Rule, Weight
from config import Configuration
from config.schema.objectives import DAYS, Objective, ServiceHours
from config.schema.things import System


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of availability.

    Parameters:
        id: the objective's, or the system's whose own objective it is.
        kind, name: what it is about, e.g. ``carrier`` ``VNPT``.
        percent: what was promised.
        period: ``month``, ``quarter``, ``year``, or ``30d``.
        hours: in which it holds; empty: always.
        exclude: which maintenance does not count: ``planned``, ``retroactive``.
        view: ``measured`` or ``contractual``.
        from_ticket: an outage counts from when it was reported.
        fixed_s: the agreed length of a month; ``None``: the calendar's.
    """

    id: str
    kind: str
    name: str
    percent: float
    period: str = "month"
    hours: tuple[Hours, ...] = ()
    exclude: tuple[str, ...] = ("planned", "retroactive")
    view: str = "measured"
    from_ticket: bool = False
    fixed_s: float | None = None

    def period_at(self, at_ns: int, zone: ZoneInfo) -> Period:
        """Return the period that a time lies in; a rolling one ends there."""
        match self.period:
            case "month":
                return month_at(at_ns, zone)
            case "quarter":
                return quarter_at(at_ns, zone)
            case "year":
                return year_at(at_ns, zone)
            case days:
                return last_days(days, at_ns)

    def formula(self) -> str:
        """Write the formula as it is printed with every figure."""
        length = f"{self.fixed_s / 60:.0f} min" if self.fixed_s else "T - X"
        counted = "from its ticket on" if self.from_ticket else "from its first failed sample on"
        out = " and ".join(self.exclude) or "no"
        hours = "service hours only" if self.hours else "around the clock"
        return f"A = 1 - D / ({length}), {self.view}; an outage counts {counted}; {out} maintenance excluded; {hours}"


def promises(configuration: Configuration) -> Iterator[Promise]:
    """Yield every promise of a configuration: the systems' own of each month, then the objectives."""
    for system in configuration.inventory.systems.values():
        if system.objective is not None:
            yield Promise(system.id, "system", system.id, system.objective)
    for objective in configuration.inventory.objectives.values():
        yield _promise(objective)


def formula_of(system: System | None) -> Formula:
    """Return how a system's members make it; anything else is up while all of its targets are."""
    if system is None:
        return Formula()
    return Formula(Rule(system.formula), system.k or 1, Weight(system.weight or "sites"))


def _promise(objective: Objective) -> Promise:
    [(kind, name)] = objective.about()
    return Promise(
        objective.id, kind, name, objective.percent,
        f"{objective.days}d" if objective.period == "rolling" else objective.period,
        tuple(map(_hours, objective.hours)), objective.exclude, objective.view, objective.clock == "ticket",
        objective.month_minutes * 60.0 if objective.month_minutes else None,
    )  # fmt: skip


def _hours(hours: ServiceHours) -> Hours:
    return Hours(frozenset(DAYS.index(day) for day in hours.days), _seconds(hours.start), _seconds(hours.end))


def _seconds(clock: str) -> int:
    return int(clock[:2]) * 3600 + int(clock[3:]) * 60
