"""ONVIF against a device service that follows the WSDL: a SOAP 1.2 endpoint over HTTP, whose clock can be off."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT
from probes.kinds import probe
from probes.onvif import OnvifSettings, read
from tests.support.peers import HOST, Talk, peer, saying
from tests.support.words import camera_refuses, camera_says

DEVICE = "{http://www.onvif.org/ver10/device/wsdl}"
SOAP = "{http://www.w3.org/2003/05/soap-envelope}"


def answer(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/soap+xml\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def old_refusal(code: str, words: str) -> bytes:
    """Make a fault of SOAP 1.1."""
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    fault = f"<e:Fault><faultcode>{code}</faultcode><faultstring>{words}</faultstring></e:Fault>"
    return f'<e:Envelope xmlns:e="{envelope}"><e:Body>{fault}</e:Body></e:Envelope>'.encode()


def camera(ahead_s: float = 0) -> Talk:
    """Make a camera whose clock is so many seconds ahead; it takes what the WSDL allows and nothing else."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        sizes = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length:")]
        asked = ElementTree.fromstring(await reader.readexactly(int(sizes[0])))
        assert head.startswith("POST /onvif/device_service HTTP/1.1\r\n")
        assert "application/soap+xml" in head
        assert [one.tag for one in asked.findall(f"{SOAP}Body/*")] == [f"{DEVICE}GetSystemDateAndTime"]
        now = datetime.fromtimestamp(time.time() + ahead_s, UTC)
        writer.write(answer(camera_says(now.year, now.month, now.day, now.hour, now.minute, now.second)))
        await writer.drain()

    return talk


async def ask(talk: Talk, **more: Any) -> Observation:
    async with peer(talk) as port:
        found = await probe("onvif", SystemClock(), "camera", HOST, OnvifSettings(port=port, timeout_s=2, **more))
    assert FAULT not in found.reason
    return found


async def test_a_camera_tells_its_time_zone_source_and_offset() -> None:
    seen = await ask(camera())
    assert (seen.status, seen.reason) == (Status.UP, "")
    assert (seen.fields["time_zone"], seen.fields["time_source"]) == ("ICT-7", "NTP")
    assert abs(float(seen.fields["offset_ms"])) < 1000
    assert float(seen.fields["first_byte_ms"]) > 0


@pytest.mark.parametrize(("ahead_s", "words"), [(3600, "3600 s ahead of"), (-90, "90 s behind")])
async def test_a_clock_that_is_off_is_a_warning(ahead_s: float, words: str) -> None:
    seen = await ask(camera(ahead_s))
    assert seen.status is Status.UP
    assert float(seen.fields["offset_ms"]) == pytest.approx(ahead_s * 1e3, abs=1000)
    number = words.split(maxsplit=1)[0]
    assert any(f"{int(number) + more} {words.partition(' ')[2]} this" in seen.warning for more in (-1, 0, 1))


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (answer(camera_refuses("NotAuthorized", "no"), "400 Bad Request"), Status.UP, ""),
        (answer(b"", "401 Unauthorized"), Status.UP, ""),
        (
            answer(camera_refuses("ActionNotSupported", "not here"), "500 No"), Status.DOWN,
            "it refuses GetSystemDateAndTime: not here",
        ),
        (answer(b"nothing", "404 Not Found"), Status.DOWN, "it answered 404 to GetSystemDateAndTime"),
        (answer(b"<html></html>", "403 Forbidden"), Status.DOWN, "it answered 403 to GetSystemDateAndTime"),
        (answer(old_refusal("SOAP-ENV:Client", "no such method")), Status.DOWN,
            "it refuses GetSystemDateAndTime: no such method"),
        (answer(old_refusal("ter:NotAuthorized", "log in"), "500 No"), Status.UP, ""),
        (answer(b""), Status.DOWN, "its answer is not ONVIF: nothing"),
        (answer(b"<html></html>"), Status.DOWN, "its answer is not ONVIF: <html></html>"),
        (answer(b"all is well"), Status.DOWN, "its answer is not ONVIF: all is well"),
        (answer(camera_says(2026, 13)), Status.DOWN, "its time is none: 2026-13-30 2:3:4"),
        (answer(b"<a>" * 30_000), Status.DOWN, "its answer is longer than 65536 bytes"),
    ],
)  # fmt: skip
async def test_what_else_it_says_is_judged(said: bytes, status: Status, reason: str) -> None:
    seen = await ask(saying(said))
    assert (seen.status, seen.reason) == (status, reason)


def test_a_document_type_is_refused_before_anything_in_it_is_made() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 1000 + b'"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;&c;&c;</a>'
    with pytest.raises(ValueError, match="a document type"):
        read(bomb)
    assert read(camera_says(2026).replace(b"UTF-8", b"no-such-codec"))["UTCDateTime/Year"] == "2026"
    with pytest.raises(ValueError, match="too deep"):
        read(b"<a>" * 10_000)
