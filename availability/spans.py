"""Sets of time, as sorted spans that neither overlap nor touch: what every sum over a period is made of.

A span is ``(start, end)`` in nanoseconds of UTC, the end exclusive. Empty spans never appear in a result.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[int, int]
Spans = tuple[Span, ...]


def merged(spans: Iterable[Span]) -> Spans:
    """Return the union of any spans: overlaps count once, neighbours become one."""
    out: list[Span] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)


def intersection(left: Sequence[Span], right: Sequence[Span]) -> Spans:
    """Return the time that is in both sets."""
    out: list[Span] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            out.append((start, end))
        if left[i][1] <= right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def difference(left: Sequence[Span], right: Sequence[Span]) -> Spans:
    """Return the time that is in the first set and not in the second."""
    out: list[Span] = []
    j = 0
    for start, end in left:
        while j < len(right) and right[j][1] <= start:
            j += 1
        begin, k = start, j
        while k < len(right) and right[k][0] < end:
            if begin < right[k][0]:
                out.append((begin, right[k][0]))
            begin = max(begin, right[k][1])
            k += 1
        if begin < end:
            out.append((begin, end))
    return tuple(out)


def total(spans: Iterable[Span]) -> int:
    """Return how long a set lasts, nanoseconds."""
    return sum(end - start for start, end in spans)


def after(spans: Iterable[Span], lasting_ns: int) -> int | None:
    """Return when so much of a set has passed; ``None`` when the set is shorter than that.

    Parameters:
        spans: the time that counts.
        lasting_ns: how much of it has to pass.
    """
    left = lasting_ns
    for start, end in spans:
        if left < end - start:
            return start + left
        left -= end - start
    return None
