"""Who is at the other end of a device's ports, as its LLDP (IEEE 802.1AB) and CDP tables say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.snmp import oid as oids
from probes.snmp.ber import Value
from probes.snmp.interfaces import Interface
from probes.snmp.rows import LONGEST_NAME, as_text, table
from probes.snmp.walk import Column

_LLDP = oids.encode("1.0.8802.1.1.2.1")
_LLDP_LOCAL_PORT = _LLDP + bytes((3, 7, 1, 3))
_LLDP_LOCAL_DESCR = _LLDP + bytes((3, 7, 1, 4))
_LLDP_REMOTE = _LLDP + bytes((4, 1, 1))
_CHASSIS_TYPE, _CHASSIS, _PORT_TYPE, _PORT, _PORT_DESCR, _NAME, _DESCR = (
    _LLDP_REMOTE + bytes((column,)) for column in (4, 5, 6, 7, 8, 9, 10)
)
_CDP = oids.encode("1.3.6.1.4.1.9.9.23.1.2.1.1")
_CDP_DEVICE, _CDP_PORT, _CDP_PLATFORM = (_CDP + bytes((column,)) for column in (6, 7, 8))
_MAC = {(_CHASSIS_TYPE, 4), (_PORT_TYPE, 3)}
"""Subtypes that mean a MAC address (802.1AB tables 8-2 and 8-3)."""

COLUMNS = (
    _LLDP_LOCAL_PORT, _LLDP_LOCAL_DESCR, _CHASSIS_TYPE, _CHASSIS, _PORT_TYPE, _PORT, _PORT_DESCR, _NAME, _DESCR,
    _CDP_DEVICE, _CDP_PORT, _CDP_PLATFORM,
)  # fmt: skip
MOST = 2_000

Cell = tuple[int, Value]


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One neighbour; what it does not say is ``None``.

    Parameters:
        protocol: ``lldp`` or ``cdp``.
        interface: our port.
        name: the neighbour's, else its chassis id.
        port: its port.
        descr: what it says it is.
    """

    protocol: str
    interface: str
    name: str
    port: str | None
    descr: str | None


def neighbours(columns: Iterable[Column], interfaces: Iterable[Interface]) -> tuple[Neighbour, ...]:
    """Read the walked `COLUMNS`, at most `MOST` neighbours.

    Parameters:
        columns: as walked.
        interfaces: the device's own, for the names of CDP's ports.
    """
    cells = table(columns)
    names = {interface.index: interface.name for interface in interfaces}
    return (*_lldp(cells), *_cdp(cells, names))[:MOST]


def _lldp(cells: Mapping[bytes, Mapping[bytes, Cell]]) -> Iterable[Neighbour]:
    local = {
        parts[0]: shown
        for column in (_LLDP_LOCAL_DESCR, _LLDP_LOCAL_PORT)
        for index, cell in cells.get(column, {}).items()
        if len(parts := oids.numbers(index)) == 1 and (shown := _text(cell))
    }
    for index, chassis in cells.get(_CHASSIS, {}).items():
        parts = oids.numbers(index)
        if len(parts) != 3:
            continue
        name = _text(_cell(cells, _NAME, index)) or _identifier(cells, _CHASSIS_TYPE, index, chassis)
        port = _text(_cell(cells, _PORT_DESCR, index)) or _identifier(
            cells, _PORT_TYPE, index, _cell(cells, _PORT, index)
        )
        if name:
            yield Neighbour(
                "lldp",
                local.get(parts[1], str(parts[1])),
                name,
                port or None,
                _text(_cell(cells, _DESCR, index)) or None,
            )


def _cdp(cells: Mapping[bytes, Mapping[bytes, Cell]], names: Mapping[int, str]) -> Iterable[Neighbour]:
    for index, device in cells.get(_CDP_DEVICE, {}).items():
        parts = oids.numbers(index)
        if len(parts) == 2 and (name := _text(device)):
            yield Neighbour(
                "cdp", names.get(parts[0], str(parts[0])), name, _text(_cell(cells, _CDP_PORT, index)) or None,
                _text(_cell(cells, _CDP_PLATFORM, index)) or None,
            )  # fmt: skip


def _cell(cells: Mapping[bytes, Mapping[bytes, Cell]], column: bytes, index: bytes) -> Cell:
    return cells.get(column, {}).get(index, (0, None))


def _text(cell: Cell) -> str:
    return as_text(*cell)[:LONGEST_NAME]


def _identifier(cells: Mapping[bytes, Mapping[bytes, Cell]], kind: bytes, index: bytes, cell: Cell) -> str:
    """Write an id of which only its subtype says whether it is text or a MAC address."""
    value = cell[1]
    if isinstance(value, bytes) and (kind, _cell(cells, kind, index)[1]) in _MAC:
        return value[:8].hex(":")
    return _text(cell)
