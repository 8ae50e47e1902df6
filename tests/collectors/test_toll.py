"""What each kind of probe costs is counted from the start and does not forget what is no longer watched."""

from __future__ import annotations

import asyncio

from collectors.toll import Tolls
from collectors.watches import TaskWatch
from haidang.model import CheckId
from probes.meter import Meter

MS = 1_000_000


def test_the_dearest_probe_comes_first_with_its_slots_and_its_lateness() -> None:
    spent = iter((0, 5 * MS, 5 * MS, 45 * MS))
    tolls = Tolls(Meter(lambda: next(spent)))
    for late_ms in (0, 4, 2):
        tolls.started("icmp", late_ms * MS)
    tolls.started("snmp", 30 * MS)
    tolls.meter.run("icmp", int)
    tolls.meter.run("snmp", int)
    first, second = tolls.told({"icmp": 3, "snmp": 1})
    assert (first.probe, first.cpu_s, first.worst_late_ms) == ("snmp", 0.04, 30.0)
    assert (second.probe, second.checks, second.slots, second.late_s, second.worst_late_ms, second.cpu_s) == (
        "icmp", 3, 3, 0.006, 4.0, 0.005,
    )  # fmt: skip


def test_the_worst_lateness_is_that_of_this_minute_and_the_one_before() -> None:
    tolls = Tolls(Meter())
    tolls.started("rtsp", 900 * MS)
    tolls.turn_over()
    tolls.started("rtsp", 3 * MS)
    assert tolls.told({"rtsp": 1})[0].worst_late_ms == 900.0
    tolls.turn_over()
    assert tolls.told({"rtsp": 1})[0].worst_late_ms == 3.0


def test_a_probe_that_is_no_longer_watched_keeps_what_it_has_cost() -> None:
    tolls = Tolls(Meter())
    tolls.started("http", 0)
    assert [(toll.probe, toll.checks, toll.slots) for toll in tolls.told({})] == [("http", 0, 1)]


async def test_a_slot_that_finds_the_probe_busy_is_left_out_and_counted() -> None:
    tolls = Tolls(Meter())
    watch = TaskWatch(CheckId("portal", "http"), lambda _observation, _points: None)
    watch.tolls = tolls
    answered = asyncio.Event()

    async def ask() -> None:
        await answered.wait()

    watch.begin(ask)
    await asyncio.sleep(0)
    watch.begin(ask)
    watch.begin(ask)
    assert tolls.skipped == 2
    assert tolls.told({"http": 1})[0].skipped == 2
    answered.set()
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
    watch.begin(ask)
    assert tolls.skipped == 2
    assert tolls.meter.spent_ns["http"] > 0
    watch.stop()
