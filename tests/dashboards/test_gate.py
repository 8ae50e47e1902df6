"""The gate: whatever the outside does, connections, time and pace are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from dashboards.web import gate as gates
from dashboards.web.gate import Gate
from dashboards.web.server import CannotServe, Certificate, bind, serve


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await PlainTextResponse("fine")(scope, receive, send)


@asynccontextmanager
async def served(certificate: Certificate | None = None) -> AsyncIterator[tuple[int, Gate]]:
    gate, sock, ready = Gate(asyncio.get_running_loop()), bind("127.0.0.1:0"), asyncio.Event()
    port = sock.getsockname()[1]
    serving = asyncio.create_task(serve(app, sock, gate, certificate, ready.set))
    await asyncio.wait_for(ready.wait(), 5)
    await asyncio.sleep(0)
    try:
        yield port, gate
    finally:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving


Pair = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect = Callable[[int], Awaitable[Pair]]


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Open connections that are closed after the test."""
    opened: list[Pair] = []

    async def one(port: int) -> Pair:
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        return opened[-1]

    yield one
    for _, writer in opened:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return await asyncio.wait_for(reader.readuntil(b"fine"), 5)


async def gone(reader: asyncio.StreamReader) -> bool:
    """Wait for the end of a connection."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionResetError:
        return True


async def test_who_sends_a_request_byte_by_byte_is_cut_off_and_counted(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(gates, "HEAD_S", 0.2)
    async with served() as (port, gate):
        silent, _one = await connect(port)
        slow, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nX-")
        body, sender = await connect(port)
        sender.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nab")
        assert await gone(silent)
        assert await gone(slow)
        await asyncio.wait_for(body.read(), 5)
        assert gate.counted["slow"] == 3
        assert gate.connections == 0
        good = await connect(port)
        assert b"200 OK" in await ask(*good)
        assert b"200 OK" in await ask(*good)  # kept alive


async def test_connections_are_bounded_in_all_and_make_room_when_they_end(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(gates, "MOST_CONNECTIONS", 3)
    async with served() as (port, gate):
        inside = [await connect(port) for _ in range(3)]
        for pair in inside:
            await ask(*pair)
        outside, _writer = await connect(port)
        assert await gone(outside)
        assert gate.counted["full"] == 1
        inside[0][1].close()
        await inside[0][1].wait_closed()
        while gate.connections == 3:  # noqa: ASYNC110 the gate has no event for this
            await asyncio.sleep(0)
        assert b"200 OK" in await ask(*await connect(port))


async def test_one_address_cannot_take_every_place(monkeypatch: pytest.MonkeyPatch, connect: Connect) -> None:
    monkeypatch.setattr(gates, "MOST_OF_ADDRESS", 1)
    async with served() as (port, gate):
        first = await connect(port)
        await ask(*first)
        second, _writer = await connect(port)
        assert await gone(second)
        assert gate.counted["address"] == 1


async def test_what_comes_too_fast_waits_and_is_answered_all_the_same(
    monkeypatch: pytest.MonkeyPatch, connect: Connect
) -> None:
    monkeypatch.setattr(gates, "PACE_PER_S", 50.0)
    monkeypatch.setattr(gates, "BURST", 1.0)
    async with served() as (port, gate):
        pair = await connect(port)
        began = asyncio.get_running_loop().time()
        for _ in range(11):
            assert b"200 OK" in await ask(*pair)
        assert asyncio.get_running_loop().time() - began >= 0.15
        assert gate.counted["paced"] >= 5


async def test_requests_piled_up_behind_one_are_not_answered_past_the_pace(connect: Connect) -> None:
    async with served() as (port, _gate):
        reader, writer = await connect(port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
        answer = await asyncio.wait_for(reader.read(), 5)
        assert answer.count(b"200 OK") == 1


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9)).sign(key, hashes.SHA256())
    )  # fmt: skip
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, private


async def test_a_renewed_certificate_is_taken_up_and_a_broken_one_is_not(tmp_path: Path) -> None:
    files = certificate(tmp_path, "first")
    loaded = Certificate(*files)
    async with served(loaded) as (port, _gate):

        async def shown() -> str:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            _reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            return x509.load_der_x509_certificate(der).subject.rfc4514_string()

        assert await shown() == "CN=first"
        certificate(tmp_path, "second")
        loaded.renew()
        assert await shown() == "CN=second"
        files[0].write_text("broken", encoding="utf-8")
        loaded.renew()
        assert await shown() == "CN=second"


def test_a_certificate_that_cannot_be_used_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match=r"nowhere\.pem"):
        Certificate(tmp_path / "nowhere.pem", tmp_path / "key.pem")
