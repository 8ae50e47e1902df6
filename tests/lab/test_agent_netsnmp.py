"""net-snmp's programs against the lab's devices."""

from __future__ import annotations

import re

import pytest

from haidang.clock import SystemClock
from lab.devices import CLASSES, Access, Behaviour, Device, Grant, Oddity, Timeline
from probes.snmp import User
from tests.support.lab_agent import run, serving_device
from tests.support.parts import require

LEVELS = {
    "v2c": ("-v2c", "-c", "public"),
    "noAuth": ("-v3", "-u", "plain", "-l", "noAuthNoPriv"),
    "SHA-1": ("-v3", "-u", "signed", "-l", "authNoPriv", "-a", "SHA", "-A", "authpass123"),
    "SHA-256/AES-128": (
        "-v3", "-u", "usual", "-l", "authPriv", "-a", "SHA-256", "-A", "authpass123", "-x", "AES", "-X", "privpass123",
    ),
    "SHA-512/AES-256": (
        "-v3", "-u", "strong", "-l", "authPriv", "-a", "SHA-512", "-A", "authpass123", "-x", "AES-256",
        "-X", "privpass123",
    ),
}  # fmt: skip
GRANTS = (
    Grant(User("plain")),
    Grant(User("signed", "SHA", "authpass123")),
    Grant(User("usual", "SHA-256", "authpass123", "AES", "privpass123")),
    Grant(User("strong", "SHA-512", "authpass123", "AES-256", "privpass123")),
)
SWITCH = CLASSES["switch"]()


def switch(time: Timeline) -> Device:
    access = Access(communities={"public": (("1.3", True),), "ports": (("1.3.6.1.2.1.2", True),)}, grants=GRANTS)
    return Device(SWITCH, "switch-1", now_ns=time.now_ns(), access=access)


@pytest.mark.parametrize("level", sorted(LEVELS))
async def test_snmpbulkwalk_reads_every_variable_at_every_level(level: str) -> None:
    program = require("snmpbulkwalk", "snmp")
    time = Timeline(SystemClock())
    device = switch(time)
    async with serving_device(device, time.now_ns) as agent:
        code, written = await run(program, *LEVELS[level], "-On", f"127.0.0.1:{agent.port}", ".1.3")
    assert code == 0, written
    lines = re.findall(r"^\.1\.\S+ = (?!No more)", written, re.MULTILINE)
    assert len(lines) == len(SWITCH.tree)


async def test_snmpwalk_in_v1_reads_everything_but_counter64() -> None:
    program = require("snmpwalk", "snmp")
    time = Timeline(SystemClock())
    async with serving_device(switch(time), time.now_ns) as agent:
        code, written = await run(program, "-v1", "-c", "public", "-On", f"127.0.0.1:{agent.port}", ".1.3")
    assert code == 0, written
    lines = re.findall(r"^\.1\.", written, re.MULTILINE)
    assert len(lines) == len(SWITCH.tree) - 8 * len(SWITCH.ports)
    assert "Counter64" not in written


async def test_snmpget_gives_values_exceptions_and_refusals() -> None:
    program = require("snmpget", "snmp")
    time = Timeline(SystemClock())
    async with serving_device(switch(time), time.now_ns) as agent:
        where = f"127.0.0.1:{agent.port}"
        code, written = await run(
            program,
            *LEVELS["SHA-256/AES-128"],
            "-On",
            where,
            ".1.3.6.1.2.1.1.5.0",
            ".1.3.6.1.2.1.1.5.7",
            ".1.3.6.1.9.9.0",
        )
        assert code == 0
        assert '.1.3.6.1.2.1.1.5.0 = STRING: "switch-1"' in written
        assert ".1.3.6.1.2.1.1.5.7 = No Such Instance" in written
        assert ".1.3.6.1.9.9.0 = No Such Object" in written
        code, written = await run(
            program, "-v2c", "-c", "ports", "-On", where, ".1.3.6.1.2.1.1.5.0", ".1.3.6.1.2.1.2.1.0"
        )
        assert ".1.3.6.1.2.1.1.5.0 = No Such Object" in written
        assert ".1.3.6.1.2.1.2.1.0 = INTEGER: 26" in written
        code, written = await run(program, "-v2c", "-r0", "-t0.3", "-c", "secret", where, ".1.3.6.1.2.1.1.5.0")
        assert code == 1
        assert "Timeout" in written


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-u", "nobody", "-l", "noAuthNoPriv"), "Unknown user name"),
        (("-u", "signed", "-l", "authNoPriv", "-a", "SHA", "-A", "wrongpass1"), "Authentication failure"),
        (("-u", "plain", "-l", "authNoPriv", "-a", "SHA", "-A", "authpass123"), "Unsupported security level"),
        (("-u", "usual", "-l", "authNoPriv", "-a", "SHA-256", "-A", "authpass123"), "authorizationError"),
    ],
)
async def test_snmpget_hears_why_it_is_refused(arguments: tuple[str, ...], words: str) -> None:
    program = require("snmpget", "snmp")
    time = Timeline(SystemClock())
    async with serving_device(switch(time), time.now_ns) as agent:
        code, written = await run(
            program, "-v3", "-r0", "-t2", *arguments, f"127.0.0.1:{agent.port}", ".1.3.6.1.2.1.1.5.0"
        )
    assert code != 0
    assert words in written


async def test_snmpbulkwalk_stops_where_a_device_goes_back_or_refuses() -> None:
    program = require("snmpbulkwalk", "snmp")
    time = Timeline(SystemClock())
    device = switch(time)
    async with serving_device(device, time.now_ns) as agent:
        walk = (program, "-v2c", "-c", "public", "-On", "-Cr2", f"127.0.0.1:{agent.port}", ".1.3.6.1.2.1.2.2.1.2")
        device.agent.behaviour = Behaviour(oddities=frozenset({Oddity.DISORDERED}))
        code, written = await run(*walk)
        assert code == 1
        assert "OID not increasing: .1.3.6.1.2.1.2.2.1.2.3" in written
        device.agent.behaviour = Behaviour(oddities=frozenset({Oddity.TOO_BIG}))
        code, written = await run(*walk)
        assert code == 2
        assert "(tooBig)" in written
