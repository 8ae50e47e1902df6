"""The engine against net-snmp's agent: every security level, refusals, restarts."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.profiles import library
from haidang.clock import SystemClock
from haidang.model import Status
from probes.snmp import Access, Reported, Session, SnmpEngine, User, check, oid, poll, probe_snmp, walk
from tests.support.parts import require
from tests.support.snmp_agent_real import AUTH_PASSWORD, PAIRS, PRIV_PASSWORD, Snmpd
from tests.support.snmp_agent_real import snmpd as run_snmpd

SYS_NAME = oid.encode("1.3.6.1.2.1.1.5.0")
SYSTEM = oid.encode("1.3.6.1.2.1.1")
SHA256 = User("sha256", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD)


def access(agent: Snmpd, user: User | None = None, **more: float) -> Access:
    return replace(Access(port=agent.port, user=user, timeout_s=3), **more)  # type: ignore[arg-type]


async def test_v2c_and_v1_read_the_name(engine: SnmpEngine, snmpd: Snmpd) -> None:
    for version in ("2c", "1"):
        session = Session(engine, "127.0.0.1", replace(access(snmpd), version=version))
        assert await session.get([SYS_NAME]) == [(SYS_NAME, 4, b"haidang-test")]


@pytest.mark.parametrize(("name", "auth", "priv"), PAIRS)
async def test_every_pair_of_algorithms_is_understood(
    engine: SnmpEngine, snmpd: Snmpd, name: str, auth: str, priv: str
) -> None:
    session = Session(engine, "127.0.0.1", access(snmpd, User(name, auth, AUTH_PASSWORD, priv, PRIV_PASSWORD)))
    assert await session.get([SYS_NAME]) == [(SYS_NAME, 4, b"haidang-test")]
    assert engine.counters.sent == 2  # discovery and the question: the time came with the discovery


async def test_signed_but_not_encrypted_and_neither_work(engine: SnmpEngine, snmpd: Snmpd) -> None:
    for user in (User("signed", "SHA-256", AUTH_PASSWORD), User("nobody")):
        session = Session(engine, "127.0.0.1", access(snmpd, user))
        assert (await session.get([SYS_NAME]))[0][2] == b"haidang-test"


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (User("sha256", "SHA-256", "not-the-password", "AES", PRIV_PASSWORD), "wrong password or authentication"),
        (User("sha256", "SHA", AUTH_PASSWORD, "AES", PRIV_PASSWORD), "wrong password or authentication algorithm"),
        (User("stranger", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD), "wrong user: the agent knows no user"),
        (User("signed", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD), "unsupported security level"),
    ],
)
async def test_a_refusal_is_down_with_the_exact_reason_at_once(snmpd: Snmpd, user: User, words: str) -> None:
    observation = await probe_snmp(SystemClock(), "127.0.0.1", access(snmpd, user))
    assert observation.status is Status.DOWN
    assert words in observation.reason
    assert observation.duration_ms < 2_500


@pytest.mark.parametrize(("priv_password", "context"), [("not-the-password", ""), (PRIV_PASSWORD, "nowhere")])
async def test_what_net_snmp_meets_with_silence_is_named_as_possible_cause(
    snmpd: Snmpd, priv_password: str, context: str
) -> None:
    wrong = User("sha256", "SHA-256", AUTH_PASSWORD, "AES", priv_password, context)
    observation = await probe_snmp(SystemClock(), "127.0.0.1", access(snmpd, wrong, timeout_s=0.6))
    assert (observation.status, observation.fields) == (Status.DOWN, {})
    assert observation.reason.endswith("a wrong privacy password or context looks the same")


async def test_an_unknown_community_is_silence_and_the_reason_says_that_it_may_be_one(snmpd: Snmpd) -> None:
    wrong = replace(access(snmpd, timeout_s=0.3), community="secret")
    observation = await probe_snmp(SystemClock(), "127.0.0.1", wrong)
    assert observation.status is Status.DOWN
    where = f"127.0.0.1:{snmpd.port}"
    assert observation.reason == f"no answer from {where} within 0.3 s (3 tries); a wrong community looks the same"


async def test_a_walk_gives_what_snmpbulkwalk_gives(engine: SnmpEngine, snmpd: Snmpd) -> None:
    bulkwalk = require("snmpbulkwalk", "snmp")
    where = f"127.0.0.1:{snmpd.port}"
    printed = subprocess.run(  # noqa: ASYNC221 nothing else runs on this loop
        [bulkwalk, "-v2c", "-c", "public", "-On", "-Oq", "-Cr10", where, "1.3.6.1.2.1.2.2.1"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = [line.split()[0].removeprefix(".") for line in printed.splitlines() if line.startswith(".")]
    root = oid.encode("1.3.6.1.2.1.2.2.1")
    for user in (None, SHA256):
        column = await walk(Session(engine, "127.0.0.1", access(snmpd, user)), root)
        assert column.fault == ""
        assert [oid.decode(root + index) for index, _, _ in column.rows] == names


async def test_a_poll_names_the_machine_and_its_loopback(engine: SnmpEngine, snmpd: Snmpd) -> None:
    result = await poll(Session(engine, "127.0.0.1", access(snmpd, SHA256)), library=library())
    assert result.errors == ()
    assert (result.identity.vendor, result.identity.device_class) == ("Linux", "server")
    assert result.identity.sys_name == "haidang-test"
    assert result.identity.engine_boots is not None
    loopback = next(interface for interface in result.interfaces if interface.name == "lo")
    assert (loopback.oper_status, loopback.counter_bits) == ("up", 64)
    assert loopback.in_octets is not None
    assert {sensor.kind for sensor in result.sensors} >= {"memory"}


async def test_many_requests_that_start_together_discover_once(engine: SnmpEngine, snmpd: Snmpd) -> None:
    session = Session(engine, "127.0.0.1", access(snmpd, SHA256))
    answers = await asyncio.gather(*(session.get([SYS_NAME]) for _ in range(20)))
    assert all(answer[0][2] == b"haidang-test" for answer in answers)
    assert engine.counters.sent == 21


async def test_a_restart_of_the_agent_is_survived_inside_the_request(engine: SnmpEngine, tmp_path: Path) -> None:
    with run_snmpd(tmp_path) as agent:
        session = Session(engine, "127.0.0.1", access(agent, SHA256))
        await session.get([SYS_NAME])
        assert session.security is not None
        boots = session.security.boots
        agent.stop()
        agent.start()
        assert (await session.get([SYS_NAME]))[0][2] == b"haidang-test"
        assert (session.security.boots, session.resyncs) == (boots + 1, 1)


async def test_another_engine_id_is_discovered_inside_the_request(engine: SnmpEngine, tmp_path: Path) -> None:
    with run_snmpd(tmp_path) as agent:
        session = Session(engine, "127.0.0.1", access(agent, SHA256))
        await session.get([SYS_NAME])
        assert session.security is not None
        before = session.security.engine_id
        agent.stop()
        agent.forget()
        agent.start()
        assert (await session.get([SYS_NAME]))[0][2] == b"haidang-test"
        assert session.security.engine_id != before


async def test_boots_that_went_back_do_not_lock_the_agent_out(engine: SnmpEngine, tmp_path: Path) -> None:
    with run_snmpd(tmp_path) as agent:
        agent.stop()
        agent.start()
        session = Session(engine, "127.0.0.1", access(agent, SHA256))
        await session.get([SYS_NAME])
        assert session.security is not None
        assert session.security.boots == 2
        agent.stop()
        agent.set_back()
        agent.start()
        observation = await check(session, SystemClock(), "agent")
        assert session.security is not None
        assert session.security.boots == 1
        assert (observation.status, observation.reason) == (Status.UP, "")


async def test_a_refused_user_stays_refused_and_the_session_recovers_with_the_agent(
    engine: SnmpEngine, snmpd: Snmpd
) -> None:
    session = Session(engine, "127.0.0.1", access(snmpd, User("stranger", "SHA", AUTH_PASSWORD)))
    for _ in range(3):
        with pytest.raises(Reported, match="knows no user"):
            await session.get([SYS_NAME])
    assert engine.in_flight == 0
