"""The embedded store against a plain dictionary: late points, packing at any moment, buckets, retention, a bad disk."""

from __future__ import annotations

import asyncio
import math
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haidang.clock import ManualClock
from haidang.model import FieldValue, Point, Series
from storage.embedded.compaction import DAY_NS
from storage.embedded.store import EmbeddedStore
from storage.metrics import Curve, EmbeddedSettings, InMemoryStore, Query, StoreError, offline_status, open_store

S = 1_000_000_000
NOON = 1_700_006_400 * S // DAY_NS * DAY_NS + DAY_NS // 2
A, B = Series("ping", (("host", "a"),)), Series("ping", (("host", "b"), ("site", 'x"y,ü')))


async def flushed(store: EmbeddedStore) -> None:
    while store.status().buffered:
        assert await store.flush(), store.status().last_error


Answer = dict[tuple[Series, str], list[tuple[int, int, float, float, float]]]


def obvious(points: list[Point], query: Query) -> Answer:
    """What a query means, word for word: the later value wins, a bucket holds what lies in it."""
    values: dict[tuple[Series, str, int], float] = {}
    for point in points:
        for name, value in point.fields.items():
            if isinstance(value, int | float) and math.isfinite(value):
                values[point.series, name, point.time_ns] = value
    width = query.step_s * S
    buckets: dict[tuple[Series, str, int], list[float]] = {}
    for (series, name, at), value in values.items():
        begin = at // width * width if width else at
        inside = query.start_ns <= at < query.end_ns
        if width:
            inside = query.start_ns // width * width <= begin < query.end_ns
        wanted = series.measurement == query.measurement and query.tags.items() <= dict(series.tags).items()
        if inside and wanted and query.start_ns < query.end_ns and (not query.fields or name in query.fields):
            buckets.setdefault((series, name, begin), []).append(value)
    answer: Answer = {}
    for (series, name, begin), inside_it in sorted(buckets.items(), key=lambda item: item[0][2]):
        row = (begin, len(inside_it), sum(inside_it) / len(inside_it), min(inside_it), max(inside_it))
        answer.setdefault((series, name), []).append(row)
    return answer


def same(found: list[Curve], wanted: Answer) -> None:
    rows = {
        (one.series, one.field): list(zip(one.times_ns, one.count, one.mean, one.low, one.high, strict=True))
        for one in found
    }
    assert rows.keys() == wanted.keys()
    assert len(rows) == len(found)
    for key, expected in wanted.items():
        assert [row[:2] + row[3:] for row in rows[key]] == [row[:2] + row[3:] for row in expected]
        for row, other in zip(rows[key], expected, strict=True):
            widest = max(abs(other[3]), abs(other[4]))
            assert row[2] == pytest.approx(other[2], rel=1e-9, abs=1e-6 + widest * 1e-9)


POINT = st.builds(
    lambda series, at, fields: Point(series, NOON + at * S, fields),
    st.sampled_from([A, B]),
    st.one_of(st.integers(-5 * 3600, 5 * 3600), st.integers(-2 * 86400, 4 * 86400)),
    st.dictionaries(
        st.sampled_from(["rtt", "n", "ok", "text"]),
        st.one_of(
            st.integers(-(2**63), 2**63 - 1), st.integers(0, 99999).map(lambda w: w / 1000), st.booleans(),
            st.floats(-1e12, 1e12), st.just(float("nan")), st.just("words"),
        ),
        max_size=3,
    ),
)  # fmt: skip
STEP = st.one_of(POINT, st.tuples(st.just("compact"), st.integers(0, 5 * 86400)))


@given(
    story=st.lists(STEP, max_size=40), step=st.sampled_from([0, 60, 300, 3600, 7200, 86400]),
    span=st.tuples(st.integers(-3 * 86400, 5 * 86400), st.integers(0, 5 * 86400)),
)  # fmt: skip
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_it_answers_as_a_plain_list_of_points_would(
    tmp_path_factory: pytest.TempPathFactory, story: list[object], step: int, span: tuple[int, int]
) -> None:
    clock = ManualClock(NOON)
    store = EmbeddedStore(EmbeddedSettings(tmp_path_factory.mktemp("m") / "metrics.db", raw_days=30), clock)
    memory = InMemoryStore()
    for one in story:
        if isinstance(one, Point):
            store.add([one])
            memory.add([one])
        else:
            assert isinstance(one, tuple)
            await flushed(store)
            if memory.points:
                await store.read(Query("ping", 0, NOON + 6 * 86400 * S))  # what it remembers goes stale
            await store.compact(NOON + one[1] * S)
    await flushed(store)
    await store.flush()
    query = Query("ping", NOON + span[0] * S, NOON + (span[0] + span[1]) * S, step_s=step)
    wanted = obvious(memory.points, query)
    same(await store.read(query), wanted)
    same(await memory.read(query), wanted)
    await store.close(5)


