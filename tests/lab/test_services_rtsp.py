"""Cameras, by the letter of RFC 2326, as curl sees them, and their passwords by the vectors of RFC 2617."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess

import pytest

from lab.services.digest import Lock
from tests.support.lab_services import HOST, ask, opened
from tests.support.parts import require

LOCKED: dict[str, object] = {"path": "/live", "username": "admin", "password": "camera1"}


def request(method: str = "DESCRIBE", target: str = "rtsp://lab/live", *lines: str) -> bytes:
    return "\r\n".join([f"{method} {target} RTSP/1.0", "CSeq: 312", *lines, "", ""]).encode()


async def test_a_camera_tells_what_it_can_and_describes_its_stream() -> None:
    async with opened("rtsp") as lab:
        async with lab.connected("rtsp") as (reader, writer):
            answer = await ask(reader, writer, request("OPTIONS", "*"))
            head, _, body = (await ask(reader, writer, request())).partition(b"\r\n\r\n")
        assert answer.startswith(b"RTSP/1.0 200 OK\r\nCSeq: 312\r\n")
        assert b"\r\nPublic: OPTIONS, DESCRIBE\r\n" in answer
        assert b"\r\nContent-Type: application/sdp\r\n" in head
        assert b"\r\nContent-Base: rtsp://lab/live/\r\n" in head
        assert body.startswith(b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n")
        assert b"\r\nm=video 0 RTP/AVP 96\r\n" in body


async def test_a_locked_stream_opens_with_the_password_only() -> None:
    async with opened(("rtsp", LOCKED)) as lab, lab.connected("rtsp") as (reader, writer):
        answer = (await ask(reader, writer, request())).decode()
        assert answer.startswith("RTSP/1.0 401 Unauthorized\r\n")
        found = re.search(r'WWW-Authenticate: Digest realm="(.*?)", nonce="(\w+)"', answer)
        assert found is not None
        realm, nonce = found.groups()

        def authorization(password: str) -> str:
            def md5(text: str) -> str:
                return hashlib.md5(text.encode()).hexdigest()

            response = md5(f"{md5(f'admin:{realm}:{password}')}:{nonce}:{md5('DESCRIBE:rtsp://lab/live')}")
            return (
                f'Authorization: Digest username="admin", realm="{realm}", nonce="{nonce}", uri="rtsp://lab/live", '
                f'response="{response}"'
            )

        for lines, status in (
            ([authorization("camera1")], 200),
            ([authorization("camera2")], 401),
            ([authorization("camera1").replace(nonce, "0")], 401),
            (["Authorization: Basic YWRtaW46Y2FtZXJhMQ=="], 401),
            (['Authorization: Digest ,,=,"=\\'], 401),
        ):
            answer = (await ask(reader, writer, request("DESCRIBE", "rtsp://lab/live", *lines))).decode()
            assert answer.startswith(f"RTSP/1.0 {status} "), lines


def test_the_example_of_the_standard_opens() -> None:
    lock = Lock("testrealm@host.com", "Mufasa", "Circle Of Life", "dcd98b7102dd2f0e8b11d0f600bfb0c093")
    said = (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
        'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert lock.opens("GET", "/dir/index.html", said)
    assert not lock.opens("HEAD", "/dir/index.html", said)
    assert not lock.opens("GET", "/dir/other.html", said)
    assert not lock.opens("GET", "/dir/index.html", said.replace("nc=00000001", "nc=00000002"))


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("DESCRIBE", "rtsp://lab/other"), 404),
        (request("DESCRIBE", "rtsp://[lab/other"), 400),
        (request("SETUP"), 405),
        (request("DANCE"), 501),
        (request().replace(b"RTSP/1.0", b"RTSP/2.0"), 505),
        (request().replace(b"CSeq", b"X-Seq"), 400),
        (b"rubbish\r\n\r\n", 400),
        (request("DESCRIBE", "rtsp://lab/live", "Content-Length: 99999999"), 400),
        (request("DESCRIBE", "rtsp://lab/live", *["X: y"] * 200), 400),
    ],
)
async def test_other_requests_get_the_status_the_standard_has_for_them(data: bytes, status: int) -> None:
    async with opened(("rtsp", {"path": "/live"})) as lab:
        async with lab.connected("rtsp") as (reader, writer):
            answer = await ask(reader, writer, data)
        assert answer.startswith(b"RTSP/1.0 %d " % status)


async def test_a_camera_refuses_is_silent_or_away_when_told_so() -> None:
    async with opened("rtsp") as lab:
        for fault, described, asked in ((401, 401, 200), (404, 404, 200), (503, 503, 503)):
            lab.behave("rtsp", status=fault)
            async with lab.connected("rtsp") as (reader, writer):
                assert (await ask(reader, writer, request())).startswith(b"RTSP/1.0 %d " % described)
                assert (await ask(reader, writer, request("OPTIONS", "*"))).startswith(b"RTSP/1.0 %d " % asked)
        lab.behave("rtsp", silent=True)
        async with lab.connected("rtsp") as (reader, writer):
            writer.write(request())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.1)
        lab.behave("rtsp", away=True)
        with pytest.raises(ConnectionRefusedError):
            async with lab.connected("rtsp"):
                pass


async def test_curl_is_answered() -> None:
    program = require("curl", "curl")
    async with opened("rtsp") as lab:
        command = [program, "-sS", "-i", "-m", "10", f"rtsp://{HOST}:{lab.port('rtsp')}/live"]
        done = await asyncio.to_thread(subprocess.run, command, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, "RTSP/1.0 200 OK"), done.stderr
