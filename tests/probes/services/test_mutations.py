"""Answers with bytes changed, cut and doubled: every parser says what is wrong or takes it, and never crashes."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable

import pytest

from haidang.clock import SystemClock
from probes import ber, digest, ntp, textual
from probes.attempt import Attempt, Down, Settings
from probes.h323 import H323Settings, accepting, h323
from probes.http import HttpSettings, http
from probes.ldap import LdapSettings, ldap
from probes.mail import MailSettings, imap, smtp
from probes.mssql import MssqlSettings, mssql, prelogin
from probes.mysql import MysqlSettings, mysql
from probes.onvif import OnvifSettings, onvif
from probes.oracle import OracleSettings, oracle
from probes.postgres import PostgresSettings, postgres
from probes.rtsp import RtspSettings, rtsp
from probes.sip import SipSettings, sip
from probes.ssh import SshSettings, ssh
from probes.stream import Stream
from tests.support.words import camera_says, listener_says, mysql_greets

ROUNDS = [pytest.param(500, id="500"), pytest.param(10_000, id="10000", marks=pytest.mark.slow)]
_BIND = bytes.fromhex("300c02010261070a010004000400")
TALKS: dict[str, tuple[Callable[..., object], Settings, bytes]] = {
    "http": (http, HttpSettings(json="a[0]", equals="1"), b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"a":[1]}'),
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
    for _ in range(rounds):
        said = mutated(good, dice)
        attempt = Attempt("192.0.2.1", "192.0.2.1", SystemClock(), 5)
        try:
            await run(attempt, settings)  # type: ignore[misc]
        except Down as down:
            reasons.append(str(down))
        assert all(not isinstance(value, str) or value.isprintable() for value in attempt.fields.values())
    assert reasons
    assert all(reason.isprintable() and 0 < len(reason) < 400 for reason in reasons)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_mutated_datagrams_are_answers_or_none(rounds: int) -> None:
    dice = random.Random(1)
    time = bytes.fromhex("240200ec00000000000000007f7f0101") + bytes(8) + bytes(range(1, 25))
    room = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;rport=1\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n\r\n"
    confirm = bytes.fromhex("04801233060008914a00060a0047004b002d00421eae0043000a01020306b7")
    for _ in range(rounds):
        ntp.read(mutated(time, dice), 1.8e9)
        with contextlib.suppress(ValueError):
            textual.parse(mutated(room, dice), "SIP")
        with contextlib.suppress(Down):
            ber.ldap_result(mutated(_BIND, dice))
        accepting(0x1234)(mutated(confirm, dice))
        challenge = mutated(b'Digest realm="r", nonce="n", qop="auth,x", algorithm=MD5', dice).decode("latin-1")
        digest.answer([challenge], "DESCRIBE", "rtsp://x/", "u", "p")
