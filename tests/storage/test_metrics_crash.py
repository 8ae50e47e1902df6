"""kill -9 at random moments: nothing that was acknowledged is missing, nothing is doubled."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest

from haidang.clock import ManualClock
from storage.embedded.store import EmbeddedStore
from storage.influx.store import InfluxStore
from storage.metrics import EmbeddedSettings, InfluxSettings, Query
from tests.storage.crasher import START_NS, A, B, at
from tests.storage.player import Player, playing

ROOT = Path(__file__).parents[2]
KILLS = [5, pytest.param(20, marks=pytest.mark.slow)]


async def run_and_kill(kind: str, path: Path, first: int, url: str, seed: int) -> int:
    """Run the child until a random moment; returns the last number it acknowledged."""
    chance = random.Random(seed)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.storage.crasher", kind, str(path), str(first), url, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdout is not None
    acknowledged = first

    async def listen() -> None:
        nonlocal acknowledged
        assert child.stdout is not None
        async for line in child.stdout:
            if line.strip().isdigit() and line.endswith(b"\n"):
                acknowledged = int(line)

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        while acknowledged == first and not listening.done():  # noqa: ASYNC110 its output is the event
            await asyncio.sleep(0.005)
    with suppress(TimeoutError):
        await asyncio.wait_for(child.wait(), chance.uniform(0, 0.3))
    child.kill()
    await child.wait()
    await listening
    assert acknowledged > first, "the child stored nothing"
    return acknowledged


@pytest.mark.parametrize("kills", KILLS)
async def test_the_embedded_store_survives_kill_9_while_it_packs(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "metrics.db"
    first = 0
    for seed in range(kills):
        first = await run_and_kill("embedded", path, first, "", seed)
    store = EmbeddedStore(EmbeddedSettings(path, raw_days=365), ManualClock(START_NS))
    query = Query("c", START_NS - 10**14, START_NS + 10**17)
    wanted = {at(number): number for number in range(first)}
    for _ in range(2):
        curves = await store.read(query)
        assert [curve.series for curve in curves] == [A, B]
        for curve in curves:
            # a commit whose acknowledgement was cut off may be there too; it is written again and counts once
            assert wanted.items() <= dict(zip(curve.times_ns, curve.mean, strict=True)).items()
            assert len(curve.times_ns) == len(set(curve.times_ns)) <= first + 10
        hourly = await store.read(Query("c", query.start_ns, query.end_ns, step_s=3600))
        assert [sum(curve.count) for curve in hourly] == [len(curve.times_ns) for curve in curves]
        await store.flush()
        await store.compact(START_NS + 10**17)
    await store.close(5)
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("kills", KILLS)
async def test_the_spool_survives_kill_9_while_it_sends(tmp_path: Path, kills: int) -> None:
    path = tmp_path / "spool.db"
    first = 0
    async with playing(Player("1.12.2")) as player:
        for seed in range(kills):
            first = await run_and_kill("spool", path, first, player.url, seed)
        store = InfluxStore(InfluxSettings(path, player.url), ManualClock(START_NS))
        await store.flush()
        async with asyncio.timeout(60):
            while await store._send_next():
                pass
        assert store.status().spooled == 0
        await store.close(5)
        wanted = {f"c,host={host} n={number}i {at(number)}" for number in range(first) for host in "ab"}
        stored = {line for line in player.stored if line.startswith("c,")}
        assert wanted <= stored
        assert len(stored - wanted) <= 10
        bodies = Counter("\n".join(lines) for _, _, _, lines in player.requests if lines[0].startswith("c,"))
        again = sum(times - 1 for times in bodies.values())
        # for each kill: the one batch in flight, and one that was committed but killed before it could say so
        assert again <= 2 * kills
