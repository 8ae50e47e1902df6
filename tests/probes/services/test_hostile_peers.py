"""Every probe over TCP against peers that do everything wrong: the right verdict and reason, and the deadline kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import socket
import ssl
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT, Settings
from probes.h323 import H323Settings
from probes.http import HttpSettings
from probes.kinds import PROBES, probe
from probes.ldap import LdapSettings
from probes.mail import MailSettings
from probes.mssql import MssqlSettings
from probes.mysql import MysqlSettings
from probes.onvif import OnvifSettings
from probes.oracle import OracleSettings
from probes.postgres import PostgresSettings
from probes.rtsp import RtspSettings
from probes.sip import SipSettings
from probes.ssh import SshSettings
from probes.tcp import TcpSettings
from probes.tls import TlsSettings
from tests.support.certificates import Authority
from tests.support.peers import HOST, dripping, endless, free_port, peer, resetting, saying, silent

CLOCK = SystemClock()
OVER_TCP: dict[str, tuple[str, Settings]] = {
    "tcp": ("tcp", TcpSettings(expect="ready")),
    "tls": ("tls", TlsSettings()),
    "tls-smtp": ("tls", TlsSettings(starttls="smtp")),
    "tls-imap": ("tls", TlsSettings(starttls="imap")),
    "tls-ldap": ("tls", TlsSettings(starttls="ldap")),
    "tls-postgres": ("tls", TlsSettings(starttls="postgres")),
    "http": ("http", HttpSettings()),
    "https": ("http", HttpSettings(url="https://127.0.0.1/")),
    "smtp": ("smtp", MailSettings()),
    "imap": ("imap", MailSettings()),
    "ldap": ("ldap", LdapSettings()),
    "ssh": ("ssh", SshSettings()),
    "sip": ("sip", SipSettings(transport="tcp")),
    "rtsp": ("rtsp", RtspSettings(path="/live")),
    "h323": ("h323", H323Settings()),
    "onvif": ("onvif", OnvifSettings()),
    "postgres": ("postgres", PostgresSettings()),
    "postgres-tls": ("postgres", PostgresSettings(security="starttls")),
    "mysql": ("mysql", MysqlSettings()),
    "mssql": ("mssql", MssqlSettings()),
    "oracle": ("oracle", OracleSettings()),
}
EVERY = pytest.mark.parametrize("which", OVER_TCP)


async def seen(which: str, port: int, timeout_s: float = 0.15) -> Observation:
    """Probe a port of loopback."""
    kind, settings = OVER_TCP[which]
    settings = replace(settings, port=port, timeout_s=timeout_s)
    if isinstance(settings, HttpSettings) and "://" in settings.url:
        settings = replace(settings, url=f"https://127.0.0.1:{port}/")
    found = await probe(kind, CLOCK, "peer", HOST, settings)
    assert FAULT not in found.reason
    return found


@EVERY
async def test_a_port_where_nobody_listens_is_down_at_once(which: str) -> None:
    found = await seen(which, free_port())
    assert found.status is Status.DOWN
    assert "connection refused while connecting" in found.reason
    assert [sample.ok for sample in found.samples] == [False]


@EVERY
async def test_a_silent_peer_is_down_when_the_deadline_passes(which: str) -> None:
    async with peer(silent) as port:
        found = await seen(which, port)
    assert found.status is Status.DOWN
    assert found.reason.startswith("no answer within 0.15 s, while ")
    assert found.duration_ms >= 149


@EVERY
async def test_a_peer_that_drips_is_cut_off_by_the_deadline(which: str) -> None:
    async with peer(dripping(b"2 ")) as port:
        found = await seen(which, port)
    assert found.status is Status.DOWN
    assert found.reason


@EVERY
async def test_a_reset_is_told_as_one(which: str) -> None:
    async with peer(resetting) as port:
        found = await seen(which, port)
    assert found.status is Status.DOWN
    assert "reset" in found.reason or "closed the connection" in found.reason


@EVERY
async def test_a_peer_that_hangs_up_is_down(which: str) -> None:
    async with peer(saying()) as port:
        found = await seen(which, port)
    assert found.status is Status.DOWN
    assert "closed the connection" in found.reason or "reset" in found.reason


@EVERY
@pytest.mark.parametrize("data", [b"\0\xff\x1b[31m", b"\r\n", b"0\x82\xff\xff", b"220-more\r\n", b"* x\r\n", b"a"])
async def test_a_peer_that_never_stops_is_cut_off(which: str, data: bytes) -> None:
    async with peer(endless(data)) as port:
        found = await seen(which, port, 2.0)
    assert found.status is Status.DOWN
    assert found.reason
    assert found.reason.isprintable()
    assert len(found.reason) < 300


@EVERY
async def test_random_bytes_are_no_answer_and_no_crash(which: str) -> None:
    for _ in range(5):
        async with peer(saying(os.urandom(300), ask=False)) as port:
            found = await seen(which, port)
        assert found.status is Status.DOWN


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ("ssh", b"220 mail ESMTP\r\n"), ("smtp", b"SSH-2.0-OpenSSH_9\r\n"), ("imap", b"220 mail ESMTP\r\n"),
        ("http", b"SSH-2.0-OpenSSH_9\r\n"), ("tls", b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("ldap", b"+OK POP3\r\n"),
        ("sip", b"HTTP/1.1 200 OK\r\n\r\n"), ("rtsp", b"SIP/2.0 200 OK\r\n\r\n"), ("tls-smtp", b"* OK IMAP4\r\n"),
        ("h323", b"SSH-2.0-OpenSSH_9\r\n"), ("onvif", b"RTSP/1.0 200 OK\r\n\r\n"),
        ("postgres", b"SSH-2.0-OpenSSH_9\r\n"),
        ("mysql", b"220 mail ESMTP\r\n"), ("mssql", b"SSH-2.0-OpenSSH_9\r\n"), ("oracle", b"HTTP/1.1 400 No\r\n\r\n"),
    ],
)  # fmt: skip
async def test_another_protocol_is_told_apart(which: str, said: bytes) -> None:
    async with peer(saying(said, ask=False)) as port:
        found = await seen(which, port)
    assert found.status is Status.DOWN
    assert any(word in found.reason for word in ("not", "none of", "no TLS", "closed")), found.reason


@pytest.mark.parametrize(
    ("which", "said", "so_far"),
    [
        ("tcp", b"HTTP/1.1 400 Bad Request\r\n", "HTTP/1.1 400 Bad Request"),
        ("ssh", b"220 mail.example.org ESMTP\r\n", "220 mail.example.org ESMTP"),
        ("smtp", b"220-wait", "220-wait"),
        ("mssql", b"\x15\x03\x01\0\x02\x02\x28", "15 03 01 00 02 02 28"),
        ("tls-smtp", b"220 mail ESMTP\r\n", ""),  # a whole answer; it is silent after our EHLO
    ],
)
async def test_what_came_of_an_answer_before_the_deadline_is_told(which: str, said: bytes, so_far: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await silent(reader, writer)

    async with peer(talk) as port:
        found = await seen(which, port)
    assert found.reason.startswith("no answer within 0.15 s, while ")
    assert found.reason.partition(", so far it said ")[2] == so_far


@pytest.mark.parametrize("which", ["http", "onvif"])
async def test_a_head_without_an_end_is_told_as_one(which: str) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: aaaaaaaaaa\r\n" * 10_000)
        await silent(reader, writer)

    async with peer(talk) as port:
        found = await seen(which, port, 2)
    assert found.reason == "the head of its answer is longer than 32768 bytes"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"Content-Length: 100\r\n\r\nabc", "it closed the connection in the middle of its answer"),
        (b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n", r"its answer is not HTTP: illegal chunk header: 'ZZ\r\n'"),
    ],
)
async def test_a_page_that_breaks_off_is_told_from_one_that_is_broken(body: bytes, reason: str) -> None:
    async with peer(saying(b"HTTP/1.1 200 OK\r\n" + body)) as port:
        found = await seen("http", port, 2)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (ssl.TLSVersion.TLSv1_3, "it broke TLS off: it wants a client certificate"),
        (ssl.TLSVersion.TLSv1_2, "no TLS: it refuses: no cipher in common, or it wants a client certificate"),
    ],
)
async def test_a_server_that_wants_a_client_certificate_is_down_and_says_so(
    version: ssl.TLSVersion, reason: str, tmp_path: Path
) -> None:  # fmt: skip
    authority = Authority(tmp_path)
    strict = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.file)
    strict.load_cert_chain(authority.issue("own.pem", HOST))
    strict.minimum_version = strict.maximum_version = version
    strict.verify_mode = ssl.CERT_REQUIRED

    def refuse(server: socket.socket) -> None:  # asyncio's own server hangs up without the alert
        sock = server.accept()[0]
        with strict.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as tls:
            with pytest.raises(ssl.SSLError):
                tls.do_handshake()
            while os.read(tls.fileno(), 65_536):  # what is left unread would reset the connection
                pass

    with socket.create_server((HOST, 0)) as server:
        server.settimeout(5)
        settings = HttpSettings(url=f"https://{HOST}:{server.getsockname()[1]}/", trust=str(authority.file))
        found, _ = await asyncio.gather(probe("http", CLOCK, "x", HOST, settings), asyncio.to_thread(refuse, server))
    assert (found.status, found.reason) == (Status.DOWN, reason)


@pytest.mark.parametrize(
    ("password", "guarded", "reason"),
    [
        ("right", {"OPTIONS", "DESCRIBE"}, ""), ("right", {"DESCRIBE"}, ""),
        ("wrong", {"DESCRIBE"}, "it refuses the user monitor or the password"),
    ],
)  # fmt: skip
async def test_a_camera_that_hangs_up_after_asking_for_the_password_is_called_again(
    password: str, guarded: set[str], reason: str
) -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    async def camera(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, url = head.split(" ")[:2]
            sequence = re.search(r"CSeq: (\d+)", head)
            assert sequence
            expected = md5(f"{md5('monitor:cam:right')}:once:{md5(f'{method}:{url}')}")  # RFC 2617 §3.2.2.1
            known = f'response="{expected}"' in head
            if method in guarded and not known:
                challenge = 'WWW-Authenticate: Digest realm="cam", nonce="once"'
                writer.write(f"RTSP/1.0 401 Unauthorized\r\nCSeq: {sequence[1]}\r\n{challenge}\r\n\r\n".encode())
                break
            body = "v=0\r\nm=video 0 RTP/AVP 96\r\n" if method == "DESCRIBE" else ""
            length = f"Content-Length: {len(body)}"
            writer.write(f"RTSP/1.0 200 OK\r\nCSeq: {sequence[1]}\r\n{length}\r\n\r\n{body}".encode())

    async with peer(camera) as port:
        settings = RtspSettings(path="/live", username="monitor", password=password, port=port, timeout_s=2)
        found = await probe("rtsp", CLOCK, "camera", HOST, settings)
    assert (found.status, found.reason) == (Status.DOWN if reason else Status.UP, reason)


@pytest.mark.alone
@EVERY
async def test_the_deadline_is_kept_to_50_ms_whatever_the_peer_does(which: str) -> None:
    for talk in (silent, dripping(b"2"), dripping(b"220-x\r\n", 0.001), endless(b"\xff" * 1000)):
        async with peer(talk) as port:
            began = time.perf_counter()
            await seen(which, port, 0.25)
            assert time.perf_counter() - began < 0.3


async def test_a_probe_that_cannot_be_made_is_unknown_and_says_why() -> None:
    found = await probe("tls", CLOCK, "x", HOST, TlsSettings(port=free_port(), trust="/nowhere/ca.pem"))
    assert found.status is Status.DOWN  # nobody listens: that is found out first
    with socket.create_server((HOST, 0)) as server:
        settings = TlsSettings(port=server.getsockname()[1], trust="/nowhere/ca.pem")
        found = await probe("tls", CLOCK, "x", HOST, settings)
    assert (found.status, found.samples) == (Status.UNKNOWN, ())
    assert found.reason == "/nowhere/ca.pem cannot be read: no such file or directory"


async def test_files_of_tls_that_cannot_be_used_are_named_with_what_is_wrong(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    path = authority.issue("own.pem", HOST)
    own, other = str(path), str(authority.issue("other.pem", HOST))
    nothing, locked = tmp_path / "nothing.pem", tmp_path / "locked.pem"
    nothing.write_text("nothing")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    wrong: dict[str, dict[str, Any]] = {
        f"{nothing} is not usable: no certificate is in it": {"trust": str(nothing)},
        f"{nothing} is not usable: no certificate with its key is in it": {"certificate": str(nothing)},
        f"{own} or {other} is not usable: the key is another certificate's": {"certificate": own, "key": other},
        f"{locked} has a pass phrase: give a key without one": {"certificate": own, "key": str(locked)},
        f"{tmp_path}/none.pem cannot be read: no such file or directory": {"trust": f"{tmp_path}/none.pem"},
    }
    with socket.create_server((HOST, 0)) as server:
        for reason, files in wrong.items():
            settings = TlsSettings(port=server.getsockname()[1], **files)
            found = await probe("tls", CLOCK, "x", HOST, settings)
            assert (found.status, found.reason) == (Status.UNKNOWN, reason)


async def test_a_name_that_is_none_is_down_and_a_phase_of_its_own() -> None:
    found = await probe("ssh", CLOCK, "x", "no-such-host.invalid", SshSettings(timeout_s=5))
    assert found.status in (Status.DOWN, Status.UNKNOWN)  # unknown where no resolver answers
    assert "no-such-host.invalid" in found.reason


async def test_a_silent_resolver_is_this_machine_s_own_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr("probes.attempt.socket.getaddrinfo", lambda *_, **__: answered.wait(5))
    found = await probe("ssh", CLOCK, "x", "slow.example.org", SshSettings(timeout_s=0.1))
    answered.set()
    assert (found.status, found.samples) == (Status.UNKNOWN, ())
    assert found.reason == "no answer within 0.1 s, while looking slow.example.org up"


async def test_ipv6_is_probed_as_well() -> None:
    async with peer(saying(b"SSH-2.0-OpenSSH_9\r\n", ask=False), host="::1") as port:
        found = await probe("ssh", CLOCK, "x", "::1", SshSettings(port=port))
    assert found.status is Status.UP, found.reason
    assert found.fields["banner"] == "SSH-2.0-OpenSSH_9"


async def test_the_code_point_is_on_the_connection_from_its_first_packet_on() -> None:
    marked: list[int] = []

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")

    class Marking(socket.socket):
        def connect(self, address: object) -> None:
            marked.append(self.getsockopt(socket.IPPROTO_IP, socket.IP_TOS))
            super().connect(address)  # type: ignore[arg-type]

    async with peer(talk) as port:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("probes.stream.socket.socket", Marking)
            await probe("ssh", CLOCK, "x", HOST, SshSettings(port=port, dscp=46))
    assert marked[:1] == [46 << 2]


def test_every_probe_over_tcp_is_tried_here() -> None:
    assert {kind for kind, _ in OVER_TCP.values()} == PROBES.keys() - {"ntp", "zone"}
