"""How fast a budget is used: the budget clock of an outage, and burn rates of what comes in small pieces.

Burn rates are for loss and flapping, whose damage adds up out of many small pieces; one plain outage has the clock:
"if it stays down the month is lost at 14:32".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from availability import spans
from availability.objectives import Figures
from availability.spans import Spans

HOUR_NS = 3600 * 10**9


@dataclass(frozen=True, slots=True)
class Pair:
    """Two windows that have to burn at once: the long one so that it matters, the short one so that it still goes on.

    Parameters:
        name: of the long window.
        long_ns, short_ns: their lengths.
        rate: so many times the rate that would use up a budget of 30 days exactly.
        pages: whether it wakes somebody, or waits for the morning.
    """

    name: str
    long_ns: int
    short_ns: int
    rate: float
    pages: bool


PAIRS = (
    Pair("1h", HOUR_NS, HOUR_NS // 12, 14.4, pages=True),
    Pair("6h", 6 * HOUR_NS, HOUR_NS // 2, 6.0, pages=True),
    Pair("3d", 72 * HOUR_NS, 6 * HOUR_NS, 1.0, pages=False),
)
"""Google, The Site Reliability Workbook, ch. 5, table 5-8: 2 %, 5 % and 10 % of a 30 days' budget."""


@dataclass(frozen=True, slots=True)
class Burn:
    """What one pair of windows shows; rates as multiples of the rate that uses the budget up exactly."""

    pair: Pair
    long_rate: float
    short_rate: float

    @property
    def burning(self) -> bool:
        """Whether both windows burn faster than the pair allows."""
        return self.long_rate >= self.pair.rate and self.short_rate >= self.pair.rate


def burns(bad_share: Callable[[int, int], float], now_ns: int, objective_percent: float) -> list[Burn]:
    """Measure the burn rates of an indicator.

    Parameters:
        bad_share: from start and end of a window to the share of it that was bad, 0 to 1 (lost echoes of all echoes,
            flapping downtime of all time); unknown time is in neither.
        now_ns: the end of every window.
        objective_percent: below 100.
    """
    allowed = 1.0 - objective_percent / 100.0
    if allowed <= 0:
        return []
    return [
        Burn(
            pair,
            bad_share(now_ns - pair.long_ns, now_ns) / allowed,
            bad_share(now_ns - pair.short_ns, now_ns) / allowed,
        )
        for pair in PAIRS
    ]


def lost_at_ns(figures: Figures, counted: Spans, now_ns: int) -> int | None:
    """Return when the objective is lost if what is down stays down; ``None`` when the period ends before that.

    Only time that counts is used up: the clock stands still outside the service hours and in excluded maintenance.

    Parameters:
        figures: of the period up to now.
        counted: the time of the whole period that counts.
        now_ns: UTC nanoseconds.
    """
    left_s = figures.budget_left_s
    if left_s is None:
        return None
    if left_s < 0:
        return now_ns
    ahead = spans.intersection(counted, ((now_ns, counted[-1][1]),)) if counted and now_ns < counted[-1][1] else ()
    return spans.after(ahead, round(left_s * 1e9))
