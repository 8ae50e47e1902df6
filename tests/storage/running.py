"""An InfluxStore at work for a test, and a way to wait for what its status says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from haidang.clock import Clock, ManualClock
from storage.influx.store import InfluxStore
from storage.metrics import InfluxSettings, StoreStatus

NOW = 1_700_000_000 * 10**9


@asynccontextmanager
async def working(settings: InfluxSettings, clock: Clock | None = None) -> AsyncIterator[InfluxStore]:
    store = InfluxStore(settings, clock or ManualClock(NOW))
    running = asyncio.create_task(store.run())
    try:
        yield store
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close(3)


async def until(store: InfluxStore, condition: Callable[[StoreStatus], bool]) -> StoreStatus:
    async with asyncio.timeout(20):
        while not condition(store.status()):  # noqa: ASYNC110 the store has no event to wait for
            await asyncio.sleep(0.001)
    return store.status()
