"""Notifications taken apart: sent by net-snmp, by the lab's devices, and forged."""

from __future__ import annotations

import asyncio
import socket
import subprocess

import pytest

from lab.devices import CLASSES, Access, Device, Event, Grant, Sink
from probes.snmp import User, ber, message, oid
from probes.snmp.errors import BerError, Unproven
from probes.snmp.message import RESPONSE, V2C
from probes.snmp.notifications import INFORM, TRAP_V1, TRAP_V2, Notification, Notifications
from tests.support.parts import require

SECOND = 1_000_000_000
NOW = 1_790_000_000 * SECOND
USER = User("usual", "SHA-256", "authpass123", "AES", "privpass123")
OLD = User("old", "MD5", "authpass123", "DES", "privpass123")
SIGNED = User("signed", "SHA-512", "authpass123")
OPEN = User("open")
ENGINE_ID = bytes.fromhex("80007ed9050102030405060708")
LINK_DOWN = oid.encode("1.3.6.1.6.3.1.1.5.3")
WARM_START = "1.3.6.1.6.3.1.1.5.2"


def listener(*users: User) -> Notifications:
    return Notifications(ENGINE_ID, users or (USER, OLD, SIGNED, OPEN), lambda: (9, 1_000))


def told(datagram: bytes, by: Notifications | None = None) -> Notification:
    found, _ = (by or listener()).take(datagram)
    assert found is not None
    return found


def device(user: User | None = None, **sink: object) -> Device:
    access = Access(grants=(Grant(user or USER),))
    return Device(
        CLASSES["switch"](), "switch-1", now_ns=NOW, access=access,
        sinks=(Sink("127.0.0.1", user=user, **sink),), up_for_s=100.0, address="192.0.2.7",  # type: ignore[arg-type]
    )  # fmt: skip


def broken_line(switch: Device, at_s: int = 1) -> list[Event]:
    switch.port(7, "down", NOW + at_s * SECOND)
    return switch.events(NOW + (at_s + 1) * SECOND)


@pytest.mark.parametrize("user", [USER, OLD, SIGNED, OPEN], ids=lambda user: user.name)
def test_a_trap_of_v3_says_who_vouches_for_it(user: User) -> None:
    found = told(broken_line(device(user))[0].datagram)
    assert (found.name, found.uptime_ticks, found.inform) == (LINK_DOWN, 10_100, False)
    assert found.user == (user.name if user.auth else "")
    assert (oid.encode("1.3.6.1.2.1.2.2.1.1.7"), ber.INTEGER, 7) in found.varbinds


@pytest.mark.parametrize("version", ["1", "2c"])
def test_a_trap_of_v1_or_v2c_is_read_and_proves_nothing(version: str) -> None:
    found = told(broken_line(device(version=version))[0].datagram)
    assert (found.name, found.uptime_ticks, found.user) == (LINK_DOWN, 10_100, "")
    assert (oid.encode("1.3.6.1.2.1.2.2.1.8.7"), ber.INTEGER, 2) in found.varbinds


