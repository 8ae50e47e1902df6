"""The wheel: every job in its slot, on the monotonic clock, whatever the wall clock does."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.cadence import Cadence
from haidang.clock import ManualClock, SystemClock

S = 1_000_000_000


class Wheel:
    """A cadence with a hand on the time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.zero = self.clock.monotonic_ns()
        self.cadence = Cadence(self.clock)
        self.runs: dict[str, list[float]] = {}

    def add(self, name: str, period: float) -> None:
        self.cadence.add(name, period, lambda _slot: self.runs.setdefault(name, []).append(self.second))

    @property
    def second(self) -> float:
        return (self.clock.monotonic_ns() - self.zero) / S

    def run_until(self, second: float) -> None:
        while True:
            wait = self.cadence.turn()
            left = second - self.second
            if wait is None or wait > left:
                self.clock.advance(max(0, left))
                return
            self.clock.advance(wait)


def gaps(runs: list[float]) -> list[float]:
    return [round(b - a, 3) for a, b in itertools.pairwise(runs)]


async def test_a_job_runs_once_a_period_and_first_within_seconds() -> None:
    wheel = Wheel()
    wheel.add("a", 60)
    wheel.run_until(600)
    runs = wheel.runs["a"]
    assert runs[0] <= 5
    assert 30 <= gaps(runs)[0] <= 90
    assert set(gaps(runs)[1:]) == {60.0}


async def test_a_thousand_jobs_are_spread_over_the_period() -> None:
    wheel = Wheel()
    for number in range(1000):
        wheel.add(f"target-{number}", 10)
    wheel.run_until(30)
    by_second: dict[int, int] = {}
    for runs in wheel.runs.values():
        for at in runs:
            if 20 <= at < 30:
                by_second[int(at)] = by_second.get(int(at), 0) + 1
    assert sum(by_second.values()) == 1000
    assert all(60 <= count <= 140 for count in by_second.values())


async def test_a_step_of_the_wall_clock_neither_stops_nor_bursts_the_jobs() -> None:
    wheel = Wheel()
    wheel.add("a", 10)
    wheel.run_until(100)
    before = len(wheel.runs["a"])
    wheel.clock.step(7200)
    wheel.run_until(200)
    wheel.clock.step(-14400)
    wheel.run_until(300)
    assert len(wheel.runs["a"]) == before + 20


async def test_slots_missed_in_a_stall_are_skipped_and_counted_not_made_up_for() -> None:
    wheel = Wheel()
    wheel.add("a", 10)
    wheel.run_until(50)
    wheel.cadence.take_lag()
    done = len(wheel.runs["a"])
    wheel.clock.advance(100)
    wheel.cadence.turn()
    assert len(wheel.runs["a"]) == done + 1
    lag = wheel.cadence.take_lag()
    assert lag.skipped in (9, 10)
    assert lag.worst_ns > 90 * S


async def test_a_hurried_job_runs_at_once_and_fast_and_then_keeps_its_own_phase_again() -> None:
    wheel = Wheel()
    wheel.add("a", 60)
    wheel.run_until(100)
    steady = wheel.runs["a"][-1] % 60
    wheel.cadence.hurry("a", 1)
    wheel.run_until(110)
    hurried = [at for at in wheel.runs["a"] if at >= 100]
    assert hurried[0] == 100
    assert set(gaps(hurried)) == {1.0}
    wheel.cadence.hurry("a", None)
    wheel.run_until(400)
    after = [at for at in wheel.runs["a"] if at > 110.5]
    assert {round(at % 60, 3) for at in after} == {round(steady, 3)}
    assert 0 < after[0] - hurried[-1] <= 60


@given(st.lists(st.tuples(st.floats(0.1, 30), st.booleans()), max_size=30))
@settings(max_examples=60, deadline=None)
def test_however_a_job_is_hurried_it_never_rests_longer_than_its_period(turns: list[tuple[float, bool]]) -> None:
    async def live() -> None:
        wheel = Wheel()
        wheel.add("a", 10)
        wheel.run_until(30)
        for wait, fast in turns:
            wheel.cadence.hurry("a", 1 if fast else None)
            wheel.run_until(wheel.second + wait)
        wheel.cadence.hurry("a", None)
        wheel.run_until(wheel.second + 20)
        runs = [*wheel.runs["a"], wheel.second]
        assert max(gaps([at for at in runs if at >= 20])) <= 10.02

    asyncio.run(live())


async def test_a_removed_job_runs_no_more_and_a_changed_cadence_counts_from_now() -> None:
    wheel = Wheel()
    wheel.add("a", 10)
    wheel.add("b", 10)
    wheel.run_until(30)
    wheel.cadence.remove("a")
    wheel.add("b", 20)
    wheel.run_until(130)
    assert max(wheel.runs["a"]) <= 30
    assert gaps([at for at in wheel.runs["b"] if at > 60]) == [20.0] * (len([a for a in wheel.runs["b"] if a > 60]) - 1)
    assert len(wheel.cadence) == 1


async def test_a_job_that_fails_does_not_stop_the_others() -> None:
    wheel = Wheel()

    def broken(slot: int) -> None:
        raise RuntimeError(slot)

    wheel.cadence.add("broken", 10, broken)
    wheel.add("a", 10)
    wheel.run_until(100)
    assert len(wheel.runs["a"]) >= 9


async def test_the_slot_is_named_by_the_time_it_was_due() -> None:
    clock = ManualClock()
    cadence = Cadence(clock)
    slots: list[int] = []
    cadence.add("a", 10, slots.append)
    wait = cadence.turn()
    assert wait is not None
    due = clock.utc_ns() + round(wait * S)
    clock.advance(wait + 3)
    cadence.turn()
    assert abs(slots[0] - due) <= 10_000_000


async def test_the_loop_wakes_for_a_job_added_while_it_sleeps() -> None:
    cadence = Cadence(SystemClock())
    ran = asyncio.Event()
    turning = asyncio.create_task(cadence.run())
    await asyncio.sleep(0)
    cadence.add("a", 0.02, lambda _slot: ran.set())
    await asyncio.wait_for(ran.wait(), 5)
    turning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await turning


@settings(max_examples=50)
@given(st.lists(st.floats(0.1, 120), min_size=1, max_size=20), st.floats(1, 300))
def test_over_any_time_each_job_runs_as_often_as_its_period_fits(periods: list[float], length: float) -> None:
    async def main() -> None:
        wheel = Wheel()
        for number, period in enumerate(periods):
            wheel.add(str(number), period)
        wheel.run_until(length)
        for number, period in enumerate(periods):
            expected = length / (max(1, round(period * 100)) / 100)  # cadences lie on a grid of 10 ms
            assert expected - 2 <= len(wheel.runs.get(str(number), [])) <= expected + 2

    asyncio.run(main())
