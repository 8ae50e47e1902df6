"""The budget clock and burn rates."""

from __future__ import annotations

import pytest

from availability.burn import PAIRS, burns, lost_at_ns
from availability.objectives import Figures
from availability.spans import merged

S = 10**9
HOUR = 3600


def figures(left_s: float) -> Figures:
    return Figures(30 * 86400, 86400, 86400 - (2592 - left_s), 2592 - left_s, 0, 1, 99.9)


def test_the_clock_says_when_the_budget_is_used_up() -> None:
    assert lost_at_ns(figures(600), merged([(0, 10_000 * S)]), 5000 * S) == pytest.approx(5600 * S, abs=1000)
    assert lost_at_ns(figures(-1), merged([(0, 10_000 * S)]), 5000 * S) == 5000 * S


def test_the_clock_stands_still_while_nothing_counts_and_ends_with_the_period() -> None:
    office = merged([(0, 5100 * S), (9000 * S, 20_000 * S)])
    assert lost_at_ns(figures(600), office, 5000 * S) == pytest.approx(9500 * S, abs=1000)
    assert lost_at_ns(figures(600), merged([(0, 5100 * S)]), 5000 * S) is None
    assert lost_at_ns(figures(600), (), 5000 * S) is None


def test_the_windows_are_those_of_the_workbook() -> None:
    """At 14.4 times the rate an hour uses 2 % of a month's budget, at 6 times six hours 5 %."""
    shares = [pair.rate * pair.long_ns / (30 * 24 * HOUR * S) for pair in PAIRS]
    assert shares == pytest.approx([0.02, 0.05, 0.10])
    assert [pair.long_ns / pair.short_ns for pair in PAIRS] == [12, 12, 12]


def test_what_is_over_burns_no_more() -> None:
    found = burns(lambda start, _end: 0.0 if start >= 100 * HOUR * S - HOUR * S // 12 else 0.02, 100 * HOUR * S, 99.9)
    assert [(one.burning, round(one.long_rate)) for one in found] == [(False, 20), (True, 20), (True, 20)]
    assert burns(lambda _start, _end: 1.0, 0, 100) == []
