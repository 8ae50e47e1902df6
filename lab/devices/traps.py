"""What a device tells by itself: the notification and the variables in it (RFC 3418, 2863, 1628).

The dying gasp is the lab's own, under the enterprise number for documentation: ``1.3.6.1.4.1.32473.0.1``
(labDyingGasp), with sysName.0 and sysLocation.0. Real ones differ from vendor to vendor; all are one last datagram
sent from a capacitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from lab.devices.model import ENTERPRISE
from lab.devices.tree import suffix
from probes.snmp import ber
from probes.snmp.oid import encode

if TYPE_CHECKING:
    from lab.devices.state import State

_SNMP_TRAPS = encode("1.3.6.1.6.3.1.1.5")
_IF_ENTRY = encode("1.3.6.1.2.1.2.2.1")
_UPS = encode("1.3.6.1.2.1.33")
UPS_BATTERY = _UPS + b"\x01\x02"
UPS_CONFIG_LOW = _UPS + b"\x01\x09\x07\x00"
UPS_ALARM_ENTRY = _UPS + b"\x01\x06\x02\x01"
_WELL_KNOWN_ALARMS = _UPS + b"\x01\x06\x03"
ALARM_ON_BATTERY = _WELL_KNOWN_ALARMS + b"\x02"
ALARM_LOW_BATTERY = _WELL_KNOWN_ALARMS + b"\x03"
ALARMS = (ALARM_ON_BATTERY, ALARM_LOW_BATTERY)
"""The order is that of upsAlarmId: 1 on battery, 2 battery low."""
_SYS_NAME = encode("1.3.6.1.2.1.1.5.0")
_SYS_LOCATION = encode("1.3.6.1.2.1.1.6.0")


class Trap(NamedTuple):
    """A notification: its identity (snmpTrapOID) and the encoded variables that belong to it."""

    name: bytes
    variables: tuple[bytes, ...] = ()


COLD_START = Trap(_SNMP_TRAPS + b"\x01")
WARM_START = Trap(_SNMP_TRAPS + b"\x02")
AUTHENTICATION_FAILURE = Trap(_SNMP_TRAPS + b"\x05")
LINK_DOWN, LINK_UP = _SNMP_TRAPS + b"\x03", _SNMP_TRAPS + b"\x04"
UPS_ON_BATTERY = _UPS + b"\x02\x01"  # a v1 trap of it comes out of RFC 3584's translation as 33.2.0.1
UPS_ALARM_ADDED, UPS_ALARM_REMOVED = _UPS + b"\x02\x03", _UPS + b"\x02\x04"
DYING_GASP = encode(f"{ENTERPRISE}.0.1")


def link(state: State, index: int, at_ns: int) -> Trap:
    """Make linkDown or linkUp, whichever the port is now."""
    port = state.port(index)
    row = suffix(index)
    words = (index, 1 if port.admin_up else 2, 1 if port.up else 2)
    variables = (
        ber.encode_varbind(_IF_ENTRY + column + row, ber.encode_integer(word))
        for column, word in zip((b"\x01", b"\x07", b"\x08"), words, strict=True)
    )
    return Trap(LINK_UP if port.up else LINK_DOWN, (*variables, *_read(state, (_IF_ENTRY + b"\x02" + row,), at_ns)))


def dying_gasp(state: State, at_ns: int) -> Trap:
    """Make the last datagram of a device that loses its power."""
    return Trap(DYING_GASP, _read(state, (_SYS_NAME, _SYS_LOCATION), at_ns))


def on_battery(state: State, at_ns: int) -> Trap:
    """Make upsTrapOnBattery."""
    names = (UPS_BATTERY + b"\x03\x00", UPS_BATTERY + b"\x02\x00", UPS_CONFIG_LOW)
    return Trap(UPS_ON_BATTERY, _read(state, names, at_ns))


def ups_alarm(alarm: bytes, *, added: bool) -> Trap:
    """Make upsTrapAlarmEntryAdded or -Removed."""
    number = ALARMS.index(alarm) + 1
    row = bytes((number,))
    return Trap(
        UPS_ALARM_ADDED if added else UPS_ALARM_REMOVED,
        (
            ber.encode_varbind(UPS_ALARM_ENTRY + b"\x01" + row, ber.encode_integer(number)),
            ber.encode_varbind(UPS_ALARM_ENTRY + b"\x02" + row, ber.encode(ber.OBJECT_ID, alarm)),
        ),
    )


def _read(state: State, names: tuple[bytes, ...], at_ns: int) -> tuple[bytes, ...]:
    """Take variables as the agent shows them now; what it does not have is left out."""
    found = ((name, state.read(name, at_ns)) for name in names)
    return tuple(ber.encode_varbind(name, value) for name, value in found if value is not None)
