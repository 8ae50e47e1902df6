"""SNMPv3 with somebody on the path: what is not signed is not believed."""

from __future__ import annotations

import pytest

from probes.snmp import Access, NoAnswer, Session, SnmpEngine, User, ber, message, oid, usm
from probes.snmp.message import REPORT, RESPONSE
from tests.support.snmp_agent_proxy import forging
from tests.support.snmp_agent_real import AUTH_PASSWORD, PRIV_PASSWORD, Snmpd

SYS_NAME = oid.encode("1.3.6.1.2.1.1.5.0")
USER = User("sha256", "SHA-256", AUTH_PASSWORD, "AES", PRIV_PASSWORD)
LIE = b"all is well"


def header_of(packet: bytes) -> usm.Header:
    _, pos, end = message.open_message(packet)
    return usm.read_header(packet, pos, end)


def plain(answer: bytes, tag: int, name: bytes, value: bytes, *, version: int = message.V3) -> bytes:
    """Forge an unsigned message that answers the same question, for the engine that really answered."""
    header = header_of(answer)
    pdu = message.encode_pdu(tag, header.message_id, 0, 0, [(name, ber.OCTET_STRING, value)])
    if version != message.V3:
        return message.community_message(version, b"public", pdu)
    start, after = ber.read(answer, header.start, header.end, ber.OCTET_STRING)
    pos, end = ber.read(answer, start, after, ber.SEQUENCE)
    engine_id, _ = ber.read_octets(answer, pos, end)
    numbers = ber.encode_integer(header.message_id) + ber.encode_integer(65_507)
    engine = ber.encode(ber.OCTET_STRING, engine_id)
    parameters = ber.encode(ber.SEQUENCE, engine + b"\x02\x01\x63\x02\x01\x63\x04\x00\x04\x00\x04\x00")
    return ber.encode(
        ber.SEQUENCE,
        b"\x02\x01\x03" + ber.encode(ber.SEQUENCE, numbers + b"\x04\x01\x00\x02\x01\x03")
        + ber.encode(ber.OCTET_STRING, parameters) + ber.encode(ber.SEQUENCE, engine + b"\x04\x00" + pdu),
    )  # fmt: skip


def signed(packet: bytes) -> bool:
    return bool(header_of(packet).flags & usm.AUTH_FLAG)


def session_to(engine: SnmpEngine, port: int, timeout_s: float = 0.4) -> Session:
    return Session(engine, "127.0.0.1", Access(port=port, user=USER, timeout_s=timeout_s))


@pytest.mark.parametrize("version", [message.V3, message.V2C, message.V1])
async def test_an_unsigned_answer_does_not_count_and_the_true_one_after_it_does(
    engine: SnmpEngine, snmpd: Snmpd, version: int
) -> None:
    def forge(question: bytes, answer: bytes) -> list[bytes]:
        if not signed(question):
            return [answer]
        return [plain(answer, RESPONSE, SYS_NAME, LIE, version=version), answer]

    async with forging(snmpd.port, forge) as proxy:
        assert (await session_to(engine, proxy.port).get([SYS_NAME]))[0][2] == b"haidang-test"
    assert engine.counters.unauthenticated + engine.counters.spoofed == 1


async def test_an_unsigned_report_about_time_does_not_move_our_clock(engine: SnmpEngine, snmpd: Snmpd) -> None:
    def forge(question: bytes, answer: bytes) -> list[bytes]:
        return [plain(answer, REPORT, usm.NOT_IN_TIME, b""), answer] if signed(question) else [answer]

    async with forging(snmpd.port, forge) as proxy:
        session = session_to(engine, proxy.port)
        assert (await session.get([SYS_NAME]))[0][2] == b"haidang-test"
    assert session.resyncs == 0


async def test_an_answer_with_a_changed_bit_is_not_trusted(engine: SnmpEngine, snmpd: Snmpd) -> None:
    def forge(question: bytes, answer: bytes) -> list[bytes]:
        return [answer[:-1] + bytes((answer[-1] ^ 1,))] if signed(question) else [answer]

    async with forging(snmpd.port, forge) as proxy:
        with pytest.raises(NoAnswer, match=r"no trustworthy answer .* 3 failed authentication"):
            await session_to(engine, proxy.port).get([SYS_NAME])


async def test_a_replayed_answer_finds_no_question(engine: SnmpEngine, snmpd: Snmpd) -> None:
    kept: list[bytes] = []

    def forge(question: bytes, answer: bytes) -> list[bytes]:
        kept.append(answer)
        return [*kept[:-1], answer]

    async with forging(snmpd.port, forge) as proxy:
        session = session_to(engine, proxy.port)
        for _ in range(3):
            assert (await session.get([SYS_NAME]))[0][2] == b"haidang-test"
    assert engine.counters.stale > 0


async def test_lost_discoveries_and_answers_are_asked_again(engine: SnmpEngine, snmpd: Snmpd) -> None:
    seen: list[bytes] = []

    def forge(_: bytes, answer: bytes) -> list[bytes]:
        seen.append(answer)
        return [answer] if len(seen) % 2 == 0 else []

    async with forging(snmpd.port, forge) as proxy:
        assert (await session_to(engine, proxy.port, 2.0).get([SYS_NAME]))[0][2] == b"haidang-test"
    assert engine.counters.retransmitted == 2
