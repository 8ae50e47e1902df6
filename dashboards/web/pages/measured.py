"""What the metric store holds of a device, as pictures and rows: round-trip times, ports, sensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from collectors.load import percentile_95
from config import Target
from dashboards.web.pages import when
from dashboards.web.pictures.curves import Frame, Line, lines
from dashboards.web.pictures.curves import smoke as draw_smoke
from dashboards.web.seat import Seat
from dashboards.web.words import Words
from storage.metrics import Curve, Query

PORTS = 6
"""Ports of a device that get a picture, the busiest; a switch has hundreds."""
READINGS = 60
_PING = ("minimum_response_ms", "percentile50_ms", "percentile95_ms", "maximum_response_ms", "percent_packet_loss")
_STATUS = {0: "ok", 1: "warning", 2: "critical", 3: "unknown"}
_STATES = {"ok": "up", "warning": "degraded", "critical": "down", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Port:
    """A port's traffic: name and alias, the picture, 95th percentiles of what is shown, bit/s in words."""

    name: str
    alias: str
    picture: Markup
    inward: str
    outward: str


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
    found = await _read(seat, Query("ping", *_window(seat, hours), _PING, {"target": target.id}, step_s))
    if not any(curve.field == "percentile50_ms" for curve in found):
        return Markup("")
    low = _merged(found, "minimum_response_ms", "low")
    median = _merged(found, "percentile50_ms", "mean")
    high = _merged(found, "percentile95_ms", "mean")
    most = _merged(found, "maximum_response_ms", "high")
    loss = _merged(found, "percent_packet_loss", "mean")
    words = seat.words
    frame = _frame(seat, hours, max([step_s, *(curve.step_s for curve in found)]), words("target.rtt"))
    return draw_smoke(
        frame, low, median, high, most, loss, lambda value: f"{words.number(value, 2 if value < 1 else 1)} ms"
    )


async def interfaces(seat: Seat, target: Target, hours: int, step_s: int) -> list[Port]:
    """Draw the traffic of a target's busiest ports.

    Raises:
        StoreError: the store cannot answer.
    """
    found = await _read(
        seat, Query("interface", *_window(seat, hours), ("in_bps", "out_bps"), {"target": target.id}, max(step_s, 60))
    )
    ports: dict[tuple[str, str], list[Curve]] = {}
    for curve in found:
        tags = dict(curve.series.tags)
        ports.setdefault((tags.get("ifName") or tags.get("ifDescr", "?"), tags.get("ifAlias", "")), []).append(curve)
    busiest = sorted(ports.items(), key=lambda port: -max(max(curve.high, default=0.0) for curve in port[1]))
    return [port(seat, name, alias, curves, hours) for (name, alias), curves in busiest[:PORTS]]


def port(
    seat: Seat, name: str, alias: str, curves: Sequence[Curve], hours: int, marks: Sequence[tuple[float, str]] = ()
) -> Port:
    """Draw one port."""
    words = seat.words
    inward, outward = _merged(curves, "in_bps", "mean"), _merged(curves, "out_bps", "mean")
    frame = _frame(seat, hours, max(curve.step_s for curve in curves), f"{words('target.load')} {name}")
    picture = lines(frame, [Line("in", inward, area=True), Line("out", outward)], words.bits, marks)
    return Port(name, alias, picture, _p95(words, inward), _p95(words, outward))


async def sensors(seat: Seat, target: Target) -> list[Reading]:
    """Return the newest value of each sensor of a target.

    Raises:
        StoreError: the store cannot answer.
    """
    found = await _read(seat, Query("sensor", *_window(seat, 1), ("value", "status_code"), {"target": target.id}, 0))
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
        value = f"{seat.words.number(values['value'])} {units[(name, kind)]}".strip() if "value" in values else "–"
        rows.append(Reading(name, kind, value, _STATES[status]))
    rows.sort(key=lambda one: one.state in ("up", "unknown"))
    return rows[:READINGS]


def _window(seat: Seat, hours: int) -> tuple[int, int]:
    return max(0, seat.now_ns - hours * when.HOUR_NS), seat.now_ns


async def _read(seat: Seat, query: Query) -> list[Curve]:
    return await seat.house.store.read(query)


def _frame(seat: Seat, hours: int, step_s: float, title: str) -> Frame:
    start_ns, end_ns = _window(seat, hours)
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


def _merged(curves: Sequence[Curve], field: str, what: str) -> Mapping[int, float]:
    """Put one field's values together by time; a target's tags may have changed on the way."""
    out: dict[int, float] = {}
    for curve in curves:
        if curve.field == field:
            out.update(zip(curve.times_ns, getattr(curve, what), strict=True))
    return out


def _p95(words: Words, values: Mapping[int, float]) -> str:
    found = percentile_95(list(values.values()))
    return "–" if found is None else words.bits(found)
