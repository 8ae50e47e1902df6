"""What will happen to a device, in the order of time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

Action = Callable[[int], None]
"""Gets the time it was planned for, UTC ns."""


class Schedule:
    """Actions that wait for their time; what falls on the same moment happens in the order it was planned.

    Parameters:
        now_ns: when it begins.
        planned: told the time of each action that is added.
    """

    def __init__(self, now_ns: int, planned: Callable[[int], None] | None = None) -> None:
        self.now_ns = now_ns
        self._planned = planned
        self._heap: list[tuple[int, int, Action]] = []
        self._order = count()

    def add(self, at_ns: int, action: Action) -> None:
        """Plan an action; a time that has passed already means now."""
        at_ns = max(at_ns, self.now_ns)
        heapq.heappush(self._heap, (at_ns, next(self._order), action))
        if self._planned is not None:
            self._planned(at_ns)

    def run(self, until_ns: int) -> None:
        """Let everything happen that is due; a time in the past does nothing, time never goes back."""
        while self._heap and self._heap[0][0] <= until_ns:
            at_ns, _, action = heapq.heappop(self._heap)
            self.now_ns = at_ns
            action(at_ns)
        self.now_ns = max(self.now_ns, until_ns)

    @property
    def next_ns(self) -> int | None:
        """When the next action is due."""
        return self._heap[0][0] if self._heap else None
