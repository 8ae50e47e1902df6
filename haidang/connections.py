"""The connection database: channels, bandwidth and measured quality, as the yearly registration asks for them."""

from __future__ import annotations

from typing import Any

from collectors.load import WINDOW_S, loads
from config import Configuration
from storage.metrics import MetricStore, Query

COLUMNS = (
    "circuit", "name", "system", "carrier", "contract", "site_a", "site_b", "contracted_mbps", "target", "interface",
    "in_p95_mbps", "out_p95_mbps", "load_percent", "load_coverage_percent", "loss_percent", "rtt_ms", "jitter_ms",
)  # fmt: skip
_QUALITY = {
    "loss_percent": "percent_packet_loss", "rtt_ms": "percentile50_ms", "jitter_ms": "jitter_ms",
}  # fmt: skip
_SECOND_NS = 1_000_000_000
_STEP_S = 3600


async def connections(configuration: Configuration, store: MetricStore, now_ns: int) -> list[dict[str, Any]]:
    """List every end of every circuit; what was not measured is ``None``.

    Parameters:
        configuration: circuits and targets.
        store: where the measurements are.
        now_ns: UTC; quality is the mean of the seven days before, load the 95th percentile (`collectors.load`).

    Raises:
        StoreError: the store cannot answer.
    """
    rows = []
    for load in await loads(configuration, store, now_ns):
        circuit = configuration.inventory.circuits[load.circuit]
        quality = await _quality(store, load.target, now_ns) if load.target else dict.fromkeys(_QUALITY)
        worst = load.worst_percent
        rows.append(
            {
                "circuit": circuit.id, "name": circuit.label(configuration.language), "system": circuit.system,
                "carrier": circuit.carrier, "contract": circuit.contract, "site_a": circuit.a, "site_b": circuit.b,
                "contracted_mbps": circuit.mbps, "target": load.target or None, "interface": load.interface or None,
                "in_p95_mbps": _mbps(load.in_p95_bps), "out_p95_mbps": _mbps(load.out_p95_bps),
                "load_percent": None if worst is None else round(worst, 2),
                "load_coverage_percent": round(load.coverage_percent, 2), **quality,
            }
        )  # fmt: skip
    return rows


async def _quality(store: MetricStore, target: str, now_ns: int) -> dict[str, float | None]:
    """Return mean loss, median round trip and jitter of a target's pings."""
    start_ns = now_ns - WINDOW_S * _SECOND_NS
    query = Query("ping", start_ns, now_ns, tuple(_QUALITY.values()), {"target": target}, step_s=_STEP_S)
    sums = dict.fromkeys(_QUALITY.values(), (0.0, 0))
    for curve in await store.read(query):
        total, count = sums[curve.field]
        total += sum(mean * many for mean, many in zip(curve.mean, curve.count, strict=True))
        sums[curve.field] = (total, count + sum(curve.count))
    return {ours: round(sums[name][0] / sums[name][1], 3) if sums[name][1] else None for ours, name in _QUALITY.items()}


def _mbps(bps: float | None) -> float | None:
    return None if bps is None else round(bps / 1e6, 3)
