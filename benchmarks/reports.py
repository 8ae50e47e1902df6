"""What a month's report costs: the lab's province with thirteen simulated months of outages and storms in its ledger.

The province at one, three and ten times the default size; for each a process of its own that loads the configuration,
works the report out (the forecast of the next month included) and writes PDF, XLSX and HTML. Wall time of each step,
and the largest resident memory of that process. With --measured the embedded store has what the devices said in that
month, an hour apart as its summaries are, and reading it for the annexes is a step, too.

usage: benchmarks/reports.py [--scale S …] [--measured] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

sys.path.insert(0, str(Path(__file__).parents[1]))

from availability.periods import month_named
from config import Configuration, load
from haidang import reporting
from haidang.clock import ManualClock
from haidang.settings import store_settings
from lab.province import Shape
from reports.archive import rendered
from reports.equipment import Equipment
from storage.database import open_reader
from storage.metrics import open_store
from tests.reports import examples
from tests.reports.province import configure, write

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONTH, FIRST = "2026-11", "2025-10"
SECOND_NS = 10**9


def prepare(scale: float, folder: Path, *, measured: bool) -> None:
    plain = Shape()
    names = ("districts", "communes", "rooms", "cameras", "devices", "services")
    shape = Shape(**{name: round(getattr(plain, name) * scale) for name in names})
    configuration = configure(folder, shape)
    end_ns = month_named(MONTH, ZONE).end_ns
    write(configuration, month_named(FIRST, ZONE).start_ns // SECOND_NS, end_ns // SECOND_NS + 3600)
    if measured:
        asyncio.run(fill(configuration))


async def fill(configuration: Configuration) -> None:
    """Write a month into the store, tidied as the days pass."""
    period = month_named(MONTH, ZONE)
    clock = ManualClock(period.start_ns)
    store = open_store(store_settings(configuration), clock)
    for hour, said in enumerate(examples.points(configuration, period)):
        store.add(said)
        await store.flush()  # type: ignore[attr-defined]
        clock.advance(3600)
        if hour % 24 == 23:
            await store.tidy()
    await store.close(10)


async def read(configuration: Configuration) -> Equipment:
    store = open_store(store_settings(configuration), ManualClock(month_named(MONTH, ZONE).end_ns))
    try:
        return await examples.measured(configuration, store, month_named(MONTH, ZONE))
    finally:
        await store.close(1)


def measure(folder: Path) -> dict[str, Any]:
    took: dict[str, float] = {}

    def step(name: str, began: float) -> float:
        took[name] = round(time.perf_counter() - began, 2)
        return time.perf_counter()

    at = time.perf_counter()
    configuration = load(folder / "haidang.yaml")
    at = step("load", at)
    had = Equipment()
    if (configuration.data_dir / "metrics.db").exists():
        had = asyncio.run(read(configuration))
        at = step("measurements", at)
    now_ns = month_named(MONTH, ZONE).end_ns + 3600 * SECOND_NS
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        (intervals,) = sql.execute("SELECT count(*) FROM interval").fetchone()
        report = reporting.make(configuration, sql, MONTH, now_ns, now_ns, equipment=had)
    at = step("figures", at)
    sizes = {}
    for form in ("pdf", "xlsx", "html"):
        [text] = rendered(report, [form], ["vi"]).values()
        sizes[form] = len(text)
        at = step(form, at)
    return {
        "targets": len(report.targets), "sites": len(report.sites), "lines": len(report.circuits),
        "intervals": intervals, "incidents": len(report.incidents), "readings": len(report.readings), "seconds": took,
        "total_s": round(sum(took.values()), 2), "cpu_s": round(time.process_time(), 2), "bytes": sizes,
        "rss_max_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, nargs="*", default=[1, 3, 10])
    parser.add_argument("--measured", action="store_true", help="with a month in the metric store")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(measure(asked.measure)))
        return
    for scale in asked.scale:
        with tempfile.TemporaryDirectory() as folder:
            prepare(scale, Path(folder), measured=asked.measured)
            done = subprocess.run(
                [sys.executable, "-P", __file__, "--measure", folder], check=True, capture_output=True, text=True
            )
        found = {"scale": scale, **json.loads(done.stdout.splitlines()[-1])}
        print(
            json.dumps(found) if asked.json else "\n".join(f"{name}: {value}" for name, value in found.items()) + "\n"
        )


if __name__ == "__main__":
    main()
