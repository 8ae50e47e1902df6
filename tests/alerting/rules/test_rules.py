"""Rules against a slow and obvious model, and what each of their numbers does."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.rules import Change, Rule, RuleEngine
from haidang.model import Point, Series

S = 10**9
UPS = Series("sensor", (("kind", "ups_load"), ("sensor", "load"), ("target", "ups-1")))
HOT = Rule("hot", "sensor", "value", above=80, clear=70, for_s=120, clear_for_s=60)


def run(rule: Rule, values: Sequence[float | None], every_s: int = 60) -> list[tuple[int, bool, int]]:
    """Give one value each interval, ``None`` for one that is missing; tell (when, firing, since), in seconds."""
    engine = RuleEngine()
    engine.use([rule])
    found: list[tuple[int, bool, int]] = []
    for place, value in enumerate(values):
        at = 1000 + place * every_s
        changes: list[Change] = []
        if value is not None:
            changes = engine.take([Point(UPS, at * S, {"value": value})])
        changes += engine.tick(at * S)
        found += [(at - 1000, one.firing, one.at_ns // S - 1000) for one in changes]
    return found


def test_it_fires_when_it_was_bad_for_long_enough_and_says_since_when() -> None:
    assert run(HOT, [50, 90, 90, 90, 90]) == [(180, True, 60)]


def test_one_good_value_in_between_begins_anew() -> None:
    assert run(HOT, [90, 90, 79, 90, 90]) == []


def test_between_clear_and_threshold_it_stays_what_it_is() -> None:
    assert run(HOT, [75] * 10) == []
    assert run(HOT, [90, 90, 90, 75, 75, 75, 75]) == [(120, True, 0)]
    assert run(HOT, [90, 90, 90, 75, 70, 70]) == [(120, True, 0), (300, False, 240)]


def test_a_value_that_is_not_good_enough_begins_the_way_back_anew() -> None:
    assert run(HOT, [90, 90, 90, 60, 75, 60, 60]) == [(120, True, 0), (360, False, 300)]


def test_below_is_the_other_way_round() -> None:
    low = Rule("low", "sensor", "value", below=20, clear=30)
    assert run(low, [25, 19, 25, 30]) == [(60, True, 60), (180, False, 180)]


def test_nothing_is_proven_across_a_gap() -> None:
    assert run(HOT, [90, None, None, None, None, None, None, 90, 90]) == []
    assert run(HOT, [90, 90, None, 90]) == [(180, True, 0)], "a poll that is missed is no gap"


def test_a_series_that_comes_hourly_has_no_gap_from_hour_to_hour() -> None:
    slow = Rule("slow", "sensor", "value", above=80, for_s=7200)
    assert run(slow, [90] * 6, every_s=3600) == [(10800, True, 3600)]


def test_what_comes_no_more_fires_once_and_clears_when_it_is_back() -> None:
    absent = Rule("gone", "sensor", "value", absent_s=180)
    assert run(absent, [1, None, None, None, None, 2, 3]) == [(180, True, 0), (300, False, 300)]


def test_a_series_that_never_came_is_not_missed() -> None:
    assert run(Rule("gone", "sensor", "value", absent_s=60), [None] * 10) == []


@pytest.mark.parametrize(
    ("where", "covered"),
    [
        ((), True), ((("target", "ups-1"),), True), ((("target", "ups-*"), ("kind", "ups_*")), True),
        ((("target", "ups"),), False), ((("site", "*"),), False), ((("target", "[u]ps-1"),), False),
    ],
)  # fmt: skip
def test_a_rule_is_about_the_series_whose_tags_fit(where: tuple[tuple[str, str], ...], covered: bool) -> None:
    assert Rule("r", "sensor", "value", where, above=1).covers(UPS) is covered
    assert not Rule("r", "disk", "value", where, above=1).covers(UPS)


def test_what_is_no_number_is_passed_over() -> None:
    engine = RuleEngine()
    engine.use([Rule("r", "sensor", "value", above=1)])
    for value in ("9", float("nan")):
        assert engine.take([Point(UPS, S, {"value": value})]) == []
    assert engine.take([Point(UPS, S, {"other": 9.0})]) == []
    [change] = engine.take([Point(UPS, S, {"value": True}), Point(UPS, 2 * S, {"value": 2})])
    assert change.value == 2


def test_a_rule_that_stays_forgets_nothing_when_others_change() -> None:
    engine = RuleEngine()
    engine.use([HOT])
    for at in (0, 60):
        engine.take([Point(UPS, (1000 + at) * S, {"value": 90})])
    engine.use([Rule("other", "sensor", "value", above=1000), HOT])
    [change] = engine.take([Point(UPS, 1120 * S, {"value": 90})])
    assert (change.rule, change.at_ns) == (HOT, 1000 * S)


def test_what_fired_before_the_restart_does_not_fire_again_and_can_clear() -> None:
    engine = RuleEngine(lambda rule, series: True)
    engine.use([HOT])
    assert engine.take([Point(UPS, at * S, {"value": 95}) for at in (60, 120, 180, 240)]) == []
    [change] = engine.take([Point(UPS, at * S, {"value": 10}) for at in (300, 360)])
    assert not change.firing


def model(rule: Rule, values: Sequence[float], every_s: int) -> list[tuple[int, bool]]:
    """Decide each moment from the whole history, as one would read the rule aloud."""
    found: list[tuple[int, bool]] = []
    firing, turned = False, -1
    for place in range(len(values)):
        test = rule.good if firing else rule.bad
        start = place
        while start - 1 > turned and test(values[start - 1]):
            start -= 1
        long_enough = (place - start) * every_s >= (rule.clear_for_s if firing else rule.for_s)
        if test(values[place]) and long_enough:
            firing, turned = not firing, place
            found.append((place * every_s, firing))
    return found


@given(
    values=st.lists(st.integers(0, 10), max_size=60), threshold=st.integers(1, 9), slack=st.integers(0, 5),
    bad_for=st.integers(0, 6), good_for=st.integers(0, 6), rising=st.booleans(),
)  # fmt: skip
def test_it_turns_exactly_when_the_model_does(
    values: list[int], threshold: int, slack: int, bad_for: int, good_for: int, rising: bool
) -> None:
    rule = Rule(
        "r", "sensor", "value", above=threshold if rising else None, below=None if rising else threshold,
        clear=threshold - slack if rising else threshold + slack, for_s=60 * bad_for, clear_for_s=60 * good_for,
    )  # fmt: skip
    assert [(at, firing) for at, firing, _ in run(rule, values)] == model(rule, values, 60)


def rise(engine: RuleEngine, every_s: int = 60, count: int = 4) -> int:
    """Let the rule fire; return the second of the last value."""
    for place in range(count):
        engine.take([Point(UPS, (1000 + place * every_s) * S, {"value": 90})])
    return 1000 + (count - 1) * every_s


def test_what_fires_is_given_up_when_its_field_disappears_from_the_samples_and_fires_anew_when_it_is_back() -> None:
    engine = RuleEngine()
    engine.use([HOT])
    last = rise(engine)
    found: list[Change] = []
    for at in range(last + 60, last + 1200, 60):
        engine.take([Point(UPS, at * S, {"another": 1})])
        found += engine.tick(at * S)
    [change] = found
    assert (change.firing, change.lost, change.value, change.at_ns) == (False, True, None, last * S)
    again = [
        change.firing
        for place in range(4)
        for change in engine.take([Point(UPS, (last + 1200 + 60 * place) * S, {"value": 90})])
    ]
    assert again == [True], "after it was bad for long enough again"


def test_a_few_values_that_are_missed_end_nothing() -> None:
    engine = RuleEngine()
    engine.use([HOT])
    last = rise(engine)
    assert [engine.tick((last + after) * S) for after in range(0, 900, 30)] == [[]] * 30


def test_how_long_is_too_long_goes_by_how_often_it_came() -> None:
    slow = Rule("slow", "sensor", "value", above=80)
    engine = RuleEngine()
    engine.use([slow])
    last = rise(engine, every_s=3600)
    assert engine.tick((last + 4 * 3600) * S) == []
    assert [one.lost for one in engine.tick((last + 5 * 3600) * S)] == [True]
    daily = RuleEngine()
    daily.use([slow])
    daily.take([Point(UPS, 1000 * S, {"value": 90})])
    assert daily.tick((1000 + 25 * 3600) * S) == [], "it came once: it may be measured once a day"
    assert [one.lost for one in daily.tick((1000 + 26 * 3600) * S)] == [True]


def test_while_its_target_fails_that_nothing_comes_proves_nothing() -> None:
    failing = True
    engine = RuleEngine(blind=lambda series: failing)
    engine.use([HOT])
    last = rise(engine)
    assert [engine.tick((last + after) * S) for after in range(0, 7200, 60)] == [[]] * 120
    failing = False
    assert [engine.tick((last + after) * S) for after in range(7200, 8100, 30)] == [[]] * 30, "polls are still to come"
    assert [one.lost for one in engine.tick((last + 7200 + 960) * S)] == [True]


@pytest.mark.parametrize("by_s", [86_400, -86_400])
def test_a_step_of_the_clock_is_neither_silence_nor_deafness(by_s: int) -> None:
    engine = RuleEngine()
    engine.use([HOT, Rule("gone", "sensor", "value", absent_s=600)])
    last = rise(engine)
    engine.clock_stepped(by_s * S)
    assert engine.tick((last + by_s + 60) * S) == []
    values = [Point(UPS, (last + by_s + after) * S, {"value": 10}) for after in (60, 120)]
    assert [(one.rule, one.firing, one.lost) for one in engine.take(values)] == [(HOT, False, False)]
