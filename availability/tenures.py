"""Which check spoke for a target when: a target that is judged by another check from now on keeps its past.

What was measured stays what it was. Up to the moment at which the new check began to be watched, the one before it says
how the target was; nothing is unknown merely because it is measured in a better way since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from haidang.model import CheckId, Interval

FOREVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Tenure:
    """The time in which one check said whether a target was there; UTC nanoseconds.

    Parameters:
        check: which.
        start_ns: ``None``: since when is not on record.
        end_ns: when the next one's began, or `FOREVER_NS`.
    """

    check: CheckId
    start_ns: int | None
    end_ns: int


def tenures(primary: CheckId, spoke: Sequence[tuple[int, str]], watched: Mapping[str, int]) -> tuple[Tenure, ...]:
    """Say which check spoke for a target when.

    Parameters:
        primary: the one that speaks for it by the configuration.
        spoke: what the daemon wrote down: from when on which probe spoke, in order; empty: it never did.
        watched: since when each probe of the target is watched.

    Returns:
        at least one, in order, without a gap between them. Before the first that was written down spoke the probe that
        is watched the longest, a ping before others: no version that wrote nothing down judged by anything else.
    """
    starts: list[tuple[int | None, str]] = [(watched.get(primary.probe), primary.probe)]
    if spoke:
        first = spoke[0][1]
        starts = [(watched.get(first, spoke[0][0]), first)]
        starts += [(max(from_ns, watched.get(probe, from_ns)), probe) for from_ns, probe in spoke[1:]]
    oldest = min(watched, key=lambda probe: (watched[probe], probe != "icmp"), default=None)
    if oldest is not None:
        begin = starts[0][0]
        if begin is None and not spoke:
            starts = [(watched[oldest], oldest)]  # the daemon has not taken this configuration yet
        elif begin is not None and watched[oldest] < begin:
            starts.insert(0, (watched[oldest], oldest))
    kept: list[tuple[int | None, str]] = []
    for start_ns, probe in starts:
        while kept and start_ns is not None and (kept[-1][0] or 0) >= start_ns:
            kept.pop()  # the later word holds
        if not kept or kept[-1][1] != probe:
            kept.append((start_ns, probe))
    ends = [*(start_ns or 0 for start_ns, _ in kept[1:]), FOREVER_NS]
    return tuple(
        Tenure(CheckId(primary.target, probe), start_ns, end_ns)
        for (start_ns, probe), end_ns in zip(kept, ends, strict=True)
    )


def spoken(
    held: Iterable[Tenure], intervals: Callable[[CheckId, int, int], Iterable[Interval]], start_ns: int, end_ns: int
) -> list[Interval]:
    """Return what is known of a target in a period, each moment by the check that spoke for it then.

    Parameters:
        held: its tenures, in order.
        intervals: returns a check's intervals that touch a period, in order.
        start_ns, end_ns: the period.
    """
    found: list[Interval] = []
    for one in held:
        begin, end = max(start_ns, one.start_ns or start_ns), min(end_ns, one.end_ns)
        if begin >= end:
            continue
        for interval in intervals(one.check, begin, end):
            first = interval.start_ns if one.start_ns is None else max(interval.start_ns, one.start_ns)
            last = interval.end_ns if one.end_ns == FOREVER_NS else min(interval.end_ns or one.end_ns, one.end_ns)
            if last is None or last > first:
                whole = (first, last) == (interval.start_ns, interval.end_ns)  # nearly all are, of thousands
                found.append(interval if whole else replace(interval, start_ns=first, end_ns=last))
    return found
