"""Token buckets: how much of what comes in is looked at, from one source and from all together."""

from __future__ import annotations

from collections.abc import Iterable

BURST_S = 5.0
"""How many seconds' worth may come at once: a switch that restarts tells of all its ports."""


class Bucket:
    """Lets through so many per second, and a burst now and then.

    Parameters:
        per_s: tokens per second.
        now: seconds on any clock that never goes back, the same for every call.
    """

    __slots__ = ("_at", "_level", "_most", "_per_s")

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s = per_s
        self._most = self._level = max(1.0, per_s * BURST_S)
        self._at = now

    def take(self, now: float) -> bool:
        """Take a token; False when there is none."""
        self._level = min(self._most, self._level + (now - self._at) * self._per_s)
        self._at = now
        if self._level < 1:
            return False
        self._level -= 1
        return True


class Buckets:
    """One bucket for each source that may speak, and one for all; who may not speak has none.

    Parameters:
        per_source, total: packets per second.
    """

    def __init__(self, per_source: float, total: float, now: float) -> None:
        self._per_source = per_source
        self._all = Bucket(total, now)
        self._sources: dict[str, Bucket] = {}

    def allow(self, sources: Iterable[str], now: float) -> None:
        """Set who may speak from now on; levels of those who could before stay."""
        known = self._sources
        self._sources = {source: known.get(source) or Bucket(self._per_source, now) for source in sources}

    def knows(self, source: str) -> bool:
        """Tell whether a source may speak."""
        return source in self._sources

    def take(self, source: str, now: float) -> bool:
        """Take a token of a source that may speak; one that sends too much takes nothing from the others."""
        return self._sources[source].take(now) and self._all.take(now)
