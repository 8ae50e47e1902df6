"""How the daemon is, for the pages: read from its parts' memory each time somebody looks."""

from __future__ import annotations

import resource
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from availability.health import HealthEngine
from collectors.cadence import Cadence
from dashboards.web.house import Vitals
from haidang import __version__
from haidang.pipeline import Pipeline
from haidang.show import utc
from haidang.watching import Watching
from storage.metrics import MetricStore

_MEMORY = Path("/proc/self/statm")


def vitals(
    started_ns: int, worst_late_ns: int, cadence: Cadence, watching: Watching, health: HealthEngine, pipeline: Pipeline,
    store: MetricStore, ledger_error: str,
) -> Vitals:  # fmt: skip
    """Say how we are.

    Parameters:
        started_ns: when this run began.
        worst_late_ns: the latest start of a probe in the minute before this one.
        ledger_error: why the ledger cannot be written; empty when it can.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(_MEMORY.read_text(encoding="ascii").split()[1])  # resident; proc(5)
    return Vitals(
        __version__, started_ns, len(watching.plans()), health.suspects(), tuple(cadence.lateness),
        cadence.late_ns / 1e9,
        max(worst_late_ns, cadence.lag.worst_ns) / 1e6, watching.skipped(), pipeline.unwritten, ledger_error,
        watching.icmp.drops(), watching.snmp.drops(), watching.tolls(),
        store.status(), pages * resource.getpagesize(), usage.ru_utime + usage.ru_stime,
    )  # fmt: skip


def told(now: Vitals) -> Mapping[str, Any]:
    """Put how we are into the words of ``haidang status --self --json``."""
    store = now.store
    charged = sum(toll.cpu_s for toll in now.probes)
    return {
        "version": now.version, "started": utc(now.started_ns), "checks": now.checks, "suspects": now.suspects,
        "slots": sum(now.slots), "slots_skipped": now.skipped, "late_sum_s": round(now.late_sum_s, 3),
        "worst_late_ms": round(now.worst_late_ms, 3), "icmp_dropped": now.icmp_dropped,
        "snmp_dropped": now.snmp_dropped, "transitions_waiting": now.unwritten,
        "ledger_error": now.ledger_error, "store_kind": store.kind, "store_buffered": store.buffered,
        "store_spooled": store.spooled, "store_rejected": store.rejected, "store_refused": store.refused,
        "store_error": store.last_error, "rss_bytes": now.rss_bytes, "cpu_s": round(now.cpu_s, 3),
        "cpu_other_s": round(max(0.0, now.cpu_s - charged), 3),
        "probes": [
            {
                key: round(value, 3) if isinstance(value, float) else value for key, value in asdict(toll).items()
            } for toll in now.probes
        ],
    }  # fmt: skip
