"""`/metrics`: how the monitor itself is, for Prometheus and what speaks its language (OpenMetrics 1.0).

Only counts: no name of a device, a site or a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as MEDIA_TYPE
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.registry import Collector

from collectors.cadence import LATENESS_NS
from collectors.toll import Toll
from dashboards.web.house import House
from haidang.model import State

__all__ = ["MEDIA_TYPE", "exposition"]


def exposition(house: House) -> bytes:
    """Write all metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(house))
    return bytes(generate_latest(registry))  # type: ignore[no-untyped-call]


class _Collector(Collector):
    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """Yield what is known now."""
        house = self._house
        vitals = house.vitals()
        yield InfoMetricFamily("haidang", "The program.", {"version": vitals.version})
        states = GaugeMetricFamily("haidang_targets", "Targets by state.", labels=["state"])
        counts = house.board.counts()
        for state in State:
            states.add_metric([state.value], counts.get(state, 0))
        yield states
        of_system = GaugeMetricFamily(
            "haidang_system_targets", "Targets of a system by state.", labels=["system", "state"]
        )
        share = GaugeMetricFamily(
            "haidang_system_availability_ratio", "Availability of a system in this month.", labels=["system"]
        )
        left = GaugeMetricFamily(
            "haidang_system_budget_left_seconds", "Downtime a system may still have this month.", labels=["system"]
        )
        for system in house.board.inventory.systems:
            of = house.board.counts(system)
            for state in State:
                of_system.add_metric([system, state.value], of.get(state, 0))
            figures = house.desk.standings[system].figures if system in house.desk.standings else None
            if figures is not None and figures.availability_percent is not None:
                share.add_metric([system], figures.availability_percent / 100)
            if figures is not None and figures.budget_left_s is not None:
                left.add_metric([system], figures.budget_left_s)
        yield from (of_system, share, left)
        late = HistogramMetricFamily("haidang_probe_lateness_seconds", "How late probes were started.")
        total, buckets = 0, []
        for bound, count in zip([*(f"{bound / 1e9:g}" for bound in LATENESS_NS), "+Inf"], vitals.slots, strict=True):
            total += count
            buckets.append((bound, total))
        late.add_metric([], buckets, vitals.late_sum_s)
        yield late
        store = vitals.store
        gauges = (
            ("haidang_checks", "Checks that are watched.", vitals.checks),
            ("haidang_suspects", "Checks that fail and are not confirmed yet.", vitals.suspects),
            ("haidang_incidents_open", "Open incidents.", len(house.desk.incidents)),
            ("haidang_maintenance_targets", "Targets in maintenance.", len(house.quiet())),
            ("haidang_transitions_waiting", "Transitions that wait for the disk.", vitals.unwritten),
            ("haidang_store_buffered_points", "Points in memory only.", store.buffered),
            ("haidang_store_spooled_points", "Points on our disk that the store has not taken.", store.spooled),
            ("haidang_web_connections", "Open connections.", house.gate.connections),
            ("haidang_web_watching", "Browsers that are told of changes.", house.hub.watching),
            ("haidang_started_time_seconds", "When this run began.", vitals.started_ns / 1e9),
            ("process_resident_memory_bytes", "Resident memory.", vitals.rss_bytes),
        )
        for name, what, value in gauges:
            yield GaugeMetricFamily(name, what, value)
        counters = (
            ("haidang_slots_skipped", "Probes that were left out.", vitals.skipped),
            ("haidang_icmp_dropped", "Echo replies lost in our own buffers.", vitals.icmp_dropped),
            ("haidang_snmp_dropped", "SNMP answers lost in our own buffers.", vitals.snmp_dropped),
            ("haidang_store_points_written", "Points the store has.", store.written),
            ("haidang_store_points_rejected", "Points the store would not have.", store.rejected),
            ("haidang_store_points_refused", "Points that found no room.", store.refused),
            ("haidang_web_sign_in_failed", "Tries to sign in that were looked at and not right.", house.backoff.wrong),
            ("haidang_web_sign_in_held_back", "Tries to sign in that were turned away unseen.", house.backoff.refused),
            ("process_cpu_seconds", "Processor time.", vitals.cpu_s),
        )
        for name, what, value in counters:
            yield CounterMetricFamily(name, what, value)
        yield from _tolls(vitals.probes)
        refused = CounterMetricFamily("haidang_web_refused", "What the gate refused or held.", labels=["reason"])
        for reason in ("full", "address", "slow", "stuck", "paced", "invalid"):
            refused.add_metric([reason], house.gate.counted.get(reason, 0))
        yield refused


def _tolls(probes: Iterable[Toll]) -> Iterator[Metric]:
    """Yield what each kind of probe costs."""
    checks = GaugeMetricFamily("haidang_probe_checks", "Checks by kind of probe.", labels=["probe"])
    worst = GaugeMetricFamily(
        "haidang_probe_worst_late_seconds", "The latest start in this minute and the one before.", labels=["probe"]
    )
    counters = (
        CounterMetricFamily("haidang_probe_slots", "Probes started, by kind.", labels=["probe"]),
        CounterMetricFamily("haidang_probe_slots_skipped", "Probes left out, by kind.", labels=["probe"]),
        CounterMetricFamily("haidang_probe_late_seconds", "How late they were started, together.", labels=["probe"]),
        CounterMetricFamily("haidang_probe_cpu_seconds", "Processor time by kind of probe.", labels=["probe"]),
    )
    for toll in probes:
        checks.add_metric([toll.probe], toll.checks)
        worst.add_metric([toll.probe], toll.worst_late_ms / 1000)
        for family, value in zip(counters, (toll.slots, toll.skipped, toll.late_s, toll.cpu_s), strict=True):
            family.add_metric([toll.probe], value)
    yield from (checks, worst, *counters)
