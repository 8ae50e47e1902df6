"""Loops that live as long as the daemon: what fails in them is told, ends nothing and does not fill the log."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from haidang.loops import keep_every


async def test_the_same_failure_round_after_round_is_told_once_and_its_end_too() -> None:
    faults = ["disk", "disk", "disk", "", "", "disk", "net", ""]
    done = asyncio.Event()

    def work() -> None:
        if not faults:
            done.set()
        elif fault := faults.pop(0):
            raise OSError(fault)

    with capture_logs() as lines:
        task = keep_every("rounds", 0, work)
        async with asyncio.timeout(5):
            await done.wait()
        task.cancel()
    assert [line["event"] for line in lines] == [
        "periodic work failed", "periodic work goes on", "periodic work failed", "periodic work failed",
        "periodic work goes on",
    ]  # fmt: skip
