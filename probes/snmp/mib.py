"""The standard objects that every poll reads (RFC 3418, 2863, 3635, 2790, 3411), as OID content bytes."""

from __future__ import annotations

from probes.snmp.oid import encode

SYS_DESCR = encode("1.3.6.1.2.1.1.1.0")
SYS_OBJECT_ID = encode("1.3.6.1.2.1.1.2.0")
SYS_UP_TIME = encode("1.3.6.1.2.1.1.3.0")
SYS_NAME = encode("1.3.6.1.2.1.1.5.0")
HR_SYSTEM_UPTIME = encode("1.3.6.1.2.1.25.1.1.0")
SNMP_ENGINE_BOOTS = encode("1.3.6.1.6.3.10.2.1.2.0")
SNMP_ENGINE_TIME = encode("1.3.6.1.6.3.10.2.1.3.0")

_IF = encode("1.3.6.1.2.1.2.2.1")
_IFX = encode("1.3.6.1.2.1.31.1.1.1")

IF_TABLE = {
    _IF + bytes((column,)): name
    for column, name in {
        1: "ifIndex", 2: "ifDescr", 3: "ifType", 4: "ifMtu", 5: "ifSpeed", 6: "ifPhysAddress", 7: "ifAdminStatus",
        8: "ifOperStatus", 9: "ifLastChange", 13: "ifInDiscards", 14: "ifInErrors", 19: "ifOutDiscards",
        20: "ifOutErrors",
    }.items()
}  # fmt: skip
"""What every interface is asked for: column OID → name."""

DUPLEX = "dot3StatsDuplexStatus"
IF_ETHERNET = {encode("1.3.6.1.2.1.10.7.2.1.19"): DUPLEX}
"""EtherLike-MIB (RFC 3635); its rows alone make no interface."""

IF_X_TABLE = {
    _IFX + bytes((column,)): name
    for column, name in {
        1: "ifName", 6: "ifHCInOctets", 7: "ifHCInUcastPkts", 8: "ifHCInMulticastPkts", 9: "ifHCInBroadcastPkts",
        10: "ifHCOutOctets", 11: "ifHCOutUcastPkts", 12: "ifHCOutMulticastPkts", 13: "ifHCOutBroadcastPkts",
        15: "ifHighSpeed", 18: "ifAlias", 19: "ifCounterDiscontinuityTime",
    }.items()
}  # fmt: skip
"""The same for ifXTable."""

IF_32_BIT = {
    _IF + b"\x0a": "ifInOctets",
    _IF + b"\x0b": "ifInUcastPkts",
    _IF + b"\x10": "ifOutOctets",
    _IF + b"\x11": "ifOutUcastPkts",
    _IFX + b"\x02": "ifInMulticastPkts",
    _IFX + b"\x03": "ifInBroadcastPkts",
    _IFX + b"\x04": "ifOutMulticastPkts",
    _IFX + b"\x05": "ifOutBroadcastPkts",
}
"""Asked for only where an interface has no 64-bit octets."""

IF_LIVE = frozenset(
    root
    for root, name in {**IF_TABLE, **IF_X_TABLE, **IF_32_BIT, **IF_ETHERNET}.items()
    if name not in ("ifIndex", "ifDescr", "ifType", "ifMtu", "ifPhysAddress", "ifName", "ifAlias")
)
"""Those that change from poll to poll."""
