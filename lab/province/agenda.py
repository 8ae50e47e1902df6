"""Which unit is due when."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Agenda:
    """The next moment of each unit at which something happens to it by itself.

    Parameters:
        woken: called when the earliest moment of all moves forward.
    """

    def __init__(self, woken: Callable[[], None]) -> None:
        self._woken = woken
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def add(self, unit: str, at_ns: int) -> None:
        """Note that a unit is due; of several moments the earliest counts."""
        if at_ns >= self._due.get(unit, at_ns + 1):
            return
        earliest = self.next_ns
        self._due[unit] = at_ns
        heapq.heappush(self._heap, (at_ns, unit))
        if earliest is None or at_ns < earliest:
            self._woken()

    def take(self, until_ns: int) -> tuple[int, list[str]] | None:
        """Give the earliest moment that has come and all units due then; ``None`` when there is none."""
        at_ns = self.next_ns
        if at_ns is None or at_ns > until_ns:
            return None
        units = []
        while self.next_ns == at_ns:
            unit = heapq.heappop(self._heap)[1]
            del self._due[unit]
            units.append(unit)
        return at_ns, units

    @property
    def next_ns(self) -> int | None:
        """The earliest moment."""
        heap = self._heap
        while heap and self._due.get(heap[0][1]) != heap[0][0]:
            heapq.heappop(heap)  # an earlier moment of this unit has taken its place
        return heap[0][0] if heap else None