def v1_trap(enterprise: str, generic: int, specific: int) -> bytes:
    return message.community_message(
        0, b"public",
        ber.encode(
            TRAP_V1,
            ber.encode(ber.OBJECT_ID, oid.encode(enterprise)) + ber.encode(ber.IP_ADDRESS, b"\xc0\0\2\1")
            + ber.encode_integer(generic) + ber.encode_integer(specific) + ber.encode_integer(77, ber.TIME_TICKS)
            + ber.encode(ber.SEQUENCE, b""),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("generic", "specific", "name"),
    [
        (0, 0, "1.3.6.1.6.3.1.1.5.1"),
        (4, 0, "1.3.6.1.6.3.1.1.5.5"),
        (6, 5, "1.3.6.1.4.1.318.0.5"),
        (6, 70_000, "1.3.6.1.4.1.318.0.70000"),
    ],
)
def test_a_v1_trap_gets_the_name_that_rfc_3584_gives_it(generic: int, specific: int, name: str) -> None:
    assert oid.decode(told(v1_trap("1.3.6.1.4.1.318", generic, specific)).name) == name


def test_a_trap_with_another_key_or_level_or_user_is_not_believed() -> None:
    trap = broken_line(device(USER))[0].datagram
    for wrong in (
        User("usual", "SHA-256", "authpass124", "AES", "privpass123"),
        User("usual", "SHA-256", "authpass123"),
        User("usual"),
        User("another", "SHA-256", "authpass123", "AES", "privpass123"),
    ):
        with pytest.raises(Unproven):
            told(trap, listener(wrong))
    flipped = bytearray(trap)
    flipped[-1] ^= 1
    with pytest.raises(Unproven):
        told(bytes(flipped))


def test_a_trap_that_is_played_again_much_later_is_not_believed() -> None:
    ours, switch = listener(), device(USER)
    first = broken_line(switch)[0].datagram
    assert told(first, ours).name == LINK_DOWN
    assert told(first, ours).name == LINK_DOWN  # within the window nothing tells it from a copy on the way
    switch.port(7, "up", NOW + 400 * SECOND)
    (later,) = switch.events(NOW + 401 * SECOND)
    told(later.datagram, ours)
    with pytest.raises(Unproven):
        told(first, ours)


def test_a_forger_s_engine_ids_fill_no_table() -> None:
    ours = listener(USER, OPEN)
    switch = device(OPEN)
    engine_id = switch.authority.engine_id
    trap = broken_line(switch)[0].datagram
    for number in range(5_000):
        told(trap.replace(engine_id, engine_id[:-4] + number.to_bytes(4, "big")), ours)
    assert not ours._senders


def test_an_inform_of_v2c_gets_its_variables_back() -> None:
    switch = device(inform=True)
    (event,) = broken_line(switch)
    found, receipt = listener().take(event.datagram)
    assert found is not None
    assert (found.name, found.inform) == (LINK_DOWN, True)
    version, pos, end = message.open_message(receipt)
    community, pos = ber.read_octets(receipt, pos, end)
    pdu = message.read_head(receipt, pos, end).pdu(receipt)
    assert (version, community, pdu.tag, pdu.error_status) == (V2C, b"public", RESPONSE, 0)
    assert [varbind[0] for varbind in pdu.varbinds[2:]] == [varbind[0] for varbind in found.varbinds]


@pytest.mark.parametrize("user", [USER, OLD], ids=lambda user: user.name)
def test_an_inform_of_v3_is_discovered_signed_and_acknowledged(user: User) -> None:
    switch, ours = device(user, inform=True), listener()
    switch.port(7, "down", NOW + SECOND)
    heard: list[Notification] = []
    for second in range(2, 12):
        for event in switch.events(NOW + second * SECOND):
            found, reply = ours.take(event.datagram)
            heard += [found] if found else []
            switch.acknowledge(reply, NOW + second * SECOND)
    assert [(found.name, found.user) for found in heard] == [(LINK_DOWN, user.name)]
    assert switch.unacknowledged == 0


@pytest.mark.parametrize(
    ("varbinds", "tag", "words"),
    [
        ([(oid.encode("1.3.6.1.2.1.1.3.0"), ber.TIME_TICKS, 1)], TRAP_V2, "without its name"),
        ([(oid.encode("1.3.6.1.6.3.1.1.4.1.0"), ber.OCTET_STRING, b"x")], TRAP_V2, "without its name"),
        ([], RESPONSE, "where a notification belongs"),
    ],
)
def test_what_is_no_notification_is_refused(varbinds: list[ber.VarBind], tag: int, words: str) -> None:
    pdu = message.encode_pdu(tag, 1, 0, 0, varbinds)
    with pytest.raises(BerError, match=words):
        listener().take(message.community_message(V2C, b"public", pdu))


async def sent_by(program: str, *words: str) -> tuple[Notification, int]:
    """Run net-snmp's program against our side; returns what was heard and its exit status."""
    ours = listener()
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        where = f"127.0.0.1:{sock.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            require(program, "snmp"), *words, where, "", WARM_START, "1.3.6.1.2.1.1.5.0", "s", "trạm",
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        heard = None
        async with asyncio.timeout(10):
            while heard is None:
                data, address = await loop.sock_recvfrom(sock, 9_000)
                heard, reply = ours.take(data)
                if reply:
                    await loop.sock_sendto(sock, reply, address)
            return heard, await process.wait()


SECURE = (
    "-v3",
    "-u",
    "usual",
    "-l",
    "authPriv",
    "-a",
    "SHA-256",
    "-A",
    "authpass123",
    "-x",
    "AES",
    "-X",
    "privpass123",
)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("snmptrap", ("-v2c", "-c", "public")),
        ("snmpinform", ("-v2c", "-c", "public")),
        ("snmptrap", ("-e", "0x8000000001020304", *SECURE)),
        ("snmpinform", SECURE),
        ("snmpinform", ("-n", "vrf-a", *SECURE)),
    ],
)
async def test_net_snmp_is_understood_and_satisfied(program: str, words: tuple[str, ...]) -> None:
    heard, status = await sent_by(program, *words)
    assert status == 0
    assert oid.decode(heard.name) == WARM_START
    assert heard.varbinds == [(oid.encode("1.3.6.1.2.1.1.5.0"), ber.OCTET_STRING, "trạm".encode())]
    assert heard.inform is (program == "snmpinform")
    assert heard.user == ("usual" if "-v3" in words else "")


def test_a_receipt_is_no_inform_and_starts_no_loop() -> None:
    pdu = message.encode_pdu(INFORM, 5, 0, 0, [(oid.encode("1.3.6.1.6.3.1.1.4.1.0"), ber.OBJECT_ID, LINK_DOWN)])
    _, receipt = listener().take(message.community_message(V2C, b"public", pdu))
    with pytest.raises(BerError):
        listener().take(receipt)
