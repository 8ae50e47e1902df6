"""Will the objective be missed? The probability, by simulation over what happened to targets of the same class.

The parts, each fitted on what is on record:

- A target's own outages are a Poisson process whose rate is the target's. Rates of a class are gamma distributed, so a
  target with little history is drawn towards its class (gamma-Poisson shrinkage; Gelman et al., Bayesian Data
  Analysis, 3rd ed., §2.6-2.7; the gamma by moments, weighted by exposure).
- Common causes (a carrier, a hub, a feeder) are processes of their own, with the share of their members that an event
  takes; the outages that one makes are not counted a second time as the targets' own.
- Durations are drawn from those on record, pooled over the class, the common causes' apart. An outage that runs lasts
  as long as those did that had lasted as long already (residual life).

With fewer than `FEWEST` pooled outages, or less than `SHORTEST_S` of history, nothing is foretold.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

DAY_S = 86_400.0
FEWEST = 5
SHORTEST_S = 90 * DAY_S
DRAWS = 1_000
TOGETHER_S = 300.0
"""Outages of one cause that begin within this are one event of it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of downtime, in seconds on any one scale.

    Parameters:
        target: whose.
        start_s: when it began.
        end_s: when it ended; ``None`` while it runs.
        group: the common cause it came of; empty for an outage of its own.
    """

    target: str
    start_s: float
    end_s: float | None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """What is on record of a class of targets up to a moment.

    Parameters:
        now_s: the moment; outages that begin later are not looked at, those that end later still run.
        outages: of all its targets.
        exposure_s: how long each target has been watched.
        groups: the members of each common cause.
    """

    now_s: float
    outages: Sequence[Outage]
    exposure_s: Mapping[str, float]
    groups: Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class Rate:
    """What is believed of a rate: gamma distributed, events per second."""

    shape: float
    exposure_s: float

    def draw(self, rng: random.Random) -> float:
        """Return one rate it may be."""
        return rng.gammavariate(self.shape, 1.0 / self.exposure_s)


class Durations:
    """Durations on record, to draw from.

    Parameters:
        seconds: of outages that have ended.
    """

    def __init__(self, seconds: Sequence[float]) -> None:
        self._sorted = sorted(seconds)

    def __len__(self) -> int:
        return len(self._sorted)

    def draw(self, rng: random.Random) -> float:
        """Return one duration; nothing on record: none at all."""
        return self._sorted[int(rng.random() * len(self._sorted))] if self._sorted else 0.0

    def left(self, rng: random.Random, lasted_s: float) -> float:
        """Return how much longer an outage may last that has lasted so long.

        One that has outlasted all on record is given the life of a Pareto tail of index 1, whose median doubles it:
        what has lasted long lasts longer still.
        """
        first = bisect_right(self._sorted, lasted_s)
        longer = len(self._sorted) - first
        if longer:
            return self._sorted[first + int(rng.random() * longer)] - lasted_s
        return lasted_s * (1.0 / (1.0 - rng.random()) - 1.0)


class Forecaster:
    """Foretells for the targets of one class.

    Parameters:
        record: what to learn from.
        seed: of the draws; equal seeds give equal forecasts.
    """

    def __init__(self, record: Record, seed: int = 0) -> None:
        self._record = record
        self._rng = random.Random(seed)
        known = [one for one in record.outages if one.start_s <= record.now_s]
        own: dict[str, int] = dict.fromkeys(record.exposure_s, 0)
        ended: list[float] = []
        common: list[float] = []
        for one in known:
            if not one.group:
                own[one.target] = own.get(one.target, 0) + 1
            if one.end_s is not None and one.end_s <= record.now_s:
                (common if one.group else ended).append(one.end_s - one.start_s)
        self.pooled = len(known)
        """Outages it was learnt from."""
        self._own = Durations(ended or common)
        self._common = Durations(common or ended)
        prior = gamma_of(own, record.exposure_s)
        self._rates = {
            name: Rate(prior.shape + own[name], prior.exposure_s + exposure_s)
            for name, exposure_s in record.exposure_s.items()
        }
        self._causes = {name: _cause(name, members, known, record) for name, members in record.groups.items()}

    @property
    def knows_enough(self) -> bool:
        """Whether there is enough to foretell from."""
        longest = max(self._record.exposure_s.values(), default=0.0)
        return self.pooled >= FEWEST and longest >= SHORTEST_S

    def miss(
        self, target: str, left_s: float, ahead_s: float, lasted_s: float | None = None, draws: int = DRAWS
    ) -> float:
        """Return the probability that more than what is left of the budget will be used.

        Parameters:
            target: one of the record's.
            left_s: of the budget; negative when it is lost already.
            ahead_s: how much of the period is to come.
            lasted_s: how long the outage that runs has lasted; ``None`` when none does.
            draws: how often the rest of the period is lived through.
        """
        if left_s < 0:
            return 1.0
        if left_s >= ahead_s:
            return 0.0
        return sum(self._spent(target, ahead_s, lasted_s) > left_s for _ in range(draws)) / draws

    def _spent(self, target: str, ahead_s: float, lasted_s: float | None) -> float:
        """Live through the rest of a period once; return the downtime of it."""
        rng = self._rng
        spent = 0.0
        if lasted_s is not None:
            spent = min(ahead_s, self._own.left(rng, lasted_s))
            ahead_s -= spent
        events = poisson(rng, self._rates[target].draw(rng) * ahead_s)
        for _ in range(events):
            spent += min(self._own.draw(rng), ahead_s * rng.random())
        for name, (rate, share) in self._causes.items():
            if target in self._record.groups[name]:
                for _ in range(poisson(rng, rate.draw(rng) * share * ahead_s)):
                    spent += min(self._common.draw(rng), ahead_s * rng.random())
        return spent


def gamma_of(counts: Mapping[str, int], exposure_s: Mapping[str, float]) -> Rate:
    """Fit the gamma that the rates of a class come from, by moments weighted by exposure.

    With no more spread between targets than chance makes, all are taken to have nearly the same rate.
    """
    whole = sum(exposure_s.values())
    if whole <= 0:
        return Rate(0.5, SHORTEST_S)
    events = sum(counts[name] for name in exposure_s)
    mean = (events + 0.5) / whole  # a class without any outage may still have one (Jeffreys' prior)
    spread = sum(span * (counts[name] / span - mean) ** 2 for name, span in exposure_s.items() if span > 0)
    free = whole - sum(span * span for span in exposure_s.values()) / whole
    variance = (spread - (len(exposure_s) - 1) * mean) / free if free > 0 else 0.0
    shape = min(100.0, mean * mean / variance) if variance > 0 else 100.0
    return Rate(max(shape, 0.05), max(shape, 0.05) / mean)


def poisson(rng: random.Random, mean: float) -> int:
    """Draw a number of events (Knuth, TAOCP vol. 2 §3.4.1; in parts of 500, where exp(-mean) is still a number)."""
    found = 0
    while mean > 500:
        found += poisson(rng, 500.0)
        mean -= 500
    least, product = math.exp(-mean), rng.random()
    while product > least:
        found += 1
        product *= rng.random()
    return found


def _cause(
    name: str, members: frozenset[str], known: Sequence[Outage], record: Record
) -> tuple[Rate, float]:  # fmt: skip
    """Fit a common cause: how often it comes, and the share of its members that it takes."""
    starts = sorted(one.start_s for one in known if one.group == name)
    events = sum(
        1 for index, at_s in enumerate(starts) if not index or at_s - starts[index - 1] > TOGETHER_S
    )  # fmt: skip
    exposure_s = max((record.exposure_s.get(member, 0.0) for member in members), default=0.0)
    share = (len(starts) + 1) / (events * len(members) + 2)
    return Rate(events + 0.5, max(exposure_s, DAY_S)), min(1.0, share)
