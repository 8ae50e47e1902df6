"""Each row of the spool policy, played word for word: what is stored, what is kept, what is a dead letter."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from haidang.model import Point, Series
from storage import spool
from storage.database import open_reader
from storage.influx.replies import Reply, Verdict, judge, retry_after
from storage.metrics import InfluxSettings, StoreStatus, offline_status
from tests.storage.player import (
    Act,
    Player,
    drop_after,
    drop_before,
    endless,
    limited,
    playing,
    refuses_unnamed,
    says,
    stall,
    store_all,
    v1_conflict,
    v1_partial,
    v2_conflict,
    v2_names_lines,
    v3_partial,
)  # fmt: skip
from tests.storage.running import until, working

NOW = 1_700_000_000 * 10**9
GOOD, POISON = Series("m", (("host", "a"),)), Series("m", (("host", "poison"),))


def points(good: int, poisoned: int = 0) -> list[Point]:
    made = [Point(GOOD, NOW + i, {"v": i / 10}) for i in range(good)]
    for i in range(poisoned):
        made.insert((i + 1) * len(made) // (poisoned + 1), Point(POISON, NOW + i, {"v": 1}))
    return made


def quick(tmp_path: Path, url: str) -> InfluxSettings:
    return InfluxSettings(
        tmp_path / "spool.db", url, flush_s=0.01, retry_s=0.01, retry_max_s=0.02, hold_s=0.02, timeout_s=5,
        canary_s=3600, org="o", bucket="b", token="t",
    )  # fmt: skip


def settled(status: StoreStatus) -> bool:
    """Everything that was added, the first canary too, is stored or refused for good."""
    return status.buffered == status.spooled == 0 and status.written > 0


def dead(tmp_path: Path) -> list[tuple[str, str]]:
    with closing(open_reader(tmp_path / "spool.db")) as connection:
        return [(line, reason) for _, line, reason in spool.dead_letters(connection)]


def only_m(player: Player) -> dict[str, int]:
    return {line: times for line, times in player.stored.items() if line.startswith("m,")}


@pytest.mark.parametrize(
    ("version", "act", "path", "words"),
    [
        ("1.12.2", v1_partial, "/write", "invalid field format"),
        ("1.12.2", v1_conflict, "/write", "field type conflict"),
        ("v2.7.11", v2_names_lines, "/api/v2/write", "missing fields"),
        ("v2.7.11", v2_conflict, "/api/v2/write", "field type conflict"),
        ("v2.7.11", refuses_unnamed, "/api/v2/write", "the batch is invalid"),
        ("3.1.0", v3_partial, "/api/v3/write_lp", "No fields were provided"),
        ("3.1.0", refuses_unnamed, "/api/v3/write_lp", "the batch is invalid"),
    ],
)
@pytest.mark.parametrize("poisoned", [1, 3])
async def test_a_poisoned_batch_costs_only_the_bad_lines(
    tmp_path: Path, version: str, act: Act, path: str, words: str, poisoned: int
) -> None:
    async with playing(Player(version)) as player:
        player.always = act
        async with working(quick(tmp_path, player.url)) as store:
            store.add(points(200, poisoned))
            status = await until(store, settled)
        assert len(only_m(player)) == 200
        assert (status.written, status.rejected, status.refused) == (201, poisoned, 0)
        letters = dead(tmp_path)
        assert len(letters) == poisoned
        assert all("poison" in line and words in reason for line, reason in letters)
        assert {request[0] for request in player.requests} == {path}


@pytest.mark.parametrize(
    ("version", "path", "query", "login"),
    [
        ("1.12.2", "/write", {"db": "haidang", "precision": "ns"}, "Token t"),
        ("v2.7.11", "/api/v2/write", {"org": "o", "bucket": "b", "precision": "ns"}, "Token t"),
        (
            "3.1.0", "/api/v3/write_lp", {"db": "haidang", "precision": "nanosecond", "accept_partial": "true"},
            "Bearer t",
        ),
    ],
)  # fmt: skip
async def test_each_version_is_recognised_and_spoken_to_in_its_own_way(
    tmp_path: Path, version: str, path: str, query: dict[str, str], login: str
) -> None:
    async with playing(Player(version)) as player, working(quick(tmp_path, player.url)) as store:
        store.add(points(3))
        await until(store, settled)
        asked, asked_query, headers, _ = player.requests[0]
        assert (asked, asked_query, headers["Authorization"]) == (path, query, login)
        assert store.status().kind == "v" + version.lstrip("v")[0]


@pytest.mark.parametrize(
    "act",
    [
        says(500, {"error": "timeout"}), says(503, {"error": "request throttled"}), says(408, ""),
        says(429, "", {"Retry-After": "0"}), says(429, "", {"Retry-After": "nonsense"}), drop_before, endless,
        says(401, {"code": "unauthorized", "message": "unauthorized access"}), says(403, {"message": "forbidden"}),
        says(404, {"code": "not found", "message": 'bucket "b" not found'}),
        says(307, "", {"Location": "http://127.0.0.1:1/elsewhere"}), says(200, "<html>Log in to the hotel</html>"),
        says(200, {"error": "not really"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("version", ["1.12.2", "v2.7.11", "3.1.0"])
async def test_a_store_that_cannot_now_gets_the_same_bytes_again(tmp_path: Path, version: str, act: Act) -> None:
    async with playing(Player(version)) as player:
        player.acts.extend([act, act])
        async with working(quick(tmp_path, player.url)) as store:
            store.add(points(50))
            status = await until(store, settled)
        assert len(only_m(player)) == 50
        assert set(player.stored.values()) == {1}
        assert (status.rejected, status.refused, status.last_error) == (0, 0, "")
        assert player.requests[0][3] == player.requests[1][3] == player.requests[2][3]
        assert player.pings >= 2  # it asked again who answers there


async def test_a_lost_answer_is_the_only_reason_to_store_twice(tmp_path: Path) -> None:
    async with playing(Player("1.12.2")) as player:
        player.acts.append(drop_after)
        async with working(quick(tmp_path, player.url)) as store:
            store.add(points(50))
            await until(store, settled)
        assert set(only_m(player).values()) == {2}  # byte for byte the same lines


async def test_an_answer_that_never_comes_ends_at_the_deadline(tmp_path: Path) -> None:
    async with playing(Player("1.12.2")) as player:
        player.acts.append(stall)
        async with working(replace(quick(tmp_path, player.url), timeout_s=0.2)) as store:
            store.add(points(5))
            status = await until(store, lambda status: bool(status.last_error))
            assert "no answer within 0.2 s" in status.last_error
            status = await until(store, settled)
            assert status.last_error == ""
        assert len(only_m(player)) == 5


async def test_while_access_is_refused_everything_is_kept_and_said(tmp_path: Path) -> None:
    async with playing(Player("v2.7.11")) as player:
        player.always = says(401, {"code": "unauthorized", "message": "unauthorized access"})
        settings = quick(tmp_path, player.url)
        async with working(settings) as store:
            store.add(points(50))
            status = await until(store, lambda status: bool(status.last_error))
            assert "unauthorized access" in status.last_error
            assert (status.spooled, status.oldest_unsent_ns) == (51, NOW)
        offline = offline_status(settings)
        assert (offline.spooled, offline.written, offline.oldest_unsent_ns) == (51, 0, NOW)
        player.always = store_all
        async with working(settings) as store:
            await until(store, settled)
        assert len(only_m(player)) == 50


async def test_what_is_too_large_goes_in_halves(tmp_path: Path) -> None:
    async with playing(Player("1.12.2")) as player:
        player.always = limited(16)
        async with working(quick(tmp_path, player.url)) as store:
            store.add(points(200))
            await until(store, settled)
        assert len(only_m(player)) == 200
        assert set(player.stored.values()) == {1}


async def test_many_unnamed_drops_are_counted_without_asking_for_each(tmp_path: Path) -> None:
    words = "partial write: points beyond retention policy dropped=150"
    async with playing(Player("1.12.2")) as player:
        player.acts.append(says(400, {"error": words}))
        async with working(quick(tmp_path, player.url)) as store:
            store.add(points(200))
            status = await until(store, settled)
        assert (status.written, status.rejected, len(player.requests)) == (51, 150, 1)
        [(line, reason)] = dead(tmp_path)
        assert line == ""
        assert "beyond retention policy" in reason


async def test_a_full_spool_drops_the_oldest_and_counts_them(tmp_path: Path) -> None:
    async with playing(Player("")) as player:
        settings = replace(quick(tmp_path, player.url), spool_max_bytes=3000, batch_lines=100)
        async with working(settings) as store:
            store.add(points(1000))
            status = await until(store, lambda status: status.refused > 0)
            assert "neither InfluxDB" in (await until(store, lambda status: bool(status.last_error))).last_error
            assert status.spooled + status.refused == 1001
            player.version = "1.12.2"
            final = await until(store, settled)
        stored = only_m(player)
        assert 0 < len(stored) < 1000
        assert final.written + final.refused == 1001
        times = sorted(int(line.rsplit(" ", 1)[1]) for line in stored)
        assert times[-1] == NOW + 999


async def test_a_batch_that_made_room_while_it_was_on_its_way_is_counted_once(tmp_path: Path) -> None:
    arrived, answer = asyncio.Event(), asyncio.Event()

    async def slow(player: Player, request: web.Request, lines: list[str]) -> web.StreamResponse:
        arrived.set()
        await answer.wait()
        return await store_all(player, request, lines)

    async with playing(Player("1.12.2")) as player:
        player.acts.append(slow)
        async with working(replace(quick(tmp_path, player.url), spool_max_bytes=500)) as store:
            store.add(points(20))
            await asyncio.wait_for(arrived.wait(), 10)
            store.add(points(500)[20:])
            await until(store, lambda status: status.refused > 0)
            answer.set()
            final = await until(store, settled)
        assert final.written + final.refused == 501
        assert final.written == len(player.stored)


async def test_dead_letters_are_bounded(tmp_path: Path) -> None:
    async with playing(Player("3.1.0")) as player:
        player.always = v3_partial
        async with working(replace(quick(tmp_path, player.url), dead_letters=4)) as store:
            store.add(points(5, 20))
            status = await until(store, settled)
        assert status.rejected == 20
        assert len(dead(tmp_path)) == 4


async def test_a_captive_portal_is_not_taken_for_a_store(tmp_path: Path) -> None:
    async def portal(_: web.Request) -> web.Response:
        return web.Response(text="<html>Please log in</html>", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", portal)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    async with working(quick(tmp_path, f"http://127.0.0.1:{runner.addresses[0][1]}")) as store:
        store.add(points(5))
        status = await until(store, lambda status: bool(status.last_error))
        assert "neither InfluxDB" in status.last_error
        assert (status.written, status.spooled) == (0, 6)
    await runner.cleanup()


def test_retry_after_is_seconds_or_a_date_and_never_more_than_ten_minutes() -> None:
    now = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": "7"}, now) == 7
    assert retry_after({"Retry-After": "Thu, 01 Jan 2026 12:01:00 GMT"}, now) == 60
    assert retry_after({"Retry-After": "1e9"}, now) == 600
    for odd in ("", "nan", "-5", "soon", "Thu, 01 Jan 2020 12:01:00 GMT"):
        assert retry_after({"Retry-After": odd}, now) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe", b"[" * 50_000, b'{"error": 7}', b'{"data": [1, {"line_number": true}, {"line_number": 99}]}',
        b'{"data": "x"}', b'{"message": null}', b"[1]", b"unable to parse '", b"unable to parse 'm': unable to parse '",
    ],
)  # fmt: skip
def test_a_hostile_refusal_names_no_line_and_breaks_nothing(body: bytes) -> None:
    judged = judge(Reply(400, {}, body), [b"m v=1 1", b"m v=2 2"])
    assert judged.verdict is Verdict.NOTHING
    assert not judged.bad
