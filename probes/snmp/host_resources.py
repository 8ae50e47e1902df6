"""Processor, memory and disks of HOST-RESOURCES-MIB (RFC 2790) as sensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from probes.snmp import mib, values
from probes.snmp import oid as oids
from probes.snmp.ber import Value
from probes.snmp.walk import Column

COLUMNS = (
    mib.HR_PROCESSOR_LOAD, mib.HR_STORAGE_TYPE, mib.HR_STORAGE_DESCR, mib.HR_STORAGE_SIZE, mib.HR_STORAGE_USED,
)  # fmt: skip

# hrStorageTypes: 1 other, 2 RAM, 3 virtual memory, 4 fixed disk, 5 removable, 8 RAM disk, 9 flash, 10 network disk
_KINDS = {1: "memory", 2: "memory", 3: "memory", 4: "storage", 8: "storage", 9: "storage"}


@dataclass(frozen=True, slots=True)
class Sensor:
    """One measured quantity of a device.

    Parameters:
        kind: ``cpu, memory, storage, temperature …``.
        name: the device's name for it.
        value: ``None`` when the device does not know.
        unit: ``%``, ``C``, ``min`` …
        status: ``ok, warning, critical, unknown``.
        oid: the object the value came from.
    """

    kind: str
    name: str
    value: float | None
    unit: str
    status: str
    oid: str


def sensors(columns: list[Column]) -> list[Sensor]:
    """Read the walked `COLUMNS`.

    Processor load is in percent of the last minute; memory and storage are the used share, traced to ``hrStorageUsed``.
    """
    by_root = {column.root: column for column in columns}
    found = []
    for position, (index, tag, value) in enumerate(by_root[mib.HR_PROCESSOR_LOAD].rows, 1):
        load = values.gauge(tag, value)
        if load is not None and load <= 100:
            oid = oids.decode(mib.HR_PROCESSOR_LOAD + index)
            found.append(Sensor("cpu", f"CPU {position}", float(load), "%", "ok", oid))
    types, names, sizes, used = (_cells(by_root[root]) for root in COLUMNS[1:])
    for index, cell in used.items():
        sensor = _storage(index, cell, types, names, sizes)
        if sensor is not None:
            found.append(sensor)
    return found


def _cells(column: Column) -> dict[bytes, tuple[int, Value]]:
    return {index: (tag, value) for index, tag, value in column.rows}


def _storage(
    index: bytes, used: tuple[int, Value], types: Mapping[bytes, tuple[int, Value]],
    names: Mapping[bytes, tuple[int, Value]], sizes: Mapping[bytes, tuple[int, Value]],
) -> Sensor | None:  # fmt: skip
    type_oid = types.get(index, (0, None))[1]
    if not isinstance(type_oid, bytes) or type_oid[:-1] != mib.HR_STORAGE_TYPES:
        return None
    kind = _KINDS.get(type_oid[-1])
    size = values.counter(*sizes.get(index, (0, None)), 32)
    amount = values.counter(*used, 32)
    if kind is None or not size or amount is None:
        return None
    name = values.text(names.get(index, (0, None))[1]) or oids.decode(index)
    return Sensor(kind, name, round(100 * amount / size, 2), "%", "ok", oids.decode(mib.HR_STORAGE_USED + index))
