from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from alerting import records
from storage.database import Database, open_reader
from tests.support.mail import SmtpServer, smtp_server

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("kills", "checks"), [(10, 60), pytest.param(40, 240, marks=pytest.mark.slow)], ids=["ten", "forty"]
)
async def test_killed_at_any_moment_no_step_is_missing_and_only_what_was_in_flight_comes_twice(
    tmp_path: Path, kills: int, checks: int
) -> None:
    dice = random.Random(kills)
    Database(tmp_path / "haidang.db", "haidang").close()
    committed: list[str] = []
    in_flight: Counter[str] = Counter()
    killed = 0
    async with smtp_server() as server:
        while True:
            limit_s = dice.uniform(0.0, 0.15) if killed < kills else 120.0
            if await live_until(limit_s, tmp_path, server, checks, committed):
                break
            killed += 1
            in_flight.update(left_in_flight(tmp_path))
    assert killed >= kills // 2, "the processes lived too long for the test to mean anything"
    judge(tmp_path, server, checks, committed, in_flight)


async def live_until(limit_s: float, folder: Path, server: SmtpServer, checks: int, committed: list[str]) -> bool:
    """Let one process live; tell whether it came to its end before it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.alerting.dying_daemon", str(folder), str(server.port), str(checks),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    try:
        async with asyncio.timeout(limit_s):
            while line := (await process.stdout.readline()).decode().strip():
                if line == "done":
                    await process.wait()
                    return True
                committed.append(line)
    except TimeoutError:
        process.kill()
    committed += (await process.stdout.read()).decode().split("\n")[:-1]
    return await process.wait() == 0


def left_in_flight(folder: Path) -> list[str]:
    reader = open_reader(folder / "haidang.db")
    try:
        return [row[0] for row in reader.execute("SELECT message_id FROM notification WHERE state = 'sending'")]
    finally:
        reader.close()


def judge(folder: Path, server: SmtpServer, checks: int, committed: list[str], in_flight: Counter[str]) -> None:
    reader = open_reader(folder / "haidang.db")
    try:
        incidents = records.incidents(reader, resolved=True, limit=10 * checks)
        assert sorted(incident.check.target for incident in incidents) == sorted(f"station-{n}" for n in range(checks))
        assert not any(incident.open for incident in incidents)
        outbox = dict(reader.execute("SELECT message_id, state FROM notification").fetchall())
        steps = Counter(
            (delivery.step.value, incident.check.target, delivery.address)
            for incident in incidents for delivery in records.deliveries(reader, incident.number)
        )  # fmt: skip
    finally:
        reader.close()
    # What a process said it had committed happened exactly once, however often it was killed afterwards.
    assert max(Counter(line for line in committed if line != "done").values()) == 1
    assert len(steps) == 4 * checks
    assert set(steps.values()) == {1}
    assert set(outbox.values()) == {"sent"}
    arrived = Counter(mail.message_id for mail in server.taken)
    assert arrived.keys() == outbox.keys()
    for message_id, times in arrived.items():
        assert times <= 1 + in_flight[message_id], f"{message_id} came {times} times, in flight {in_flight[message_id]}"
    first: dict[tuple[str, str], str] = {}
    for mail in server.taken:
        step = mail.message_id.split("-")[1]
        key = (mail.recipient, mail.parsed["X-Haidang-Incident"])
        assert step == first.setdefault(key, step) or first[key] == "opened", "the recovery was read before the failure"
