"""The arithmetic of availability over a period: what was measured, what is unknown, what is left of the budget.

A = 1 - D / (T - X): D is the downtime, T the time of the period, X what does not count (agreed exclusions, time outside
the service hours, time before the target was first watched). Unknown time is in neither D nor the up time and gives
bounds instead (all of it up, all of it down). The budget of the whole period is (1 - objective) x (T - X), the accrued
one the same over what has passed. Every formula with an example: docs/objectives.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from availability import spans
from availability.periods import Period
from availability.spans import Spans
from availability.timeline import Timeline, added_up, of_check
from haidang.model import Interval


class Verdict(StrEnum):
    """Whether an objective was kept. Nothing is claimed that the unknown time could turn round."""

    MET = "met"
    MISSED = "missed"
    OPEN = "open"
    """The period still runs and either may come."""
    UNDECIDED = "undecided"
    """The period is over and the objective lies inside the bounds that the unknown time leaves."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Availability over a period, every second accounted for once.

    Parameters:
        period_s: how much of the whole period counts: T - X.
        elapsed_s: how much of that lies before *now*.
        up_s, down_s, unknown_s: these add up to ``elapsed_s``. Time that no interval covers is unknown.
        outages: number of stretches of downtime; only time known to be up separates two.
        objective_percent: the target, or ``None``.
        excluded_s: how much of what has passed of the period does not count.
        fixed_s: the length a contract gives every period, whatever the calendar says; ``None``: the calendar's.
    """

    period_s: float
    elapsed_s: float
    up_s: float
    down_s: float
    unknown_s: float
    outages: int
    objective_percent: float | None = None
    excluded_s: float = 0.0
    fixed_s: float | None = None

    @property
    def availability_percent(self) -> float | None:
        """Availability over the measured time (or a contract's fixed length); ``None`` when nothing was measured."""
        measured = self.up_s + self.down_s
        if measured <= 0:
            return None
        return self._share(self.fixed_s - self.down_s) if self.fixed_s else 100.0 * self.up_s / measured

    @property
    def lowest_percent(self) -> float | None:
        """Lower bound: all unknown time counted as down."""
        return self._share((self.fixed_s or self.elapsed_s) - self.down_s - self.unknown_s)

    @property
    def highest_percent(self) -> float | None:
        """Upper bound: all unknown time counted as up."""
        return self._share((self.fixed_s or self.elapsed_s) - self.down_s)

    @property
    def reachable_percent(self) -> float | None:
        """The best the whole period can still come to: nothing fails any more, all unknown time was up."""
        length = self.fixed_s or self.period_s
        return 100.0 * (length - self.down_s) / length if length > 0 else None

    @property
    def coverage_percent(self) -> float | None:
        """Share of the elapsed time that was measured."""
        return 100.0 * (self.up_s + self.down_s) / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def budget_s(self) -> float | None:
        """Downtime the objective allows in the whole period."""
        return self._allowed(self.fixed_s or self.period_s)

    @property
    def accrued_s(self) -> float | None:
        """Downtime the objective allows in what has passed of the period."""
        return self._allowed(self.elapsed_s)

    @property
    def budget_left_s(self) -> float | None:
        """What is left of the whole period's budget; negative once it is lost."""
        return None if self.budget_s is None else self.budget_s - self.down_s

    @property
    def accrued_left_s(self) -> float | None:
        """What is left of the accrued budget; negative while more was used than has been earned."""
        return None if self.accrued_s is None else self.accrued_s - self.down_s

    @property
    def verdict(self) -> Verdict | None:
        """Whether the objective was kept; ``None`` without one."""
        if self.budget_s is None:
            return None
        if self.down_s > self.budget_s:
            return Verdict.MISSED
        to_come_s = self.period_s - self.elapsed_s
        if self.down_s + self.unknown_s + to_come_s <= self.budget_s and self.elapsed_s > 0:
            return Verdict.MET
        return Verdict.OPEN if to_come_s > 0 else Verdict.UNDECIDED

    def _share(self, good_s: float) -> float | None:
        return 100.0 * good_s / (self.fixed_s or self.elapsed_s) if self.elapsed_s > 0 else None

    def _allowed(self, length_s: float) -> float | None:
        return None if self.objective_percent is None else (100.0 - self.objective_percent) / 100.0 * length_s


@dataclass(frozen=True, slots=True)
class Scope:
    """The time of a period that counts.

    Parameters:
        period: the calendar's.
        counted: what of it counts, to its end: within service hours, not excluded, since the target is watched.
    """

    period: Period
    counted: Spans


def scope(period: Period, service: Spans, excluded: Spans = (), watched_ns: int | None = None) -> Scope:
    """Say which time of a period counts.

    Parameters:
        period: the calendar's.
        service: the time in which service is owed, see `availability.periods.service_time`.
        excluded: agreed exclusions; only what of them lies in the service time takes anything away.
        watched_ns: when the target was first watched; before that there is nothing to be unknown about.
    """
    counted = spans.difference(service, excluded)
    if watched_ns is not None:
        counted = spans.intersection(counted, spans.merged([(watched_ns, period.end_ns)]))
    return Scope(period, counted)


def measured(
    timeline: Timeline, counts: Scope, now_ns: int, objective_percent: float | None = None, fixed_s: float | None = None
) -> Figures:
    """Add up a timeline over the time that counts.

    Parameters:
        timeline: covers the period up to ``now_ns`` at least.
        counts: the time that counts.
        now_ns: where knowledge ends; a period that ended before is complete.
        objective_percent: the target, e.g. 99.9, or ``None``.
        fixed_s: see `Figures`.
    """
    period = counts.period
    until = max(period.start_ns, min(period.end_ns, now_ns))
    elapsed = spans.intersection(counts.counted, spans.merged([(period.start_ns, until)]))
    sums = added_up(timeline, elapsed)
    return Figures(
        period_s=spans.total(counts.counted) / 1e9,
        elapsed_s=spans.total(elapsed) / 1e9,
        up_s=sums.up_ns / 1e9,
        down_s=sums.down_ns / 1e9,
        unknown_s=sums.unknown_ns / 1e9,
        outages=sums.outages,
        objective_percent=objective_percent,
        excluded_s=(until - period.start_ns - spans.total(elapsed)) / 1e9,
        fixed_s=fixed_s,
    )


def figures(
    intervals: Iterable[Interval], start_ns: int, end_ns: int, now_ns: int, objective_percent: float | None = None
) -> Figures:
    """Add up one check's intervals over a period in which everything counts.

    Parameters:
        intervals: the ledger's intervals of one check, in order of their start, not overlapping; the running one
            counts up to ``now_ns``.
        start_ns, end_ns: the period.
        now_ns: where knowledge ends.
        objective_percent: the target, e.g. 99.9, or ``None``.
    """
    period = Period("", start_ns, end_ns)
    until = max(start_ns, min(end_ns, now_ns))
    return measured(
        of_check(intervals, start_ns, until), Scope(period, spans.merged([(start_ns, end_ns)])), now_ns,
        objective_percent,
    )  # fmt: skip
