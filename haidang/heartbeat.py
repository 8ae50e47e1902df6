"""The dead-man's switch: a sign of life to the outside while all is well; who misses it raises the alarm.

It is sent only while the ledger can be written, so that its silence says also: the daemon lives and is of no use.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx2
import structlog

from config.schema.routing import Heartbeat as HeartbeatSettings

logger = structlog.get_logger(__name__)

TIMEOUT_S = 10.0
_IDLE_S = 30.0


class Heartbeat:
    """Sends signs of life.

    Parameters:
        trouble: says why there is nothing to be told well of; an empty text: all is well.
    """

    def __init__(self, trouble: Callable[[], str]) -> None:
        self._trouble = trouble
        self._fault: str | None = None
        self.settings: HeartbeatSettings | None = None

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            settings = self.settings
            if settings is not None:
                await self.beat(settings)
            await asyncio.sleep(settings.every_s if settings is not None else _IDLE_S)

    async def beat(self, settings: HeartbeatSettings) -> bool:
        """Send one sign, if all is well; tell whether it was taken. What changes is said in the log."""
        fault = self._trouble()
        if not fault:
            try:
                async with (
                    asyncio.timeout(TIMEOUT_S),
                    httpx2.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client,
                    client.stream(settings.method, settings.url, headers={"User-Agent": "haidang"}) as answer,
                ):
                    fault = "" if answer.is_success else f"HTTP {answer.status_code}"
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
                fault = str(error) or type(error).__name__
        if fault != self._fault:
            if fault:
                logger.error("heartbeat not sent", host=httpx2.URL(settings.url).host, reason=fault)
            else:
                logger.info("heartbeat sent", host=httpx2.URL(settings.url).host, every_s=settings.every_s)
        self._fault = fault
        return not fault
