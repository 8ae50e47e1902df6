"""Traps and informs of the lab's devices, received by pysnmp and by net-snmp's snmptrapd."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pysnmp.carrier.asyncio.dgram import udp
from pysnmp.entity import config
from pysnmp.entity.engine import SnmpEngine as TheirEngine
from pysnmp.entity.rfc3413 import ntfrcv
from pysnmp.proto.api import v2c

from lab.devices import CLASSES, Access, Behaviour, Device, Event, Grant, Sink
from lab.devices.engine_id import engine_id
from probes.snmp import User, ber, message, oid
from probes.snmp.message import GET, V2C
from tests.support.snmp_agent_real import free_port

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
NOW = 1_790_000_000 * SECOND
USER = User("usual", "SHA-256", "authpass123", "AES", "privpass123")
ACCESS = Access(grants=(Grant(USER),))
MODELS = {kind: make() for kind, make in CLASSES.items()}
UP_TIME, TRAP_OID = "1.3.6.1.2.1.1.3.0", "1.3.6.1.6.3.1.1.4.1.0"
COLD_START, LINK_DOWN, LINK_UP, AUTHENTICATION_FAILURE = (f"1.3.6.1.6.3.1.1.5.{number}" for number in (1, 3, 4, 5))
ON_BATTERY, ALARM_ADDED, ALARM_REMOVED = (f"1.3.6.1.2.1.33.2.{number}" for number in (1, 3, 4))
DYING_GASP = "1.3.6.1.4.1.32473.0.1"
WAYS = {"1": {"version": "1"}, "2c": {}, "3": {"user": USER}}


def device(kind: str, *sinks: Sink, up_for_s: float = 100.0) -> Device:
    return Device(
        MODELS[kind], f"{kind}-1", now_ns=NOW, access=ACCESS, sinks=sinks, up_for_s=up_for_s, address="192.0.2.7",
        location="Xã Tân Tiến",
    )  # fmt: skip


class Receiver:
    """pysnmp's notification receiver: what it decoded."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.heard: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    def take(self, *arguments: Any) -> None:
        self.heard.put_nowait({str(name): _plain(value) for name, value in arguments[4]})

    async def next(self) -> dict[str, str]:
        return await asyncio.wait_for(self.heard.get(), 5)


@asynccontextmanager
async def pysnmp_receiving(*names: str) -> AsyncIterator[Receiver]:
    """Receive with pysnmp what devices of these names send."""
    engine = TheirEngine()
    receiver = Receiver(free_port())
    transport = udp.UdpAsyncioTransport().open_server_mode(("127.0.0.1", receiver.port))
    config.add_transport(engine, udp.DOMAIN_NAME, transport)
    config.add_v1_system(engine, "area", "public")
    how = (config.USM_AUTH_HMAC192_SHA256, "authpass123", config.USM_PRIV_CFB128_AES, "privpass123")
    config.add_v3_user(engine, "usual", *how)
    for name in names:
        config.add_v3_user(engine, "usual", *how, securityEngineId=v2c.OctetString(engine_id(name)))
    ntfrcv.NotificationReceiver(engine, receiver.take)
    await transport._lport
    try:
        yield receiver
    finally:
        engine.close_dispatcher()


def _plain(value: Any) -> str:
    """Put a value of pysnmp's into text."""
    if isinstance(value, v2c.OctetString) and not isinstance(value, v2c.IpAddress):
        return bytes(value).decode()
    return str(value.prettyPrint())


