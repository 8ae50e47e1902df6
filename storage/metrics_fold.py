"""Points folded into buckets; a bucket keeps count, sum, least and greatest, so that buckets fold into wider ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from haidang.model import Series
from storage.metrics_model import SECOND_NS, Curve


@dataclass(slots=True)
class Buckets:
    """Aggregates in parallel lists, ordered by start.

    Parameters:
        start_ns: where each bucket begins; for single points the point's time.
        total: the sum of the values (not the mean: sums of decimals stay short decimals and pack well).
    """

    start_ns: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    def extend(self, other: Buckets) -> None:
        """Append what comes later."""
        self.start_ns += other.start_ns
        self.count += other.count
        self.total += other.total
        self.low += other.low
        self.high += other.high

    def within(self, start_ns: int, end_ns: int) -> Buckets:
        """Return the buckets that begin in a span."""
        keep = [index for index, start in enumerate(self.start_ns) if start_ns <= start < end_ns]
        if len(keep) == len(self.start_ns):
            return self
        return Buckets(
            [self.start_ns[i] for i in keep], [self.count[i] for i in keep], [self.total[i] for i in keep],
            [self.low[i] for i in keep], [self.high[i] for i in keep],
        )  # fmt: skip

    def curve(self, series: Series, name: str, step_s: int) -> Curve:
        """Turn sums into means."""
        mean = [total / count if count > 1 else total for total, count in zip(self.total, self.count, strict=True)]
        return Curve(series, name, step_s, self.start_ns, self.count, mean, self.low, self.high)


def of_points(times_ns: list[int], values: list[float]) -> Buckets:
    """Return single points as buckets of one."""
    return Buckets(times_ns, [1] * len(times_ns), values, values, values)


def fold(source: Buckets, step_s: int) -> Buckets:
    """Fold ordered buckets into wider ones that lie on multiples of ``step_s`` since 1970; 0 changes nothing."""
    if not step_s:
        return source
    step_ns = step_s * SECOND_NS
    result = Buckets()
    first = 0
    size = len(source.start_ns)
    starts = source.start_ns
    if len(set(starts)) == size and not any(start % step_ns for start in starts):
        return source  # as summaries of the asked width are
    while first < size:
        begin = starts[first] // step_ns * step_ns
        after = first + 1
        limit = begin + step_ns
        while after < size and starts[after] < limit:
            after += 1
        result.start_ns.append(begin)
        result.count.append(sum(source.count[first:after]))
        result.total.append(decimal_sum(source.total[first:after]))
        result.low.append(min(source.low[first:after]))
        result.high.append(max(source.high[first:after]))
        first = after
    return result


def decimal_sum(values: Iterable[float]) -> float:
    """Add up without the noise of binary fractions: 0.1 + 0.2 is 0.3, which packs into two bytes instead of eight.

    A millionth of the unit is finer than anything measured; larger and finer sums stay as they are.
    """
    total = sum(values)
    if isinstance(total, int) or not -1e9 < total < 1e9 or -1 < total < 1:
        return total
    return round(total, 6)
