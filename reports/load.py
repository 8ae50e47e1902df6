"""How loaded the lines were in a month, from the hourly figures the daemon stored as ``circuit_load``."""

from __future__ import annotations

from config import Configuration
from reports.equipment_rows import LoadRow
from reports.parts import Label, at
from storage.metrics import MetricStore, Query

LIMIT_PERCENT = 90.0
"""Thông tư 06/2026/TT-BKHCN: P95 of 5-minute samples over 7 consecutive days, per direction, of what is contracted."""

_DIRECTIONS = (("in", "in_p95_percent"), ("out", "out_p95_percent"))


async def loads(configuration: Configuration, store: MetricStore, start_ns: int, end_ns: int) -> list[LoadRow]:
    """Read the load of every line in a month, one row for each end and direction.

    A window that began before the month belongs to it when it ended in it.

    Raises:
        StoreError: the store cannot answer.
    """
    fields = ("in_p95_percent", "out_p95_percent", "coverage_percent")
    curves = await store.read(Query("circuit_load", start_ns, end_ns, fields, {}, step_s=3600))
    known = configuration.inventory.circuits
    found: dict[tuple[str, str, str], dict[str, dict[int, float]]] = {}
    for curve in curves:
        tags = dict(curve.series.tags)
        if tags.get("circuit") not in known:
            continue
        key = (tags["circuit"], tags.get("target", ""), tags.get("ifName", ""))
        series = found.setdefault(key, {}).setdefault(curve.field, {})
        series.update(zip(curve.times_ns, curve.high, strict=True))
    rows = []
    for (circuit, target, interface), mine in sorted(found.items()):
        name: Label = {language: known[circuit].label(language) for language in ("vi", "en")}
        covered = mine.get("coverage_percent", {}).values()
        for direction, field in _DIRECTIONS:
            windows = {when: value for when, value in mine.get(field, {}).items() if start_ns <= when < end_ns}
            if not windows:
                continue
            when = max(windows, key=lambda one: (windows[one], -one))
            rows.append(
                LoadRow(
                    circuit=name, target=target, interface=interface, direction=direction, mbps=known[circuit].mbps,
                    highest_percent=round(windows[when], 3), highest_at=at(when), windows=len(windows),
                    over=sum(value > LIMIT_PERCENT for value in windows.values()),
                    coverage_percent=round(sum(covered) / len(covered), 2) if covered else 0.0,
                )
            )  # fmt: skip
    return rows
