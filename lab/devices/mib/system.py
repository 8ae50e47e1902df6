"""Who the device is: SNMPv2-MIB's system group (RFC 3418) and SNMP-FRAMEWORK-MIB's engine (RFC 3411)."""

from __future__ import annotations

from collections.abc import Iterator

from lab.devices.engine_id import engine_id
from lab.devices.mib.values import integer, object_id, scalars, text, ticks
from lab.devices.model import LARGEST_MESSAGE, Model
from lab.devices.tree import Row


def system(model: Model) -> Iterator[Row]:
    """Give the rows every device has."""
    yield from scalars("1.3.6.1.2.1.1", {
        1: text(model.descr),
        2: object_id(model.object_id),
        3: lambda state, now: ticks(state.ticks(now)),
        4: lambda state, _: text(state.contact),
        5: lambda state, _: text(state.name),
        6: lambda state, _: text(state.location),
        7: integer(model.services),
    })  # fmt: skip
    yield from scalars("1.3.6.1.6.3.10.2.1", {
        1: lambda state, _: text(engine_id(state.name)),
        2: lambda state, _: integer(state.boots),
        3: lambda state, now: integer(state.engine_time(now)),
        4: integer(LARGEST_MESSAGE),
    })  # fmt: skip
