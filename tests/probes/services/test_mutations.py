"""Answers with bytes changed, cut and doubled: every parser says what is wrong or takes it, and never crashes."""

from __future__ import annotations

import contextlib
import gc
import random
import socket
import sys
import time
from collections.abc import Callable

import dns.dnssec
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from haidang.clock import SystemClock
from probes import ber, digest, ntp, textual
from probes.attempt import Attempt, Down, Settings
from probes.dns import query
from probes.h323 import H323Settings, accepting, h323
from probes.http import HttpSettings, Step, Take, http
from probes.ldap import LdapSettings, ldap
from probes.mail import MailSettings, imap, smtp
from probes.mssql import MssqlSettings, mssql, prelogin
from probes.mysql import MysqlSettings, mysql
from probes.onvif import OnvifSettings, onvif
from probes.oracle import OracleSettings, oracle
from probes.postgres import PostgresSettings, postgres
from probes.rtsp import RtspSettings, rtsp
from probes.sequence import pages
from probes.sip import SipSettings, sip
from probes.ssh import SshSettings, ssh
from probes.stream import Stream
from probes.zone import ZoneSettings, zone
from tests.support.words import camera_says, listener_says, mysql_greets

ROUNDS = [pytest.param(500, id="500"), pytest.param(10_000, id="10000", marks=pytest.mark.slow)]
_BIND = bytes.fromhex("300c02010261070a010004000400")
TALKS: dict[str, tuple[Callable[..., object], Settings, bytes]] = {
    "http": (http, HttpSettings(json="a[0]", equals="1"), b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":[1]}'),
    "steps": (
        pages,
        HttpSettings(
            steps=(
                Step(
                    url="/login",
                    take={"v": Take(json="a[0]"), "w": Take(header="X-Token"), "x": Take(after=":", before="]")},
                ),
                Step(url="/me/${v}", headers={"Authorization": "Bearer ${w}"}, body="${x}", method="POST"),
            )
        ),
        b'HTTP/1.1 200 OK\r\nSet-Cookie: s=1; Path=/\r\nX-Token: t\r\nContent-Length: 9\r\n\r\n{"a":[1]}',
    ),
    "chunked": (http, HttpSettings(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    "smtp": (smtp, MailSettings(), b"220 mail ESMTP\r\n250-mail\r\n250-SIZE 1\r\n250 STARTTLS\r\n"),
    "imap": (imap, MailSettings(), b"* OK IMAP4rev1\r\n* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"),
    "ldap": (ldap, LdapSettings(), _BIND),
    "ssh": (ssh, SshSettings(), b"hello\r\nSSH-2.0-OpenSSH_9.2p1 Debian\r\n"),
    "sip": (sip, SipSettings(transport="tcp"), b"SIP/2.0 200 OK\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nl: 0\r\n\r\n"),
    "rtsp": (
        rtsp, RtspSettings(path="/live", username="a", password="b"),
        (b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\nRTSP/1.0 401 No\r\nCSeq: 2\r\n"
        b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\n\r\n'
        b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 10\r\n\r\nv=0\r\nm=x\r\n"),
    ),
    "h323": (
        h323, H323Settings(),
        bytes.fromhex("03000014 08 02 8001 7d 0803 80 9e 00 140100 7e000205 00".replace(" ", "")),
    ),
    "onvif": (onvif, OnvifSettings(), b"HTTP/1.1 200 OK\r\nContent-Length: 513\r\n\r\n" + camera_says(2026)),
    "postgres": (
        postgres, PostgresSettings(),
        (
        b"N\0\0\0\x0cSwarn\0\0\0R\0\0\0\x08\0\0\0\0S\0\0\0\x16server_version\x0015\0"
        b"E\0\0\0\x21SFATAL\0C57P03\0Mstarting up\0\0"
        ),
    ),
    "mysql": (mysql, MysqlSettings(), mysql_greets("10.11.0-MariaDB") + b"\x0c\0\0\2\xff\x15\4#28000denied"),
    "mssql": (mssql, MssqlSettings(), prelogin({0: bytes.fromhex("100003e80000"), 1: b"\1"}, 4)),
    "oracle": (oracle, OracleSettings(), listener_says(4, b"\0\0\0\x20(DESCRIPTION=(VSNNUM=318767104)(ERR=0))")),
}  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """Change some bytes, cut, double or insert."""
    made = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(made) + 1)
        match dice.randrange(5):
            case 0 if made:
                made[at % len(made)] = dice.randrange(256)
            case 1:
                del made[at : at + dice.randint(1, 8)]
            case 2:
                made[at:at] = made[at : at + dice.randint(1, 30)]
            case 3:
                made[at:at] = dice.choice([b"\r\n", b"\0", b"\xff\xff", b"-1", b"99999999999", b"\x84\xff\xff\xff\xff"])
            case _:
                del made[at:]
    return bytes(made)


class Said(Stream):
    """A connection on which something was said; its end is closed."""

    def __init__(self, data: bytes) -> None:
        near, far = socket.socketpair()
        far.close()
        near.setblocking(False)
        super().__init__(near)
        self._data = data

    async def write(self, data: bytes) -> None:
        """Nobody listens."""

    async def _receive(self) -> bytes:
        data, self._data = self._data[:97], self._data[97:]
        return data


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("which", TALKS)
async def test_mutated_answers_are_told_or_taken(which: str, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    run, settings, good = TALKS[which]
    dice = random.Random(which)
    said = b""

    async def connected(*_: object, **__: object) -> Stream:
        return Said(said)

    for module in ("http", "mail", "ldap", "ssh", "sip", "rtsp", "h323", "postgres", "mysql", "mssql", "oracle"):
        monkeypatch.setattr(f"probes.{module}.connect", connected)
    reasons: list[str] = []
    blocks = 0
    for number in range(rounds):
        if number == rounds // 2:
            blocks = allocated(reasons)
        said = mutated(good, dice)
        attempt = Attempt("192.0.2.1", "192.0.2.1", SystemClock(), 5)
        try:
            await run(attempt, settings)  # type: ignore[misc]
        except Down as down:
            reasons.append(str(down))
        assert all(not isinstance(value, str) or value.isprintable() for value in attempt.fields.values())
    assert reasons
    assert all(reason.isprintable() and 0 < len(reason) < 400 for reason in reasons)
    assert allocated(reasons) - blocks < 1000, "memory grows"


def allocated(reasons: list[str]) -> int:
    """Count what is allocated beside the reasons that the test keeps."""
    gc.collect()
    return sys.getallocatedblocks() - len(reasons)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_mutated_answers_of_name_servers_are_told_or_taken(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    dice, now_s = random.Random(7), time.time()
    name = dns.name.from_text("bac.test.")
    private = ed25519.Ed25519PrivateKey.generate()
    key = dns.dnssec.make_dnskey(private.public_key(), "ED25519")
    keys = dns.rrset.from_rdata_list(name, 300, [key])
    answers: dict[str, bytes] = {}
    for text in ("SOA ns1.bac.test. admin.bac.test. 7 3600 600 86400 300", "NS ns1.bac.test.", "A 127.0.0.1", "DNSKEY"):
        record, _, data = text.partition(" ")
        rrset = keys if record == "DNSKEY" else dns.rrset.from_text(name, 300, "IN", record, data)
        signature = dns.dnssec.sign(rrset, private, name, key, lifetime=86_400)
        message = dns.message.make_response(dns.message.make_query(name, record))
        message.answer = [rrset, dns.rrset.from_rdata(name, 300, signature)]
        answers[record] = message.to_wire()

    blocks, made = 0, 0

    async def said(question: dns.message.Message, *_: object, **__: object) -> tuple[dns.message.Message, bool]:
        nonlocal made
        wire = answers.get(dns.rdatatype.to_text(question.question[0].rdtype), answers["A"])
        if dice.random() < 0.5:
            made += 1
            wire = mutated(wire, dice)
        return dns.message.from_wire(wire), False

    monkeypatch.setattr("dns.asyncquery.udp_with_fallback", said)
    reasons: list[str] = []
    while made < rounds:
        if not blocks and made >= rounds // 2:
            blocks = allocated(reasons)
        attempt = Attempt("127.0.0.1", "127.0.0.1", SystemClock(), 5)
        try:
            await zone(attempt, ZoneSettings(name="bac.test", dnssec="signatures"))
        except Down as down:
            reasons.append(str(down))
        await query(SystemClock(), "dns", "127.0.0.1", name="bac.test", record="SOA")
    assert 0 < len(reasons) < rounds
    assert all(reason.isprintable() and 0 < len(reason) < 500 for reason in reasons)
    assert allocated(reasons) - blocks < 2000, "memory grows"
    assert time.time() - now_s < rounds


@pytest.mark.parametrize("rounds", ROUNDS)
def test_mutated_datagrams_are_answers_or_none(rounds: int) -> None:
    dice = random.Random(1)
    clock = bytes.fromhex("240200ec00000000000000007f7f0101") + bytes(8) + bytes(range(1, 25))
    room = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;rport=1\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    confirm = bytes.fromhex("04801233060008914a00060a0047004b002d00421eae0043000a01020306b7")
    for _ in range(rounds):
        ntp.read(mutated(clock, dice), 1.8e9)
        with contextlib.suppress(ValueError):
            textual.parse(mutated(room, dice), "SIP")
        with contextlib.suppress(Down):
            ber.ldap_result(mutated(_BIND, dice))
        accepting(0x1234)(mutated(confirm, dice))
        challenge = mutated(b'Digest realm="r", nonce="n", qop="auth,x", algorithm=MD5', dice).decode("latin-1")
        digest.answer([challenge], "DESCRIBE", "rtsp://x/", "u", "p")
