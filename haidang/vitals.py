"""How the daemon is, for the pages: read from its parts' memory each time somebody looks."""

from __future__ import annotations

import resource
from pathlib import Path

from availability.health import HealthEngine
from collectors.cadence import Cadence
from dashboards.web.house import Vitals
from haidang import __version__
from haidang.pipeline import Pipeline
from haidang.watching import Watching
from storage.metrics import MetricStore

_MEMORY = Path("/proc/self/statm")


def vitals(
    started_ns: int, worst_late_ns: int, cadence: Cadence, watching: Watching, health: HealthEngine, pipeline: Pipeline,
    store: MetricStore,
) -> Vitals:  # fmt: skip
    """Say how we are.

    Parameters:
        started_ns: when this run began.
        worst_late_ns: the latest start of a probe in the minute before this one.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(_MEMORY.read_text(encoding="ascii").split()[1])  # resident; proc(5)
    return Vitals(
        __version__, started_ns, len(watching.plans()), health.suspects(), tuple(cadence.lateness),
        cadence.late_ns / 1e9,
        max(worst_late_ns, cadence.lag.worst_ns) / 1e6, watching.skipped(), pipeline.unwritten, pipeline.refused,
        watching.icmp.drops(), store.status(), pages * resource.getpagesize(), usage.ru_utime + usage.ru_stime,
    )  # fmt: skip
