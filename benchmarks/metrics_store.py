"""The metric stores measured: embedded writing, packing, size and reading; lines beside `influxdb_client.Point`.

Run: python benchmarks/metrics_store.py [--series 3000] [--minutes 1440] [--runs 5] [--json]
Time in the data is injected; CPU time of the process is the figure (the machine's other work does not count).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import resource
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import structlog
from influxdb_client.client.write.point import Point as ClientPoint

from haidang.clock import ManualClock
from haidang.model import Point, Series
from storage.embedded.store import EmbeddedStore
from storage.influx.lines import LineBuilder
from storage.metrics import EmbeddedSettings, Query

_START_NS = 1_700_006_400 * 10**9 // (86_400 * 10**9) * 86_400 * 10**9
_FIELDS = 10


def province(count: int) -> list[Series]:
    return [
        Series("ping", (("host", f"router-{i:05}"), ("site", f"commune-{i % 209}"), ("system", "datanet")))
        for i in range(count)
    ]


def minutes(every: list[Series], count: int) -> Iterator[list[Point]]:
    """Bursts of five echoes as the ICMP engine measures them: microseconds of a wandering base and a tail."""
    chance = random.Random(1)
    base = [chance.uniform(1, 40) for _ in every]
    for minute in range(count):
        points = []
        for index, series in enumerate(every):
            base[index] = max(0.2, base[index] + chance.gauss(0, 0.02))
            rtt = sorted(round(base[index] + chance.expovariate(5), 3) for _ in range(5))
            received = 5 if chance.random() > 0.01 else 4
            points.append(
                Point(
                    series, _START_NS + minute * 60_000_000_000,
                    {
                        "packets_transmitted": 5, "packets_received": received,
                        "percent_packet_loss": 100.0 * (5 - received) / 5, "minimum_response_ms": rtt[0],
                        "average_response_ms": round(sum(rtt) / 5, 3), "percentile50_ms": rtt[2],
                        "percentile95_ms": rtt[4], "maximum_response_ms": rtt[4],
                        "jitter_ms": round(rtt[4] - rtt[0], 3),
                        "result_code": 0,
                    },
                )
            )  # fmt: skip
        yield points


async def embedded(folder: Path, series: int, count: int, runs: int) -> dict[str, float]:
    """A day of a province: one batch a minute, packed as the hours go by."""
    clock = ManualClock(_START_NS)
    store = EmbeddedStore(EmbeddedSettings(folder / "metrics.db", max_buffered=1_000_000), clock)
    every = province(series)
    adding = writing = packing = 0.0
    for minute, points in enumerate(minutes(every, count)):
        before = time.process_time()
        store.add(points)
        adding += time.process_time() - before
        while store.status().buffered:
            await store.flush()
        written = time.process_time()
        writing += written - before
        clock.advance(60)
        if minute % 60 == 5:
            await store.compact(clock.utc_ns())
            packing += time.process_time() - written
    before = time.process_time()
    clock.advance(3600)
    await store.compact(clock.utc_ns())
    packing += time.process_time() - before
    samples = series * count * _FIELDS
    hot_field = await reads(store, every, count, ("average_response_ms",), runs)
    hot_all = await reads(store, every, count, (), runs)
    with closing(sqlite3.connect(folder / "metrics.db")) as file:
        (raw,) = file.execute("SELECT sum(length(body)) FROM chunk").fetchone()
    before = time.process_time()
    clock.advance(2 * 86_400)
    await store.compact(clock.utc_ns())
    rolling = time.process_time() - before
    with closing(sqlite3.connect(folder / "metrics.db")) as file:
        five, hourly = file.execute("SELECT sum(length(five)), sum(length(hourly)) FROM day").fetchone()
    await store.close(10)
    return {
        "samples": samples,
        "samples_per_cpu_second_written": samples / writing,
        "samples_per_cpu_second_written_packed_and_rolled": samples / (writing + packing + rolling),
        "add_us_per_point": adding / series / count * 1e6,
        "bytes_per_sample_raw": raw / samples,
        "bytes_per_sample_five_minutes": (five or 0) / samples,
        "bytes_per_sample_hourly": (hourly or 0) / samples,
        "bytes_per_sample_file": (folder / "metrics.db").stat().st_size / samples,
        "read_day_one_field_ms": hot_field,
        "read_day_all_fields_ms": hot_all,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


async def reads(store: EmbeddedStore, every: list[Series], count: int, fields: tuple[str, ...], runs: int) -> float:
    """Median milliseconds (wall) for one series' 24 hours, another series each time."""
    took = []
    for run in range(runs):
        one = every[run * 37 % len(every)]
        query = Query("ping", _START_NS, _START_NS + 86_400 * 10**9, fields, dict(one.tags))
        before = time.perf_counter()
        found = await store.read(query)
        took.append(1000 * (time.perf_counter() - before))
        if [len(curve.times_ns) for curve in found] != [count] * (len(fields) or _FIELDS):
            raise SystemExit("what was read is not what was written")
    return statistics.median(took)


def lines(runs: int) -> dict[str, float]:
    """Points per CPU second: our builder beside the client library's, interleaved."""
    # the shape the goals were set with: 3 tags, 6 fields
    points = [Point(p.series, p.time_ns, dict(list(p.fields.items())[1:7])) for p in next(minutes(province(3000), 1))]
    ours, theirs = [], []
    builder = LineBuilder()
    for _ in range(runs):
        before = time.process_time()
        for point in points * 5:
            builder.line(point)
        ours.append(len(points) * 5 / (time.process_time() - before))
        before = time.process_time()
        for point in points:
            made = ClientPoint(point.series.measurement)  # type: ignore[no-untyped-call]
            for key, value in point.series.tags:
                made.tag(key, value)  # type: ignore[no-untyped-call]
            for name, number in point.fields.items():
                made.field(name, number)  # type: ignore[no-untyped-call]
            made.time(point.time_ns)  # type: ignore[no-untyped-call]
            made.to_line_protocol()  # type: ignore[no-untyped-call]
        theirs.append(len(points) / (time.process_time() - before))
    return {
        "lines_per_cpu_second": statistics.median(ours),
        "influxdb_client_points_per_cpu_second": statistics.median(theirs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=3000)
    parser.add_argument("--minutes", type=int, default=1440)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        result = lines(options.runs)
        result |= asyncio.run(embedded(Path(folder), options.series, options.minutes, options.runs))
    if options.json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:52} {value:14,.2f}")


if __name__ == "__main__":
    main()
