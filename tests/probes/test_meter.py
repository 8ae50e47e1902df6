"""Processor time is charged to the work that used it, and to nothing else."""

from __future__ import annotations

import asyncio

import pytest

from probes.meter import Meter


class Hands:
    """A processor whose time passes only where the test works."""

    def __init__(self) -> None:
        self.spent_ns = 0

    def work(self, nanoseconds: int) -> int:
        self.spent_ns += nanoseconds
        return nanoseconds


def bench() -> tuple[Hands, Meter]:
    hands = Hands()
    return hands, Meter(lambda: hands.spent_ns)


def test_work_is_charged_to_its_kind_and_gives_what_it_returns() -> None:
    hands, meter = bench()
    hands.work(7)
    assert meter.run("icmp", hands.work, 20) == 20
    hands.work(9)
    meter.run("icmp", hands.work, 1)
    assert meter.spent_ns == {"icmp": 21}


def test_work_within_other_work_is_charged_once() -> None:
    hands, meter = bench()

    def outer() -> None:
        hands.work(10)
        meter.run("http", hands.work, 100)
        hands.work(5)

    meter.run("icmp", outer)
    assert meter.spent_ns == {"icmp": 15, "http": 100}


def test_work_that_fails_is_charged_and_its_error_goes_on() -> None:
    hands, meter = bench()

    def fail() -> None:
        hands.work(3)
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        meter.run("dns", fail)
    meter.run("ntp", hands.work, 2)
    assert meter.spent_ns == {"dns": 3, "ntp": 2}


async def test_of_two_coroutines_that_take_turns_each_pays_for_its_own_steps() -> None:
    hands, meter = bench()

    async def probe(cost: int, steps: int) -> int:
        for _ in range(steps):
            hands.work(cost)
            await asyncio.sleep(0)
        return cost

    tasks = [asyncio.create_task(meter.steps(kind, probe(cost, 3))) for kind, cost in (("rtsp", 5), ("sip", 70))]
    assert await asyncio.gather(*tasks) == [5, 70]
    assert meter.spent_ns == {"rtsp": 15, "sip": 210}


async def test_a_metered_coroutine_can_be_awaited_by_another() -> None:
    hands, meter = bench()

    async def inner() -> str:
        hands.work(4)
        await asyncio.sleep(0)
        hands.work(4)
        return "answer"

    async def outer() -> str:
        hands.work(1)
        return await meter.steps("snmp", inner())

    assert await meter.steps("quality", outer()) == "answer"
    assert meter.spent_ns == {"quality": 1, "snmp": 8}


async def test_a_cancelled_probe_cleans_up_at_its_own_cost() -> None:
    hands, meter = bench()

    async def probe() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            hands.work(6)

    task = asyncio.create_task(meter.steps("http", probe()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert meter.spent_ns == {"http": 6}
