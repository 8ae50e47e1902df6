"""Our own SNMP engine polls the lab's devices, honest and odd ones, over loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from collectors.profiles import library
from haidang.clock import ManualClock
from lab.devices import CLASSES, Access, Behaviour, Device, Grant, Oddity, Timeline
from probes.snmp import (
    Access as Asking,
)
from probes.snmp import (
    Library,
    NoAnswer,
    Refused,
    Reported,
    Session,
    SnmpEngine,
    User,
    oid,
    poll,
    walk,
)
from probes.snmp.rates import Dropped, Reading, rates, readings
from tests.support.lab_agent import LabAgent, serving_device

USERS = (
    User("plain"),
    User("signed", "SHA", "authpass123"),
    User("usual", "SHA-256", "authpass123", "AES", "privpass123"),
    User("strong", "SHA-512", "authpass123", "AES-256", "privpass123"),
    User("cisco", "SHA", "authpass123", "AES-192-C", "privpass123"),
)
ACCESS = Access(grants=tuple(Grant(user) for user in USERS))
MODELS = {kind: make() for kind, make in CLASSES.items()}
SYS_UP_TIME = oid.encode("1.3.6.1.2.1.1.3.0")
IF_DESCR = oid.encode("1.3.6.1.2.1.2.2.1.2")
SECOND = 1_000_000_000


@pytest.fixture
async def engine() -> AsyncIterator[SnmpEngine]:
    made = SnmpEngine()
    yield made
    made.close()


def lab() -> tuple[ManualClock, Timeline]:
    clock = ManualClock(1_790_000_000 * SECOND)
    return clock, Timeline(clock)


def device(time: Timeline, kind: str = "switch", *, behaviour: Behaviour | None = None) -> Device:
    return Device(
        MODELS[kind], f"{kind}-1", now_ns=time.now_ns(), access=ACCESS, aliases={1: "Viettel 100M số 7"},
        up_for_s=86_400, behaviour=behaviour or Behaviour(),
    )  # fmt: skip


def session(engine: SnmpEngine, agent: LabAgent, *, timeout_s: float = 2.0, tries: int = 2, **how: object) -> Session:
    user, version = how.get("user"), str(how.get("version", "2c"))
    assert user is None or isinstance(user, User)
    return Session(
        engine, "127.0.0.1", Asking(user=user, version=version, port=agent.port, timeout_s=timeout_s, tries=tries)
    )


@pytest.fixture(scope="module")
def profiles() -> Library:
    return library()


@pytest.mark.parametrize("how", ["1", "2c", *USERS], ids=str)
async def test_a_poll_reads_the_whole_switch_at_every_security_level(
    engine: SnmpEngine, profiles: Library, how: str | User
) -> None:
    _, time = lab()
    switch = device(time)
    access = {"user": how} if isinstance(how, User) else {"version": how}
    async with serving_device(switch, time.now_ns) as agent:
        found = await poll(session(engine, agent, **access), library=profiles)
    assert found.errors == ()
    assert (found.identity.sys_name, found.identity.uptime_s) == ("switch-1", 86_400.0)
    assert len(found.interfaces) == 26
    first = found.interfaces[0]
    assert (first.name, first.alias) == ("Gi1/0/1" if how != "1" else first.name, "Viettel 100M số 7")
    assert first.counter_bits == (32 if how == "1" else 64)
    octets = switch.state.port(1).received.octets(time.now_ns() // 1_000_000)
    assert first.in_octets == (octets & 0xFFFFFFFF if how == "1" else octets)
    assert [one.oper_status for one in found.interfaces[:5]] == ["up"] * 4 + ["down"]
    assert {one.kind for one in found.sensors} == {"cpu", "memory", "fan", "temperature", "voltage"}


@pytest.mark.parametrize("kind", sorted(MODELS))
async def test_every_class_can_be_polled(engine: SnmpEngine, kind: str) -> None:
    _, time = lab()
    async with serving_device(device(time, kind), time.now_ns) as agent:
        found = await poll(session(engine, agent))
    assert found.errors == ()
    assert len(found.interfaces) == len(MODELS[kind].ports)
    assert found.identity.sys_object_id == MODELS[kind].object_id


async def test_the_rates_of_two_polls_are_the_traffic_and_a_reboot_or_a_reset_gives_none(engine: SnmpEngine) -> None:
    clock, time = lab()
    router = device(time, "router")
    port = router.state.port(1)
    taken: list[Reading] = []
    async with serving_device(router, time.now_ns) as agent:
        asking = session(engine, agent)

        async def read_after(seconds: float) -> Reading:
            clock.advance(seconds)
            return replace(readings(await poll(asking))[1], at_s=clock.monotonic_ns() / SECOND)

        taken.append(await read_after(0))
        octets = port.received.octets(time.now_ns() // 1_000_000)
        taken.append(await read_after(60))
        passed = port.received.octets(time.now_ns() // 1_000_000) - octets
        router.clear_counters(1, time.now_ns() + 10 * SECOND)
        taken.append(await read_after(60))
        router.reboot(time.now_ns())
        taken.append(await read_after(300))
    first, second, third = (rates(before, after) for before, after in pairwise(taken))
    assert not first.dropped
    assert first.values["in_bps"] == pytest.approx(passed * 8 / 60)
    assert 1_000_000 < first.values["in_bps"] < 90_000_000
    assert first.values["in_ucast_pps"] == pytest.approx(passed / 700 / 60, rel=0.01)
    assert set(second.dropped.values()) == {Dropped.DISCONTINUITY}
    assert set(third.dropped.values()) == {Dropped.RESTART}


async def test_a_session_survives_a_reboot_of_the_agents_engine(engine: SnmpEngine) -> None:
    clock, time = lab()
    router = device(time, "router")
    async with serving_device(router, time.now_ns) as agent:
        asking = session(engine, agent, user=USERS[2])
        await asking.get([SYS_UP_TIME])
        router.reboot(time.now_ns())
        clock.advance(100)
        ((_, _, ticks),) = await asking.get([SYS_UP_TIME])
    assert ticks == 1_000
    assert asking.resyncs == 1


@pytest.mark.parametrize(
    ("user", "words"),
    [
        (User("nobody", "SHA-256", "authpass123"), "knows no user"),
        (User("usual", "SHA-256", "otherpass123", "AES", "privpass123"), "wrong password"),
        (User("signed", "SHA", "authpass123", "AES", "privpass123"), "unsupported security level"),
        (User("usual", "SHA-256", "authpass123", "AES", "privpass123", "vlan7"), "context"),
    ],
)
async def test_the_engine_reports_what_is_wrong_with_a_message(engine: SnmpEngine, user: User, words: str) -> None:
    _, time = lab()
    async with serving_device(device(time), time.now_ns) as agent:
        with pytest.raises(Reported, match=words):
            await session(engine, agent, user=user).get([SYS_UP_TIME])


async def test_a_wrong_privacy_password_gets_silence_as_from_net_snmp(engine: SnmpEngine) -> None:
    _, time = lab()
    switch = device(time)
    wrong = User("usual", "SHA-256", "authpass123", "AES", "otherpass123")
    async with serving_device(switch, time.now_ns) as agent:
        with pytest.raises(NoAnswer):
            await session(engine, agent, user=wrong, timeout_s=0.2, tries=1).get([SYS_UP_TIME])
    assert switch.agent.counters.malformed == 1


async def test_a_lower_security_level_than_the_users_is_refused(engine: SnmpEngine) -> None:
    _, time = lab()
    async with serving_device(device(time), time.now_ns) as agent:
        with pytest.raises(Refused, match="authorizationError"):
            await session(engine, agent, user=User("usual", "SHA-256", "authpass123")).get([SYS_UP_TIME])


async def test_a_slow_agent_answers_late_but_answers(engine: SnmpEngine) -> None:
    _, time = lab()
    async with serving_device(device(time, behaviour=Behaviour(delay_s=0.25)), time.now_ns) as agent:
        with pytest.raises(NoAnswer):
            await session(engine, agent, timeout_s=0.2, tries=1).get([SYS_UP_TIME])
        assert await session(engine, agent, timeout_s=3.0, tries=1).get([SYS_UP_TIME])


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (Behaviour(silent=True), "silent"),
        (Behaviour(loss=1.0), "silent"),
        (Behaviour(oddities=frozenset({Oddity.WRONG_ID})), "another request"),
        (Behaviour(oddities=frozenset({Oddity.WRONG_SOURCE})), "another source"),
        (Behaviour(oddities=frozenset({Oddity.TRUNCATED})), "malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_answers_that_do_not_count_are_none(engine: SnmpEngine, behaviour: Behaviour, kind: str) -> None:
    _, time = lab()
    async with serving_device(device(time, behaviour=behaviour), time.now_ns) as agent:
        with pytest.raises(NoAnswer):
            await session(engine, agent, timeout_s=0.2, tries=2).get([SYS_UP_TIME])
        assert agent.asked == 2
    counters = engine.counters
    assert {
        "silent": counters.received == 0,
        "another request": counters.stale >= 1,
        "another source": counters.spoofed >= 1,
        "malformed": counters.malformed >= 1,
    }[kind]


async def test_a_lossy_agent_is_read_by_asking_again(engine: SnmpEngine) -> None:
    _, time = lab()
    async with serving_device(device(time, behaviour=Behaviour(loss=0.3)), time.now_ns) as agent:
        asking = session(engine, agent, timeout_s=1.0, tries=10)
        for _ in range(10):
            assert await asking.get([SYS_UP_TIME])
        assert agent.asked > 10


async def _walked(engine: SnmpEngine, oddity: Oddity, root: bytes, *, most_rows: int = 200) -> tuple[list[object], str]:
    _, time = lab()
    behaviour = Behaviour(oddities=frozenset({oddity}))
    async with serving_device(device(time, behaviour=behaviour), time.now_ns) as agent:
        column = await walk(session(engine, agent), root, most_rows=most_rows)
    return [value for _, _, value in column.rows], column.fault


async def test_oids_that_go_back_are_noticed(engine: SnmpEngine) -> None:
    values, fault = await _walked(engine, Oddity.DISORDERED, IF_DESCR)
    assert "not increasing" in fault
    assert 1 <= len(values) < 26


async def test_an_endless_walk_ends_at_the_managers_limit(engine: SnmpEngine) -> None:
    values, fault = await _walked(engine, Oddity.ENDLESS, IF_DESCR)
    assert "over 200 rows" in fault
    assert len(values) >= 200


async def test_an_agent_for_which_everything_is_too_big_refuses(engine: SnmpEngine) -> None:
    _, fault = await _walked(engine, Oddity.TOO_BIG, IF_DESCR)
    assert "tooBig" in fault


@pytest.mark.parametrize(
    ("oddity", "good"),
    [
        (Oddity.DUPLICATE, lambda values: values[0] == b"GigabitEthernet1/0/1" and len(values) == 26),
        (Oddity.NUL_TEXT, lambda values: values[0] == b"GigabitEthernet1/0/1\x00\x00\xfe\x7f" and len(values) == 26),
    ],
)
async def test_odd_values_come_through(
    engine: SnmpEngine, oddity: Oddity, good: Callable[[list[object]], bool]
) -> None:
    values, fault = await _walked(engine, oddity, IF_DESCR)
    assert not fault
    assert good(values)


async def test_a_poll_reads_the_same_from_an_agent_that_counts_in_integers(engine: SnmpEngine) -> None:
    _, time = lab()
    odd = frozenset({Oddity.SIGNED_COUNTERS, Oddity.NUL_TEXT, Oddity.NUMBERS_AS_TEXT})
    async with serving_device(device(time, "camera"), time.now_ns) as agent:
        honest = await poll(session(engine, agent))
    async with serving_device(device(time, "camera", behaviour=Behaviour(oddities=odd)), time.now_ns) as agent:
        found = await poll(session(engine, agent))
    assert found.interfaces == honest.interfaces
    assert found.identity == honest.identity
