"""Probes against the lab's services: right when all is well, and the right words for each fault of theirs."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes import digest
from probes.attempt import FAULT, Settings
from probes.http import HttpSettings
from probes.kinds import probe
from probes.mail import MailSettings
from probes.ntp import NtpSettings
from probes.rtsp import RtspSettings
from probes.sip import SipSettings
from probes.tls import TlsSettings
from tests.support.lab_services import HOST, opened
from tests.support.peers import peer, saying

CLOCK = SystemClock()
CAMERA = {"username": "admin", "password": "camera 1", "path": "/live"}


async def ask(kind: str, settings: Settings) -> Observation:
    found = await probe(kind, CLOCK, "lab", HOST, settings)
    assert FAULT not in found.reason
    return found


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_room_answers_options_and_a_busy_or_broken_one_is_told(transport: str) -> None:
    async with opened("sip") as lab:
        settings = SipSettings(port=lab.port("sip"), transport=transport, timeout_s=2)
        seen = await ask("sip", settings)
        assert (seen.status, seen.reason) == (Status.UP, "")
        assert (seen.fields["status_code"], seen.fields["agent"]) == (200, "Haidang lab room")
        lab.behave("sip", status=503)
        seen = await ask("sip", settings)
        assert (seen.status, seen.reason) == (Status.DOWN, "it answered 503 Service Unavailable to OPTIONS")
        lab.behave("sip", status=486)
        assert (await ask("sip", settings)).status is Status.UP
        lab.behave("sip", silent=True)
        seen = await ask("sip", SipSettings(port=lab.port("sip"), transport=transport, timeout_s=0.2))
        assert seen.reason.startswith("no answer within 0.2 s, while waiting for ")


async def test_a_camera_gives_its_stream_to_who_knows_the_password() -> None:
    async with opened(("rtsp", CAMERA)) as lab:
        port = lab.port("rtsp")
        seen = await ask("rtsp", RtspSettings(port=port, path="/live", username="admin", password="camera 1"))
        assert (seen.status, seen.reason) == (Status.UP, "")
        assert (seen.fields["media"], seen.fields["description"]) == (1, "video 0 RTP/AVP 96")
        wrong = await ask("rtsp", RtspSettings(port=port, path="/live", username="admin", password="other"))
        assert (wrong.status, wrong.reason) == (Status.DOWN, "it refuses the user admin or the password")
        without = await ask("rtsp", RtspSettings(port=port, path="/live"))
        assert (without.status, without.fields["status_code"]) == (Status.UP, 401)
        other = await ask("rtsp", RtspSettings(port=port, path="/x", username="admin", password="camera 1"))
        assert other.reason == "it answered 404 Not Found to DESCRIBE /x"
        lab.behave("rtsp", status=503)
        assert (await ask("rtsp", RtspSettings(port=port))).reason == "it answered 503 Service Unavailable to OPTIONS"


async def test_a_camera_without_a_picture_is_down() -> None:
    options = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"
    empty = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    async with peer(saying(options, empty)) as port:
        seen = await ask("rtsp", RtspSettings(port=port, path="/live"))
    assert seen.reason == "its description names no medium: there is no picture to be had"


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (b"RTSP/1.0 200 OK\nCSeq: 1\nPublic: DESCRIBE\n\n", Status.UP, ""),  # RFC 2326 §4: LF alone is to be taken
        (
            b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: x\r\n\r\n", Status.DOWN,
            "its answer announces x bytes, at most 65536 are read",
        ),
        (b"RTSP/1.0 200 OK\r\n\r\n", Status.DOWN, "it answers to another request: CSeq missing, not 1"),
    ],
)  # fmt: skip
async def test_the_form_of_a_camera_s_answer_is_judged(said: bytes, status: Status, reason: str) -> None:
    async with peer(saying(said)) as port:
        seen = await ask("rtsp", RtspSettings(port=port))
    assert (seen.status, seen.reason) == (status, reason)


async def test_a_time_server_is_asked_for_its_offset_and_its_stratum() -> None:
    async with opened("ntp") as lab:
        settings = NtpSettings(port=lab.port("ntp"), timeout_s=3)
        seen = await ask("ntp", settings)
        assert (seen.status, seen.reason) == (Status.UP, "")
        assert abs(float(seen.fields["offset_ms"])) < 50
        lab.behave("ntp", offset_s=-7.5)
        seen = await ask("ntp", settings)
        assert seen.status is Status.UP
        assert "s behind this machine's" in seen.warning
        assert float(seen.fields["offset_ms"]) == pytest.approx(-7500, abs=50)
        lab.behave("ntp", stratum=16)
        seen = await ask("ntp", settings)
        assert seen.status is Status.DOWN
        assert seen.reason == "it gives no time: INIT, it has just started and has no time yet"


@pytest.mark.parametrize(
    ("options", "settings", "reason"),
    [
        ({}, {}, ""),
        ({"security": "starttls"}, {"security": "offered"}, ""),
        ({"security": "starttls"}, {"security": "starttls"}, ""),
        ({"security": "tls"}, {"security": "tls"}, ""),
        ({}, {"security": "starttls"}, "it does not offer STARTTLS"),
        ({}, {"security": "offered"}, ""),
    ],
)
async def test_a_mail_server_is_spoken_to_as_it_is_told(
    options: dict[str, Any], settings: dict[str, Any], reason: str
) -> None:
    async with opened(("smtp", options)) as lab:
        trust = str(lab.services.authority)
        seen = await ask("smtp", MailSettings(port=lab.port("smtp"), timeout_s=3, trust=trust, **settings))
        assert seen.reason == reason
        assert seen.status is (Status.DOWN if reason else Status.UP)
        assert "banner_ms" in seen.fields
        if settings.get("security") in ("starttls", "tls") and not reason:
            assert seen.fields["subject"] == HOST


async def test_a_mail_server_that_is_closed_says_so() -> None:
    async with opened("smtp") as lab:
        lab.behave("smtp", unavailable=True)
        seen = await ask("smtp", MailSettings(port=lab.port("smtp"), timeout_s=3))
    assert seen.status is Status.DOWN
    assert seen.reason.startswith("its greeting is 421 ")


async def test_the_labs_certificates_are_seen_through() -> None:
    async with opened(("https", {"certificate": {"expires_in_days": 90}}), "smtp") as lab:
        trust, port = str(lab.services.authority), lab.port("https")
        settings = TlsSettings(port=port, trust=trust, timeout_s=3)
        assert (await ask("tls", settings)).reason == ""
        lab.behave("https", certificate={"expires_in_days": 3})
        seen = await ask("tls", settings)
        assert seen.status is Status.UP
        assert seen.warning.startswith("its certificate expires in 3 days")
        page = HttpSettings(url=f"https://{HOST}:{port}/", trust=trust, timeout_s=3)
        assert (await ask("http", page)).warning == seen.warning


def test_digest_answers_as_the_rfc_does() -> None:
    challenge = (
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
        'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
    made = digest.answer([challenge], "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce)
    assert made is not None  # RFC 7616 §3.9.1
    assert 'response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"' in made
    md5 = digest.answer(
        [challenge.replace("SHA-256", "MD5")], "GET", "/dir/index.html", "Mufasa", "Circle of Life", cnonce
    )
    assert md5 is not None
    assert 'response="8ca523f5e9506fed4657c9700eebdbec"' in md5
    old = digest.answer(['Digest realm="r", nonce="n"'], "DESCRIBE", "rtsp://x/", "u", "p")
    assert old is not None  # RFC 2617 without qop
    first, second = (hashlib.md5(text).hexdigest() for text in (b"u:r:p", b"DESCRIBE:rtsp://x/"))
    assert f'response="{hashlib.md5(f"{first}:n:{second}".encode()).hexdigest()}"' in old
    assert digest.answer(["Basic realm=x", "Digest algorithm=X, nonce=1", "Digest"], "G", "/", "u", "p") is None
