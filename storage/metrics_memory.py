"""The store in memory: for tests, replays and trying out; nothing is on disk."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence

from haidang.model import Point, Series
from storage.metrics_fold import fold, of_points
from storage.metrics_model import Curve, Query, StoreStatus


class InMemoryStore:
    """A `MetricStore` that keeps the newest points in memory.

    Parameters:
        limit: points kept; the oldest written go first.
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self._limit = limit
        self._written = 0
        self.points: list[Point] = []

    def add(self, points: Sequence[Point]) -> None:
        """See `MetricStore.add`."""
        self.points += points
        self._written += len(points)
        if len(self.points) > self._limit * 5 // 4:
            del self.points[: -self._limit]

    async def run(self) -> None:
        """See `MetricStore.run`; there is nothing to carry on."""
        await asyncio.Event().wait()

    async def tidy(self) -> None:
        """See `MetricStore.tidy`; there is nothing to do."""

    async def close(self, deadline_s: float) -> None:
        """See `MetricStore.close`."""

    def status(self) -> StoreStatus:
        """See `MetricStore.status`."""
        return StoreStatus(kind="memory", written=self._written)

    async def read(self, query: Query) -> list[Curve]:
        """See `MetricStore.read`."""
        query = query.aligned()
        columns: dict[tuple[Series, str], dict[int, float]] = {}
        for point in self.points:
            series = Series(point.series.measurement, tuple(sorted((k, v) for k, v in point.series.tags if k and v)))
            tags = dict(series.tags)
            if series.measurement != query.measurement or not query.start_ns <= point.time_ns < query.end_ns:
                continue
            if any(tags.get(key) != value for key, value in query.tags.items()):
                continue
            for name, value in point.fields.items():
                if (
                    isinstance(value, int | float)
                    and math.isfinite(value)
                    and (not query.fields or name in query.fields)
                ):
                    columns.setdefault((series, name), {})[point.time_ns] = +value  # True is 1, as elsewhere
        curves = []
        for (series, name), column in sorted(columns.items(), key=lambda item: (item[0][0].tags, item[0][1])):
            times = sorted(column)
            buckets = fold(of_points(times, [column[time_ns] for time_ns in times]), query.step_s)
            curves.append(buckets.curve(series, name, query.step_s))
        return curves
