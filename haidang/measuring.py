"""Measuring ourselves: the figures of the daemon's own measurement ``haidang``."""

from __future__ import annotations

import resource

from availability.health import HealthEngine
from collectors.cadence import Cadence
from collectors.receiver import Keeper
from collectors.toll import Toll
from haidang.model import FieldValue
from haidang.pipeline import Pipeline
from haidang.telling import Telling
from haidang.watching import Watching
from storage.metrics import MetricStore


def own_figures(
    cadence: Cadence, watching: Watching, health: HealthEngine, pipeline: Pipeline, store: MetricStore,
    keeper: Keeper, telling: Telling, now_ns: int,
) -> dict[str, FieldValue]:  # fmt: skip
    """Say how we are doing since the last time: lag, skipped slots, our own losses, memory and processor time."""
    lag, held = cadence.take_lag(), store.status()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "slots": lag.runs, "slots_skipped": lag.skipped + watching.skipped(),
        "lag_mean_ms": round(lag.total_ns / max(1, lag.runs) / 1e6, 3), "lag_max_ms": round(lag.worst_ns / 1e6, 3),
        "icmp_dropped": watching.icmp.drops(), "snmp_dropped": watching.snmp.drops(),
        "rates_dropped": watching.dropped_rates(),
        "suspects": health.suspects(),
        "transitions_waiting": pipeline.unwritten, "store_buffered": held.buffered,
        "store_spooled": held.spooled, "store_rejected": held.rejected, "store_refused": held.refused,
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 3), "rss_max_kib": usage.ru_maxrss,
        "written_ms": now_ns // 1_000_000,  # whoever reads it in the store knows that it was written then
        **_received(keeper, telling),
    }  # fmt: skip


def toll_figures(toll: Toll) -> dict[str, FieldValue]:
    """Say what a kind of probe has cost since the start: the measurement ``haidang_probe``."""
    return {
        "checks": toll.checks, "slots": toll.slots, "slots_skipped": toll.skipped, "late_s": round(toll.late_s, 3),
        "lag_max_ms": round(toll.worst_late_ms, 3), "cpu_s": round(toll.cpu_s, 3),
    }  # fmt: skip


def _received(keeper: Keeper, telling: Telling) -> dict[str, FieldValue]:
    """Count what the receiver did; nothing when it does not listen."""
    counted = {f"received_{name}": count for name, count in keeper.counted.items()}
    if not counted:
        return {}
    return {
        **counted, "receiver_restarts": keeper.restarts, "receiver_refused": keeper.refused,
        "events": telling.events, "looks": telling.looks, "events_left_out": telling.left_out,
    }  # fmt: skip
