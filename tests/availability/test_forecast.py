"""The forecast: its parts against what they estimate, and the whole against simulated years."""

from __future__ import annotations

import random
import statistics

import pytest

from availability.forecast import (
    DAY_S,
    Durations,
    Forecaster,
    Outage,
    Rate,
    Record,
    gamma_of,
    poisson,
)
from benchmarks.availability.forecast import Scored, brier, calibration_error, fleet, scores, skill

MONTH_S = 30 * DAY_S


def record(outages: list[Outage], targets: int = 10, days: float = 365, now_days: float = 365) -> Record:
    names = [f"t{number}" for number in range(targets)]
    return Record(now_days * DAY_S, outages, dict.fromkeys(names, days * DAY_S), {})


def every_month(target: str, lasting_s: float, group: str = "") -> list[Outage]:
    return [Outage(target, month * MONTH_S, month * MONTH_S + lasting_s, group) for month in range(12)]


def test_a_lost_budget_is_certain_and_one_that_outlasts_the_month_is_safe() -> None:
    forecaster = Forecaster(record(every_month("t0", 600)))
    assert forecaster.miss("t0", -1, 10 * DAY_S) == 1
    assert forecaster.miss("t0", 3600, 1800) == 0


def test_under_five_outages_or_three_months_nothing_is_foretold() -> None:
    assert not Forecaster(record(every_month("t0", 600)[:4])).knows_enough
    assert not Forecaster(record(every_month("t0", 600), days=80, now_days=365)).knows_enough
    assert Forecaster(record(every_month("t0", 600))).knows_enough
    assert not Forecaster(Record(0, (), {}, {})).knows_enough


def test_a_target_without_history_is_drawn_towards_its_class_and_a_bad_one_stands_out() -> None:
    outages = [one for number in range(3) for one in every_month(f"t{number}", 3000)]
    outages += [Outage("t0", 5 * DAY_S + day * DAY_S, 5 * DAY_S + day * DAY_S + 3000) for day in range(100)]
    forecaster = Forecaster(record(outages), seed=1)
    bad, middling, good = (forecaster.miss(name, 2592, 15 * DAY_S, draws=4000) for name in ("t0", "t1", "t9"))
    assert bad > 0.8 > middling > good > 0


def test_an_outage_that_runs_makes_the_miss_likelier_the_longer_it_lasts() -> None:
    outages = [Outage("t0", day * DAY_S, day * DAY_S + 60 * 1.08**day) for day in range(100)]
    forecaster = Forecaster(record(outages), seed=2)
    none, young, old = (forecaster.miss("t1", 1800, 2 * DAY_S, lasted_s) for lasted_s in (None, 60.0, 3000.0))
    assert none < young < old


def test_the_residual_life_is_that_of_what_lasted_as_long_and_beyond_the_record_it_grows() -> None:
    rng = random.Random(3)
    lived = Durations([60, 600, 6000])
    assert {lived.left(rng, 100) for _ in range(200)} == {500, 5900}
    beyond = [lived.left(rng, 10_000) for _ in range(4001)]
    assert statistics.median(beyond) == pytest.approx(10_000, rel=0.1), "half of them double what they have lasted"


def test_a_common_cause_strikes_all_its_members_and_nobody_elses_rate() -> None:
    outages = [one for number in range(5) for one in every_month(f"t{number}", 3600, "carrier")]
    names = [f"t{number}" for number in range(10)]
    struck = Record(365 * DAY_S, outages, dict.fromkeys(names, 365 * DAY_S), {"carrier": frozenset(names[:6])})
    forecaster = Forecaster(struck, seed=4)
    assert forecaster.miss("t5", 2592, MONTH_S) > 0.3, "a member that every event has spared is still one"
    assert forecaster.miss("t9", 2592, MONTH_S) < 0.1


def test_the_gamma_of_a_class_is_found_again() -> None:
    rng = random.Random(5)
    truth = Rate(2.0, 2.0 / (3 / MONTH_S))  # three a month, spread widely
    exposure = {str(number): 720 * DAY_S for number in range(800)}
    counts = {name: poisson(rng, truth.draw(rng) * span) for name, span in exposure.items()}
    found = gamma_of(counts, exposure)
    assert found.shape == pytest.approx(truth.shape, rel=0.15)
    assert found.shape / found.exposure_s == pytest.approx(3 / MONTH_S, rel=0.1)


def test_targets_that_differ_by_chance_alone_are_taken_for_equals() -> None:
    rng = random.Random(6)
    exposure = {str(number): 360 * DAY_S for number in range(200)}
    found = gamma_of({name: poisson(rng, 5.0) for name in exposure}, exposure)
    assert found.shape > 20


@pytest.mark.parametrize("mean", [0.0, 0.3, 4.0, 1300.0])
def test_the_number_of_events_has_the_mean_and_variance_of_a_poisson_process(mean: float) -> None:
    rng = random.Random(7)
    drawn = [poisson(rng, mean) for _ in range(3000)]
    error = 5 * (max(mean, 0.01) / len(drawn)) ** 0.5
    assert statistics.fmean(drawn) == pytest.approx(mean, abs=error)
    assert statistics.pvariance(drawn) == pytest.approx(mean, rel=0.15, abs=0.01)


def test_the_scores_know_a_perfect_forecast_and_a_useless_one() -> None:
    perfect = [Scored(1, float(missed), 0.5, 0.0, missed) for missed in (True, False)]
    assert (brier([(1.0, True)]), skill(perfect), calibration_error(perfect)) == (0, 1, 0)
    boastful = [Scored(1, 0.9, 0.5, 0.0, missed) for missed in (True, False)]
    assert calibration_error(boastful) == pytest.approx(0.4)
    assert skill(boastful) < 0


@pytest.mark.slow
def test_on_simulated_years_it_is_calibrated_and_better_than_climatology_where_extrapolation_is_worse() -> None:
    found = [one for seed in (11, 12) for one in scores(fleet(200).live(600, seed), 20, draws=300)]
    assert calibration_error(found) <= 0.02
    assert skill(found) > 0
    assert skill(found, linear=True) < 0
    for day in (1, 5, 10, 15, 20, 25):
        assert skill([one for one in found if one.day == day]) > 0, day


def test_on_a_small_fleet_the_forecast_beats_climatology_and_extrapolation() -> None:
    found = list(scores(fleet(40).live(300, 3), 10, draws=150))
    assert skill(found) > 0 > skill(found, linear=True)
