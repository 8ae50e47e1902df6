"""Conference rooms, by the letter of RFC 3261 and as sipsak sees them."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess

import pytest

from tests.support.lab_services import HOST, ask, ask_datagram, opened
from tests.support.parts import require


def request(
    method: str = "OPTIONS", via: str = "SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK77;rport", **changed: str
) -> bytes:
    """Write a request; ``changed`` replaces headers (``_`` for ``-``), an empty text leaves one out."""
    headers = {
        "Via": via, "Max-Forwards": "70", "From": "Trực <sip:haidang@lab>;tag=1928301774", "To": "<sip:room@lab>",
        "Call-ID": "a84b4c76e66710", "CSeq": f"63104 {method}", "Contact": "<sip:haidang@lab>", "Content-Length": "0",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }  # fmt: skip
    lines = [f"{method} sip:room@lab SIP/2.0", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


def headers(answer: bytes, name: str) -> list[str]:
    return re.findall(rf"^{name}: (.*?)\r$", answer.decode(), re.MULTILINE)


async def test_options_get_an_answer_that_copies_what_it_must() -> None:
    async with opened("sip") as lab:
        port = lab.port("sip")
        answer = await ask_datagram(port, request())
        assert answer.startswith(b"SIP/2.0 200 OK\r\n")
        (via,), (to,) = headers(answer, "Via"), headers(answer, "To")
        assert re.fullmatch(r"SIP/2\.0/UDP 127\.0\.0\.1:9;branch=z9hG4bK77;rport=\d+;received=127\.0\.0\.1", via)
        assert re.fullmatch(r"<sip:room@lab>;tag=[0-9a-f]{10}", to)
        assert headers(answer, "From") == ["Trực <sip:haidang@lab>;tag=1928301774"]
        assert headers(answer, "Call-ID") == ["a84b4c76e66710"]
        assert headers(answer, "CSeq") == ["63104 OPTIONS"]
        assert headers(answer, "Contact") == [f"<sip:{HOST}:{port}>"]
        assert headers(answer, "Content-Length") == ["0"]
        again = await ask_datagram(port, request())
        assert headers(again, "To") == [to]  # sent again, the same transaction
        other = await ask_datagram(port, request(via="SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK78;rport"))
        assert headers(other, "To") != [to]
        kept = await ask_datagram(port, request(To="<sip:room@lab;tag=no>;tag=yes"))
        assert headers(kept, "To") == ["<sip:room@lab;tag=no>;tag=yes"]


async def test_all_vias_come_back_in_their_order_and_only_the_first_is_completed() -> None:
    async with opened("sip") as lab:
        vias = (
            "SIP/2.0/UDP proxy.lab;branch=z9hG4bK1;rport, SIP/2.0/TCP 10.0.0.1;branch=z9hG4bK2\r\n"
            "v: SIP/2.0/UDP b;rport"
        )
        first, second = headers(await ask_datagram(lab.port("sip"), request(via=vias)), "Via")
        assert re.fullmatch(
            r"SIP/2\.0/UDP proxy\.lab;branch=z9hG4bK1;rport=\d+;received=127\.0\.0\.1, "
            r"SIP/2\.0/TCP 10\.0\.0\.1;branch=z9hG4bK2", first,
        )  # fmt: skip
        assert second == "SIP/2.0/UDP b;rport"


async def test_without_rport_the_answer_goes_to_the_port_of_the_via() -> None:
    async with opened("sip") as lab:
        loop = asyncio.get_running_loop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening,
        ):
            listening.bind((HOST, 0))
            listening.setblocking(False)
            via = f"SIP/2.0/UDP {HOST}:{listening.getsockname()[1]};branch=z9hG4bK77"
            asking.sendto(request(via=via), (HOST, lab.port("sip")))
            answer = await asyncio.wait_for(loop.sock_recv(listening, 65535), 5)
        assert headers(answer, "Via") == [via]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (request("INVITE"), 405),
        (request("CANCEL"), 481),
        (request("DANCE"), 501),
        (request(CSeq="1 INVITE"), 400),
        (request(Call_ID=""), 400),
        (request().replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), 505),
        (request().replace(b"Via:", b"v :").replace(b"From:", b"f:").replace(b"Call-ID", b"I"), 200),
        (request().replace(b"To: ", b"To:\r\n "), 200),
    ],
)
async def test_other_requests_get_the_status_the_standard_has_for_them(data: bytes, status: int) -> None:
    async with opened("sip") as lab:
        answer = await ask_datagram(lab.port("sip"), data)
        assert answer.startswith(b"SIP/2.0 %d " % status)


@pytest.mark.parametrize(
    "data",
    [
        request("ACK"),
        request(via=""),
        request(via="SIP/2.0/UDP 127.0.0.1:99999;branch=z9hG4bK77"),
        request(Content_Length="10"),
        request(Content_Length="-1"),
        request(Subject="a\x00b"),
        b"\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;rport\r\n\r\n",
        b"\xff" * 2000,
    ],
)
async def test_what_must_not_or_cannot_be_answered_is_not(data: bytes) -> None:
    async with opened("sip") as lab:
        with pytest.raises(TimeoutError):
            await ask_datagram(lab.port("sip"), data, 0.1)


async def test_requests_over_one_connection_are_answered_each() -> None:
    async with opened("sip") as lab, lab.connected("sip") as (reader, writer):
        writer.write(b"\r\n\r\n")  # keep-alive
        for number in range(3):
            via = f"SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK{number}"
            answer = await ask(reader, writer, request(via=via))
            assert answer.startswith(b"SIP/2.0 200 OK\r\n")
            assert headers(answer, "Via") == [via]
        assert lab.count("sip", "answered") == 3


async def test_a_room_says_busy_or_nothing_or_is_away_when_told_so() -> None:
    async with opened("sip") as lab:
        lab.behave("sip", status=503)
        answer = await ask_datagram(lab.port("sip"), request())
        assert answer.startswith(b"SIP/2.0 503 Service Unavailable\r\n")
        assert headers(answer, "Contact") == []
        lab.behave("sip", silent=True)
        with pytest.raises(TimeoutError):
            await ask_datagram(lab.port("sip"), request(), 0.1)
        lab.behave("sip", away=True)
        with pytest.raises(ConnectionRefusedError):
            await ask_datagram(lab.port("sip"), request())
        with pytest.raises(ConnectionRefusedError):
            async with lab.connected("sip"):
                pass
        with pytest.raises(ValueError, match=r"sip fault status: must be one of 200, .*, not 299"):
            lab.behave("sip", status=299)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipsak_finds_the_room_alive(transport: str) -> None:
    program = require("sipsak", "sipsak")
    async with opened("sip") as lab:
        command = [program, "-E", transport, "-s", f"sip:room@{HOST}:{lab.port('sip')}"]
        assert (await asyncio.to_thread(subprocess.run, command, check=False, timeout=20)).returncode == 0
        lab.behave("sip", status=503)
        assert (await asyncio.to_thread(subprocess.run, command, check=False, timeout=20)).returncode != 0
