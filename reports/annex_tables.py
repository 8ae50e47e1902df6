"""The tables of the equipment annexes: power, climate, disks, certificates, conference rooms, connections."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from reports.columns import Field, Table, made, numbers, text, typed
from reports.equipment_rows import QualityRow
from reports.model import Report
from reports.words import Words

_SOON_S = 30 * 86_400
"""A certificate that ends within this after the month is printed as bad."""


def power(report: Report, words: Words) -> Table:
    """Batteries and mains."""
    return _readings("power", report, words, [])


def climate(report: Report, words: Words) -> Table:
    """The air of rooms against its band."""
    return _readings(
        "climate", report, words,
        [
            typed("band_low", "number", lambda row: row.band_low, 1),
            typed("band_high", "number", lambda row: row.band_high, 1),
            typed("outside", "percent", lambda row: row.outside_percent, 1.4),
        ],
    )  # fmt: skip


def disks(report: Report, words: Words) -> Table:
    """Disks, arrays and how full they are."""
    return _readings("disks", report, words, [])


def _readings(group: str, report: Report, words: Words, more: list[Field]) -> Table:
    rows = [row for row in report.readings if row.group == group]
    return made(
        group,
        sorted(rows, key=lambda row: (-(row.outside_percent or 0), -(row.bad_percent or 0), row.id, row.sensor)),
        [
            text("device", lambda row: words.name(row.target), 2.4),
            text("id", lambda row: row.id),
            text("sensor", lambda row: row.sensor, 1.8),
            text("measured", lambda row: words.known("sensors", row.kind), 1.9),
            text("unit", lambda row: words.known("units_measured", row.unit), 0.8),
            typed("smallest", "number", lambda row: row.lowest, 1.2),
            typed("mean", "number", lambda row: row.mean, 1.2),
            typed("largest", "number", lambda row: row.highest, 1.2),
            *more,
            typed("complained", "percent", lambda row: row.bad_percent, 1.5),
            typed("coverage", "percent", lambda row: row.coverage_percent, 1.3),
        ],
        lambda row: (row.outside_percent or 0) > 0 or (row.bad_percent or 0) > 0,
    )


def certificates(report: Report, words: Words) -> Table:
    """Certificates, the soonest to end first."""
    return made(
        "certificates",
        sorted(report.certificates, key=lambda row: (row.ends, row.id)),
        [
            text("device", lambda row: words.name(row.target), 3),
            text("id", lambda row: row.id),
            text("check", lambda row: row.probe, 1),
            typed("certificate_ends", "date", lambda row: row.ends.astimezone(words.zone).date(), 1.6),
            typed("days_left", "whole", lambda row: math.floor(row.left_s / 86_400), 1.2),
            typed("seen", "time", lambda row: row.seen),
        ],
        lambda row: row.left_s < _SOON_S,
    )


def _quality(of: Callable[[Any], QualityRow], width: float) -> list[Field]:
    return [
        typed("loss", "percent", lambda row: of(row).loss_percent, width),
        typed("worst_loss", "percent", lambda row: of(row).worst_loss_percent),
        typed("rtt", "number", lambda row: of(row).rtt_ms, width),
        typed("jitter", "number", lambda row: of(row).jitter_ms, width),
    ]


def rooms(report: Report, words: Words) -> Table:
    """Conference rooms."""
    return made(
        "rooms",
        sorted(
            report.rooms,
            key=lambda row: (
                101.0 if row.numbers.availability_percent is None else row.numbers.availability_percent,
                row.id,
            ),
        ),
        [
            text("name", lambda row: words.name(row.name), 2.8),
            text("id", lambda row: row.id),
            text("site", lambda row: words.name(row.site), 2),
            *numbers(words, lambda row: row.numbers, availability=1.5, down=1.5, outages=0.9),
            *_quality(lambda row: row.quality, 1.1),
            typed("mos", "number", lambda row: row.quality.mos, 0.9),
        ],
        lambda row: row.numbers.verdict == "missed",
    )


def connections(report: Report, words: Words) -> Table:
    """The connection database."""
    return made(
        "connections",
        report.connections,
        [
            text("circuit", lambda row: words.name(row.name), 2.4),
            text("id", lambda row: row.circuit),
            text("system", lambda row: row.system),
            text("carrier", lambda row: row.carrier, 1.2),
            text("contract", lambda row: row.contract, 1.9),
            text("a", lambda row: words.name(row.a), 1.7),
            text("b", lambda row: words.name(row.b), 1.7),
            text("target", lambda row: row.target),
            typed("mbps", "number", lambda row: row.mbps, 1),
            typed("channels", "whole", lambda row: row.channels, 0.9),
            typed("highest_load", "percent", lambda row: row.load_percent),
            *_quality(lambda row: row.quality, 1.1),
        ],
    )
