"""What the metric store holds of a device, as pictures and rows: round-trip times, ports, sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from collectors.load import MOST_PERCENT, Load, is_end, percentile_95
from config import Target
from config.schema.things import Circuit
from dashboards.web.pages import when
from dashboards.web.pictures.curves import Frame, Line, Mark, lines
from dashboards.web.pictures.curves import smoke as draw_smoke
from dashboards.web.seat import Seat
from storage.metrics import Curve, Query

PORTS = 6
"""Ports of a device that get a picture, the busiest; a switch has hundreds."""
READINGS = 60
LOAD_H = 26
"""How far back the newest P95 of a line is looked for: it is worked out each hour."""
_PLACES: Mapping[str, Literal["start", "middle"]] = {"in": "start", "out": "middle"}
_PING = ("minimum_response_ms", "percentile50_ms", "percentile95_ms", "maximum_response_ms", "percent_packet_loss")
_STATUS = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
_STATES = {"ok": "up", "warning": "degraded", "critical": "down", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Port:
    """A port's traffic: name and alias, the picture, 95th percentiles of what is shown, bit/s in words.

    Parameters:
        circuit: the leased line it carries; ``None``: none.
        load: the line's P95 of seven days against its contract, in words; empty when it is not known yet.
        over: it is more than the rule allows.
    """

    name: str
    alias: str
    picture: Markup
    inward: str
    outward: str
    circuit: Circuit | None = None
    load: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A sensor's newest value in words."""

    name: str
    kind: str
    value: str
    state: str


async def smoke(seat: Seat, target: Target, hours: int, step_s: int) -> Markup:
    """Draw the round-trip times of a target; empty when none are stored.

    Raises:
        StoreError: the store cannot answer.
    """
    found = await read(seat, Query("ping", *window(seat, hours), _PING, {"target": target.id}, step_s))
    if not any(curve.field == "percentile50_ms" for curve in found):
        return Markup("")
    low = merged(found, "minimum_response_ms", "low")
    median = merged(found, "percentile50_ms", "mean")
    high = merged(found, "percentile95_ms", "mean")
    most = merged(found, "maximum_response_ms", "high")
    loss = merged(found, "percent_packet_loss", "mean")
    words = seat.words
    sheet = frame(seat, hours, max([step_s, *(curve.step_s for curve in found)]), words("target.rtt"))
    return draw_smoke(sheet, low, median, high, most, loss, words.ms)


async def interfaces(seat: Seat, target: Target, hours: int, step_s: int) -> list[Port]:
    """Draw the traffic of a target's busiest ports, those that carry a leased line first.

    Raises:
        StoreError: the store cannot answer.
    """
    found = await read(
        seat, Query("interface", *window(seat, hours), ("in_bps", "out_bps"), {"target": target.id}, max(step_s, 60))
    )
    ports: dict[tuple[str, str], list[Curve]] = {}
    for curve in found:
        tags = dict(curve.series.tags)
        ports.setdefault((tags.get("ifName") or tags.get("ifDescr", "?"), tags.get("ifAlias", "")), []).append(curve)
    lines_of = {key: _circuit(seat, target, curves) for key, curves in ports.items()}
    busiest = sorted(
        ports.items(),
        key=lambda port: (lines_of[port[0]] is None, -_busy(lines_of[port[0]], port[1])),
    )[:PORTS]
    known = await _loads(seat, target) if any(lines_of.values()) else {}
    drawn = []
    for key, curves in busiest:
        circuit = lines_of[key]
        load = None
        if circuit is not None:
            load = known.get((circuit.id, key[0])) or Load(circuit.id, target.id, key[0], circuit.mbps)
        drawn.append(port(seat, *key, curves, hours, circuit, load))
    return drawn


def _busy(circuit: Circuit | None, curves: Sequence[Curve]) -> float:
    """Return how busy a port has been: bit/s, of a leased line as a share of its capacity."""
    most = max(max(curve.high, default=0.0) for curve in curves)
    return most / (circuit.mbps * 1e6) if circuit is not None and circuit.mbps else most


def _circuit(seat: Seat, target: Target, curves: Sequence[Curve]) -> Circuit | None:
    """Return the leased line that a port carries, by its name or alias as for the load of circuits."""
    wanted = target.snmp.interface if target.snmp else None
    tags = dict(curves[0].series.tags)
    for one in seat.house.board.inventory.circuits.values():
        own = one.id == target.circuit
        if (own or (target.site and target.site in (one.a, one.b))) and is_end(tags, one, wanted if own else None):
            return one
    return None


