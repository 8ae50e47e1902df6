"""Sessions against pysnmp's: the same questions to the same agent give the same variables."""

from __future__ import annotations

import pytest
from pysnmp.hlapi.v3arch.asyncio import (
    USM_AUTH_HMAC192_SHA256,
    USM_PRIV_CFB128_AES,
    CommunityData,
    ContextData,
    ObjectIdentity,
    ObjectType,
    UdpTransportTarget,
    UsmUserData,
    bulk_cmd,
    get_cmd,
    next_cmd,
)
from pysnmp.hlapi.v3arch.asyncio import SnmpEngine as TheirEngine

from probes.snmp import Access, Session, SnmpEngine, User, oid
from tests.support.snmp_agent_real import AUTH_PASSWORD, PRIV_PASSWORD, Snmpd

NAMES = [
    "1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.2.0", "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.9.9.0", "1.3.6.1.2.1.2.1.0",
    "1.3.6.1.2.1.2.2.1.2.1", "1.3.6.1.2.1.2.2.1.6.1", "1.3.6.1.9",
]  # fmt: skip
TAGS = {
    "Integer32": 2, "Integer": 2, "OctetString": 4, "ObjectIdentifier": 6, "ObjectIdentity": 6, "TimeTicks": 0x43,
    "Counter32": 0x41, "Gauge32": 0x42, "Counter64": 0x46, "IpAddress": 0x40, "NoSuchObject": 0x80,
    "NoSuchInstance": 0x81, "EndOfMibView": 0x82, "Opaque": 0x44, "Unsigned32": 0x42,
}  # fmt: skip


@pytest.mark.parametrize("version", ["2c", "3"])
async def test_get_next_and_bulk_agree_with_pysnmp(engine: SnmpEngine, snmpd: Snmpd, version: str) -> None:
    user = User("sha256", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD) if version == "3" else None
    session = Session(engine, "127.0.0.1", Access(port=snmpd.port, user=user))
    theirs = TheirEngine()
    who = (
        UsmUserData("sha256", AUTH_PASSWORD, PRIV_PASSWORD, USM_AUTH_HMAC192_SHA256, USM_PRIV_CFB128_AES)
        if user
        else CommunityData("public", mpModel=1)
    )
    where = await UdpTransportTarget.create(("127.0.0.1", snmpd.port), timeout=3)
    asked = [ObjectType(ObjectIdentity(name)) for name in NAMES]
    names = [oid.encode(name) for name in NAMES]
    try:
        for command, numbers, ours in (
            (get_cmd, (), session.get(names)),
            (next_cmd, (), session.get_next(names)),
            (bulk_cmd, (1, 7), session.get_bulk(names, 7, non_repeaters=1)),
        ):
            error, status, _, varbinds = await command(
                theirs, who, where, ContextData(), *numbers, *asked, lookupMib=False
            )
            assert (error, int(status)) == (None, 0)
            found = [(oid.decode(name), tag) for name, tag, _ in await ours]
            assert found == [(str(name), TAGS[type(value).__name__]) for name, value in varbinds]
    finally:
        theirs.close_dispatcher()
