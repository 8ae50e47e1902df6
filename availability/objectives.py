"""The arithmetic of availability over a calendar month: what was measured, what is unknown, what is left of the budget.

A = 1 - D / T over the measured time of the month so far; unknown time is in neither and gives bounds instead
(all of it up, all of it down). The budget of the whole month is (1 - objective) x length of the month.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from haidang.model import Interval, State

_DOWN = frozenset({State.DOWN, State.UNREACHABLE})
_UP = frozenset({State.UP, State.DEGRADED})


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month in a time zone, as UTC nanoseconds; the end is exclusive."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Availability of one check over a period, every second accounted for once.

    Parameters:
        period_s: length of the whole period (the month).
        elapsed_s: how much of it lies before *now*.
        up_s, down_s, unknown_s: these add up to ``elapsed_s``. Time that no interval covers is unknown.
        outages: number of stretches of downtime; only time known to be up separates two.
        objective_percent: the target, or ``None``.
    """

    period_s: float
    elapsed_s: float
    up_s: float
    down_s: float
    unknown_s: float
    outages: int
    objective_percent: float | None = None

    @property
    def availability_percent(self) -> float | None:
        """Availability over the measured time; ``None`` when nothing was measured."""
        measured = self.up_s + self.down_s
        return 100.0 * self.up_s / measured if measured > 0 else None

    @property
    def lowest_percent(self) -> float | None:
        """Lower bound: all unknown time counted as down."""
        return 100.0 * self.up_s / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def highest_percent(self) -> float | None:
        """Upper bound: all unknown time counted as up."""
        return 100.0 * (self.elapsed_s - self.down_s) / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def coverage_percent(self) -> float | None:
        """Share of the elapsed time that was measured."""
        return 100.0 * (self.up_s + self.down_s) / self.elapsed_s if self.elapsed_s > 0 else None

    @property
    def budget_s(self) -> float | None:
        """Downtime the objective allows in the whole period."""
        if self.objective_percent is None:
            return None
        return (100.0 - self.objective_percent) / 100.0 * self.period_s

    @property
    def budget_left_s(self) -> float | None:
        """What is left of the budget; negative once the month is lost."""
        return None if self.budget_s is None else self.budget_s - self.down_s


def month_at(at_ns: int, zone: ZoneInfo) -> Month:
    """Return the calendar month that contains a time, in a time zone."""
    local = datetime.fromtimestamp(at_ns / 1e9, zone)
    return month_named(f"{local.year:04d}-{local.month:02d}", zone)


def month_named(name: str, zone: ZoneInfo) -> Month:
    """Return the calendar month ``YYYY-MM`` in a time zone.

    Raises:
        ValueError: the name is not a month.
    """
    if not re.fullmatch(r"(19[7-9]|2[0-9]{2})[0-9]-(0[1-9]|1[0-2])", name):
        raise ValueError(f'"{name}" is not a month; write it as YYYY-MM, for example 2026-11')
    start = datetime(int(name[:4]), int(name[5:]), 1, tzinfo=zone)
    end = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    return Month(start.strftime("%Y-%m"), round(start.timestamp()) * 10**9, round(end.timestamp()) * 10**9)


def figures(
    intervals: Iterable[Interval], start_ns: int, end_ns: int, now_ns: int, objective_percent: float | None = None
) -> Figures:
    """Add up one check's intervals over a period.

    Parameters:
        intervals: the ledger's intervals of one check, in order of their start, not overlapping; the running one
            counts up to ``now_ns``.
        start_ns, end_ns: the period.
        now_ns: where knowledge ends.
        objective_percent: the target, e.g. 99.9, or ``None``.
    """
    until = max(start_ns, min(end_ns, now_ns))
    up = down = outages = 0
    in_outage = False
    for interval in intervals:
        begin = max(interval.start_ns, start_ns)
        end = min(until if interval.end_ns is None else interval.end_ns, until)
        if end <= begin:
            continue
        if interval.state in _UP:
            up += end - begin
            in_outage = False
        elif interval.state in _DOWN:
            down += end - begin
            outages += not in_outage
            in_outage = True  # unknown time in the middle does not make two of it
    elapsed = until - start_ns
    return Figures(
        period_s=(end_ns - start_ns) / 1e9,
        elapsed_s=elapsed / 1e9,
        up_s=up / 1e9,
        down_s=down / 1e9,
        unknown_s=(elapsed - up - down) / 1e9,
        outages=outages,
        objective_percent=objective_percent,
    )
