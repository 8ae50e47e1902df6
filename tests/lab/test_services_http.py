"""Web servers, as Python's own client and curl see them."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import ssl
import subprocess
from contextlib import suppress

import pytest

from haidang.clock import ManualClock
from lab.services import Limits
from tests.support.lab_services import HOST, Opened, opened
from tests.support.parts import require

PAGES: dict[str, object] = {
    "pages": {
        "/": {"body": "Cổng dịch vụ công"},
        "/api/health": {"json": {"trạng thái": "tốt", "queue": 0}},
        "/old": {"status": 301, "headers": {"Location": "/"}},
        "/feed": {"body": "<a/>", "headers": {"Content-type": "text/xml"}},
        "/none": {"status": 204},
        "/find?q=1": {"body": "one"},
    }
}


async def get(lab: Opened, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str, str]:
    """Ask once; gives status, type and text."""

    def work() -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(HOST, lab.port("http"), timeout=5)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Content-Type", ""), answer.read().decode()
        finally:
            connection.close()

    return await asyncio.to_thread(work)


async def test_pages_have_their_status_body_and_type() -> None:
    async with opened(("http", PAGES)) as lab:
        assert await get(lab, "/") == (200, "text/html; charset=utf-8", "Cổng dịch vụ công")
        assert await get(lab, "/?from=wall") == (200, "text/html; charset=utf-8", "Cổng dịch vụ công")
        status, kind, text = await get(lab, "/api/health")
        assert (status, kind, json.loads(text)) == (200, "application/json", {"trạng thái": "tốt", "queue": 0})
        assert (await get(lab, "/old"))[0] == 301
        assert await get(lab, "/feed") == (200, "text/xml", "<a/>")
        assert await get(lab, "/none") == (204, "", "")
        assert (await get(lab, "/find?q=1"))[2] == "one"
        assert (await get(lab, "/find?q=2"))[0] == 404
        assert await get(lab, "/", "HEAD") == (200, "text/html; charset=utf-8", "")
        assert (await get(lab, "/", "POST", b"x" * 50_000))[0] == 200
        assert (await get(lab, "/", "DELETE"))[0] == 405
        assert lab.count("http", "answered") == 11


async def test_curl_follows_keeps_the_connection_and_is_told_when_it_sends_too_much() -> None:
    program = require("curl", "curl")
    async with opened(("http", PAGES)) as lab:
        base = f"http://{HOST}:{lab.port('http')}"

        async def curl(*words: str) -> str:
            command = [program, "-sS", "-m", "10", *words]
            done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            return done.stdout

        assert await curl("-L", f"{base}/old") == "Cổng dịch vụ công"
        assert await curl("-w", "%{num_connects}", f"{base}/none", f"{base}/none") == "10"  # one connection for both
        large = await curl("-w", "%{http_code}", "-H", "Expect: 100-continue", "-d", "x" * 100_000, f"{base}/")
        assert large.endswith("413")
        long = await curl("-w", "%{http_code}", "-H", f"X-Long: {'x' * 40_000}", f"{base}/")
        assert long.endswith("431")


async def test_faults_change_the_answers_and_no_fault_is_the_page_again() -> None:
    async with opened(("http", PAGES)) as lab:
        lab.behave("http", status=503)
        assert await get(lab, "/") == (503, "text/html; charset=utf-8", "Service Unavailable\n")
        lab.behave("http", pages={"/api/health": {"json": {"queue": 9000}}})
        assert lab.count("http", "fault") == {"pages": {"/api/health": {"json": {"queue": 9000}}}}
        assert (await get(lab, "/api/health"))[2] == '{"queue": 9000}'
        assert (await get(lab, "/"))[0] == 200
        lab.behave("http", delay_s=0.2)
        begun = asyncio.get_running_loop().time()
        assert (await get(lab, "/"))[0] == 200
        assert asyncio.get_running_loop().time() - begun >= 0.2
        lab.behave("http")
        assert (await get(lab, "/"))[2] == "Cổng dịch vụ công"


async def test_a_service_that_is_away_refuses_hangs_up_and_comes_back_at_its_port() -> None:
    async with opened(("http", PAGES)) as lab:
        async with lab.connected("http") as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            lab.behave("http", away=True)
            with suppress(ConnectionResetError):
                await asyncio.wait_for(reader.read(), 5)  # to the connection's end
        with pytest.raises(ConnectionRefusedError):
            await get(lab, "/")
        lab.behave("http", away=True)  # still
        lab.behave("http")
        assert (await get(lab, "/"))[0] == 200


async def test_a_silent_server_takes_the_connection_and_says_nothing() -> None:
    async with opened(("http", PAGES), limits=Limits(conversation_s=0.3)) as lab:
        lab.behave("http", silent=True)
        async with lab.connected("http") as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(), 5) == b""  # until the server's patience ends


async def handshake(lab: Opened, name: str, context: ssl.SSLContext) -> dict[str, object]:
    """Connect with TLS; gives the certificate."""

    def work() -> dict[str, object]:
        with (
            socket.create_connection((HOST, lab.port("https")), 5) as sock,
            context.wrap_socket(sock, server_hostname=name) as wrapped,
        ):
            wrapped.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert wrapped.recv(15) == b"HTTP/1.1 200 OK"
            return dict(wrapped.getpeercert() or {})

    return await asyncio.to_thread(work)


def trusting(lab: Opened) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(lab.services.authority))


async def test_a_good_certificate_is_good_for_its_address_or_its_names() -> None:
    async with opened("https") as lab:
        shown = await handshake(lab, HOST, trusting(lab))
        assert shown["subjectAltName"] == (("IP Address", HOST),)
        lab.behave("https", certificate={"names": ["cong.example.vn", "www.example.vn"]})
        await handshake(lab, "www.example.vn", trusting(lab))
        with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
            await handshake(lab, HOST, trusting(lab))
        with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer"):
            await handshake(lab, "www.example.vn", ssl.create_default_context())


@pytest.mark.parametrize(
    ("certificate", "expected"),
    [
        ({"expires_in_days": -1}, "certificate has expired"),
        ({"self_signed": True}, "self-signed certificate"),
        ({"names": ["khac.example.vn"]}, "IP address mismatch"),
    ],
)
async def test_a_bad_certificate_is_bad_for_openssl_too(certificate: dict[str, object], expected: str) -> None:
    async with opened("https", ("http", {})) as lab:
        trusted = trusting(lab)
        lab.behave("https", certificate=certificate)
        with pytest.raises(ssl.SSLCertVerificationError, match=expected):
            await handshake(lab, HOST, trusted)
        lab.behave("https")
        await handshake(lab, HOST, trusted)


async def test_a_certificate_ends_so_many_days_from_now_on_the_labs_clock() -> None:
    clock = ManualClock(1_795_000_000_000_000_000)
    async with opened(("https", {"certificate": {"expires_in_days": 12}}), clock=clock) as lab:
        assert await openssl_end(lab) == 1_795_000_000 + 12 * 86_400
        clock.advance(86_400)
        lab.behave("https", certificate={"expires_in_days": 2.5})
        assert await openssl_end(lab) == 1_795_000_000 + 86_400 + int(2.5 * 86_400)


async def openssl_end(lab: Opened) -> float:
    """Let openssl tell until when the shown certificate is valid, UTC seconds."""
    program = require("openssl", "openssl")

    def work() -> str:
        shown = ssl.get_server_certificate((HOST, lab.port("https")), timeout=5)
        words = [program, "x509", "-noout", "-enddate"]
        return subprocess.run(words, input=shown, check=True, capture_output=True, text=True).stdout

    return ssl.cert_time_to_seconds((await asyncio.to_thread(work)).strip().removeprefix("notAfter="))
