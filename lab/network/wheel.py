"""A timer wheel for delayed packets: one wake-up serves all that are due in the same twentieth of a millisecond."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Generic, TypeVar

TICK_NS = 50_000

Item = TypeVar("Item")


class Wheel(Generic[Item]):
    """Items with a time, given back in order of time (to the tick; within one, in the order they were added)."""

    def __init__(self) -> None:
        self._ticks: dict[int, list[Item]] = {}
        self._order: list[int] = []

    def add(self, at_ns: int, item: Item) -> None:
        """Keep an item until ``at_ns``."""
        tick = (at_ns + TICK_NS // 2) // TICK_NS
        at_tick = self._ticks.get(tick)
        if at_tick is None:
            self._ticks[tick] = [item]
            heapq.heappush(self._order, tick)
        else:
            at_tick.append(item)

    @property
    def next_ns(self) -> int | None:
        """When the next item is due."""
        return self._order[0] * TICK_NS if self._order else None

    def due(self, now_ns: int) -> Iterator[Item]:
        """Take out what is due, also what is added meanwhile."""
        last = now_ns // TICK_NS
        while self._order and self._order[0] <= last:
            yield from self._ticks.pop(heapq.heappop(self._order))
