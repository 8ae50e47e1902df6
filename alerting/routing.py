"""Which routes an incident takes, and whom each step of one tells when. Pure: facts and a time in, a decision out.

A route that was taken is a `Plan`. Its rungs are climbed by the incident's age until somebody acknowledges; while it is
acknowledged, or silenced, nobody further is told. When that ends and the incident still lasts, the next rung is told at
once and the others follow at their distances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from alerting.oncall.rota import Hours, moment, on_the_wall, within
from alerting.severity import Severity

NS = 10**9
PAUSED = 0
"""In place of the time a plan's ages count from: it was held up, and goes on with the next rung."""
LOOK_AGAIN_NS = 60 * NS
"""While it is held up a plan is looked at so often: an acknowledgement may be given anew, a silence be called off."""


@dataclass(frozen=True, slots=True)
class Rung:
    """Who is told when an incident is so old and not acknowledged: contacts and rotas by their ids."""

    after_s: float
    to: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one incident goes through by one route.

    Parameters:
        route: its id; empty for those who are told of everything.
        rungs: in the order of their ages; at least one.
        digest: minute of the day at which the first rung gets a list instead of messages; ``None``: no list.
    """

    route: str
    rungs: tuple[Rung, ...]
    digest: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data, to be kept with the incident: a reload does not change what is under way."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Read what `as_json` gave."""
        rungs = tuple(Rung(rung["after_s"], tuple(rung["to"])) for rung in data["rungs"])
        return cls(data["route"], rungs, data["digest"])


@dataclass(frozen=True, slots=True)
class Route:
    """A plan and which incidents take it; empty conditions hold for all.

    Parameters:
        plan: what they go through.
        systems, sites, owners: one of the incident's must be among them.
        severity: at least so bad.
        hours, holidays: when it is told.
        further: the routes after this one are looked at as well.
    """

    plan: Plan
    systems: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    severity: Severity = Severity.WARNING
    hours: tuple[Hours, ...] = ()
    holidays: str = "any"
    further: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What routes are chosen by.

    Parameters:
        systems, sites: of everything that fails; sites with all those above them.
        severity, owner: of the incident as they are known now.
        at_ns: the time.
    """

    systems: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    severity: Severity = Severity.MINOR
    owner: str = "unknown"
    at_ns: int = 0


@dataclass(frozen=True, slots=True)
class Clockwork:
    """The zone and the holidays that hours of routes go by."""

    zone: ZoneInfo
    holidays: frozenset[date] = field(default_factory=frozenset)


def chosen(routes: Iterable[Route], facts: Facts, clockwork: Clockwork) -> list[Plan]:
    """Return the plans of the first route that fits, and of those after it as long as each says so."""
    found = []
    for route in routes:
        if fits(route, facts, clockwork):
            found.append(route.plan)
            if not route.further:
                break
    return found


def fits(route: Route, facts: Facts, clockwork: Clockwork) -> bool:
    """Tell whether an incident takes a route."""
    return not misfit(route, facts, clockwork)


def misfit(route: Route, facts: Facts, clockwork: Clockwork) -> str:
    """Return the first condition of a route that an incident does not meet; empty when it takes the route."""
    if route.systems and not route.systems & facts.systems:
        return f"it is for systems {_list(route.systems)}; this is of {_list(facts.systems)}"
    if route.sites and not route.sites & facts.sites:
        return f"it is for sites {_list(route.sites)}; this is at {_list(facts.sites)}"
    if route.owners and facts.owner not in route.owners:
        return f"it is for faults of {_list(route.owners)}; this is of {facts.owner}"
    if facts.severity.rank < route.severity.rank:
        return f"it is for {route.severity} and worse; this is {facts.severity}"
    holiday = on_the_wall(facts.at_ns, clockwork.zone).date() in clockwork.holidays
    if route.holidays != "any" and holiday != (route.holidays == "only"):
        return "it is for holidays only" if route.holidays == "only" else "it is not for holidays"
    return "" if within(route.hours, facts.at_ns, clockwork.zone) else "it is for other hours"


def _list(names: frozenset[str]) -> str:
    return ", ".join(sorted(names)) or "none"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a plan has come.

    Parameters:
        began_ns: the rungs' ages count from here; `PAUSED`: it is held up.
        done: rungs that were told.
        due_ns: when to look again; ``None``: it is over.
    """

    began_ns: int
    done: int
    due_ns: int | None


def climb(
    plan: Plan, progress: Progress, now_ns: int, *, over: bool, held_until_ns: int | None
) -> tuple[Sequence[Rung], Progress]:  # fmt: skip
    """Decide who is to be told now.

    Parameters:
        plan, progress: of one incident by one route.
        now_ns: the time.
        over: it was resolved, or goes on in another incident.
        held_until_ns: nobody is told before; ``None``: nothing holds it.

    Returns:
        the rungs whose time has come, and how far it has come with that.
    """
    if over or progress.done >= len(plan.rungs):
        return (), replace(progress, due_ns=None)
    if held_until_ns is not None and held_until_ns > now_ns:
        return (), Progress(PAUSED, progress.done, min(held_until_ns, now_ns + LOOK_AGAIN_NS))
    began_ns = progress.began_ns
    if began_ns == PAUSED:
        began_ns = now_ns - round(plan.rungs[progress.done].after_s * NS)
    ages = [began_ns + round(rung.after_s * NS) for rung in plan.rungs]
    done = max(progress.done, sum(due_ns <= now_ns for due_ns in ages))
    return plan.rungs[progress.done : done], Progress(began_ns, done, ages[done] if done < len(ages) else None)


def next_at(minute: int, now_ns: int, zone: ZoneInfo) -> int:
    """Return the next time after now at which the wall clock shows a minute of the day."""
    today = on_the_wall(now_ns, zone).date()
    times = (
        moment(datetime.combine(today + timedelta(days=days), time()) + timedelta(minutes=minute), zone)
        for days in range(3)
    )
    return next(at_ns for at_ns in times if at_ns > now_ns)
