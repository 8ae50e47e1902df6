"""An engine for each test, a real agent for all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from probes.snmp import SnmpEngine
from tests.support.snmp_agent_real import Snmpd
from tests.support.snmp_agent_real import snmpd as run_snmpd


@pytest.fixture
async def engine() -> AsyncIterator[SnmpEngine]:
    """An engine on the test's loop."""
    made = SnmpEngine()
    yield made
    made.close()


@pytest.fixture(scope="module")
def snmpd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpd]:
    """A real net-snmp agent, the same for a module's tests."""
    with run_snmpd(tmp_path_factory.mktemp("snmpd")) as agent:
        yield agent
