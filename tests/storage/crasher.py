"""A child process that stores points and says which are acknowledged, until it is killed.

Arguments: ``embedded`` or ``spool``, the file, the first number, the url. Prints the last acknowledged number, line by
line.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from haidang.clock import ManualClock
from haidang.model import Point, Series
from storage.embedded.store import EmbeddedStore
from storage.influx.store import InfluxStore
from storage.metrics import EmbeddedSettings, InfluxSettings

START_NS = 1_700_006_400 * 10**9
MINUTE_NS = 60 * 10**9
A, B = Series("c", (("host", "a"),)), Series("c", (("host", "b"),))


def at(number: int) -> int:
    """Time of a point: minute by minute, each seventh an hour and a half late."""
    return START_NS + number * MINUTE_NS + (number % 7 == 0) * (7 - 90 * MINUTE_NS)


async def main(kind: str, path: Path, number: int, url: str) -> None:
    clock = ManualClock(START_NS)
    store: EmbeddedStore | InfluxStore
    if kind == "embedded":
        store = EmbeddedStore(EmbeddedSettings(path, raw_days=365), clock)
    else:
        store = InfluxStore(InfluxSettings(path, url, flush_s=0.001, retry_s=0.01, canary_s=3600), clock)
    work = [asyncio.create_task(store.run())] if kind == "spool" else []
    while True:
        store.add([Point(one, at(number + i), {"n": number + i}) for i in range(5) for one in (A, B)])
        number += 5
        while not await store.flush() or store.status().buffered:
            pass
        print(number, flush=True)  # noqa: T201 the parent reads it
        if isinstance(store, EmbeddedStore):
            work = [task for task in work if not task.done()]
            if not work:
                work.append(asyncio.create_task(store.compact(START_NS + number * MINUTE_NS)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
