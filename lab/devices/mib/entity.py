"""What is inside and what it measures: ENTITY-MIB (RFC 6933), its sensors (RFC 3433) and states (RFC 4268)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from lab.devices.mib.values import cells, gauge, integer, object_id, text, ticks
from lab.devices.model import Model, Part
from lab.devices.state import State
from lab.devices.traffic import OFFICE, noise
from lab.devices.tree import Content, Getter, Row, suffix

_PHYSICAL = "1.3.6.1.2.1.47.1.1.1.1"
_SENSOR = "1.3.6.1.2.1.99.1.1.1"
_STATE = "1.3.6.1.2.1.131.1.1.1"
_CHASSIS, _SENSOR_CLASS = 3, 8
_FAN, _POWER_SUPPLY = 7, 6


class _Kind(NamedTuple):
    """entPhysicalClass, entPhySensorType, digits after the point, units in words."""

    physical_class: int
    sensor: int
    precision: int
    units: str


_KINDS = {
    "temperature": _Kind(_SENSOR_CLASS, 8, 1, "degrees Celsius"),
    "humidity": _Kind(_SENSOR_CLASS, 9, 1, "% relative humidity"),
    "fan": _Kind(_FAN, 10, 0, "rpm"),
    "psu": _Kind(_POWER_SUPPLY, 4, 2, "volts"),
    "voltage": _Kind(_SENSOR_CLASS, 3, 1, "volts"),
}


def entities(model: Model) -> Iterator[Row]:
    """Give the rows of the chassis and its parts."""
    if not model.parts:
        return
    yield from cells(_PHYSICAL, suffix(1), _physical(model.descr, _CHASSIS, 0, "chassis"))
    for number, part in enumerate(model.parts, 2):
        row = suffix(number)
        kind = _KINDS[part.kind]
        yield from cells(_PHYSICAL, row, _physical(part.name, kind.physical_class, 1, part.name))
        yield from cells(_SENSOR, row, {
            1: integer(kind.sensor), 2: integer(9), 3: integer(kind.precision), 4: _value(number, part, kind.precision),
            5: _either(part.name, integer(1), integer(3)), 6: text(kind.units), 7: _now, 8: gauge(0),
        })  # fmt: skip
        # entStateOper: 3 enabled, 2 disabled; entStateAlarm: a bit string, bit 1 under repair to 3 major
        yield from cells(_STATE, row, {
            3: _either(part.name, integer(3), integer(2)), 5: _either(part.name, text(b"\x00"), text(b"\x10")),
        })  # fmt: skip


def _physical(descr: str, physical_class: int, inside: int, name: str) -> dict[int, Content]:
    return {
        2: text(descr), 3: object_id("0.0"), 4: integer(inside), 5: integer(physical_class), 6: integer(1),
        7: text(name),
    }  # fmt: skip


def _now(state: State, now_ns: int) -> bytes:
    return ticks(state.ticks(now_ns))


def _either(name: str, good: bytes, broken: bytes) -> Getter:
    return lambda state, _: broken if name in state.faults else good


def _value(number: int, part: Part, precision: int) -> Getter:
    scale = 10**precision

    def getter(state: State, now_ns: int) -> bytes:
        if part.name in state.faults:
            return integer(0)
        now_ms = now_ns // 1_000_000
        day = OFFICE.level(now_ms) / 500 - 1
        moved = 0.6 * day + 0.4 * noise(now_ms, state.phase + 31 * number)
        return integer(round(scale * (part.value + part.swing * moved)))

    return getter
