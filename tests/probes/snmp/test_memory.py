"""Between two walks only known instances are asked for; anything odd makes the next poll walk again."""

from __future__ import annotations

import re

from probes.snmp import Access, Library, Session, SnmpEngine, ber, oid, poll
from probes.snmp.ber import Value
from probes.snmp.memory import Memory
from probes.snmp.message import GET, GET_BULK
from probes.snmp.profile import Match, Profile, Rule, Source
from tests.support.snmp_agent import Agent, interfaces, serving

NAME, TEMPERATURE = (Source(oid.encode(f"1.3.6.1.4.1.32473.{number}")) for number in (1, 2))
RULE = Rule("temperature", ((NAME,),), (TEMPERATURE,), "C")
LIBRARY = Library.of([Match(Profile("test", (RULE,)), "Example", "environment", descr=re.compile("switch of"))])


def device(ports: int = 4) -> dict[str, tuple[int, Value]]:
    mib = interfaces(ports)
    for number in (1, 2):
        mib[f"1.3.6.1.4.1.32473.1.{number}"] = (ber.OCTET_STRING, b"room %d" % number)
        mib[f"1.3.6.1.4.1.32473.2.{number}"] = (ber.INTEGER, 20 + number)
    return mib


def kinds(agent: Agent) -> set[int]:
    found = {asked.tag for asked in agent.asked}
    agent.asked.clear()
    return found


async def test_a_second_poll_asks_for_what_changes_and_sees_it(engine: SnmpEngine) -> None:
    memory = Memory()
    async with serving(Agent(device())) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        first = await poll(session, library=LIBRARY, memory=memory)
        assert GET_BULK in kinds(agent)
        changed = device()
        changed["1.3.6.1.4.1.32473.2.1"] = (ber.INTEGER, 40)
        changed["1.3.6.1.2.1.31.1.1.1.6.1"] = (ber.COUNTER64, (1 << 40) + 999)
        changed["1.3.6.1.2.1.1.3.0"] = (ber.TIME_TICKS, 200_000)
        agent.rows = Agent(changed).rows
        second = await poll(session, library=LIBRARY, memory=memory)
        assert kinds(agent) == {GET}
    assert [one.value for one in first.sensors] == [21, 22]
    assert [(one.name, one.value) for one in second.sensors] == [("room 1", 40), ("room 2", 22)]
    assert second.interfaces[0].in_octets == (1 << 40) + 999
    assert [one.name for one in second.interfaces] == [one.name for one in first.interfaces]
    assert (second.identity.vendor, second.identity.device_class) == ("Example", "environment")


async def test_after_a_restart_everything_is_walked_for_indexes_may_mean_something_else(engine: SnmpEngine) -> None:
    memory = Memory()
    async with serving(Agent(device())) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        await poll(session, library=LIBRARY, memory=memory)
        changed = device(6)
        changed["1.3.6.1.2.1.1.3.0"] = (ber.TIME_TICKS, 100)
        changed["1.3.6.1.4.1.32473.1.1"] = (ber.OCTET_STRING, b"cellar")
        fresh = Agent(changed)
        agent.rows, agent.keys = fresh.rows, fresh.keys
        kinds(agent)
        found = await poll(session, library=LIBRARY, memory=memory)
        assert GET_BULK in kinds(agent)
    assert len(found.interfaces) == 6
    assert found.sensors[0].name == "cellar"


async def test_a_row_that_is_gone_is_left_out_and_the_next_poll_walks(engine: SnmpEngine) -> None:
    memory = Memory()
    async with serving(Agent(device())) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        await poll(session, library=LIBRARY, memory=memory)
        left = device()
        del left["1.3.6.1.4.1.32473.2.2"]
        fresh = Agent(left)
        agent.rows, agent.keys = fresh.rows, fresh.keys
        found = await poll(session, library=LIBRARY, memory=memory)
        assert [one.name for one in found.sensors] == ["room 1"]
        kinds(agent)
        await poll(session, library=LIBRARY, memory=memory)
        assert GET_BULK in kinds(agent)


async def test_so_many_polls_later_new_ports_are_found(engine: SnmpEngine) -> None:
    memory = Memory(walk_every=3)
    counts = []
    async with serving(Agent(device(2))) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        for _ in range(4):
            counts.append(len((await poll(session, library=LIBRARY, memory=memory)).interfaces))
            fresh = Agent(device(3))
            agent.rows, agent.keys = fresh.rows, fresh.keys
    assert counts == [2, 2, 2, 3]
