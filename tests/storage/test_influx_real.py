"""A real InfluxDB 1.6 and a real VictoriaMetrics: written, read back, killed, poisoned."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from haidang.clock import ManualClock
from haidang.model import Point, Series
from storage import spool
from storage.database import Database, open_reader
from storage.influx.store import InfluxStore
from storage.metrics import InfluxSettings, InMemoryStore, Query, StoreError, StoreStatus
from storage.metrics_buffer import Worker
from tests.storage.running import until, working
from tests.support.stores import Server, influxdb, victoriametrics

S = 1_000_000_000
NOW = 1_700_006_400 * S
PROVINCE = [Series("ping", (("host", f"h {i}"), ("site", "Bắc Giang, xã \"1\" = 'a'"))) for i in range(20)]


@pytest.fixture(params=[influxdb, victoriametrics])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    start: Callable[[Path], AbstractContextManager[Server]] = request.param
    with start(tmp_path / "server") as running:
        yield running


def quick(tmp_path: Path, server: Server) -> InfluxSettings:
    return InfluxSettings(tmp_path / "spool.db", server.url, flush_s=0.01, retry_s=0.05, retry_max_s=0.1, canary_s=30)


async def readable(store: InfluxStore, query: Query, values: int) -> list[tuple[Series, str, list[int], list[float]]]:
    """Read until that many values are there (VictoriaMetrics shows them after a second or two)."""
    async with asyncio.timeout(30):
        while True:
            found = await store.read(query)
            if sum(len(curve.times_ns) for curve in found) >= values:
                return [(curve.series, curve.field, curve.times_ns, curve.mean) for curve in found]
            await asyncio.sleep(0.1)


def sent(status: StoreStatus) -> bool:
    return status.buffered == status.spooled == 0 and status.written > 1


async def test_ten_minutes_away_and_every_point_arrives_exactly_once(tmp_path: Path, server: Server) -> None:
    clock = ManualClock(NOW)
    async with working(quick(tmp_path, server), clock) as store:
        written = 0
        for second in range(0, 720, 2):  # a minute with it, ten without, the rest with it again
            if second == 60:
                await until(store, sent)
                # VictoriaMetrics acknowledges before its disk has the points: a kill -9 costs it some seconds
                (server.stop if store.status().kind == "victoriametrics" else server.kill)()
            if second == 660:
                away = await until(store, lambda status: status.buffered == 0 and status.last_error != "")
                assert away.spooled >= 300 * len(PROVINCE)
                assert away.oldest_unsent_ns == NOW + 60 * S
                server.start()
            store.add([Point(one, clock.utc_ns(), {"rtt": second / 8, "n": second}) for one in PROVINCE])
            written += len(PROVINCE)
            clock.advance(2)
            await asyncio.sleep(0)
        status = await until(store, sent)
        assert (status.rejected, status.refused, status.last_error) == (0, 0, "")
        query = Query("ping", NOW, NOW + 3600 * S)
        found = await readable(store, query, written * 2)
        times = [NOW + second * S for second in range(0, 720, 2)]
        assert len(found) == 2 * len(PROVINCE)
        for series, field, at, values in found:
            assert series in PROVINCE
            assert at == times, (series, field)
            assert values == [second / (8 if field == "rtt" else 1) for second in range(0, 720, 2)]
        if status.kind == "victoriametrics":  # it keeps doubles, so it can tell
            reply = await store._transport.ask(
                "/api/v1/export", "victoriametrics", {"match[]": "{host!=''}", "start": "1"}
            )
            assert reply.body.count(b",") > written
            for line in reply.body.splitlines():
                assert len(json.loads(line)["timestamps"]) == len(times)


async def test_buckets_and_filters_are_the_same_as_in_memory(tmp_path: Path, server: Server) -> None:
    clock = ManualClock(NOW)
    memory = InMemoryStore()
    points = [
        Point(one, NOW + second * S, {"rtt": second % 97 / 8, "up": second % 3 == 0, "n": second})
        for one in PROVINCE[:3]
        for second in range(0, 7200, 60)
    ]
    memory.add(points)
    async with working(quick(tmp_path, server), clock) as store:
        store.add(points)
        await until(store, sent)
        await readable(store, Query("ping", NOW, NOW + 7200 * S), 3 * len(points))
        for step in (0, 60, 300, 3600):
            for tags in ({}, {"host": "h 1"}, {"host": "none"}, {"site": PROVINCE[0].tags[1][1]}):
                for fields in ((), ("rtt",), ("up", "none")):
                    query = Query("ping", NOW + 90 * S, NOW + 4000 * S, fields, tags, step)
                    found, wanted = await store.read(query), await memory.read(query)
                    assert [replace(one, mean=[]) for one in found] == [replace(one, mean=[]) for one in wanted]
                    for one, other in zip(found, wanted, strict=True):
                        assert one.mean == pytest.approx(other.mean)


async def test_a_line_that_is_poison_costs_only_itself(tmp_path: Path, server: Server) -> None:
    worker = Worker(tmp_path / "spool.db", "spool")
    lines = [b"m,host=a v=%d %d" % (i, NOW + i * S) for i in range(100)]
    lines[50:50] = [b"this is no line", b"m,host=a v= 7"]
    await worker.do(lambda database: spool.append(database, [(lines, NOW)], 1 << 20, 0))
    await worker.close(5)
    async with working(quick(tmp_path, server), ManualClock(NOW)) as store:
        status = await until(store, sent)
        found = await readable(store, Query("m", NOW, NOW + 3600 * S), 100)
        assert found == [(Series("m", (("host", "a"),)), "v", [NOW + i * S for i in range(100)], list(range(100)))]
    if status.kind == "v1":  # VictoriaMetrics passes over what it cannot read and answers 204
        assert status.rejected == 2
        with closing(open_reader(tmp_path / "spool.db")) as connection:
            letters = {line: reason for _, line, reason in spool.dead_letters(connection)}
        assert set(letters) == {"this is no line", "m,host=a v= 7"}
        assert all(letters.values())


async def test_a_field_of_another_type_costs_only_its_point(tmp_path: Path) -> None:
    with influxdb(tmp_path / "server") as server:
        async with working(quick(tmp_path, server), ManualClock(NOW)) as store:
            store.add([Point(PROVINCE[0], NOW, {"v": 1.5})])
            await until(store, sent)
            mixed = [Point(PROVINCE[0], NOW + i * S, {"v": "words" if i in {17, 60} else i / 2}) for i in range(1, 100)]
            store.add(mixed)
            status = await until(store, lambda status: status.written + status.rejected >= 101 and sent(status))
            assert status.rejected == 2
            [(_, _, times, _)] = await readable(store, Query("ping", NOW, NOW + 3600 * S), 98)
            assert len(times) == 98
        with closing(open_reader(tmp_path / "spool.db")) as connection:
            letters = spool.dead_letters(connection)
        assert sorted(line.rsplit(" ", 1)[1] for _, line, _ in letters) == [str(NOW + i * S) for i in (17, 60)]
        assert all("field type conflict" in reason for _, _, reason in letters)


async def test_the_canary_is_read_back(tmp_path: Path, server: Server) -> None:
    async with working(quick(tmp_path, server), ManualClock(NOW)) as store:
        status = await until(store, lambda status: status.last_canary_ns is not None)
        assert status.last_canary_ns == NOW


async def asked(reader: InfluxStore) -> None:
    with suppress(StoreError):  # InfluxDB has no database yet
        await reader.read(Query("ping", NOW - S, NOW))


async def test_who_only_reads_leaves_the_spool_to_the_daemon_and_makes_none(tmp_path: Path, server: Server) -> None:
    settings = quick(tmp_path, server)
    reader = InfluxStore(settings, ManualClock(NOW))
    await asked(reader)
    await reader.close(2)
    assert not settings.spool.exists()
    with closing(Database(settings.spool, "spool")) as daemon:
        spool.append(daemon, [([b"ping,host=a up=1 1700006400000000000"], NOW)], 1 << 20, 0)
        reader = InfluxStore(settings, ManualClock(NOW))
        await asked(reader)
        await reader.close(2)
        assert spool.state(daemon.connection).points == 1


@pytest.mark.parametrize("server", [influxdb], indirect=True)
async def test_a_wrong_password_is_told_with_what_to_look_at(tmp_path: Path, server: Server) -> None:
    server.stop()
    server.environment = {"INFLUXDB_HTTP_AUTH_ENABLED": "true"}
    server.start()
    made = {"q": "CREATE USER haidang WITH PASSWORD 'right' WITH ALL PRIVILEGES"}
    assert httpx2.post(f"{server.url}/query", data=made).status_code == 200
    settings = replace(quick(tmp_path, server), username="haidang", password="wrong")
    reader = InfluxStore(settings, ManualClock(NOW))
    with pytest.raises(StoreError, match=r"401: authorization failed; look at token, or username and password, under"):
        await reader.read(Query("ping", NOW - S, NOW))
    await reader.close(2)
    async with working(settings, ManualClock(NOW)) as store:
        store.add([Point(PROVINCE[0], NOW, {"up": 1})])
        await until(store, lambda status: "look at token, or username and password" in status.last_error)
    async with working(replace(settings, password="right"), ManualClock(NOW)) as store:
        await until(store, sent)
