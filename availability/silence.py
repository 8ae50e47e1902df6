"""Silence: checks of which nothing certain has come in for longer than their rule allows.

A heap of when to look again, so that a tick costs what has gone silent and not what is watched.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from availability.check import Check
from haidang.model import CheckId, State

AGAIN_NS = 1_000_000_000
"""How soon a check that is silent already is looked at again."""


class Silence:
    """Notices it.

    Parameters:
        known: gives a check by its id, ``None`` when it is not watched any more.
    """

    def __init__(self, known: Callable[[CheckId], Check | None]) -> None:
        self._known = known
        self._looks: list[tuple[int, CheckId]] = []
        self._looked_at: set[CheckId] = set()

    def watch(self, check: CheckId) -> None:
        """Look at a check from the next tick on."""
        if check not in self._looked_at:  # one that was forgotten a moment ago still has its place
            self._looked_at.add(check)
            heapq.heappush(self._looks, (0, check))

    def due(self, now_ns: int) -> Iterator[Check]:
        """Give the checks that have gone silent by a time, UTC nanoseconds."""
        while self._looks and self._looks[0][0] <= now_ns:
            _, name = heapq.heappop(self._looks)
            check = self._known(name)
            if check is None:
                self._looked_at.discard(name)
                continue
            stale_ns = round(check.rule.stale_s * 1e9)
            if check.certain_ns and now_ns - check.certain_ns > stale_ns and check.state not in (None, State.UNKNOWN):
                yield check
            again_ns = check.certain_ns + stale_ns + 1
            heapq.heappush(self._looks, (again_ns if again_ns > now_ns else now_ns + AGAIN_NS, name))

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        self._looks = [(at_ns + delta_ns, check) for at_ns, check in self._looks]  # still a heap
