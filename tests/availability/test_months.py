"""Figures against a model that looks at every second: whatever overlaps, each second counts once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from availability.objectives import Verdict
from haidang.model import State
from tests.availability.months import Story, check, stories

DAY = 86400


def month(**changes: object) -> Story:
    """Make a November that was up from start to end, but for these changes."""
    plain: dict[str, object] = {
        "name": "2026-11", "first": 0, "lengths": ((30 * DAY, State.UP),), "now": 30 * DAY, "excluded": (),
        "corrections": (), "hours": (), "watched": None,
    }  # fmt: skip
    return Story(**{**plain, **changes})  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(stories())
def test_the_figures_equal_a_count_of_every_second(story: Story) -> None:
    check(story)


@pytest.mark.slow
@settings(max_examples=1_200, deadline=None)
@given(stories())
def test_the_figures_equal_a_count_of_every_second_of_many_months(story: Story) -> None:
    check(story)


@pytest.mark.soak
@pytest.mark.parametrize("part", range(8))
@settings(max_examples=12_500, deadline=None)
@given(story=stories())
def test_the_figures_equal_a_count_of_every_second_of_100_000_months(part: int, story: Story) -> None:
    check(story)


def test_an_exclusion_takes_away_its_overlap_and_no_more() -> None:
    outage = ((10 * DAY, State.UP), (7200, State.DOWN), (20 * DAY, State.UP))
    found = month(lengths=outage, excluded=((10 * DAY + 3600, 10 * DAY + 9000),)).figures()
    assert found.down_s == 3600
    assert found.excluded_s == 5400
    assert found.period_s == 30 * DAY - 5400


def test_a_first_failure_does_not_show_nought_for_the_year() -> None:
    found = month(lengths=((20 * DAY, State.UP), (600, State.DOWN)), now=20 * DAY + 600).figures()
    assert found.availability_percent == pytest.approx(100 * 20 * DAY / (20 * DAY + 600))
    assert found.verdict is Verdict.OPEN


def test_a_target_that_was_down_from_its_first_minute_is_shown_with_what_it_can_still_reach() -> None:
    found = month(first=20 * DAY, watched=20 * DAY, lengths=((600, State.DOWN),), now=20 * DAY + 600).figures()
    assert found.availability_percent == 0
    assert found.period_s == 10 * DAY
    assert found.reachable_percent == pytest.approx(100 * (1 - 600 / (10 * DAY)))
    assert found.verdict is Verdict.OPEN


def test_the_time_before_a_target_was_watched_is_not_unknown() -> None:
    found = month(first=20 * DAY, watched=20 * DAY, lengths=((10 * DAY, State.UP),)).figures()
    assert (found.unknown_s, found.elapsed_s, found.coverage_percent) == (0, 10 * DAY, 100)
    assert found.budget_s == pytest.approx(10 * DAY / 1000)
    assert found.verdict is Verdict.MET


def test_there_is_no_verdict_while_the_objective_lies_within_the_bounds() -> None:
    blind = ((10 * DAY, State.UP), (600, State.DOWN), (86400, State.UNKNOWN), (30 * DAY, State.UP))
    found = month(lengths=blind).figures()
    assert found.lowest_percent is not None
    assert found.highest_percent is not None
    assert found.lowest_percent < 99.9 < found.highest_percent
    assert found.verdict is Verdict.UNDECIDED


def test_a_month_whose_budget_is_used_up_is_missed_before_it_ends_and_one_nobody_saw_is_undecided() -> None:
    assert month(lengths=((7200, State.DOWN), (1, State.UP)), now=DAY).figures().verdict is Verdict.MISSED
    assert month(lengths=()).figures().verdict is Verdict.UNDECIDED
    assert month(lengths=((7200, State.DOWN), (1, State.UP)), now=-1).figures().verdict is Verdict.OPEN


def test_the_accrued_budget_is_what_has_been_earned_so_far() -> None:
    found = month(lengths=((1200, State.DOWN), (1, State.UP)), now=10 * DAY).figures()
    assert found.budget_left_s == pytest.approx(2592 - 1200)
    assert found.accrued_left_s == pytest.approx(864 - 1200)
