"""Random requests: our engine and pysnmp ask the same agents the same, and get the same.

One agent is the tests' own, whose values stand still and are compared; the other is net-snmp's, of which names and
types are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
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

from probes.snmp import Access, Refused, Session, SnmpEngine, User, ber, oid
from probes.snmp.ber import Value
from probes.snmp.errors import NO_SUCH_NAME
from tests.probes.snmp.test_pysnmp import TAGS
from tests.support.snmp_agent import Agent, interfaces, serving
from tests.support.snmp_agent_real import AUTH_PASSWORD, PRIV_PASSWORD
from tests.support.snmp_agent_real import snmpd as run_snmpd

MIB: dict[str, tuple[int, Value]] = {
    **interfaces(12),
    "1.3.6.1.2.1.4.20.1.1.10.0.0.1": (ber.IP_ADDRESS, b"\x0a\x00\x00\x01"),
    "1.3.6.1.2.1.4.20.1.1.10.0.0.200": (ber.IP_ADDRESS, b"\x0a\x00\x00\xc8"),
    "1.3.6.1.4.1.99999.1.4000000000.1": (ber.OPAQUE, b"\x9f\x78\x04abcd"),
    "1.3.6.1.4.1.99999.1.4000000000.16384": (ber.COUNTER64, (1 << 64) - 1),
    "1.3.6.1.4.1.99999.2.0": (ber.INTEGER, -(1 << 31)),
    "1.3.6.1.4.1.99999.3.0": (ber.OCTET_STRING, bytes(range(256))),
}
USER = User("sha256", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD)
names = st.one_of(
    st.sampled_from(sorted(MIB)),
    st.sampled_from(sorted(MIB)).map(lambda name: name.rpartition(".")[0]),
    st.lists(st.sampled_from((0, 1, 2, 10, 31, 127, 128, 16_384, 4_294_967_295)), max_size=5).map(
        lambda more: ".".join(map(str, (1, 3, 6, 1, *more)))
    ),
)
requests = st.tuples(
    st.sampled_from(("get", "next", "bulk")),
    st.lists(names, min_size=1, max_size=6),
    st.integers(0, 3),
    st.integers(1, 12),
)
Found = list[tuple[str, int, object]] | str


@dataclass(slots=True)
class Both:
    """Both engines on one loop, and the agent they ask."""

    runner: asyncio.Runner
    ours: Session
    theirs: TheirEngine
    who: Any
    where: Any
    values: bool

    async def ask_ours(self, kind: str, asked: list[str], once: int, rows: int) -> Found:
        encoded = [oid.encode(name) for name in asked]
        try:
            if kind == "get":
                found = await self.ours.get(encoded)
            elif kind == "next":
                found = await self.ours.get_next(encoded)
            else:
                found = await self.ours.get_bulk(encoded, rows, non_repeaters=once)
        except Refused as refusal:
            return f"refused {refusal.status}"
        return [(oid.decode(name), tag, self.value(tag, value)) for name, tag, value in found]

    async def ask_theirs(self, kind: str, asked: list[str], once: int, rows: int) -> Found:
        command = {"get": get_cmd, "next": next_cmd, "bulk": bulk_cmd}[kind]
        objects = [ObjectType(ObjectIdentity(name)) for name in asked]
        numbers = (once, rows) if kind == "bulk" else ()
        error, status, _, found = await command(
            self.theirs, self.who, self.where, ContextData(), *numbers, *objects, lookupMib=False
        )
        assert error is None
        if int(status):
            return f"refused {int(status)}"
        return [
            (str(name), TAGS[type(value).__name__], self.value(TAGS[type(value).__name__], value))
            for name, value in found
        ]

    def value(self, tag: int, value: Any) -> object:
        """Bring a value of either into one form."""
        if not self.values or tag in (ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, ber.END_OF_MIB_VIEW):
            return None
        if tag == ber.OBJECT_ID:
            return oid.decode(value) if isinstance(value, bytes) else str(value)
        return bytes(value) if tag in (ber.OCTET_STRING, ber.IP_ADDRESS, ber.OPAQUE) else int(value)


@pytest.fixture(scope="module", params=["agent v1", "agent v2c", "snmpd v2c", "snmpd v3"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Both engines before one agent."""
    kind, version = request.param.split()
    with ExitStack() as stack:
        runner = stack.enter_context(asyncio.Runner())
        if kind == "agent":
            plain = {name: value for name, value in MIB.items() if value[0] != ber.COUNTER64}
            agent = Agent(plain if version == "v1" else MIB)  # v1 has no Counter64 (RFC 2576 §4.2)
            context = serving(agent)
            runner.run(context.__aenter__())
            stack.callback(lambda: runner.run(context.__aexit__(None, None, None)))
            port = agent.port
        else:
            port = stack.enter_context(run_snmpd(Path(tmp_path_factory.mktemp("oracle")))).port
        user = USER if version == "v3" else None
        how = UsmUserData("sha256", AUTH_PASSWORD, PRIV_PASSWORD, USM_AUTH_HMAC192_SHA256, USM_PRIV_CFB128_AES)

        async def made() -> Both:
            access = Access(port=port, user=user, version="1" if version == "v1" else "2c", timeout_s=10)
            return Both(
                runner, Session(SnmpEngine(), "127.0.0.1", access), TheirEngine(),
                how if user else CommunityData("public", mpModel=0 if version == "v1" else 1),
                await UdpTransportTarget.create(("127.0.0.1", port), timeout=10), kind == "agent",
            )  # fmt: skip

        found = runner.run(made())
        yield found

        async def end() -> None:
            found.ours.engine.close()
            found.theirs.close_dispatcher()

        runner.run(end())


def same(both: Both, request: tuple[str, list[str], int, int]) -> None:
    """Ask both, and compare."""
    kind, asked, once, rows = request
    v1 = both.ours.version == 0
    if v1 and kind == "bulk":
        kind = "next"

    async def ask() -> tuple[Found, Found]:
        return await both.ask_ours(kind, asked, once, rows), await both.ask_theirs(kind, asked, once, rows)

    ours, theirs = both.runner.run(ask())
    if v1 and kind == "get" and theirs == f"refused {NO_SUCH_NAME}":
        # v1 refuses the whole for one that is missing; our session asks again for the others
        assert not isinstance(ours, str)
        assert ber.NO_SUCH_OBJECT in [tag for _, tag, _ in ours]
    else:
        assert ours == theirs


CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=60, deadline=None, suppress_health_check=CHECKS)
@given(request=requests)
def test_random_requests_give_what_pysnmp_gets(both: Both, request: tuple[str, list[str], int, int]) -> None:
    same(both, request)


@pytest.mark.slow
@settings(max_examples=2_500, deadline=None, suppress_health_check=CHECKS)
@given(request=requests)
def test_ten_thousand_random_requests_give_what_pysnmp_gets(
    both: Both, request: tuple[str, list[str], int, int]
) -> None:
    same(both, request)
