"""Killed at any moment, escalation goes on where it was: every step is told, and none twice."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from storage.database import Database, open_reader
from tests.alerting.escalating_daemon import STEPS
from tests.alerting.test_kill import ROOT, left_in_flight
from tests.support.mail import SmtpServer, smtp_server


@pytest.mark.parametrize(
    ("kills", "incidents"),
    [
        (3, 6), pytest.param(50, 200, marks=pytest.mark.slow), pytest.param(500, 2000, marks=pytest.mark.soak)
    ], ids=["three", "fifty", "five hundred"],
)  # fmt: skip
async def test_killed_at_any_moment_every_step_of_escalation_is_told_once(
    tmp_path: Path, kills: int, incidents: int
) -> None:
    dice = random.Random(kills)
    Database(tmp_path / "haidang.db", "haidang").close()
    in_flight: Counter[str] = Counter()
    killed = 0
    async with smtp_server() as server:
        while not await live(dice.uniform(0.0, 0.25) if killed < kills else 120.0, tmp_path, server, incidents):
            killed += 1
            in_flight.update(left_in_flight(tmp_path))
    assert killed >= kills // 2, "the processes lived too long for the test to mean anything"
    reader = open_reader(tmp_path / "haidang.db")
    rows = reader.execute("SELECT incident, contact, step, message_id, state FROM notification").fetchall()
    reader.close()
    told = Counter((incident, contact, step) for incident, contact, step, _, _ in rows)
    assert len({incident for incident, *_ in rows}) == incidents
    assert set(told.values()) == {1}, "a step was told twice"
    assert len(told) == incidents * len(STEPS), "a step is missing"
    assert {state for *_, state in rows} == {"sent"}
    arrived = Counter(mail.message_id for mail in server.taken)
    assert arrived.keys() == {message_id for *_, message_id, _ in rows}
    assert all(times <= 1 + in_flight[message_id] for message_id, times in arrived.items())


async def live(limit_s: float, folder: Path, server: SmtpServer, incidents: int) -> bool:
    """Let one process live; tell whether it came to its end before it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.alerting.escalating_daemon", str(folder), str(server.port), str(incidents),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        async with asyncio.timeout(limit_s):
            assert await process.stdout.readline() == b"done\n"
            await process.wait()
            return True
    except TimeoutError:
        process.kill()
        await process.wait()
        return False
