"""Turns: how much of the daemon's one loop the pages may take, however many ask at once.

A request is worked off in steps, from one thing that is waited for to the next. Before each step it waits for its turn:
one step in each pass of the loop, so that what else is due comes between two pages and never behind fifty; and the
processor time of all steps together stays within a share, so that a flood makes pages slow and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Generator
from types import coroutine
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

SHARE = 0.15
"""Of a processor, once the burst is used up."""
BURST_S = 0.5
"""Processor time that is there at once after a quiet time: some fifty pages."""


class Turns:
    """Gives turns, in the order in which they are asked for.

    Parameters:
        loop: whose time is shared out.
        share, burst_s: see `SHARE`, `BURST_S`.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, share: float = SHARE, burst_s: float = BURST_S) -> None:
        self._loop = loop
        self._share = share
        self._burst_s = burst_s
        self._left_s = burst_s
        self._at = loop.time()
        self._given = False
        self._arranged = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    def around(self, app: ASGIApp) -> ASGIApp:
        """Return an application whose requests take turns."""

        async def taking_turns(scope: Scope, receive: Receive, send: Send) -> None:
            work = app(scope, receive, send)
            assert isinstance(work, Coroutine)  # noqa: S101 every application of ours is one
            await self._in_steps(work)

        return taking_turns

    @coroutine
    def _in_steps(self, work: Coroutine[Any, Any, None]) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            if thrown is None:
                try:
                    yield from self._turn()
                except GeneratorExit:
                    work.close()
                    raise
                except BaseException as error:  # noqa: BLE001 cancelled while it waited: the request has to hear of it
                    thrown = error
            began = time.thread_time()
            try:
                awaited = work.send(None) if thrown is None else work.throw(thrown)
            except StopIteration:
                return
            finally:
                self._left_s -= time.thread_time() - began
            thrown = None
            try:
                yield awaited
            except GeneratorExit:
                work.close()
                raise
            except BaseException as error:  # noqa: BLE001 what is thrown in is the request's
                thrown = error

    def _turn(self) -> Generator[Any, Any, None]:
        if self._waiting or self._given or self._wait_s() > 0:
            mine = self._loop.create_future()
            self._waiting.append(mine)
            self._arrange()
            yield from mine
        else:
            self._give()

    def _give(self) -> None:
        self._given = True
        self._loop.call_soon(self._next)

    def _next(self) -> None:
        self._given = False
        self._arrange()

    def _arrange(self) -> None:
        """See to it that whoever waits first gets a turn, now or when the share has it."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()  # gone while it waited
        if not self._waiting or self._given or self._arranged:
            return
        wait_s = self._wait_s()
        if wait_s > 0:
            self._arranged = True
            self._loop.call_later(wait_s, self._due)
        else:
            self._waiting.popleft().set_result(None)
            self._give()

    def _due(self) -> None:
        self._arranged = False
        self._arrange()

    def _wait_s(self) -> float:
        now = self._loop.time()
        self._left_s = min(self._burst_s, self._left_s + self._share * (now - self._at))
        self._at = now
        return max(0.0, -self._left_s / self._share)
