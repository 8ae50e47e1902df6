"""Neighbours as LLDP and CDP tell them."""

from __future__ import annotations

from probes.snmp import Access, Session, SnmpEngine, ber, poll
from probes.snmp.ber import Value
from probes.snmp.memory import Memory
from tests.support.snmp_agent import Agent, interfaces, serving

LLDP = "1.0.8802.1.1.2.1"
CDP = "1.3.6.1.4.1.9.9.23.1.2.1.1"


async def test_neighbours_have_names_ports_and_the_port_of_ours_they_are_at(engine: SnmpEngine) -> None:
    mib = interfaces(2)
    mib[f"{LLDP}.3.7.1.3.7"] = (ber.OCTET_STRING, b"Gi1/0/7")
    remote: dict[int, tuple[int, Value]] = {
        4: (ber.INTEGER, 4), 5: (ber.OCTET_STRING, b"\x02\0\0\0\0\x09"), 6: (ber.INTEGER, 5),
        7: (ber.OCTET_STRING, b"Te1/1"), 9: (ber.OCTET_STRING, "lõi-1\x1b[2J".encode()),
        10: (ber.OCTET_STRING, b"core"),
    }  # fmt: skip
    for column, cell in remote.items():
        mib[f"{LLDP}.4.1.1.{column}.0.7.1"] = cell
    mib[f"{LLDP}.4.1.1.4.0.8.1"] = (ber.INTEGER, 4)
    mib[f"{LLDP}.4.1.1.5.0.8.1"] = (ber.OCTET_STRING, b"\x02\0\0\0\0\x0a")
    mib[f"{CDP}.6.2.1"] = (ber.OCTET_STRING, b"phone")
    mib[f"{CDP}.7.2.1"] = (ber.OCTET_STRING, b"Port 1")
    async with serving(Agent(mib)) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        found = (await poll(session, with_neighbours=True)).neighbours
        assert (await poll(session)).neighbours == ()
    assert [(one.protocol, one.interface, one.name, one.port, one.descr) for one in found] == [
        ("lldp", "Gi1/0/7", "lõi-1[2J", "Te1/1", "core"),
        ("lldp", "8", "02:00:00:00:00:0a", None, None),
        ("cdp", "Gi1/0/2", "phone", "Port 1", None),
    ]


async def test_between_two_walks_neighbours_are_those_of_the_last_and_are_not_asked_for(engine: SnmpEngine) -> None:
    mib = interfaces(1)
    mib[f"{CDP}.6.1.1"] = (ber.OCTET_STRING, b"phone")
    memory = Memory()
    async with serving(Agent(mib)) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        first = await poll(session, memory=memory, with_neighbours=True)
        walked = len(agent.asked)
        second = await poll(session, memory=memory, with_neighbours=True)
        assert len(agent.asked) - walked < walked
    assert [one.name for one in first.neighbours] == ["phone"]
    assert second.neighbours == first.neighbours