def send(events: list[Event], port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for event in events:
            sock.sendto(event.datagram, ("127.0.0.1", port))


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_pysnmp_reads_the_traps_of_a_line_that_breaks_and_mends(way: str) -> None:
    switch = device("switch", Sink("127.0.0.1", **WAYS[way]))  # type: ignore[arg-type]
    switch.port(7, "down", NOW + SECOND)
    switch.port(7, "up", NOW + 61 * SECOND)
    events = switch.events(NOW + 2 * MINUTE)
    assert [event.at_ns for event in events] == [NOW + SECOND, NOW + 61 * SECOND]
    async with pysnmp_receiving("switch-1") as receiver:
        send(events, receiver.port)
        down, up = await receiver.next(), await receiver.next()
    assert (down[TRAP_OID], up[TRAP_OID]) == (LINK_DOWN, LINK_UP)
    assert (down[UP_TIME], up[UP_TIME]) == ("10100", "16100")
    assert [down[f"1.3.6.1.2.1.2.2.1.{column}.7"] for column in (1, 7, 8)] == ["7", "1", "2"]
    assert [up[f"1.3.6.1.2.1.2.2.1.{column}.7"] for column in (1, 7, 8)] == ["7", "1", "1"]
    assert up["1.3.6.1.2.1.2.2.1.2.7"] == "GigabitEthernet1/0/7"
    if way == "1":
        assert down["1.3.6.1.6.3.18.1.3.0"] == "192.0.2.7"


@pytest.mark.parametrize("way", sorted(WAYS))
async def test_pysnmp_reads_cold_start_and_dying_gasp(way: str) -> None:
    router = device("router", Sink("127.0.0.1", **WAYS[way]))  # type: ignore[arg-type]
    router.power("off", NOW + SECOND)
    router.power("mains", NOW + MINUTE)
    async with pysnmp_receiving("router-1") as receiver:
        send(router.events(NOW + 10 * MINUTE), receiver.port)
        gasp, start = await receiver.next(), await receiver.next()
    assert (gasp[TRAP_OID], start[TRAP_OID]) == (DYING_GASP, COLD_START)
    assert gasp["1.3.6.1.2.1.1.5.0"] == "router-1"
    assert gasp["1.3.6.1.2.1.1.6.0"] == "Xã Tân Tiến"
    assert start[UP_TIME] == "0"


def test_a_ups_tells_each_minute_that_it_is_on_battery_until_it_is_not() -> None:
    ups = device("ups", Sink("127.0.0.1"))
    ups.power("battery", NOW + SECOND)
    ups.power("mains", NOW + 3 * MINUTE + 30 * SECOND)
    told = [(event.at_ns - NOW, _trap(event)) for event in ups.events(NOW + 60 * MINUTE)]
    on_battery = [at for at, trap in told if trap[TRAP_OID] == ON_BATTERY]
    assert on_battery == [SECOND + minute * MINUTE for minute in range(4)]
    assert [trap[TRAP_OID] for _, trap in told if trap[TRAP_OID] != ON_BATTERY] == [ALARM_ADDED, ALARM_REMOVED]
    seconds, minutes = "1.3.6.1.2.1.33.1.2.2.0", "1.3.6.1.2.1.33.1.2.3.0"
    assert [(trap[seconds], trap[minutes]) for _, trap in told if trap[TRAP_OID] == ON_BATTERY] == [
        (0, 40), (60, 39), (120, 38), (180, 37),
    ]  # fmt: skip


def test_a_ups_that_runs_empty_falls_silent() -> None:
    ups = device("ups", Sink("127.0.0.1"))
    ups.power("battery", NOW)
    told = [_trap(event)[TRAP_OID] for event in ups.events(NOW + 600 * MINUTE)]
    assert told.count(ON_BATTERY) in (40, 41)
    assert told.count(ALARM_ADDED) == 2
    assert ALARM_REMOVED not in told
    assert not ups.alive


def test_a_wrong_community_is_told_but_not_answered() -> None:
    camera = device("camera", Sink("127.0.0.1"))
    packet = message.community_message(V2C, b"private", message.encode_pdu(GET, 1, 0, 0, ()))
    assert camera.receive(packet, NOW) == []
    (event,) = camera.events(NOW)
    assert _trap(event)[TRAP_OID] == AUTHENTICATION_FAILURE


def test_devices_without_power_tell_nothing() -> None:
    switch = device("switch", Sink("127.0.0.1"))
    switch.power("off", NOW)
    switch.port(1, "down", NOW + SECOND)
    assert [_trap(event)[TRAP_OID] for event in switch.events(NOW + MINUTE)] == [DYING_GASP]


def test_events_come_once_and_to_every_sink() -> None:
    one, other = Sink("192.0.2.1"), Sink("192.0.2.2", version="1")
    switch = device("switch", one, other)
    switch.port(1, "down", NOW + MINUTE)
    assert switch.events(NOW) == []
    assert [event.sink for event in switch.events(NOW + MINUTE)] == [one, other]
    assert switch.events(NOW + 2 * MINUTE) == []


def test_a_device_says_when_it_has_something_to_send_next() -> None:
    ups = device("ups", Sink("127.0.0.1"), Sink("127.0.0.2", inform=True, retry_s=7))
    assert ups.next_ns is None
    ups.power("battery", NOW + SECOND)
    assert ups.next_ns == NOW + SECOND
    assert ups.events(NOW + SECOND)
    assert ups.next_ns == NOW + 8 * SECOND
    ups.power("mains", NOW + 9 * SECOND)
    while ups.next_ns is not None:
        ups.events(ups.next_ns)
    assert ups.state.schedule.now_ns == NOW + 40 * MINUTE + SECOND


def test_the_same_seed_sends_the_same_bytes() -> None:
    def tell() -> list[Event]:
        switch = device("switch", Sink("127.0.0.1"), Sink("127.0.0.1", user=USER))
        switch.port(1, "down", NOW)
        switch.reboot(NOW + MINUTE)
        return switch.events(NOW + 10 * MINUTE)

    assert tell() == tell()


@pytest.mark.parametrize("way", ["2c", "3"])
async def test_pysnmp_acknowledges_an_inform_and_it_is_sent_no_more(way: str) -> None:
    switch = device("switch", Sink("127.0.0.1", inform=True, **WAYS[way]))  # type: ignore[arg-type]
    switch.port(1, "down", NOW)
    switch.port(2, "down", NOW)
    loop = asyncio.get_running_loop()
    async with pysnmp_receiving() as receiver:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", receiver.port))
            now = NOW
            while not (receiver.heard.qsize() and not switch.unacknowledged):
                for event in switch.events(now):
                    sock.send(event.datagram)
                data = await asyncio.wait_for(loop.sock_recv(sock, 65_535), 5)
                switch.acknowledge(data, now)
        heard = [await receiver.next(), await receiver.next()]
    assert [(one[TRAP_OID], one.get("1.3.6.1.2.1.2.2.1.8.1")) for one in heard] == [(LINK_DOWN, "2"), (LINK_DOWN, None)]
    assert switch.events(NOW + MINUTE) == []


def test_an_inform_that_nobody_acknowledges_is_given_up() -> None:
    switch = device("switch", Sink("127.0.0.1", inform=True, retry_s=5, tries=3))
    switch.port(1, "down", NOW)
    events = switch.events(NOW + MINUTE)
    assert [event.at_ns - NOW for event in events] == [0, 5 * SECOND, 10 * SECOND]
    assert len({event.datagram for event in events}) == 1
    assert switch.unacknowledged == 0


def test_a_forged_receipt_leaves_an_inform_waiting() -> None:
    switch = device("switch", Sink("127.0.0.1", inform=True))
    switch.port(1, "down", NOW)
    assert len(switch.events(NOW)) == 1
    for number, community in ((1, b"public"), (2, b"other")):
        switch.acknowledge(message.community_message(V2C, community, message.encode_pdu(0xA2, number, 0, 0, ())), NOW)
    assert switch.unacknowledged == 1


def test_sinks_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="no informs"):
        Sink("127.0.0.1", version="1", inform=True)
    with pytest.raises(ValueError, match="with a user"):
        Sink("127.0.0.1", version="3")
    with pytest.raises(ValueError, match="no user 'usual' to sign"):
        Device(MODELS["camera"], "camera-1", now_ns=NOW, sinks=[Sink("127.0.0.1", user=USER)])
    with pytest.raises(ValueError, match="cannot be negative"):
        Behaviour(delay_s=-1)


