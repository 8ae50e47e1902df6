"""Packets that are nearly right: honest ones of every kind, changed by grammar and by bits, and what reads them."""

from __future__ import annotations

import random

from collectors.receiver.catalogue import Catalogue
from collectors.receiver.intake import Intake
from collectors.receiver.settings import ReceiverSettings
from haidang.clock import ManualClock
from probes.snmp import User, ber, message, oid, usm
from probes.snmp.authority import Authority, Engine
from probes.snmp.ber import VarBind
from probes.snmp.errors import BerError
from probes.snmp.keys import KeyRing
from probes.snmp.notifications import INFORM, TRAP_V1, TRAP_V2

USER = User("u", "SHA-256", "password1", "AES", "password2")
OPEN = User("open")
AGENT = b"\x80\x00\x1f\x88\x04abc"
US = b"\x80\x00\x7e\xd9\x05haidang-test"
SOURCE = "192.0.2.1"
NOT_IN_TIME = oid.encode("1.3.6.1.6.3.15.1.1.2.0")
TRAP_OID = oid.encode("1.3.6.1.6.3.1.1.4.1.0")
LOGS = (
    b'<165>1 2003-10-11T22:14:15.003Z host app 7 ID [a@32473 i="3" s="App\\"]x"][b@32473 c="high"] text',
    b"<187>45: *Mar  1 00:12:17.123: %LINK-3-UPDOWN: Interface Gi0/1, changed state to down",
    b"<13>Feb  5 17:32:18 10.0.0.99 sshd[311]: Failed password for root",
)
_TAGS = (*range(1, 8), 0x30, *range(0x40, 0x48), 0x80, 0x81, 0x82, *range(0xA0, 0xA9), 0x1F, 0xFF)


def seeds() -> list[bytes]:
    """Make honest packets: answers, reports, traps and informs, of every version and level."""
    varbinds: list[VarBind] = [
        (oid.encode(f"1.3.6.1.2.1.2.2.1.{column}.{index}"), tag, value)
        for column, tag, value in (
            (2, 4, b"eth0"), (5, 0x42, 10**9), (10, 0x46, 1 << 63), (8, 2, -1), (9, 0x43, 77), (22, 6, b"\x2b\x06"),
            (3, 0x80, None), (4, 0x82, None), (6, 0x44, b"\x9f\x78\x04abcd"), (7, 0x40, b"\x7f\0\0\1"),
        )
        for index in (1, 200, 4_000_000_000)
    ]  # fmt: skip
    told: list[VarBind] = [(TRAP_OID, ber.OBJECT_ID, oid.encode("1.3.6.1.6.3.1.1.5.3")), *varbinds]
    answer = message.encode_pdu(message.RESPONSE, 0x41414141, 0, 0, varbinds)
    report = message.encode_pdu(message.REPORT, 0x41414141, 0, 0, [(NOT_IN_TIME, ber.COUNTER32, 5)])
    trap, inform = (message.encode_pdu(tag, 0x41414141, 0, 0, told) for tag in (TRAP_V2, INFORM))
    first = ber.encode(
        TRAP_V1,
        ber.encode(ber.OBJECT_ID, oid.encode("1.3.6.1.4.1.318")) + b"\x40\x04\xc0\0\2\1"
        + b"\x02\x01\x06\x02\x01\x05\x43\x01\x07"
        + ber.encode_varbinds(varbinds),
    )  # fmt: skip
    keys = KeyRing()
    agent, us = Authority(AGENT, (USER, OPEN), keys), Authority(US, (USER, OPEN), keys)
    packets = [message.community_message(version, b"public", pdu) for version, pdu in (
        (message.V2C, answer), (message.V1, answer), (message.V2C, trap), (message.V2C, inform), (message.V1, first),
    )]  # fmt: skip
    for user in (USER, OPEN):
        at_agent, at_us = agent.user(user.name), us.user(user.name)
        assert at_agent is not None
        assert at_us is not None
        packets += [
            agent.seal(0x41414141, at_agent.level, at_agent, pdu, Engine(AGENT, 3, 1_000))
            for pdu in (answer, report, trap)
        ]
        packets.append(us.seal(0x41414141, at_us.level | usm.REPORTABLE, at_us, inform, Engine(US, 1, 0)))
    security = usm.Security(USER, keys)
    return [*packets, security.discovery(0x41414141, answer)]


