"""Traffic: the counters of a month are the same however they are asked for, and never go back."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.devices.traffic import BACKUP, MEETINGS, OFFICE, STEADY, Flow, Pattern, noise

BEGIN_MS = 1_790_000_000_000
MONTH_MS = 30 * 86_400_000
GBIT = 1_000_000_000
patterns = st.sampled_from((OFFICE, STEADY, BACKUP, MEETINGS))


def flow(pattern: Pattern = OFFICE, *, phase: int = 5, peak: int = GBIT // 4) -> Flow:
    return Flow(pattern, phase, peak, GBIT, BEGIN_MS)


@given(patterns, st.integers(0, 4_095), st.lists(st.integers(0, MONTH_MS), max_size=40))
def test_a_month_is_the_same_whatever_was_asked_meanwhile(pattern: Pattern, phase: int, times: list[int]) -> None:
    asked, left_alone = flow(pattern, phase=phase), flow(pattern, phase=phase)
    for time in times:
        asked.octets(BEGIN_MS + time)
    assert asked.octets(BEGIN_MS + MONTH_MS) == left_alone.octets(BEGIN_MS + MONTH_MS)


@given(patterns, st.integers(0, 4_095), st.integers(0, MONTH_MS), st.lists(st.integers(0, 100_000), min_size=2))
def test_a_counter_never_goes_back(pattern: Pattern, phase: int, start: int, steps: list[int]) -> None:
    counter = flow(pattern, phase=phase)
    now, reached = BEGIN_MS + start, counter.octets(BEGIN_MS + start)
    for step in steps:
        now += step
        assert counter.octets(now) >= reached
        reached = counter.octets(now)


def test_a_counter_never_goes_back_from_one_millisecond_to_the_next_around_every_edge() -> None:
    counter = flow(phase=77, peak=GBIT)
    for edge in (0, 60_000, 900_000, 3_600_000, 86_400_000, 7 * 86_400_000):
        values = [
            counter.octets(BEGIN_MS + edge - BEGIN_MS % edge + ms if edge else BEGIN_MS + ms) for ms in range(200)
        ]
        assert values == sorted(values)


@given(patterns, st.integers(0, 4_095), st.floats(0.01, 1.0), st.integers(0, MONTH_MS))
def test_the_noise_never_takes_a_flow_over_its_line(pattern: Pattern, phase: int, share: float, at: int) -> None:
    counter = flow(pattern, phase=phase, peak=int(GBIT * share))
    sent = counter.octets(BEGIN_MS + at + 1_000) - counter.octets(BEGIN_MS + at)
    assert sent <= GBIT // 8 * 1.01


def test_the_sum_of_a_month_is_the_pattern_within_one_percent() -> None:
    counter = flow()
    week = sum(OFFICE.hours) / len(OFFICE.hours) / 1_000
    weeks = 4 * 7 * 86_400_000
    assert counter.octets(BEGIN_MS + weeks) == pytest.approx(week * GBIT / 4 / 8 * weeks / 1_000, rel=0.01)


def test_office_hours_are_busy_and_nights_and_sundays_quiet_in_vietnam() -> None:
    counter = flow()

    def rate(day: int, hour: int) -> float:
        local = datetime(2026, 11, day, hour, tzinfo=timezone(timedelta(hours=7)))
        at = round(local.astimezone(UTC).timestamp() * 1000)
        return (counter.octets(at + 1_800_000) - counter.octets(at)) * 8 / 1_800

    monday_morning, monday_night, sunday = rate(23, 9), rate(23, 2), rate(22, 9)
    assert monday_morning > 0.8 * GBIT / 4
    assert monday_night < 0.1 * GBIT / 4
    assert sunday < 0.3 * GBIT / 4


def test_five_minute_rates_differ_as_real_ones_do() -> None:
    counter = flow(STEADY)
    readings = [counter.octets(BEGIN_MS + 300_000 * step) for step in range(200)]
    rates = [(later - earlier) * 8 / 300 for earlier, later in pairwise(readings)]
    mean = sum(rates) / len(rates)
    spread = (sum((rate - mean) ** 2 for rate in rates) / len(rates)) ** 0.5 / mean
    assert 0.05 < spread < 0.5


@given(st.lists(st.tuples(st.integers(0, 3_600_000), st.integers(0, GBIT)), max_size=12))
def test_a_counter_goes_on_where_it_was_when_the_traffic_changes(changes: list[tuple[int, int]]) -> None:
    counter = flow()
    now = BEGIN_MS
    for step, peak in changes:
        now += step
        before = counter.octets(now)
        counter.run(peak, now)
        assert counter.octets(now) == before
        if not peak:
            assert counter.octets(now + MONTH_MS) == before


def test_two_ports_of_a_kind_do_not_move_alike() -> None:
    one, other = flow(STEADY, phase=1), flow(STEADY, phase=1_734)
    minutes = range(BEGIN_MS, BEGIN_MS + 3_600_000, 60_000)
    assert [one.octets(at + 60_000) - one.octets(at) for at in minutes] != [
        other.octets(at + 60_000) - other.octets(at) for at in minutes
    ]


def test_noise_stays_between_its_bounds_and_moves_slowly() -> None:
    rng = random.Random(3)
    for _ in range(2_000):
        at, phase = rng.randrange(10**13), rng.randrange(10**6)
        assert -1 <= noise(at, phase) <= 1
        assert abs(noise(at + 1_000, phase) - noise(at, phase)) < 0.01


def test_a_pattern_that_is_no_week_is_refused() -> None:
    with pytest.raises(ValueError, match="168 hours"):
        Pattern((1,) * 24)
    with pytest.raises(ValueError, match="per mille"):
        Pattern((1_001,) * 168)
