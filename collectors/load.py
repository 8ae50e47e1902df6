"""How loaded the leased lines are: the 95th percentile of 5-minute samples per direction over seven days.

Contracted Mbit/s is the capacity (Thông tư 06/2026/TT-BKHCN: at most 90 % of it). A sample is the mean of the rates of
five minutes; what was not measured is no sample and never counts as idle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collectors.points import series
from config import Configuration, Target
from config.schema.things import Circuit
from haidang.model import Point
from storage.metrics import Curve, MetricStore, Query

WINDOW_S = 7 * 86_400
MOST_PERCENT = 90
"""Of the contracted capacity, by the rule."""
SAMPLE_S = 300
ROUTERS = ("router", "firewall")
"""How the roles end of what a leased line's port can be on."""
FEWEST = 12
"""Samples below which there is no percentile: an hour."""

_SECOND_NS = 1_000_000_000
_DIRECTIONS = ("in_bps", "out_bps")


@dataclass(frozen=True, slots=True)
class Load:
    """One end of a circuit over the window.

    Parameters:
        circuit: its id.
        target: the device at this end; empty when none is configured.
        interface: the port, empty when it is not known which.
        mbps: contracted, Mbit/s.
        in_p95_bps, out_p95_bps: bit/s, seen from the device.
        samples: in the direction that has fewer.
        reason: why there is no figure.
    """

    circuit: str
    target: str = ""
    interface: str = ""
    mbps: float | None = None
    in_p95_bps: float | None = None
    out_p95_bps: float | None = None
    samples: int = 0
    reason: str = ""

    @property
    def coverage_percent(self) -> float:
        """The share of the window that was measured."""
        return min(100.0, 100 * self.samples * SAMPLE_S / WINDOW_S)

    def percent(self, bps: float | None) -> float | None:
        """Set a rate against the contracted capacity."""
        return None if bps is None or not self.mbps else bps / (self.mbps * 1e4)

    @property
    def worst_percent(self) -> float | None:
        """The busier direction."""
        known = [one for one in map(self.percent, (self.in_p95_bps, self.out_p95_bps)) if one is not None]
        return max(known, default=None)


def percentile_95(samples: Sequence[float]) -> float | None:
    """Return the smallest sample that at least 95 % of all do not exceed (nearest rank); ``None`` for too few."""
    if len(samples) < FEWEST:
        return None
    return sorted(samples)[math.ceil(0.95 * len(samples)) - 1]


async def loads(configuration: Configuration, store: MetricStore, now_ns: int) -> list[Load]:
    """Measure every circuit's load from what the store holds, one row for each end.

    Parameters:
        configuration: circuits and the targets at their ends.
        store: read only.
        now_ns: UTC; the window ends with the last five minutes that are over.

    Raises:
        StoreError: the store cannot answer.
    """
    found = []
    inventory = configuration.inventory
    polled = [target for target in inventory.targets.values() if target.snmp is not None]
    at_site: dict[str, list[Target]] = {}
    for target in polled:
        if target.site and target.role.endswith(ROUTERS):
            at_site.setdefault(target.site, []).append(target)
    read: dict[str, list[Curve]] = {}
    for circuit in inventory.circuits.values():
        rows = [await of_end(circuit, target, store, now_ns, read) for target in polled if target.circuit == circuit.id]
        named = {row.target for row in rows}
        # What ends the line may be the carrier's, and mute: then the router behind it has the port.
        for site in dict.fromkeys((circuit.a, circuit.b)):
            for target in at_site.get(site or "", ()):
                if target.id not in named:
                    row = await of_end(circuit, target, store, now_ns, read)
                    rows += [row] if row.interface else []
        if not rows:
            reason = "no target with snmp has this circuit, and no router at its sites a port with its id in the alias"
            rows.append(Load(circuit.id, mbps=circuit.mbps, reason=reason))
        found += rows
    return found


async def of_end(
    circuit: Circuit, target: Target, store: MetricStore, now_ns: int, read: dict[str, list[Curve]] | None = None
) -> Load:
    """Measure one end of a circuit, see `loads`.

    Parameters:
        read: what was read of targets already; a hub ends twenty lines.
    """
    end_ns = now_ns // (SAMPLE_S * _SECOND_NS) * SAMPLE_S * _SECOND_NS
    curves = read.get(target.id) if read is not None else None
    if curves is None:
        start_ns = end_ns - WINDOW_S * _SECOND_NS
        curves = list(
            await store.read(Query("interface", start_ns, end_ns, _DIRECTIONS, {"target": target.id}, step_s=SAMPLE_S))
        )
        if read is not None:
            read[target.id] = curves
    wanted = target.snmp.interface if target.snmp else None
    mine = [curve for curve in curves if is_end(dict(curve.series.tags), circuit, wanted)]
    names = {dict(curve.series.tags).get("ifName", "") for curve in mine}
    if not curves:
        reason = f"no rates of {target.id} are stored for a whole five minutes yet"
        return Load(circuit.id, target.id, mbps=circuit.mbps, reason=reason)
    if len(names) != 1:
        what = "no interface" if not names else f"{len(names)} interfaces ({', '.join(sorted(names)[:3])})"
        by = f"is called {wanted}" if wanted else "has the circuit's id or contract in its alias"
        reason = f"{what} of {target.id} {by}: give targets[].snmp.interface its ifName"
        return Load(circuit.id, target.id, mbps=circuit.mbps, reason=reason)
    samples = {direction: _samples(mine, direction) for direction in _DIRECTIONS}
    fewest = min(map(len, samples.values()))
    return Load(
        circuit.id, target.id, names.pop(), circuit.mbps,
        percentile_95(samples["in_bps"]), percentile_95(samples["out_bps"]), fewest,
        "" if fewest >= FEWEST else f"{fewest} samples of 5 minutes: at least {FEWEST} are needed",
    )  # fmt: skip


def is_end(tags: Mapping[str, str], circuit: Circuit, wanted: str | None) -> bool:
    """Tell whether a port, by its series' tags, is the one on a circuit; ``wanted`` is its configured name."""
    if wanted is not None:
        return wanted in (tags.get("ifName"), tags.get("ifDescr"), tags.get("ifAlias"))
    words = tags.get("ifAlias", "").split()
    return circuit.id in words or (circuit.contract is not None and circuit.contract in tags.get("ifAlias", ""))


def _samples(curves: Iterable[Curve], direction: str) -> list[float]:
    """Collect the buckets of one port; under another alias it is another series of the same port."""
    buckets: dict[int, float] = {}
    for curve in curves:
        if curve.field == direction and curve.step_s <= SAMPLE_S:
            buckets.update(zip(curve.times_ns, curve.mean, strict=True))
    return list(buckets.values())


def points(found: Iterable[Load], now_ns: int) -> list[Point]:
    """Make the metric ``circuit_load`` of what is known."""
    made = []
    for load in found:
        fields: dict[str, float] = {}
        for name, bps in (("in", load.in_p95_bps), ("out", load.out_p95_bps)):
            if bps is not None:
                fields[f"{name}_p95_bps"] = round(bps, 1)
                share = load.percent(bps)
                if share is not None:
                    fields[f"{name}_p95_percent"] = round(share, 3)
        if fields:
            fields["coverage_percent"] = round(load.coverage_percent, 2)
            if load.mbps:
                fields["capacity_bps"] = load.mbps * 1e6
            tags = {"circuit": load.circuit, "target": load.target, "ifName": load.interface}
            made.append(Point(series("circuit_load", tags), now_ns, fields))
    return made
