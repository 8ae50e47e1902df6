"""What changes, told to the browsers that look: server-sent events (WHATWG HTML, section 9.2).

An event only says *look again*: a slow browser misses none by hearing of two as one, so each needs room for one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.responses import StreamingResponse

MOST_CLIENTS = 100
BEAT_S = 5.0
"""How often a browser hears that all goes on; after three times that in silence it calls what it shows stale."""
AT_MOST_S = 0.5
"""A browser is told of changes no more often than this."""


class TooMany(Exception):
    """There is no room for another browser."""


class Hub:
    """Tells browsers.

    Parameters:
        says: what a beat carries.
    """

    def __init__(self, says: Callable[[], dict[str, Any]]) -> None:
        self._says = says
        self._clients: set[asyncio.Event] = set()
        self.version = 0
        self.refused = 0

    @property
    def watching(self) -> int:
        """How many browsers look."""
        return len(self._clients)

    def changed(self) -> None:
        """Tell all of them to look again."""
        self.version += 1
        for client in self._clients:
            client.set()

    async def stream(self) -> AsyncGenerator[str, None]:
        """Yield events for one browser for as long as it is there.

        Raises:
            TooMany: before the first.
        """
        if len(self._clients) >= MOST_CLIENTS:
            self.refused += 1
            raise TooMany
        client = asyncio.Event()
        self._clients.add(client)
        try:
            yield "retry: 2000\n\n"
            while True:
                yield self._event("beat")
                try:
                    async with asyncio.timeout(BEAT_S):
                        await client.wait()
                except TimeoutError:
                    continue
                client.clear()
                yield self._event("changed")
                await asyncio.sleep(AT_MOST_S)
        finally:
            self._clients.discard(client)

    def _event(self, name: str) -> str:
        data = json.dumps({"version": self.version, **self._says()})
        return f"event: {name}\ndata: {data}\n\n"


async def stream(hub: Hub, may: Callable[[], bool]) -> StreamingResponse:
    """Answer with the events for as long as whoever asked may hear them.

    Parameters:
        may: asked before each event: a session or a token that is taken away ends its streams too.

    Raises:
        TooMany: there is no room.
    """
    events = hub.stream()
    first = await anext(events)

    async def rest() -> AsyncGenerator[str, None]:
        try:
            yield first
            async for event in events:
                if not may():
                    return
                yield event
        finally:
            await events.aclose()

    return StreamingResponse(rest(), media_type="text/event-stream", headers={"cache-control": "no-store"})
