"""Processor, memory and disks: HOST-RESOURCES-MIB (RFC 2790)."""

from __future__ import annotations

from collections.abc import Iterator

from lab.devices.mib.values import cells, integer, object_id, scalars, text, ticks
from lab.devices.model import Disk, Model
from lab.devices.state import TICK_NS, State
from lab.devices.traffic import OFFICE, noise
from lab.devices.tree import Content, Getter, Row, suffix
from probes.snmp import oid

_STORAGE_TYPES = oid.encode("1.3.6.1.2.1.25.2.1")
_PROCESSOR = "1.3.6.1.2.1.25.3.1.3"
_FIRST_PROCESSOR = 196_608  # as net-snmp numbers them
_UNIT = 4_096
_DAY_MS = 86_400_000


def host(model: Model) -> Iterator[Row]:
    """Give the rows of a machine with processors and storage."""
    yield from scalars("1.3.6.1.2.1.25.1", {1: _uptime})
    ram = next((disk for disk in model.disks if disk.kind == 2), None)
    if ram is not None:
        yield from scalars("1.3.6.1.2.1.25.2", {2: integer(ram.size_bytes // 1024)})
    for number, disk in enumerate(model.disks, 1):
        yield from cells("1.3.6.1.2.1.25.2.3.1", suffix(number), _storage(number, disk))
    for number in range(model.processors):
        row = suffix(_FIRST_PROCESSOR + number)
        yield from cells("1.3.6.1.2.1.25.3.2.1", row, {
            1: integer(_FIRST_PROCESSOR + number), 2: object_id(_PROCESSOR), 3: text(f"CPU {number}"), 5: integer(2),
        })  # fmt: skip
        yield from cells("1.3.6.1.2.1.25.3.3.1", row, {2: _load(number)})


def _uptime(state: State, now_ns: int) -> bytes:
    return ticks((now_ns - state.machine_since_ns) // TICK_NS)


def _storage(number: int, disk: Disk) -> dict[int, Content]:
    units = disk.size_bytes // _UNIT
    return {
        1: integer(number), 2: object_id(_STORAGE_TYPES + bytes((disk.kind,))), 3: text(disk.name),
        4: integer(_UNIT), 5: integer(units), 6: _used(number, disk, units),
    }  # fmt: skip


def _used(number: int, disk: Disk, units: int) -> Getter:
    """RAM follows the day's work; a disk fills by a tenth of a per cent a day, until somebody clears up."""

    def getter(state: State, now_ns: int) -> bytes:
        now_ms = now_ns // 1_000_000
        if disk.kind == 2:
            share = disk.used + 0.0001 * OFFICE.level(now_ms) + 0.03 * noise(now_ms, state.phase + number)
        else:
            share = disk.used + 0.001 * ((now_ms / _DAY_MS + state.phase) % 100)
        return integer(int(units * max(0.0, min(share, 1.0))))

    return getter


def _load(number: int) -> Getter:
    def getter(state: State, now_ns: int) -> bytes:
        now_ms = now_ns // 1_000_000
        busy = 6 + 0.03 * OFFICE.level(now_ms) + 12 * noise(now_ms, state.phase + 97 * number)
        return integer(max(0, min(round(busy), 100)))

    return getter
