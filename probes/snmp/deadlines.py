"""Deadlines in ticks: one timer of the event loop serves thousands of requests."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

TICK_S = 0.02


class Deadlines:
    """Remembers when to look at what; keeps only numbers, so nothing that is over is kept alive until then.

    Parameters:
        wake: called when a tick with something in it has come; it must call `take`.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._ticks: dict[int, list[int]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, number: int, due: float) -> None:
        """Remember a number until ``due``, loop time; infinity is never."""
        if due == float("inf"):
            return
        tick = int(due / TICK_S) + 1
        at_tick = self._ticks.get(tick)
        if at_tick is not None:
            at_tick.append(number)
            return
        self._ticks[tick] = [number]
        heapq.heappush(self._order, tick)
        if self._order[0] == tick:
            self._arm()

    def take(self, now: float) -> list[int]:
        """Give the numbers whose tick has come and wait for the next; the caller checks whether they still matter."""
        last = int(now / TICK_S)
        numbers: list[int] = []
        while self._order and self._order[0] <= last:
            numbers += self._ticks.pop(heapq.heappop(self._order))
        self.close()
        if self._order:
            self._arm()
        return numbers

    def close(self) -> None:
        """Stop the timer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self.close()
        self._timer = asyncio.get_running_loop().call_at(self._order[0] * TICK_S, self._wake)