async def test_snmptrapd_receives_traps_and_informs_of_every_version(tmp_path: Path) -> None:
    program = shutil.which("snmptrapd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if program is None:
        pytest.skip("snmptrapd is not installed: apt-get install snmptrapd")
    port = free_port()
    secrets = "SHA-256 authpass123 AES privpass123"
    (tmp_path / "snmptrapd.conf").write_text(
        f"createUser usual {secrets}\ncreateUser -e 0x{engine_id('switch-1').hex()} usual {secrets}\n"
        "authUser log usual priv\nauthCommunity log public\n"
    )
    process = await asyncio.create_subprocess_exec(
        program, "-f", "-Lo", "-On", "-C", "-c", str(tmp_path / "snmptrapd.conf"), f"udp:127.0.0.1:{port}",
        env={**os.environ, "SNMP_PERSISTENT_DIR": str(tmp_path), "MIBS": ""}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    loop = asyncio.get_running_loop()
    switch = device(
        "switch", *(Sink("127.0.0.1", **way) for way in WAYS.values()),  # type: ignore[arg-type]
        Sink("127.0.0.1", inform=True), Sink("127.0.0.1", user=USER, inform=True),
    )  # fmt: skip
    switch.port(3, "down", NOW)
    written = b""
    try:
        await asyncio.wait_for(process.stdout.readuntil(b"NET-SNMP version"), 10)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(("127.0.0.1", port))
            sent = 0
            while switch.unacknowledged or not sent:
                for event in switch.events(NOW):
                    sock.send(event.datagram)
                    sent += 1
                switch.acknowledge(await asyncio.wait_for(loop.sock_recv(sock, 65_535), 5), NOW)
        while written.count(b".1.3.6.1.2.1.2.2.1.8.3 = INTEGER: 2") < 5:
            written += await asyncio.wait_for(process.stdout.readline(), 5)
    finally:
        process.terminate()
        await process.communicate()
    assert written.count(LINK_DOWN.encode()) == 4  # v1 calls it by its number: Link Down
    assert b"Link Down Trap (0)" in written


def _trap(event: Event) -> dict[str, object]:
    """Decode a v2c notification with our own reader."""
    _, pos, end = message.open_message(event.datagram)
    _, pos = ber.read_octets(event.datagram, pos, end)
    pdu = message.read_head(event.datagram, pos, end).pdu(event.datagram)
    found: dict[str, object] = {}
    for name, tag, value in pdu.varbinds:
        plain = oid.decode(value) if tag == ber.OBJECT_ID and isinstance(value, bytes) else value
        found[oid.decode(name)] = plain
    return found
