"""The annexes out of real metric stores, written as the daemon writes and read as the command reads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from availability.periods import month_named
from config import Configuration, load
from haidang.clock import ManualClock
from haidang.commands.month import fresh_report
from haidang.settings import store_settings
from lab.province import Shape
from reports.model import Report
from storage.metrics import InMemoryStore, MetricStore, open_store
from storage.metrics_model import StoreStatus
from tests.reports import examples
from tests.reports.ledgers import HANOI, S
from tests.reports.province import configure, write
from tests.support.stores import influxdb

MONTH = "2026-10"
PERIOD = month_named(MONTH, HANOI)
TINY = Shape(districts=1, communes=2, rooms=1, cameras=1, devices=8, services=5)
PARTS = ("loads", "readings", "certificates", "rooms", "connections")
EVERY = 6  # hours


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["embedded", "influxdb"])
def test_a_month_in_a_real_store_gives_the_annexes_that_one_in_memory_gives(tmp_path: Path, kind: str) -> None:
    with ExitStack() as stack:
        configuration = configure(tmp_path, TINY, examples.EXTRA)
        if kind == "influxdb":
            server = stack.enter_context(influxdb(tmp_path / "server"))
            main = tmp_path / "haidang.yaml"
            storage = f"storage: {{kind: influxdb, influxdb: {{url: {server.url!r}}}}}\n"
            main.write_text(main.read_text("utf-8") + storage, "utf-8")
            configuration = load(main)
        write(configuration, PERIOD.start_ns // S, PERIOD.end_ns // S + 3600)
        asyncio.run(lived_through(configuration))
        found = fresh_report(configuration, MONTH, "", "", quiet=True)
    expected = in_memory(configuration)
    assert found.readings
    assert found.certificates
    assert found.loads
    assert [row.quality.mos for row in found.rooms].count(None) == 0 < len(found.rooms)
    assert any(row.quality.loss_percent for row in found.connections)
    for part in PARTS:
        assert getattr(found, part) == getattr(expected, part), part


async def lived_through(configuration: Configuration) -> None:
    """Write a month into the configured store as the daemon does: point by point, tidied as the days pass."""
    clock = ManualClock(PERIOD.start_ns)
    store = open_store(store_settings(configuration), clock)
    running = asyncio.create_task(store.run())
    for number, said in enumerate(examples.points(configuration, PERIOD, EVERY)):
        store.add(said)
        clock.advance(3600 * EVERY)
        if number % 4 == 3:
            await until(store, lambda status: status.buffered == status.spooled == 0)
            await store.tidy()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close(5)


async def until(store: MetricStore, condition: Callable[[StoreStatus], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition(store.status()):  # noqa: ASYNC110 the store has no event to wait for
            await asyncio.sleep(0.01)


def in_memory(configuration: Configuration) -> Report:
    store = InMemoryStore()
    for said in examples.points(configuration, PERIOD, EVERY):
        store.add(said)
    return examples.made(configuration, MONTH, asyncio.run(examples.measured(configuration, store, PERIOD)))