async def _loads(seat: Seat, target: Target) -> dict[tuple[str, str], Load]:
    """Read the newest P95 of each line that a device ends, as the daemon works it out each hour."""
    fields = ("in_p95_bps", "out_p95_bps")
    found = await read(seat, Query("circuit_load", *window(seat, LOAD_H), fields, {"target": target.id}))
    circuits = seat.house.board.inventory.circuits
    newest: dict[tuple[str, str], dict[str, float]] = {}
    for curve in found:
        tags = dict(curve.series.tags)
        newest.setdefault((tags.get("circuit", ""), tags.get("ifName", "")), {})[curve.field] = curve.mean[-1]
    return {
        key: Load(
            key[0], target.id, key[1], circuits[key[0]].mbps, values.get("in_p95_bps"), values.get("out_p95_bps")
        )
        for key, values in newest.items() if key[0] in circuits
    }  # fmt: skip


def port(
    seat: Seat, name: str, alias: str, curves: Sequence[Curve], hours: int, circuit: Circuit | None = None,
    load: Load | None = None,
) -> Port:  # fmt: skip
    """Draw one port.

    Parameters:
        circuit: the leased line it carries: its contracted capacity and P95 are drawn across.
        load: the line's P95 of seven days; where it is not known yet that of what is shown is drawn.
    """
    words = seat.words
    inward, outward = merged(curves, "in_bps", "mean"), merged(curves, "out_bps", "mean")
    shown = {"in": percentile_95(list(inward.values())), "out": percentile_95(list(outward.values()))}
    marks: list[Mark] = []
    said, over = "", False
    if circuit is not None:
        p95, key = shown, "circuit.mark_shown"
        if load is not None and load.in_p95_bps is not None and load.out_p95_bps is not None:
            p95, key = {"in": load.in_p95_bps, "out": load.out_p95_bps}, "circuit.mark"
            gaps = {"inward": words.bits(load.in_p95_bps), "outward": words.bits(load.out_p95_bps)}
            worst = load.worst_percent
            over = worst is not None and worst > MOST_PERCENT
            said = words("circuit.p95_line", **gaps, percent=words.percent(worst, 1))
        for way, place in _PLACES.items():
            level = p95[way]
            if level is not None:
                named = words(key, way=words(f"target.{way}").lower(), rate=words.bits(level))
                marks.append(Mark(way, level, named, place))
        if circuit.mbps:
            bps = circuit.mbps * 1e6
            marks.append(Mark("capacity", bps, words("circuit.mark_capacity", rate=words.bits(bps))))
    sheet = frame(seat, hours, max(curve.step_s for curve in curves), f"{words('target.load')} {name}")
    picture = lines(sheet, [Line("in", inward, area=True), Line("out", outward)], words.bits, marks)
    texts = {way: "–" if level is None else words.bits(level) for way, level in shown.items()}
    return Port(name, alias, picture, texts["in"], texts["out"], circuit, said, over)


async def sensors(seat: Seat, target: Target) -> list[Reading]:
    """Return the newest value of each sensor of a target.

    Raises:
        StoreError: the store cannot answer.
    """
    found = await read(seat, Query("sensor", *window(seat, 1), ("value", "status_code"), {"target": target.id}, 0))
    newest: dict[tuple[str, str], dict[str, float]] = {}
    units: dict[tuple[str, str], str] = {}
    for curve in found:
        tags = dict(curve.series.tags)
        key = tags.get("sensor", "?"), tags.get("kind", "")
        newest.setdefault(key, {})[curve.field] = curve.mean[-1]
        units[key] = tags.get("unit", "")
    rows = []
    for (name, kind), values in sorted(newest.items()):
        status = _STATUS.get(round(values.get("status_code", 3)), "unknown")
        unit = seat.words.known("units", units[(name, kind)])
        value = f"{seat.words.number(values['value'])} {unit}".strip() if "value" in values else "–"
        rows.append(Reading(name, kind, value, _STATES[status]))
    rows.sort(key=lambda one: one.state in ("up", "unknown"))
    return rows[:READINGS]


def window(seat: Seat, hours: int) -> tuple[int, int]:
    """Return the last hours, as a query wants them."""
    return max(0, seat.now_ns - hours * when.HOUR_NS), seat.now_ns


async def read(seat: Seat, query: Query) -> list[Curve]:
    """Ask the metric store.

    Raises:
        StoreError: it cannot answer.
    """
    return await seat.house.store.read(query)


def frame(seat: Seat, hours: int, step_s: float, title: str) -> Frame:
    """Lay out a picture of the last hours."""
    start_ns, end_ns = window(seat, hours)
    every = 1 if hours <= 6 else 3
    ticks = (
        when.hours(start_ns, end_ns, seat.words, every)
        if hours <= 48
        else [
            (at, f"{seat.words.local(at):%d/%m}")
            for at, _ in when.days(start_ns, end_ns, seat.words, 1 if hours <= 300 else 3)
        ]
    )
    return Frame(start_ns, end_ns, step_s or 10, ticks, title)


def merged(curves: Sequence[Curve], field: str, what: str) -> Mapping[int, float]:
    """Put one field's values together by time; a target's tags may have changed on the way."""
    out: dict[int, float] = {}
    for curve in curves:
        if curve.field == field:
            out.update(zip(curve.times_ns, getattr(curve, what), strict=True))
    return out
