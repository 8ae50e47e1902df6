"""Interfaces: the rows of ifTable and ifXTable (RFC 2863) as one record each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.snmp import mib, values
from probes.snmp import oid as oids
from probes.snmp.ber import Value
from probes.snmp.walk import Column

_OPER = ("up", "down", "testing", "unknown", "dormant", "notPresent", "lowerLayerDown")
_ADMIN = ("up", "down", "testing")
_DUPLEX = (None, "half", "full")
_SATURATED = 0xFFFFFFFF  # ifSpeed of everything over 4.29 Gbit/s

Cell = tuple[int, Value]
_NOTHING: Cell = (0, None)


@dataclass(frozen=True, slots=True)
class Interface:
    """One interface; what the agent does not say is ``None``.

    Parameters:
        index: ifIndex.
        name: ifName, else ifDescr, else the index as text.
        oper_status, admin_status: words of RFC 2863.
        speed_bps: nominal bits per second.
        duplex: ``half`` or ``full``.
        counter_bits: 64 or 32, the width of the octet and packet counters of this interface.
        last_change_ticks, discontinuity_ticks: sysUpTime at that moment, 1/100 s.
    """

    index: int
    name: str
    descr: str | None
    alias: str | None
    type: int | None
    mtu: int | None
    phys_address: str | None
    oper_status: str | None
    admin_status: str | None
    speed_bps: int | None
    duplex: str | None
    last_change_ticks: int | None
    discontinuity_ticks: int | None
    counter_bits: int | None
    in_octets: int | None
    out_octets: int | None
    in_ucast_packets: int | None
    out_ucast_packets: int | None
    in_multicast_packets: int | None
    out_multicast_packets: int | None
    in_broadcast_packets: int | None
    out_broadcast_packets: int | None
    in_errors: int | None
    out_errors: int | None
    in_discards: int | None
    out_discards: int | None


def rows(columns: Iterable[Column], names: Mapping[bytes, str]) -> dict[int, dict[str, Cell]]:
    """Turn columns into rows: ifIndex → name of the column → tag and value; an index of several parts is none."""
    table: dict[int, dict[str, Cell]] = {}
    for column in columns:
        name = names[column.root]
        for index, tag, value in column.rows:
            parts = oids.numbers(index)
            if len(parts) == 1:
                table.setdefault(parts[0], {})[name] = (tag, value)
    return {index: row for index, row in table.items() if row.keys() != {mib.DUPLEX}}


def lacks_64_bit(table: Mapping[int, Mapping[str, Cell]]) -> bool:
    """Tell whether some interface has no 64-bit octet counter."""
    return any("ifHCInOctets" not in row for row in table.values())


def build(index: int, row: Mapping[str, Cell]) -> Interface:
    """Make the record of one row.

    The 32-bit and 64-bit counters are never mixed: on real devices they do not agree.
    """

    def number(column: str) -> int | None:
        return values.gauge(*row.get(column, _NOTHING))

    def count(column: str, width: int = 32) -> int | None:
        return values.counter(*row.get(column, _NOTHING), width)

    def traffic(direction: str, what: str) -> int | None:
        return count(f"if{infix}{direction}{what}", bits or 32)

    def text(column: str) -> str | None:
        return values.text(row.get(column, _NOTHING)[1])

    bits = 64 if "ifHCInOctets" in row else 32 if "ifInOctets" in row else None
    infix = "HC" if bits == 64 else ""
    descr, name = text("ifDescr"), text("ifName")
    return Interface(
        index=index,
        name=name or descr or str(index),
        descr=descr,
        alias=text("ifAlias"),
        type=number("ifType"),
        mtu=number("ifMtu"),
        phys_address=_hardware_address(row.get("ifPhysAddress")),
        oper_status=_word(number("ifOperStatus"), _OPER),
        admin_status=_word(number("ifAdminStatus"), _ADMIN),
        speed_bps=_speed(count("ifSpeed"), number("ifHighSpeed")),
        duplex=_word(number(mib.DUPLEX), _DUPLEX),
        last_change_ticks=count("ifLastChange"),
        discontinuity_ticks=count("ifCounterDiscontinuityTime"),
        counter_bits=bits,
        in_octets=traffic("In", "Octets"),
        out_octets=traffic("Out", "Octets"),
        in_ucast_packets=traffic("In", "UcastPkts"),
        out_ucast_packets=traffic("Out", "UcastPkts"),
        in_multicast_packets=traffic("In", "MulticastPkts"),
        out_multicast_packets=traffic("Out", "MulticastPkts"),
        in_broadcast_packets=traffic("In", "BroadcastPkts"),
        out_broadcast_packets=traffic("Out", "BroadcastPkts"),
        in_errors=count("ifInErrors"),
        out_errors=count("ifOutErrors"),
        in_discards=count("ifInDiscards"),
        out_discards=count("ifOutDiscards"),
    )


def _word(number: int | None, words: tuple[str | None, ...]) -> str | None:
    return words[number - 1] if number is not None and 1 <= number <= len(words) else None


def _speed(speed: int | None, high_mbps: int | None) -> int | None:
    """Choose between ifSpeed and ifHighSpeed; 0 means that the agent does not know."""
    if high_mbps and (not speed or speed == _SATURATED or high_mbps * 1_000_000 > _SATURATED):
        return high_mbps * 1_000_000
    return speed if speed and speed != _SATURATED else None


def _hardware_address(cell: Cell | None) -> str | None:
    if cell is None or not isinstance(cell[1], bytes) or not 1 <= len(cell[1]) <= 32:
        return None
    return cell[1].hex(":")
