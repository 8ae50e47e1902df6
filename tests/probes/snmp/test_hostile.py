"""Agents and networks that lose, repeat, lie, hang and never end."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import pytest

from haidang.clock import SystemClock
from haidang.model import Status
from probes.snmp import (
    Access,
    NoAnswer,
    NotAsked,
    Refused,
    Session,
    SnmpEngine,
    ber,
    check,
    message,
    oid,
    poll,
    walk,
    walk_table,
)
from probes.snmp.ber import Value
from probes.snmp.link import SocketLink
from probes.snmp.message import GET_BULK, RESPONSE, Pdu
from tests.support.snmp_agent import Agent, Misbehaviour, interfaces, serving

UPTIME = oid.encode("1.3.6.1.2.1.1.3.0")
NAME = oid.encode("1.3.6.1.2.1.1.5.0")
IF_DESCR = oid.encode("1.3.6.1.2.1.2.2.1.2")
QUICK = Access(timeout_s=0.6)


def session_with(engine: SnmpEngine, agent: Agent, access: Access = QUICK) -> Session:
    return Session(engine, "127.0.0.1", replace(access, port=agent.port))


def _socket_of(session: Session) -> socket.socket:
    return cast("SocketLink", session.peer.link)._sock


def table(root: str, names: Sequence[str]) -> dict[str, tuple[int, Value]]:
    return {f"{root}.{name}": (ber.INTEGER, number) for number, name in enumerate(names)}


def response(asked: Pdu, varbinds: list[ber.VarBind], request_id: int | None = None, tag: int = RESPONSE) -> bytes:
    number = asked.request_id if request_id is None else request_id
    return message.community_message(message.V2C, b"public", message.encode_pdu(tag, number, 0, 0, varbinds))


async def test_twenty_percent_loss_costs_retransmissions_but_no_row(engine: SnmpEngine) -> None:
    chance = random.Random(1)
    agent = Agent(interfaces(48), misbehave=lambda _, __, honest: () if chance.random() < 0.2 else (honest,))
    async with serving(agent):
        result = await poll(session_with(engine, agent, Access(timeout_s=1.0, tries=6)))
    assert result.errors == ()
    assert len(result.interfaces) == 48
    assert engine.counters.retransmitted > 0


async def test_duplicates_and_stale_answers_are_counted_and_change_nothing(engine: SnmpEngine) -> None:
    older: list[bytes] = []

    def repeat(_: Agent, __: Pdu, honest: bytes) -> list[bytes]:
        older.append(honest)
        return [*older[-3:], honest]

    agent = Agent(interfaces(48), misbehave=repeat)
    async with serving(agent):
        column = await walk(session_with(engine, agent), IF_DESCR)
    assert [index for index, _, _ in column.rows] == [bytes((number,)) for number in range(1, 49)]
    assert engine.counters.stale > 0


async def test_answers_in_another_order_find_their_questions(engine: SnmpEngine) -> None:
    held: list[bytes] = []

    def reorder(_: Agent, __: Pdu, honest: bytes) -> list[bytes]:
        held.append(honest)
        if len(held) < 2:
            return []
        out = held[::-1]
        held.clear()
        return out

    agent = Agent(interfaces(2), misbehave=reorder)
    async with serving(agent):
        session = session_with(engine, agent)
        one, two = await asyncio.gather(session.get([UPTIME]), session.get([NAME]))
    assert (one[0][0], two[0][0]) == (UPTIME, NAME)
    assert engine.counters.retransmitted == 0


async def test_an_answer_from_another_address_does_not_count(engine: SnmpEngine) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))

        class Spoofing(Agent):
            def send(self, packet: bytes, addr: tuple[str, int]) -> None:
                other.sendto(packet, addr)

        agent = Spoofing(interfaces(1))
        async with serving(agent):
            with pytest.raises(NoAnswer):
                await session_with(engine, agent, Access(timeout_s=0.2)).get([UPTIME])
    assert engine.counters.spoofed == 3


async def test_a_v2c_answer_to_a_v1_question_does_not_count(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(1), misbehave=lambda _, asked, __: [response(asked, [(UPTIME, 0x43, 1)])])
    async with serving(agent):
        with pytest.raises(NoAnswer):
            await session_with(engine, agent, Access(timeout_s=0.2, version="1")).get([UPTIME])
    assert engine.counters.spoofed == 3


@pytest.mark.parametrize("length", [1, 7, 20, 30, -1])
async def test_truncated_answers_are_malformed_and_the_reason_says_so(engine: SnmpEngine, length: int) -> None:
    agent = Agent(interfaces(1), misbehave=lambda _, __, honest: [honest[:length]])
    async with serving(agent):
        observation = await check(session_with(engine, agent, Access(timeout_s=0.2)), SystemClock(), "device")
    assert observation.status is Status.DOWN
    assert observation.reason == f"no valid answer from 127.0.0.1:{agent.port} within 0.2 s: 3 malformed"
    assert engine.counters.malformed == 3


async def test_an_answer_of_64_kib_is_read(engine: SnmpEngine) -> None:
    large = b"x" * 65_000
    agent = Agent({"1.3.6.1.2.1.1.5.0": (ber.OCTET_STRING, large)})
    async with serving(agent):
        assert await session_with(engine, agent).get([NAME]) == [(NAME, 4, large)]


async def test_too_big_makes_the_walk_smaller_and_is_remembered(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(30), too_big_over=6)
    async with serving(agent):
        session = session_with(engine, agent)
        result = await poll(session)
        assert (result.errors, len(result.interfaces)) == ((), 30)
        assert session.repetitions.count <= 5
        before = len(agent.asked)
        await walk(session, IF_DESCR)
        refused = [asked for asked in agent.asked[before:] if asked.tag == GET_BULK and asked.error_index > 6]
    assert refused == []


async def test_a_get_that_is_too_big_is_halved(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(30), too_big_over=4)
    names = [oid.encode(f"1.3.6.1.2.1.2.2.1.2.{index}") for index in range(1, 31)]
    async with serving(agent):
        found = await session_with(engine, agent).get(names)
    assert [name for name, _, _ in found] == names


async def test_large_answers_that_never_arrive_make_the_walk_smaller(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(40), misbehave=lambda _, __, honest: (honest,) if len(honest) < 400 else ())
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=0.3))
        await session.get([UPTIME])
        columns = await walk_table(session, [oid.encode("1.3.6.1.2.1.1.3"), IF_DESCR])
    assert [len(column.rows) for column in columns] == [1, 40]
    assert session.repetitions.count < 25


async def test_a_step_back_in_the_middle_of_an_answer_stops_that_column_only(engine: SnmpEngine) -> None:
    good, bad = oid.encode("1.3.6.1.4.1.9999.1.1"), oid.encode("1.3.6.1.4.1.9999.1.2")

    def back(agent: Agent, asked: Pdu, _: bytes) -> list[bytes]:
        varbinds = agent.answer(asked, message.V2C)[2]
        places = [at for at, varbind in enumerate(varbinds) if varbind[0].startswith(bad)]
        if len(places) > 8:  # only the OIDs inside are out of order; the last one is the largest
            varbinds[places[3]], varbinds[places[6]] = varbinds[places[6]], varbinds[places[3]]
        return [response(asked, varbinds)]

    names = [str(number) for number in range(1, 30)]
    agent = Agent({**table(oid.decode(good), names), **table(oid.decode(bad), names)}, misbehave=back)
    async with serving(agent):
        first, second = await walk_table(session_with(engine, agent), [good, bad])
    assert (len(first.rows), first.fault) == (29, "")
    assert second.fault == "the agent goes back in its MIB (OID not increasing)"
    assert [value for _, _, value in second.rows] == [0, 1, 2, 6]


async def test_an_index_over_127_is_not_taken_for_a_step_back(engine: SnmpEngine) -> None:
    names = [str(number) for number in (1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 4_294_967_295)]
    agent = Agent(table("1.3.6.1.4.1.9999.1", names))
    async with serving(agent):
        column = await walk(session_with(engine, agent), oid.encode("1.3.6.1.4.1.9999.1"))
    assert (len(column.rows), column.fault) == (8, "")


async def test_an_endless_walk_ends(engine: SnmpEngine) -> None:
    def endless(_: Agent, asked: Pdu, __: bytes) -> list[bytes]:
        last = oid.numbers(asked.varbinds[0][0][len(IF_DESCR) :] or b"\0")[0]
        names = [oid.encode(f"1.3.6.1.2.1.2.2.1.2.{last + step}") for step in range(1, 26)]
        rows: list[ber.VarBind] = [(name, 2, 1) for name in names]
        return [response(asked, rows)]

    agent = Agent({}, misbehave=endless)
    async with serving(agent):
        column = await walk(session_with(engine, agent), IF_DESCR, most_rows=1_000)
    assert column.fault == "over 1000 rows, read no further"
    assert 1_000 <= len(column.rows) < 1_100


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda _, asked, __: [response(asked, [])],
        lambda _, asked, __: [response(asked, [asked.varbinds[0]] * 25)],
        lambda _, asked, __: [response(asked, [(b"\x2b", 2, 1)] * 25)],
    ],
    ids=["empty", "same", "smaller"],
)
async def test_an_agent_that_leads_nowhere_ends_the_walk(engine: SnmpEngine, misbehave: Misbehaviour) -> None:
    agent = Agent({}, misbehave=misbehave)
    async with serving(agent):
        column = await walk(session_with(engine, agent), IF_DESCR)
    assert column.rows == []
    assert len(agent.asked) == 1


async def test_a_device_that_falls_silent_keeps_what_was_read(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(48), misbehave=lambda agent, _, honest: (honest,) if len(agent.asked) < 5 else ())
    async with serving(agent):
        result = await poll(session_with(engine, agent), budget_s=0.8)
    assert result.identity.sys_name == "trạm-1"
    assert result.interfaces
    assert any("time budget is spent" in error for error in result.errors)
    assert result.ended - result.began < 1.2


async def test_an_endless_agent_that_answers_at_once_cannot_outrun_the_budget(engine: SnmpEngine) -> None:
    def endless(_agent: Agent, asked: Pdu, honest: bytes) -> list[bytes]:
        if asked.tag != GET_BULK:
            return [honest]
        rows: list[ber.VarBind] = []
        for name, *_ in asked.varbinds:
            parts = oid.decode(name).split(".")
            roots = 11 if parts[6] in ("25", "31") else 10
            index = int(parts.pop()) + 1 if len(parts) > roots else 1
            rows.append((oid.encode(".".join((*parts, str(index)))), 2, 1))
        return [response(asked, rows)]

    agent = Agent(interfaces(1), misbehave=endless)
    async with serving(agent):
        loop = asyncio.get_running_loop()
        began = loop.time()
        result = await poll(session_with(engine, agent), budget_s=0.2)
        assert loop.time() - began < 0.5
    assert result.identity.sys_name == "trạm-1"
    assert any("the time budget is spent" in error for error in result.errors)


async def test_a_slow_device_is_polled_as_far_as_the_budget_goes_and_delays_nobody(engine: SnmpEngine) -> None:
    loop = asyncio.get_running_loop()

    class Slow(Agent):
        def send(self, packet: bytes, addr: tuple[str, int]) -> None:
            loop.call_later(0.15, super().send, packet, addr)

    slow, honest = Slow(interfaces(48)), Agent(interfaces(48))
    async with serving(slow), serving(honest):
        crawling = asyncio.create_task(poll(session_with(engine, slow, Access(timeout_s=3)), budget_s=1.0))
        began = loop.time()
        result = await poll(session_with(engine, honest))
        took = loop.time() - began
        assert (len(result.interfaces), result.errors) == (48, ())
        assert took < 0.5
        part = await crawling
        assert part.ended - part.began < 1.3
        assert part.errors


async def test_a_v1_agent_without_the_variable_refuses_and_the_others_are_read(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(3))
    nowhere = oid.encode("1.3.6.1.9.9.0")
    async with serving(agent):
        session = session_with(engine, agent, Access(version="1", timeout_s=0.6))
        found = await session.get([UPTIME, nowhere, NAME])
        assert [(name, tag) for name, tag, _ in found] == [(UPTIME, 0x43), (nowhere, 0x80), (NAME, 4)]
        assert len((await poll(session)).interfaces) == 3


async def test_a_refusal_is_an_answer_the_device_is_up(engine: SnmpEngine) -> None:
    def refuse(_: Agent, asked: Pdu, __: bytes) -> list[bytes]:
        pdu = message.encode_pdu(RESPONSE, asked.request_id, 16, 0, asked.varbinds)
        return [message.community_message(message.V2C, b"public", pdu)]

    agent = Agent({}, misbehave=refuse)
    async with serving(agent):
        session = session_with(engine, agent)
        with pytest.raises(Refused, match="authorizationError"):
            await session.get([UPTIME])
        observation = await check(session, SystemClock(), "device")
    assert observation.status is Status.UP
    assert observation.reason == f"127.0.0.1:{agent.port}: the agent refuses: authorizationError"


async def test_the_community_is_not_blamed_once_it_has_proved_right(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(1), misbehave=lambda agent, _, honest: [honest] if len(agent.asked) < 2 else [])
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=0.2))
        assert (await check(session, SystemClock(), "device")).status is Status.UP
        observation = await check(session, SystemClock(), "device")
    assert observation.reason == f"no answer from 127.0.0.1:{agent.port} within 0.2 s (3 tries)"


async def test_a_closed_port_is_named(engine: SnmpEngine) -> None:
    agent = Agent({})
    async with serving(agent):
        pass
    observation = await check(session_with(engine, agent, Access(timeout_s=0.3)), SystemClock(), "device")
    assert observation.status is Status.DOWN
    assert "port unreachable" in observation.reason


async def test_what_cannot_be_sent_is_unknown_not_down(engine: SnmpEngine) -> None:
    session = Session(engine, "255.255.255.255", Access(timeout_s=0.1))  # without SO_BROADCAST the kernel refuses
    observation = await check(session, SystemClock(), "device")
    assert (observation.status, observation.samples) == (Status.UNKNOWN, ())
    assert observation.reason == "cannot send to 255.255.255.255:161: permission denied"


async def test_an_overflow_of_our_own_buffer_is_unknown_not_down(engine: SnmpEngine) -> None:
    def flood(_: Agent, asked: Pdu, honest: bytes) -> list[bytes]:
        return [response(asked, [], request_id=1)] * 500 + [honest]

    agent = Agent(interfaces(1), misbehave=flood)
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=0.2, tries=1))
        _socket_of(session).setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        observation = await check(session, SystemClock(), "device")
    assert (observation.status, observation.samples) == (Status.UNKNOWN, ())
    assert observation.reason.startswith("our own receive buffer overflowed: no answer from")


async def test_a_loop_that_was_blocked_beyond_the_deadline_still_reads_the_answer_first(engine: SnmpEngine) -> None:
    def late(agent: Agent, _: Pdu, honest: bytes) -> list[bytes]:
        def block() -> None:
            agent.send(honest, ("127.0.0.1", _socket_of(session).getsockname()[1]))
            time.sleep(0.3)  # the whole process stands still, past the deadline

        asyncio.get_running_loop().call_later(0.1, block)
        return []

    agent = Agent(interfaces(1), misbehave=late)
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=0.2, tries=1))
        assert (await session.get([UPTIME]))[0][0] == UPTIME


async def test_a_cancelled_request_leaves_nothing_behind(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(1), misbehave=lambda agent, _, honest: () if len(agent.asked) < 3 else (honest,))
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=5, tries=1))
        lost = [asyncio.create_task(session.get([UPTIME])) for _ in range(2)]
        waiting = asyncio.create_task(session.get([NAME]))
        await agent.until_asked(2)
        for task in lost:
            task.cancel()
        await asyncio.gather(*lost, return_exceptions=True)
        assert (await waiting)[0][0] == NAME
    assert engine.in_flight == 0
    assert session.peer.in_flight == 0


async def test_at_most_two_requests_are_under_way_to_one_device(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(1), misbehave=lambda *_: ())
    async with serving(agent):
        session = session_with(engine, agent, Access(timeout_s=0.2, tries=1))
        answers = await asyncio.gather(*(session.get([UPTIME]) for _ in range(4)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [NoAnswer] * 4
    assert len(agent.asked) == 4


async def test_the_engine_s_own_limit_makes_others_wait_not_fail() -> None:
    engine = SnmpEngine(most_in_flight=3)
    agents = [Agent(interfaces(1)) for _ in range(10)]
    try:
        transports = [
            (await asyncio.get_running_loop().create_datagram_endpoint(lambda a=a: a, local_addr=("127.0.0.1", 0)))[0]  # type: ignore[misc]
            for a in agents
        ]
        answers = await asyncio.gather(*(session_with(engine, agent).get([UPTIME]) for agent in agents))
        assert all(answer[0][2] == 123_456 for answer in answers)
        for transport in transports:
            transport.close()
    finally:
        engine.close()


async def test_silent_devices_do_not_keep_the_others_from_being_asked() -> None:
    engine = SnmpEngine(most_in_flight=2)
    mute, honest = Agent({}, misbehave=lambda *_: ()), Agent(interfaces(1))
    try:
        async with serving(mute), serving(honest):
            silent = session_with(engine, mute, Access(timeout_s=1.2))
            blocked = [asyncio.create_task(silent.get([UPTIME])) for _ in range(2)]
            await mute.until_asked(2)
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert (await session_with(engine, honest).get([UPTIME]))[0][2] == 123_456
            assert loop.time() - began < 0.6  # after the first pause, not after the whole 1.2 s
            ended = await asyncio.gather(*blocked, return_exceptions=True)
        assert [type(end) for end in ended] == [NoAnswer, NoAnswer]
        assert (engine._in_flight, silent.peer.in_flight, engine.in_flight) == (0, 0, 0)
    finally:
        engine.close()


async def test_a_request_that_never_had_its_turn_was_not_asked() -> None:
    engine = SnmpEngine(most_in_flight=1)
    mute, honest = Agent({}, misbehave=lambda *_: ()), Agent(interfaces(1))
    try:
        async with serving(mute), serving(honest):
            blocked = asyncio.create_task(session_with(engine, mute, Access(timeout_s=1.0, tries=1)).get([UPTIME]))
            await mute.until_asked(1)
            deadline = asyncio.get_running_loop().time() + 0.1
            with pytest.raises(NotAsked, match="too many requests"):
                await session_with(engine, honest).get([UPTIME], deadline=deadline)
            blocked.cancel()
            await asyncio.gather(blocked, return_exceptions=True)
    finally:
        engine.close()


async def test_closing_ends_what_is_under_way() -> None:
    engine = SnmpEngine()
    agent = Agent({}, misbehave=lambda *_: ())
    async with serving(agent):
        session = session_with(engine, agent)
        asked = [asyncio.create_task(session.get([UPTIME])) for _ in range(5)]
        await agent.until_asked(1)
        engine.close()
        ended = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(end) for end in ended] == [NotAsked] * 5
    with pytest.raises(NotAsked, match="is closed"):
        await session.get([UPTIME])


async def test_ipv6_works_on_its_own_socket(engine: SnmpEngine) -> None:
    agent = Agent(interfaces(5))
    async with serving(agent, "::1"):
        result = await poll(Session(engine, "::1", replace(QUICK, port=agent.port)))
    assert len(result.interfaces) == 5


@pytest.mark.parametrize("address", ["", "switch.example", "10.0.0", "1.2.3.4.5", "fe80::1%nowhere", "10.0.0.1\0"])
def test_only_numeric_addresses_are_taken(address: str) -> None:
    async def name() -> None:
        engine = SnmpEngine()
        try:
            Session(engine, address, QUICK)
        finally:
            engine.close()

    with pytest.raises(ValueError, match="is not an IP address"):
        asyncio.run(name())
