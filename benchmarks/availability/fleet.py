"""A simulator of years: a fleet of targets with known failure rates, heavy-tailed repairs and storms.

The truth is known, so whatever judges or forecasts availability can be scored against it. Reproducible: equal fleets
with equal seeds give equal histories.

Sources: outages as a Poisson process with lognormal repairs and a Pareto tail (Govindan et al., "Evolve or Die",
SIGCOMM 2016; Turner et al., "California Fault Lines", SIGCOMM 2010: most failures short, few very long, a third of
the backbone's hitting more than one link).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Repair:
    """How long an outage lasts: lognormal, and now and then a Pareto tail (a cable ship, a flood).

    Parameters:
        median_s: of the lognormal part.
        sigma: of its logarithm.
        tail_share: share of the outages that come from the tail.
        tail_from_s, tail_index: Pareto's scale and index; an index of at most 2 has no variance.
    """

    median_s: float = 600.0
    sigma: float = 1.4
    tail_share: float = 0.03
    tail_from_s: float = 4 * 3600.0
    tail_index: float = 1.5

    def draw(self, rng: random.Random) -> float:
        """Return one duration in seconds."""
        if rng.random() < self.tail_share:
            return self.tail_from_s * rng.paretovariate(self.tail_index)
        return rng.lognormvariate(math.log(self.median_s), self.sigma)


@dataclass(frozen=True, slots=True)
class Class:
    """Targets of one kind.

    Parameters:
        name: of the class; targets are called ``name-1``, ``name-2`` …
        targets: how many.
        outages_per_month: mean rate of a target's own outages (30 days).
        spread: shape of the gamma that the rates are drawn from; small: a few bad targets make most of the outages.
        repair: of its own outages.
    """

    name: str
    targets: int
    outages_per_month: float
    spread: float = 2.0
    repair: Repair = field(default_factory=Repair)


@dataclass(frozen=True, slots=True)
class Storm:
    """A common cause: a carrier, a feeder, a flood takes many targets at once.

    Parameters:
        group: what they share.
        members: names of the targets at risk.
        per_year: mean number of events.
        share: probability that an event takes a given member.
        repair: how long it lasts for each member.
    """

    group: str
    members: tuple[str, ...]
    per_year: float
    share: float = 0.6
    repair: Repair = field(default_factory=lambda: Repair(3 * 3600.0, 1.0))


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of true downtime, in seconds since the history's start; ``group`` is empty for an outage of its own."""

    target: str
    start_s: float
    end_s: float
    group: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """What truly happened.

    Parameters:
        days: how long it is.
        outages: by target, in order, not overlapping (what overlaps is one outage, with the cause of the first);
            every target of the fleet has an entry.
        groups: members of each common cause.
    """

    days: int
    outages: Mapping[str, tuple[Outage, ...]]
    groups: Mapping[str, tuple[str, ...]]

    def on_day(self, target: str, day: int) -> tuple[Outage, ...]:
        """Return the parts of a target's outages that lie in one day, cut at midnight; days count from 0."""
        start_s, end_s = day * DAY_S, (day + 1) * DAY_S
        return tuple(
            Outage(target, max(one.start_s, start_s), min(one.end_s, end_s), one.group)
            for one in self.outages[target]
            if one.start_s < end_s and one.end_s > start_s
        )

    def down_s(self, target: str, start_s: float, end_s: float) -> float:
        """Return a target's true downtime within a period."""
        return sum(max(0.0, min(one.end_s, end_s) - max(one.start_s, start_s)) for one in self.outages[target])


@dataclass(frozen=True, slots=True)
class Fleet:
    """Classes of targets and the storms that can strike them."""

    classes: tuple[Class, ...]
    storms: tuple[Storm, ...] = ()

    def live(self, days: int, seed: int) -> History:
        """Let it live for so many days.

        Raises:
            ValueError: a storm has a member that no class has.
        """
        rng = random.Random(seed)
        end_s = days * DAY_S
        found: dict[str, list[Outage]] = {}
        for kind in self.classes:
            for number in range(1, kind.targets + 1):
                name = f"{kind.name}-{number}"
                rate = rng.gammavariate(kind.spread, kind.outages_per_month / kind.spread) / (30 * DAY_S)
                found[name] = [Outage(name, at_s, at_s + kind.repair.draw(rng)) for at_s in _arrivals(rng, rate, end_s)]
        for storm in self.storms:
            if unknown := set(storm.members) - found.keys():
                raise ValueError(f"storm {storm.group}: no class has {', '.join(sorted(unknown))}")
            for at_s in _arrivals(rng, storm.per_year / (365 * DAY_S), end_s):
                for name in storm.members:
                    if rng.random() < storm.share:
                        hit_s = at_s + rng.uniform(0, 5)
                        found[name].append(Outage(name, hit_s, hit_s + storm.repair.draw(rng), storm.group))
        outages = {name: _merged(of_target, end_s) for name, of_target in found.items()}
        return History(days, outages, {storm.group: storm.members for storm in self.storms})


def _arrivals(rng: random.Random, rate: float, end_s: float) -> Iterator[float]:
    """Draw a Poisson process: the times of its events up to the end."""
    at_s = rng.expovariate(rate) if rate > 0 else end_s
    while at_s < end_s:
        yield at_s
        at_s += rng.expovariate(rate)


def _merged(outages: list[Outage], end_s: float) -> tuple[Outage, ...]:
    merged: list[Outage] = []
    for one in sorted(outages, key=lambda outage: outage.start_s):
        until_s = min(one.end_s, end_s)
        if merged and one.start_s <= merged[-1].end_s:
            last = merged[-1]
            merged[-1] = Outage(last.target, last.start_s, max(last.end_s, until_s), last.group)
        elif until_s > one.start_s:
            merged.append(Outage(one.target, one.start_s, until_s, one.group))
    return tuple(merged)
