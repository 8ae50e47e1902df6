"""The canary: a point written each minute and read back from the store, the only proof that metrics really arrive."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from haidang.clock import Clock
from haidang.model import Point, Series
from storage.metrics_model import CANARY, SECOND_NS, MetricStore, Query, StoreError

_SERIES = Series(CANARY, (("writer", "haidang"),))
_PAUSE_S = 2.0


class Canary:
    """Keeps writing canaries and looking for them.

    Parameters:
        every_s: pause between two canaries, seconds.
        last_ns: time of the newest one read back by an earlier run.
    """

    def __init__(self, store: MetricStore, clock: Clock, every_s: float, last_ns: int | None = None) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self.last_ns = last_ns

    async def run(self) -> None:
        """Write and look until cancelled. A store that cannot be read leaves `last_ns` where it was."""
        while True:
            sent_ns = self._clock.utc_ns() // 1_000_000 * 1_000_000  # VictoriaMetrics keeps milliseconds
            self._store.add([Point(_SERIES, sent_ns, {"alive": 1})])
            with suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await self._look(sent_ns)
                    await asyncio.sleep(self._every_s)

    async def _look(self, sent_ns: int) -> None:
        pause_s = min(_PAUSE_S, self._every_s / 10)
        while True:
            await asyncio.sleep(pause_s)
            with suppress(StoreError):
                query = Query(CANARY, sent_ns, sent_ns + SECOND_NS, ("alive",), dict(_SERIES.tags))
                found = await self._store.read(query)
                if any(curve.times_ns for curve in found):
                    self.last_ns = sent_ns
                    return
