"""What is worse than well without being down: loss, delay, a way that is lost; and back again."""

from __future__ import annotations

import random

import pytest

from availability.delay import BLOCK, LEARNT, DelayTest
from availability.dependencies import judge
from availability.health import HealthEngine
from availability.loss import LossTest
from availability.rule import Rule
from haidang.model import CheckId, Observation, Sample, State, Status, Transition

S = 1_000_000_000
START = 1_700_000_000 * S
SITE, LEFT, RIGHT = CheckId("site", "icmp"), CheckId("left", "icmp"), CheckId("right", "icmp")


class Bench:
    """A site with two ways to it, pinged five times in ten seconds."""

    def __init__(self, rule: Rule | None = None) -> None:
        self.engine = HealthEngine(judge, lambda _check, _fast: None)
        for check in (LEFT, RIGHT, SITE):
            self.engine.watch(check, rule or Rule())
        self.engine.connect({SITE: (LEFT, RIGHT)})
        self.transitions: list[Transition] = []
        self.second = 0

    def burst(self, check: CheckId = SITE, lost: tuple[int, ...] = (), rtt_ms: float = 5.0) -> None:
        """Let ten seconds pass with one burst."""
        samples = tuple(Sample(START + (self.second + 2 * n) * S, n not in lost) for n in range(5))
        self.second += 10
        status = Status.UP if len(lost) < 5 else Status.DOWN
        seen = Observation(
            check.target, check.probe, samples[0].at_ns, status, "", {"rtt_median_ms": rtt_ms}, 1, samples
        )
        self.transitions += self.engine.observe(seen, START + self.second * S)

    def story(self, check: CheckId = SITE) -> list[State]:
        return [one.state for one in self.transitions if one.check == check]


@pytest.mark.parametrize(("loss", "seconds"), [(0.1, 600), (0.2, 300), (0.5, 150)])
def test_heavy_loss_is_noticed_the_sooner_the_heavier_it_is(loss: float, seconds: int) -> None:
    slow = 0
    for seed in range(20):
        rng, test, at = random.Random(seed), LossTest(), 0
        while not test.lossy and at < 3600 * S:
            at += 2 * S
            test.take(START + at, ok=rng.random() >= loss, percent=5)
        slow += at > seconds * S
    assert slow <= 1


def test_usual_loss_of_one_percent_is_not_too_much_for_a_week_neither_singly_nor_in_bursts() -> None:
    rng = random.Random(4)
    for burst in (1, 3):
        test, left = LossTest(), 0
        for number in range(7 * 43_200):
            if left == 0 and rng.random() < 0.01 / burst:
                left = burst
            test.take(START + number * 2 * S, ok=left == 0, percent=5)
            left = max(0, left - 1)
            assert not test.lossy


def test_a_suspect_that_is_probed_fast_does_not_look_lossier_for_it() -> None:
    fast, usual = LossTest(), LossTest()
    rng = random.Random(5)
    for second in range(3600):
        ok = rng.random() >= 0.02
        fast.take(START + second * S, ok=ok, percent=5)
        if second % 2 == 0:
            usual.take(START + second * S, ok=ok, percent=5)
    assert fast.lossy == usual.lossy
    assert fast.percent == usual.percent


def test_a_lossy_line_is_degraded_from_where_the_loss_began_and_well_again_after_it() -> None:
    bench = Bench()
    for _ in range(30):
        bench.burst()
    for _ in range(30):
        bench.burst(lost=(1, 3))
    for _ in range(60):
        bench.burst()
    assert bench.story() == [State.UP, State.DEGRADED, State.UP]
    degraded, well = bench.transitions[1:]
    assert abs(degraded.at_ns - START - 300 * S) <= 10 * S
    assert degraded.reason.startswith("it loses ")
    assert abs(well.at_ns - START - 600 * S) <= 20 * S


def test_a_slow_line_is_degraded_against_a_configured_limit_and_single_slow_bursts_are_not() -> None:
    bench = Bench(Rule(delay_ms=50))
    for number in range(60):
        bench.burst(rtt_ms=200 if number % 6 == 0 else 5)
    assert bench.story() == [State.UP]
    for _ in range(12):
        bench.burst(rtt_ms=80)
    assert bench.story() == [State.UP, State.DEGRADED]
    assert "the limit is 50 ms" in bench.transitions[-1].reason
    for _ in range(30):
        bench.burst(rtt_ms=45)  # below the limit, but not by much
    assert bench.story() == [State.UP, State.DEGRADED]
    for _ in range(12):
        bench.burst(rtt_ms=5)
    assert bench.story() == [State.UP, State.DEGRADED, State.UP]


def test_what_is_slow_is_learnt_from_the_line_itself() -> None:
    test = DelayTest()
    for number in range(BLOCK * LEARNT + 12):
        test.take(START + number * 10 * S, 40.0 + number % 7, None)
    assert test.usual_ms is not None
    assert not test.slow
    for number in range(12):
        test.take(START + (5000 + number * 10) * S, 150.0, None)
    assert test.slow
    assert test.since_ns == START + 5000 * S


def test_before_an_hour_has_been_seen_nothing_is_called_slow() -> None:
    test = DelayTest()
    for number in range(BLOCK * LEARNT - 1):
        test.take(START + number * 10 * S, 10.0 if number < 100 else 900.0, None)
    assert not test.slow


def test_one_of_two_ways_lost_is_degraded_and_says_which() -> None:
    bench = Bench()
    for check in (LEFT, RIGHT, SITE):
        bench.burst(check)
    for _ in range(8):
        bench.burst(LEFT, lost=(0, 1, 2, 3, 4))
        bench.burst(RIGHT)
        bench.burst()
    assert bench.story() == [State.UP, State.DEGRADED]
    degraded = [one for one in bench.transitions if one.check == SITE][-1]
    assert (degraded.reason, degraded.cause) == ("1 of 2 ways to it lost: left", LEFT)
    back = START + bench.second * S
    for _ in range(8):
        bench.burst(LEFT)
        bench.burst(RIGHT)
        bench.burst()
    assert bench.story() == [State.UP, State.DEGRADED, State.UP]
    assert [one for one in bench.transitions if one.check == SITE][-1].at_ns == back


def test_a_second_trouble_changes_the_reason_and_not_the_state() -> None:
    bench = Bench(Rule(delay_ms=50))
    for check in (LEFT, RIGHT, SITE):
        bench.burst(check)
    for _ in range(40):
        bench.burst(lost=(1, 3))
    for _ in range(20):
        bench.burst(lost=(1, 3), rtt_ms=90)
    assert bench.story() == [State.UP, State.DEGRADED, State.DEGRADED]
    assert "it loses" in bench.transitions[-1].reason
    assert "answers take 90 ms" in bench.transitions[-1].reason


@pytest.mark.parametrize("step_s", [7200, -7200, -1_700_000_000])
def test_a_step_of_the_clock_neither_ends_nor_begins_anything(step_s: int) -> None:
    bench = Bench()
    for _ in range(30):
        bench.burst()
    for _ in range(30):
        bench.burst(lost=(1, 3))
    before = list(bench.transitions)
    bench.engine.shift(step_s * S)
    bench.second += step_s
    for _ in range(5):
        bench.burst(lost=(1, 3))
    assert bench.transitions == before
    for _ in range(60):
        bench.burst()
    assert bench.story() == [State.UP, State.DEGRADED, State.UP]
    assert bench.transitions[-1].at_ns <= bench.transitions[-1].confirmed_ns