def mutate(chance: random.Random, data: bytes) -> bytes:
    """Flip, cut, insert, repeat, change a tag, or write a nasty length."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed)) if changed else 0
        kind = chance.randrange(7)
        if kind == 0 and changed:
            changed[at] ^= 1 << chance.randrange(8)
        elif kind == 1 and chance.random() < 0.3:
            del changed[at:]
        elif kind == 2:
            changed[at:at] = chance.randbytes(chance.randint(1, 8))
        elif kind == 3:
            changed[at : at + 1] = chance.choice((b"\x80", b"\x84\xff\xff\xff\xff", b"\xff", b"\x82\x00\x01", b"\x00"))
        elif kind == 4:
            changed[at:at] = changed[at : at + chance.randint(1, 40)]
        elif kind == 5 and changed:
            changed[at] = chance.choice(_TAGS)
        else:
            del changed[at : at + chance.randint(1, 10)]
    return bytes(changed)


def grown(chance: random.Random, depth: int = 0) -> bytes:
    """Grow a message by the grammar: right tags in the right places, with odd content and sometimes a wrong length."""
    kind = chance.randrange(8)
    if depth == 0:
        kind = 6
    if kind < 5 or depth > 5:
        tag, content = chance.choice(_TAGS), chance.randbytes(chance.choice((0, 1, 1, 2, 4, 8, 9, 40)))
    elif kind == 5:
        return ber.encode_varbind(
            chance.randbytes(chance.randint(0, 6)),
            ber.encode(chance.choice(_TAGS), chance.randbytes(chance.randint(0, 10))),
        )
    else:
        tag = chance.choice((0x30, 0x30, 0x30, 0xA2, 0xA4, 0xA6, 0xA7, 0xA8, 4)) if depth else 0x30
        front = bytes((2, 1, chance.choice((0, 1, 3, 3)))) if depth == 0 else b""
        content = front + b"".join(grown(chance, depth + 1) for _ in range(chance.randint(1, 5)))
    whole = ber.encode(tag, content[:60_000])
    if chance.random() < 0.05:
        whole = whole[:1] + bytes((chance.randrange(256),)) + whole[2:]
    return whole


class Reader:
    """Everything that reads a packet: the engine's way and the receiver's."""

    def __init__(self) -> None:
        self._clock = ManualClock()
        self._security = usm.Security(USER, KeyRing())
        self._security.adopt(usm.Claims(AGENT, 3, 1_000, authentic=False))
        self._intake = Intake(ReceiverSettings(), Catalogue.ours(), self._clock, lambda _: True)
        settings = ReceiverSettings((USER, OPEN), US, most_per_source=10_000, most_in_all=10_000)
        self._intake.use(settings, [SOURCE])

    def answer(self, data: bytes) -> str:
        """Read it as an answer, as the engine does; returns what came of it in words."""
        try:
            version, pos, end = message.open_message(data)
            if version == message.V3:
                opened = self._security.open(data, usm.read_header(data, pos, end))
                return "not believed" if opened is None else "opened"
            _, pos = ber.read_octets(data, pos, end)
            message.read_head(data, pos, end).pdu(data)
        except BerError as error:
            return str(error)
        return "read"

    def told(self, data: bytes) -> str:
        """Give it to the receiver, as a trap and as a log message; returns which counter of the traps moved."""
        self._clock.advance(1)
        before = self._counted()
        reply = self._intake.trap(data, SOURCE)
        after = self._counted()
        self._intake.log(data, SOURCE)
        names = ("malformed", "unproven", "handed")
        moved = [name for name, was, now in zip(names, before, after, strict=True) if now > was]
        return " ".join((*moved, "answered" if reply else "unanswered"))

    def _counted(self) -> tuple[int, int, int]:
        counters = self._intake.counters
        return counters.malformed, counters.unproven, counters.handed
