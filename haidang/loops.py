"""Loops that live as long as the daemon, whatever happens in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

logger = structlog.get_logger(__name__)

AGAIN_S = 5.0
"""How long a part of the daemon that failed is left alone before it begins again."""
TOLD_AGAIN_S = 300.0


def keep(name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
    """Start a loop that lives as long as the daemon: what ends it is logged, and it begins again."""

    async def forever() -> None:
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 one part that fails must not stop the others
                logger.exception("a part of the daemon failed, begun again", part=name)
            await asyncio.sleep(AGAIN_S)

    return asyncio.create_task(forever(), name=name)


def keep_every(name: str, seconds: float, work: Callable[[], Awaitable[None] | None]) -> asyncio.Task[None]:
    """Start doing something at once and then again and again; a failure is logged and does not end it.

    One that is the same round after round is logged again only every `TOLD_AGAIN_S`, and when it is over.
    """

    async def again() -> None:
        fault, told_s = "", 0.0
        while True:
            try:
                waiting = work()
                if waiting is not None:
                    await waiting
            except Exception as error:  # noqa: BLE001 the loop's top: this round failed, the next may not
                now_s = asyncio.get_running_loop().time()
                if repr(error) != fault or now_s - told_s >= TOLD_AGAIN_S:
                    fault, told_s = repr(error), now_s
                    logger.exception("periodic work failed", work=name)
            else:
                if fault:
                    fault = ""
                    logger.info("periodic work goes on", work=name)
            await asyncio.sleep(seconds)

    return asyncio.create_task(again(), name=name)
