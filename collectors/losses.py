"""What share of each target's echoes was lost in a window, from what the metric store holds: for burn rates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable

from storage.metrics import MetricStore, Query

BadShare = Callable[[int, int], float]
"""From start and end of a window, UTC nanoseconds, to the share that was lost, 0 to 1."""

_SECOND_NS = 1_000_000_000
_HOUR_NS = 3600 * _SECOND_NS
_FINE_S, _FINE_NS = 300, 6 * _HOUR_NS
_COARSE_S, _COARSE_NS = 3600, 72 * _HOUR_NS


async def losses(store: MetricStore, now_ns: int) -> dict[str, BadShare]:
    """Read how much each target lost: of the last six hours by 5 minutes, of three days by hours.

    Parameters:
        store: read only.
        now_ns: UTC; what comes out ends with the last five minutes that are over.

    Returns:
        by target, those that lost anything; each answers for windows up to three days before ``now_ns``.

    Raises:
        StoreError: the store cannot answer.
    """
    fine = await _buckets(store, now_ns, _FINE_S, _FINE_NS)
    coarse = await _buckets(store, now_ns, _COARSE_S, _COARSE_NS)
    found = {}
    for target, buckets in coarse.items():
        if any(lost for _, lost in buckets):
            found[target] = _share(fine.get(target, []), buckets, now_ns)
    return found


async def _buckets(store: MetricStore, now_ns: int, step_s: int, reach_ns: int) -> dict[str, list[tuple[int, float]]]:
    step_ns = step_s * _SECOND_NS
    end_ns = now_ns // step_ns * step_ns
    query = Query("ping", max(0, end_ns - reach_ns), end_ns, ("percent_packet_loss",), step_s=step_s)
    found: dict[str, list[tuple[int, float]]] = {}
    for curve in await store.read(query):
        target = dict(curve.series.tags).get("target")
        if target is not None:
            found.setdefault(target, []).extend(zip(curve.times_ns, curve.mean, strict=True))
    for buckets in found.values():
        buckets.sort()
    return found


def _share(fine: list[tuple[int, float]], coarse: list[tuple[int, float]], now_ns: int) -> BadShare:
    def share(start_ns: int, end_ns: int) -> float:
        # Buckets are stamped with their beginning and the running one is left out, so a window reaches one step back.
        buckets, step_s = (fine, _FINE_S) if now_ns - start_ns <= _FINE_NS else (coarse, _COARSE_S)
        back_ns = step_s * _SECOND_NS
        first, last = (bisect_left(buckets, (at_ns - back_ns,)) for at_ns in (start_ns, end_ns))
        inside = buckets[first:last]
        return sum(lost for _, lost in inside) / len(inside) / 100.0 if inside else 0.0

    return share
