"""Clients that mean harm, or are just broken: the services bound them, outlive them and serve the others."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haidang.clock import ManualClock
from lab.services import Limits, textual
from lab.services.certificates import Authority
from lab.services.dns import DnsFault, DnsOptions, DnsServer
from lab.services.doors import TcpDoor, Yard
from lab.services.mailbox import Mailbox
from lab.services.ntp import NtpFault, NtpOptions, NtpServer
from lab.services.server import Around
from lab.services.sip import SipFault, SipOptions, SipServer
from tests.support.lab_services import HOST, Opened, ask, opened, until

TALKERS = ("http", "rtsp", "sip", "dns", "smtp")
GOOD = {
    "http": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"HTTP/1.1 200"),
    "rtsp": (b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", b"RTSP/1.0 200"),
    "sip": (
        b"OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/TCP a\r\nf: <a>\r\nt: <b>\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n\r\n",
        b"SIP/2.0 200",
    ),
    "dns": (b"\x00\x11\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01", b""),
    "smtp": (b"QUIT\r\n", b"220 "),
}


@pytest.fixture
async def calm() -> AsyncIterator[list[str]]:
    """Give what the event loop complains of: nothing, in the end."""
    complaints: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
    yield complaints
    assert complaints == []


async def served(lab: Opened, kind: str) -> bool:
    """Tell whether a good client is served."""
    question, answer = GOOD[kind]
    async with lab.connected(kind) as (reader, writer):
        writer.write(question)
        return (await asyncio.wait_for(reader.readexactly(len(answer) or 2), 5)).startswith(answer)


@pytest.mark.parametrize("kind", TALKERS)
async def test_half_a_request_and_then_silence_ends_at_the_deadline(kind: str, calm: list[str]) -> None:
    async with opened(kind, limits=Limits(request_s=0.3)) as lab:
        async with lab.connected(kind) as (reader, writer):
            writer.write(GOOD[kind][0][:3])
            with suppress(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)  # to its end
        assert await served(lab, kind)


@pytest.mark.parametrize("kind", ["http", "rtsp", "sip"])
async def test_headers_in_drips_do_not_move_the_deadline(kind: str, calm: list[str]) -> None:
    async with opened(kind, limits=Limits(request_s=0.4)) as lab:
        loop = asyncio.get_running_loop()
        async with lab.connected(kind) as (reader, writer):
            writer.write(GOOD[kind][0][:-2])
            begun = loop.time()
            over = asyncio.create_task(reader.read())
            while not over.done() and loop.time() < begun + 5:
                with suppress(ConnectionError):
                    writer.write(b"X: y\r\n")
                await asyncio.wait({over}, timeout=0.05)
            assert over.done()
            with suppress(ConnectionError):
                over.result()
            assert loop.time() - begun < 2


@pytest.mark.parametrize("kind", TALKERS)
async def test_a_line_without_an_end_is_not_kept(kind: str, calm: list[str]) -> None:
    async with opened(kind, limits=Limits(request_s=2)) as lab:
        async with lab.connected(kind) as (reader, writer):
            with suppress(ConnectionError):
                for _ in range(64):
                    writer.write(b"A" * 65_536)
                    await asyncio.wait_for(writer.drain(), 5)
                    if reader.at_eof():
                        break
                writer.write_eof()
                await asyncio.wait_for(reader.read(), 10)
        assert await served(lab, kind)


@pytest.mark.parametrize("kind", TALKERS)
async def test_rubbish_and_resets_leave_the_service_as_it_was(kind: str, calm: list[str]) -> None:
    rng = random.Random(kind)
    async with opened(kind, limits=Limits(request_s=1)) as lab:
        for number in range(60):
            good = bytearray(GOOD[kind][0])
            for _ in range(rng.randrange(1, 5)):
                good[rng.randrange(len(good))] = rng.randrange(256)
            data = bytes(good) if number % 2 else rng.randbytes(rng.randrange(1, 300))
            sock = socket.create_connection((HOST, lab.port(kind)))
            sock.sendall(data)
            if number % 3 == 0:  # a reset instead of an end
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            sock.close()
            await asyncio.sleep(0)
        assert await served(lab, kind)


async def test_one_client_too_many_is_closed_at_once_and_counted(calm: list[str]) -> None:
    async with opened("rtsp", "http", limits=Limits(connections=5, connections_each=3)) as lab:
        held = [await asyncio.open_connection(HOST, lab.port("rtsp")) for _ in range(3)]
        answers = [await ask(reader, writer, GOOD["rtsp"][0]) for reader, writer in held]
        assert all(answer.startswith(b"RTSP/1.0 200") for answer in answers)
        async with lab.connected("rtsp") as (reader, _):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        assert (lab.count("rtsp", "connections"), lab.count("rtsp", "refused")) == (3, 1)
        more = [await asyncio.open_connection(HOST, lab.port("http")) for _ in range(3)]
        gone = [asyncio.create_task(reader.read()) for reader, _ in more]
        await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED, timeout=5)
        assert [task.done() for task in gone] == [False, False, True]
        for task in gone:
            task.cancel()
        for _, writer in (*held, *more):
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        for kind in ("rtsp", "http"):
            assert await served(lab, kind)


async def test_without_descriptors_the_service_waits_and_goes_on(
    calm: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.services.doors.PAUSE_S", 0.05)
    real, left = socket.socket.accept, [2]

    def accept(self: socket.socket) -> object:
        if left[0]:
            left[0] -= 1
            raise OSError(24, "Too many open files")
        return real(self)

    async with opened("http") as lab:
        monkeypatch.setattr(socket.socket, "accept", accept)
        assert await served(lab, "http")
        assert left == [0]


async def test_answers_that_nobody_reads_end_at_the_deadline(calm: list[str]) -> None:
    page = {"pages": {"/": {"body": "x" * 8_000_000}}}
    async with opened(("http", page), limits=Limits(request_s=0.3)) as lab:
        async with lab.connected("http") as (_, writer):
            writer.write(GOOD["http"][0])
            await until(lambda: lab.count("http", "answered") == 1 and lab.count("http", "connections") == 0)
        assert await served(lab, "http")


async def test_mail_replies_that_nobody_reads_end_at_the_deadline(calm: list[str]) -> None:
    async with opened("smtp", limits=Limits(request_s=0.3)) as lab:
        loop = asyncio.get_running_loop()
        (server,) = (server for _, server in lab.services._servers.values())
        (door,) = server._doors
        assert isinstance(door, TcpDoor)
        assert door._listener is not None
        door._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # its connections inherit that
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            sock.setblocking(False)
            await loop.sock_connect(sock, (HOST, lab.port("smtp")))
            with suppress(ConnectionError):
                async with asyncio.timeout(30):
                    while True:  # until the server hangs up
                        await loop.sock_sendall(sock, b"HELP\r\n" * 100)
        assert await served(lab, "smtp")


async def test_late_answers_that_pile_up_are_dropped_and_counted(calm: list[str]) -> None:
    async with opened("ntp", limits=Limits(delayed=10)) as lab:
        lab.behave("ntp", delay_s=60)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for _ in range(15):
                sock.sendto(b"\x23" + bytes(47), (HOST, lab.port("ntp")))
        await until(lambda: bool(lab.count("ntp", "answered") == 15))
        assert lab.count("ntp", "refused") == 5


async def test_a_handshake_that_never_comes_and_rubbish_for_one(calm: list[str]) -> None:
    async with opened("https", ("smtp", {"security": "tls"}), limits=Limits(request_s=0.3)) as lab:
        for kind, data in itertools.product(("https", "smtp"), (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n" * 100)):
            async with lab.connected(kind) as (reader, writer):
                writer.write(data)
                with suppress(ConnectionError):
                    await asyncio.wait_for(reader.read(), 5)
        await until(lambda: lab.count("https", "connections") == lab.count("smtp", "connections") == 0)


async def test_starttls_with_rubbish_behind_it_leaves_the_mail_server_as_it_was(calm: list[str]) -> None:
    async with opened(("smtp", {"security": "starttls"}), limits=Limits(request_s=0.5)) as lab:
        async with lab.connected("smtp") as (reader, writer):
            writer.write(b"EHLO a\r\n")
            async with asyncio.timeout(5):
                while b"250 HELP" not in await reader.readline():
                    pass
                writer.write(b"STARTTLS\r\n")
                assert (await reader.readline()).startswith(b"220")
                writer.write(b"no TLS at all, no TLS at all\r\n")
                with suppress(ConnectionError):
                    await reader.read()
        assert await served(lab, "smtp")


async def test_what_clients_say_does_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    async with opened("smtp") as lab, lab.connected("smtp") as (reader, writer):
        writer.write(b"\x1b]0;owned\x07 a\r\n" * 10)
        await asyncio.wait_for(reader.read(), 5)
    said = capfd.readouterr()
    assert "owned" not in said.out + said.err


def around(tmp: Mailbox) -> Around:
    def no_authority() -> Authority:
        raise AssertionError("nobody asked for TLS")

    return Around(ManualClock(), Yard(Limits()), no_authority, tmp)


@given(st.binary(max_size=600))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_datagram_raises(datagrams: list[object], data: bytes) -> None:
    for server in datagrams:
        server.datagram(data, ("127.0.0.1", 4711))  # type: ignore[attr-defined]


@given(st.sampled_from(["sip", "dns"]), st.integers(0, 1 << 30), st.integers(1, 8))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_changed_question_raises_or_gets_a_long_answer(
    datagrams: list[object], kind: str, seed: int, changes: int
) -> None:
    rng = random.Random(seed)
    changed = bytearray(GOOD[kind][0] if kind == "sip" else GOOD[kind][0][2:])
    for _ in range(changes):
        at = rng.randrange(len(changed))
        changed[at : at + rng.randrange(3)] = rng.randbytes(rng.randrange(3))
        if not changed:
            return
    for server in datagrams:
        made = server.datagram(bytes(changed), ("127.0.0.1", 4711))  # type: ignore[attr-defined]
        assert made is None or len(made[0]) <= max(1232, len(changed) + 400)


@pytest.fixture
def datagrams(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Servers that answer datagrams, without sockets."""
    scene = around(Mailbox(tmp_path_factory.mktemp("mail")))
    return [
        DnsServer(HOST, DnsOptions(), DnsFault(), scene),
        NtpServer(HOST, NtpOptions(), NtpFault(), scene),
        Room(HOST, SipOptions(), SipFault(), scene),
    ]


class Room(SipServer):
    """A room whose port is known without a socket."""

    @property
    def port(self) -> int:
        return 5060


@given(st.binary(max_size=500))
def test_a_message_is_read_or_malformed(data: bytes) -> None:
    for text in (data, b"OPTIONS * RTSP/1.0\r\n" + data):
        with suppress(textual.Malformed):
            message = textual.parse(text)
            assert message.method
            assert message.target
