"""What a poll makes of devices as they are: oddities seen on real ones, each with other values."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from collectors.profiles import library
from haidang.clock import SystemClock
from haidang.model import Status
from probes.snmp import Access, Library, Session, SnmpEngine, ber, check_by_poll, oid, poll_device
from probes.snmp import poll as run_poll
from probes.snmp.ber import Value
from probes.snmp.poll import NO_PROFILES, PollResult, uptime_s
from probes.snmp.rates import rates, readings
from tests.support.snmp_agent import Agent, interfaces, recording, serving

IF = "1.3.6.1.2.1.2.2.1"
IFX = "1.3.6.1.2.1.31.1.1.1"


async def polled(engine: SnmpEngine, mib: dict[str, tuple[int, Value]], library: Library = NO_PROFILES) -> PollResult:
    async with serving(Agent(mib)) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.6))
        return await run_poll(session, library=library)


async def test_a_switch_is_read_whole_in_the_shape_of_the_command(engine: SnmpEngine) -> None:
    async with serving(Agent(interfaces(48))) as agent:
        found = await poll_device("127.0.0.1", Access(port=agent.port))
    assert found["errors"] == []
    assert found["identity"] == {
        "sys_object_id": "1.3.6.1.4.1.99999.1", "sys_descr": "switch of the tests", "sys_name": "trạm-1",
        "vendor": None, "profile": None, "class": None, "model": None, "serial": None, "software": None,
        "uptime_s": 1234.56, "agent_ticks": 123_456, "engine_boots": None,
    }  # fmt: skip
    assert len(found["interfaces"]) == 48
    second = found["interfaces"][1]
    expected = {
        "index": 2, "name": "Gi1/0/2", "descr": "GigabitEthernet1/0/2", "alias": None, "oper_status": "down",
        "admin_status": "up", "speed_bps": 10**9, "in_octets": (1 << 40) + 2, "out_octets": (1 << 41) + 2,
        "counter_bits": 64,
    }  # fmt: skip
    assert {key: second[key] for key in expected} == expected


async def test_without_64_bit_counters_the_32_bit_ones_are_read_and_never_mixed(engine: SnmpEngine) -> None:
    mib = interfaces(3, bits=32)
    mib[f"{IFX}.6.2"] = (ber.COUNTER64, 1 << 50)  # 64 bit on one row only, and only inwards
    one, two, three = (await polled(engine, mib)).interfaces
    assert (one.counter_bits, one.in_octets, one.out_octets) == (32, 1_000, 2_000)
    assert (two.counter_bits, two.in_octets, two.out_octets) == (64, 1 << 50, None)
    assert three.counter_bits == 32


@pytest.mark.parametrize(
    ("speed", "high", "expected"),
    [
        ((ber.GAUGE32, 0xFFFFFFFF), 10_000, 10_000_000_000),
        ((ber.GAUGE32, 0xFFFFFFFF), None, None),
        ((ber.GAUGE32, 0xFFFFFFFF), 0, None),
        ((ber.GAUGE32, 1_410_065_408), 10_000, 10_000_000_000),
        ((ber.GAUGE32, 1_544_000), 1, 1_544_000),
        ((ber.GAUGE32, 0), 0, None),
        ((ber.GAUGE32, 0), 100, 100_000_000),
        ((ber.INTEGER, 100_000_000), None, 100_000_000),
        ((ber.OCTET_STRING, b"1000000000"), None, 1_000_000_000),
        ((ber.OCTET_STRING, b"fast"), None, None),
    ],
)
async def test_speed_is_what_the_device_can_mean(
    engine: SnmpEngine, speed: tuple[int, Value], high: int | None, expected: int | None
) -> None:
    mib: dict[str, tuple[int, Value]] = {"1.3.6.1.2.1.1.3.0": (ber.TIME_TICKS, 1), f"{IF}.5.7": speed}
    if high is not None:
        mib[f"{IFX}.15.7"] = (ber.GAUGE32, high)
    (only,) = (await polled(engine, mib)).interfaces
    assert only.speed_bps == expected


async def test_duplex_is_told_and_makes_no_interface_by_itself(engine: SnmpEngine) -> None:
    mib = interfaces(3)
    for index, duplex in enumerate((1, 2, 3, 3), 1):
        mib[f"1.3.6.1.2.1.10.7.2.1.19.{index}"] = (ber.INTEGER, duplex)
    assert [one.duplex for one in (await polled(engine, mib)).interfaces] == [None, "half", "full"]


async def test_odd_rows_and_texts_are_read_with_care(engine: SnmpEngine) -> None:
    mib: dict[str, tuple[int, Value]] = {
        "1.3.6.1.2.1.1.1.0": (ber.OCTET_STRING, b" Line one\r\nline two \xff"),
        "1.3.6.1.2.1.1.5.0": (ber.OCTET_STRING, b"\0\0"),
        f"{IF}.2.1": (ber.OCTET_STRING, b"Ethernet\0rest"),
        f"{IF}.8.1": (ber.INTEGER, 0),
        f"{IF}.10.1": (ber.INTEGER, -2),
        f"{IF}.6.1": (ber.OCTET_STRING, b"\x02\0\0\0\0\x01"),
        f"{IF}.8.436416512": (ber.INTEGER, 7),
        f"{IF}.2.5.6": (ber.OCTET_STRING, b"an index of two parts is no interface"),
    }
    found = await polled(engine, mib)
    assert found.identity.sys_descr == "Line one\nline two ÿ"
    assert found.identity.sys_name is None
    first, large = found.interfaces
    assert (first.name, first.oper_status, first.in_octets) == ("Ethernet", None, 0xFFFFFFFE)
    assert first.phys_address == "02:00:00:00:00:01"
    assert (large.index, large.name, large.oper_status) == (436416512, "436416512", "lowerLayerDown")


async def test_processors_memory_and_disks_become_sensors_that_can_be_traced(engine: SnmpEngine) -> None:
    storage, types = "1.3.6.1.2.1.25.2.3.1", "1.3.6.1.2.1.25.2.1"
    mib: dict[str, tuple[int, Value]] = {"1.3.6.1.2.1.1.3.0": (ber.TIME_TICKS, 1)}
    for index, (kind, name, size, used) in enumerate(
        [(2, b"RAM", 1_000, 250), (4, b"/", -2, 1 << 30), (4, b"D:", 0, 0), (7, b"CD", 10, 10), (4, b"/x", 10, 12)], 1
    ):
        mib[f"{storage}.2.{index}"] = (ber.OBJECT_ID, oid.encode(f"{types}.{kind}"))
        mib[f"{storage}.3.{index}"] = (ber.OCTET_STRING, name)
        mib[f"{storage}.5.{index}"] = (ber.INTEGER, size)
        mib[f"{storage}.6.{index}"] = (ber.INTEGER, used)
    mib["1.3.6.1.2.1.25.3.3.1.2.196608"] = (ber.INTEGER, 17)
    mib["1.3.6.1.2.1.25.3.3.1.2.196609"] = (ber.INTEGER, -1)
    found = [(s.kind, s.name, s.value, s.unit, s.oid) for s in (await polled(engine, mib, library())).sensors]
    assert found == [
        ("cpu", "CPU 1", 17.0, "%", "1.3.6.1.2.1.25.3.3.1.2.196608"),
        ("cpu", "CPU 2", None, "%", "1.3.6.1.2.1.25.3.3.1.2.196609"),
        ("memory", "RAM", 25.0, "%", f"{storage}.6.1"),
        ("storage", "/", 25.0, "%", f"{storage}.6.2"),
        ("storage", "/x", 120.0, "%", f"{storage}.6.5"),
    ]


@pytest.mark.parametrize(
    ("agent", "host", "engine_time", "expected"),
    [
        (None, None, None, None),
        (500, None, None, 5.0),
        (1_579_700, 127_716_600, 15_797, 1_277_166.0),  # the agent restarted, the machine did not
        (4_215_722_500, None, 85_106_898, 85_106_897.96),  # sysUpTime went round once
        (4_215_722_500, 4_215_742_000, 85_106_898, 85_107_092.96),  # and hrSystemUptime with it
        (344_478_000, None, 184_955_241, 3_444_780.0),  # an engine time that means something else
    ],
)
def test_uptime_is_the_machine_s(
    agent: int | None, host: int | None, engine_time: int | None, expected: float | None
) -> None:
    assert uptime_s(agent, host, engine_time) == pytest.approx(expected)


async def test_two_polls_of_a_device_give_its_rates(engine: SnmpEngine) -> None:
    mib = interfaces(2)
    first = await polled(engine, mib)
    mib[f"{IFX}.6.1"] = (ber.COUNTER64, (1 << 40) + 1 + 1_000)
    second = await polled(engine, mib)
    earlier, later = readings(first)[1], replace(readings(second)[1], at_s=readings(first)[1].at_s + 8)
    assert rates(earlier, later).values["in_bps"] == 1_000


async def test_a_poll_is_an_observation_too(engine: SnmpEngine) -> None:
    async with serving(Agent(interfaces(2))) as agent:
        session = Session(engine, "127.0.0.1", Access(port=agent.port, timeout_s=0.3))
        observation, result = await check_by_poll(session, SystemClock(), "sw-1", slot_ns=77)
    assert (observation.target, observation.probe, observation.slot_ns) == ("sw-1", "snmp", 77)
    assert observation.status is Status.UP
    assert observation.fields == {
        "interfaces": 2, "sensors": 0, "errors": 0, "uptime_s": 1234.56, "sys_uptime_s": 1234.56
    }  # fmt: skip
    assert result is not None
    observation, result = await check_by_poll(session, SystemClock(), "sw-1")
    assert (observation.status, result) == (Status.DOWN, None)


async def test_a_silent_device_polled_by_hand_gives_its_reason(engine: SnmpEngine) -> None:
    async with serving(Agent({}, community="secret")) as agent:
        found = await poll_device("127.0.0.1", Access(port=agent.port, timeout_s=0.2))
    assert found["interfaces"] == found["sensors"] == []
    assert found["errors"] == [
        f"no answer from 127.0.0.1:{agent.port} within 0.2 s (3 tries); a wrong community looks the same"
    ]


RECORDINGS = [
    Path(__file__).with_name("invented.snmprec"),
    *sorted(Path(os.environ.get("HAIDANG_RECORDINGS", "/nonexistent")).glob("*.snmprec")),
]
"""One of our own; captures of real devices too where there is a folder of them."""


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
async def test_every_interface_row_of_a_recording_is_found(engine: SnmpEngine, path: Path) -> None:
    mib = recording(path)
    statuses = [value for name, (_, value) in mib.items() if name.startswith(f"{IF}.8.")]
    wide = [name for name in mib if name.startswith(f"{IFX}.6.")]
    found = await polled(engine, mib)
    assert found.errors == ()
    assert sum(one.oper_status == "up" for one in found.interfaces) == statuses.count(1)
    assert sum(one.counter_bits == 64 for one in found.interfaces) == len(wide)