async def test_whole_days_are_the_same_before_and_after_they_are_packed_and_rolled(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db"), clock)
    points = [
        Point(series, NOON + minute * 60 * S, {"rtt": round(minute % 97 / 7, 3), "n": minute})
        for minute in range(0, 2 * 1440, 4)
        for series in (A, B)
    ]
    store.add(points)
    await flushed(store)
    queries = [
        Query("ping", NOON + 7 * 60 * S, NOON + 2 * DAY_NS, fields, tags, step)
        for fields in ((), ("rtt",))
        for tags in ({}, {"host": "a"}, {"site": 'x"y,ü'}, {"host": "zz"})
        for step in (0, 60, 300, 900, 3600, 86400)
    ]
    answers = [obvious(points, query) for query in queries]
    for when in (0, 1, 2, 3):
        for query_number, query in enumerate(queries):
            same(await store.read(query), answers[query_number])
        await store.compact(NOON + when * DAY_NS)
        await store.compact(NOON + when * DAY_NS)  # twice is once
    with closing(sqlite3.connect(tmp_path / "metrics.db")) as file:
        assert file.execute("SELECT count(*) FROM journal").fetchone() == (0,)
        assert file.execute("SELECT count(*) FROM day").fetchone() == (6,)
        assert file.execute("SELECT count(*) FROM unrolled").fetchone() == (0,)
    await store.close(5)


async def test_late_points_join_an_hour_that_is_packed_and_a_day_that_is_rolled(tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db"), ManualClock(NOON))
    kept: list[Point] = []
    for late in range(6):
        points = [
            Point(A, NOON + (minute * 60 + late // 2) * S, {f"f{late % 2}": minute + late / 4, "n": late})
            for minute in range(late, 90, late + 1)
        ]
        kept += points
        store.add(points)
        await flushed(store)
        for step in (0, 300, 3600):
            query = Query("ping", NOON, NOON + DAY_NS, step_s=step)
            same(await store.read(query), obvious(kept, query))
        await store.compact(NOON + 3 * DAY_NS * (late % 3))
        for step in (0, 300, 3600):
            query = Query("ping", NOON, NOON + DAY_NS, step_s=step)
            same(await store.read(query), obvious(kept, query))
    await store.close(5)


async def test_old_data_become_coarser_and_go(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    kept = EmbeddedSettings(tmp_path / "metrics.db", raw_days=2, five_minute_days=5, hourly_days=9)
    store = EmbeddedStore(kept, clock)
    for day in range(12):
        store.add([Point(A, NOON + day * DAY_NS + i * 60 * S, {"n": i}) for i in range(600)])
        await flushed(store)
        clock.advance(86400)
        await store.compact(clock.utc_ns())
        await store.retain(clock.utc_ns())
    today = clock.utc_ns() // DAY_NS

    async def steps(day: int, step: int) -> list[tuple[int, int]]:
        start = (today - day) * DAY_NS
        found = await store.read(Query("ping", start, start + DAY_NS, step_s=step))
        return [(curve.step_s, sum(curve.count)) for curve in found]

    assert await steps(1, 0) == [(0, 600)]
    assert await steps(4, 0) == [(300, 600)]
    assert await steps(4, 3600) == [(3600, 600)]
    assert await steps(8, 0) == [(3600, 600)]
    assert await steps(11, 0) == []
    late = Point(A, clock.utc_ns() - 6 * DAY_NS, {"n": 1})
    store.add([late])
    await flushed(store)
    assert store.status().rejected == 1
    assert await steps(6, 3600) == [(3600, 600)]
    await store.close(5)


async def test_it_runs_flushes_and_proves_itself(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    store = open_store(EmbeddedSettings(tmp_path / "metrics.db", flush_s=0.01, canary_s=0.2), clock)
    running = asyncio.create_task(store.run())
    store.add([Point(A, NOON, {"rtt": 1.5, "text": "x", "bad": float("inf")})])
    async with asyncio.timeout(10):
        while not store.status().last_canary_ns:  # noqa: ASYNC110 the store has no event to wait for
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    store.add([Point(A, NOON + S, {"rtt": 2.5})])
    await store.close(5)
    status = store.status()
    assert (status.buffered, status.refused, status.skipped_fields, status.last_error) == (0, 0, 2, "")
    offline = offline_status(EmbeddedSettings(tmp_path / "metrics.db"))
    assert (offline.kind, offline.written) == ("embedded", status.written)
    assert status.written >= 3
    [curve] = await store.read(Query("ping", NOON, NOON + 60 * S))
    assert (curve.times_ns, curve.mean) == ([NOON, NOON + S], [1.5, 2.5])


def test_a_file_that_was_made_on_a_full_disk_has_nothing_in_it_yet(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "metrics.db")) as connection:
        connection.execute("VACUUM")
    offline = offline_status(EmbeddedSettings(tmp_path / "metrics.db"))
    assert (offline.kind, offline.written, offline.last_canary_ns) == ("embedded", 0, None)


async def test_a_folder_that_cannot_be_written_delays_and_loses_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "data"
    blocked.write_text("in the way")
    store = EmbeddedStore(EmbeddedSettings(blocked / "metrics.db", max_buffered=10), ManualClock(NOON))
    store.add([Point(A, NOON + i * S, {"n": i}) for i in range(12)])
    assert not await store.flush()
    status = store.status()
    assert (status.buffered, status.refused, status.oldest_unsent_ns) == (10, 2, NOON)
    assert "cannot be opened" in status.last_error
    with pytest.raises(StoreError):
        await store.read(Query("ping", 0, 1))
    blocked.unlink()
    assert await store.flush()
    status = store.status()
    assert (status.buffered, status.written, status.refused, status.last_error) == (0, 10, 2, "")
    await store.close(5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 400 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", folder], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


async def test_a_full_disk_fills_the_buffer_and_heals_by_itself(small_disk: Path) -> None:
    store = EmbeddedStore(EmbeddedSettings(small_disk / "metrics.db", max_buffered=50_000), ManualClock(NOON))
    store.add([Point(A, NOON, {"n": 0})])
    await flushed(store)
    ballast = small_disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(b"x" * 4096):
            pass
    store.add([Point(A, NOON + i * S, {"n": i}) for i in range(1, 3000)])
    assert not await store.flush()
    assert store.status().buffered == 2999
    assert "free space" in store.status().last_error
    ballast.unlink()
    await flushed(store)
    [curve] = await store.read(Query("ping", NOON, NOON + DAY_NS))
    assert curve.mean == list(range(3000))
    await store.close(5)


async def test_a_wrong_clock_deletes_no_history(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db"), clock)
    store.add([Point(A, NOON, {"n": 1})])
    await flushed(store)
    everything = Query("ping", NOON, NOON + S, step_s=3600)
    for years, minutes in ((20, 50), (-20, 130), (20, 55)):
        clock.step(86_400 * 365 * years)
        for _ in range(minutes):
            clock.advance(60)
            await store.tidy()
        assert len(await store.read(everything)) == 1
    for _ in range(10):  # an hour of it: then it is the time
        clock.advance(60)
        await store.tidy()
    assert await store.read(everything) == []
    await store.close(5)


async def test_values_of_odd_kinds_and_names_are_kept_or_counted_never_fatal(tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db"), ManualClock(NOON))
    odd: dict[str, FieldValue] = {"big": 2**64, "": 1, "half\ud800": 2, "max": 1.7e308, "max2": 1.7e308, "ok": True}
    store.add([Point(Series("m\ud800", (("k\x00", "v\ud800"), ("", "x"), ("e", ""))), NOON, odd), Point(A, NOON, {})])
    await flushed(store)
    await store.compact(NOON + 3 * DAY_NS)
    curves = await store.read(Query("m?", NOON, NOON + S))
    assert {curve.field: curve.mean for curve in curves} == {
        "": [1], "big": [float(2**64)], "half?": [2], "max": [1.7e308], "max2": [1.7e308], "ok": [1],
    }  # fmt: skip
    assert store.status().refused == 0
    await store.close(5)


async def test_packing_hardly_holds_up_the_event_loop(tmp_path: Path) -> None:
    store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db", max_buffered=10**6), ManualClock(NOON))
    many = [Series("ping", (("host", str(i)),)) for i in range(300)]
    for minute in range(0, 60, 2):
        store.add([Point(one, NOON + minute * 60 * S, {f"f{i}": minute / 7 + i for i in range(10)}) for one in many])
    await flushed(store)
    work = asyncio.create_task(store.compact(NOON + 3 * DAY_NS))
    loop = asyncio.get_running_loop()
    delays = []
    while not work.done():
        before = loop.time()
        await asyncio.sleep(0.001)
        delays.append(loop.time() - before)
    await work
    await store.close(5)
    delays.sort()
    assert delays[int(len(delays) * 0.95)] < 0.02, delays[-5:]


def test_who_only_reads_makes_no_file(tmp_path: Path) -> None:
    async def read() -> None:
        store = EmbeddedStore(EmbeddedSettings(tmp_path / "metrics.db"), ManualClock())
        with pytest.raises(StoreError, match=r"metrics\.db"):
            await store.read(Query("ping", 0, S))
        await store.close(1.0)

    asyncio.run(read())
    assert list(tmp_path.iterdir()) == []
