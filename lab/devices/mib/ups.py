"""A UPS on mains or battery: UPS-MIB (RFC 1628)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from lab.devices.battery import Battery
from lab.devices.mib.values import cells, gauge, integer, object_id, scalars, text, ticks
from lab.devices.model import Model
from lab.devices.state import State
from lab.devices.traps import ALARMS
from lab.devices.tree import Getter, Row, suffix
from probes.snmp import ber

_VOLTS, _HERTZ = 230, 500  # hertz in tenths, as the MIB has them
_WATTS = 3_000
_SOURCE_NORMAL, _SOURCE_BATTERY = 3, 5


def ups(model: Model) -> Iterator[Row]:
    """Give the rows of a model with a battery."""
    cell = model.cells
    if cell is None:
        return
    watts = _WATTS * cell.load_percent // 100
    yield from scalars("1.3.6.1.2.1.33.1.1", {
        1: text("Haidang lab"), 2: text(model.descr), 3: text("1.0"), 4: text("1.0"),
        5: lambda state, _: text(state.name), 6: text(""),
    })  # fmt: skip
    yield from scalars("1.3.6.1.2.1.33.1.2", {
        1: _battery(Battery.status), 2: _battery(Battery.seconds_on_battery), 3: _battery(Battery.minutes),
        4: _battery(Battery.percent), 5: _battery(_decivolts), 6: _mains(0, watts * 10 // 48), 7: integer(25),
    })  # fmt: skip
    yield from scalars("1.3.6.1.2.1.33.1.3", {1: _bad_inputs, 2: integer(1)})
    yield from cells("1.3.6.1.2.1.33.1.3.3.1", suffix(1), {
        2: _mains(_HERTZ, 0), 3: _mains(_VOLTS, 0), 4: _mains(watts * 10 // _VOLTS, 0), 5: _mains(watts, 0),
    })  # fmt: skip
    yield from scalars("1.3.6.1.2.1.33.1.4", {
        1: _mains(_SOURCE_NORMAL, _SOURCE_BATTERY), 2: integer(_HERTZ), 3: integer(1),
    })  # fmt: skip
    yield from cells("1.3.6.1.2.1.33.1.4.4.1", suffix(1), {
        2: integer(_VOLTS), 3: integer(watts * 10 // _VOLTS), 4: integer(watts), 5: integer(cell.load_percent),
    })  # fmt: skip
    yield from scalars("1.3.6.1.2.1.33.1.6", {1: lambda state, _: gauge(len(_alarms(state)))})
    for number, alarm in enumerate(ALARMS, 1):
        yield from cells("1.3.6.1.2.1.33.1.6.2.1", suffix(number), {2: _alarm(alarm), 3: _alarm_time(alarm)})
    yield from scalars("1.3.6.1.2.1.33.1.9", {
        1: integer(_VOLTS), 2: integer(_HERTZ), 3: integer(_VOLTS), 4: integer(_HERTZ), 5: integer(_WATTS),
        6: integer(_WATTS), 7: integer(cell.low_min), 8: integer(2),
    })  # fmt: skip


def _battery(quantity: Callable[[Battery, int], int]) -> Getter:
    def getter(state: State, now_ns: int) -> bytes | None:
        return integer(quantity(state.ups.battery, now_ns)) if state.ups else None

    return getter


def _bad_inputs(state: State, _: int) -> bytes:
    return ber.encode_integer(state.ups.bad_inputs if state.ups else 0, ber.COUNTER32)


def _decivolts(battery: Battery, now_ns: int) -> int:
    """48 V cells: 54.6 V full, 42 V empty."""
    return 420 + 126 * battery.percent(now_ns) // 100


def _mains(on_mains: int, on_battery: int) -> Getter:
    good, bad = integer(on_mains), integer(on_battery)
    return lambda state, _: bad if state.ups and state.ups.battery.discharging else good


def _alarms(state: State) -> dict[bytes, int]:
    return state.ups.alarms if state.ups else {}


def _alarm(alarm: bytes) -> Getter:
    return lambda state, _: object_id(alarm) if alarm in _alarms(state) else None


def _alarm_time(alarm: bytes) -> Getter:
    return lambda state, _: ticks(_alarms(state)[alarm]) if alarm in _alarms(state) else None
