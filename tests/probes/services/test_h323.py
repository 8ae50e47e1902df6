"""H.323: our octets against pycrate's encoding of H.225.0, and rooms and gatekeepers that speak it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pycrate_asn1dir import H225

from haidang.clock import SystemClock
from haidang.model import Observation, Status
from probes.attempt import FAULT
from probes.h323 import H323Settings, accepting, gatekeeper_request, message, status_enquiry
from probes.kinds import probe
from tests.support.peers import HOST, peer, saying

RAS = H225.H323_MESSAGES.RasMessage
USER = H225.H323_MESSAGES.H323_UserInformation
VERSION = (0, 0, 8, 2250, 0, 6)


def encoded(kind: str, **content: Any) -> bytes:
    """Encode a message of RAS with pycrate."""
    RAS.set_val((kind, content))
    return bytes(RAS.to_aper())


def confirmed(number: int, **more: Any) -> bytes:
    where = ("ipAddress", {"ip": bytes((10, 1, 2, 3)), "port": 1719})
    return encoded("gatekeeperConfirm", requestSeqNum=number, protocolIdentifier=VERSION, rasAddress=where, **more)


def rejected(number: int, reason: str, **more: Any) -> bytes:
    why = (reason, 0)
    return encoded("gatekeeperReject", requestSeqNum=number, protocolIdentifier=VERSION, rejectReason=why, **more)


@asynccontextmanager
async def gatekeeper(answers: Callable[[int], list[bytes]]) -> AsyncIterator[int]:
    """Answer each request, decoded by pycrate, with these datagrams; gives the port."""

    class Gatekeeper(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            RAS.from_aper(data)
            kind, content = RAS.get_val()
            assert kind == "gatekeeperRequest"
            assert content["rasAddress"][1]["port"] == addr[1]
            for one in answers(content["requestSeqNum"]):
                self.transport.sendto(one, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Gatekeeper, (HOST, 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


async def ask(port: int, **more: Any) -> Observation:
    settings = H323Settings(port=port, timeout_s=more.pop("timeout_s", 2), **more)
    found = await probe("h323", SystemClock(), "room", HOST, settings)
    assert FAULT not in found.reason
    return found


@pytest.mark.parametrize("number", [1, 2, 0x1234, 65_535])
@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::7"])
def test_a_gatekeeper_request_is_what_pycrate_makes_of_it(number: int, address: str) -> None:
    RAS.from_aper(gatekeeper_request(number, address, 5000))
    kind, content = RAS.get_val()
    assert kind == "gatekeeperRequest"
    assert content["requestSeqNum"] == number
    assert content["rasAddress"][1]["port"] == 5000
    assert set(content["endpointType"]) >= {"terminal"}
    assert bytes(RAS.to_aper()) == gatekeeper_request(number, address, 5000)


def test_a_status_enquiry_is_what_pycrate_makes_of_it() -> None:
    made = status_enquiry(77, bytes(range(16)))
    assert made[:2] == b"\x03\0"
    assert int.from_bytes(made[2:4], "big") == len(made)
    assert message(made[4:]) == (77, 0x75, None)
    user = made[made.index(b"\x05\x08") + 1 :]
    USER.from_aper(user)
    kind, content = USER.get_val()["h323-uu-pdu"]["h323-message-body"]
    assert kind == "statusInquiry"
    assert content["callIdentifier"]["guid"] == bytes(range(16))
    assert bytes(USER.to_aper()) == user


DATA = {
    "vendor": {
        "nonStandardIdentifier": (
            "h221NonStandard", {"t35CountryCode": 181, "t35Extension": 0, "manufacturerCode": 18}
        ),
        "data": b"abcd",
    },
    "object": {"nonStandardIdentifier": ("object", (1, 3, 6, 1)), "data": b"x" * 200},
}  # fmt: skip


@pytest.mark.parametrize("data", [None, "vendor", "object"])
async def test_a_gatekeeper_that_confirms_is_up_and_named(data: str | None) -> None:
    more: dict[str, Any] = {"nonStandardData": DATA[data]} if data else {}
    async with gatekeeper(lambda number: [confirmed(number, gatekeeperIdentifier="GK-BẮC", **more)]) as port:
        seen = await ask(port, protocol="ras")
        assert (seen.status, seen.reason, seen.fields["gatekeeper"]) == (Status.UP, "", "GK-BẮC")
        assert float(seen.fields["answer_ms"]) > 0
        seen = await ask(port, protocol="ras", gatekeeper="GK-NAM")
    assert seen.reason == "the gatekeeper is GK-BẮC, expected is GK-NAM"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("resourceUnavailable", "it has no resources"), ("terminalExcluded", "terminals are excluded"),
        ("invalidRevision", "it speaks another version"), ("undefinedReason", "no reason given"),
        ("securityDenial", "security denial"), ("neededFeatureNotSupported", "a feature it needs is not supported"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("data", [None, "vendor"])
async def test_a_gatekeeper_that_rejects_is_down_with_its_reason(reason: str, words: str, data: str | None) -> None:
    more: dict[str, Any] = {"nonStandardData": DATA[data]} if data else {}
    async with gatekeeper(lambda number: [rejected(number, reason, gatekeeperIdentifier="GK", **more)]) as port:
        seen = await ask(port, protocol="ras")
    assert (seen.status, seen.reason) == (Status.DOWN, f"the gatekeeper rejects us: {words}")


async def test_what_is_no_answer_to_our_request_is_passed_over() -> None:
    def answers(number: int) -> list[bytes]:
        other = number % 65_535 + 1
        progress = encoded("requestInProgress", requestSeqNum=number, delay=1000)
        return [b"", b"\xff" * 40, confirmed(other), rejected(other, "terminalExcluded"), progress, confirmed(number)]

    async with gatekeeper(answers) as port:
        seen = await ask(port, protocol="ras")
    assert (seen.status, seen.reason) == (Status.UP, "")


async def test_a_silent_gatekeeper_is_down_at_the_deadline() -> None:
    async with gatekeeper(lambda _number: []) as port:
        seen = await ask(port, protocol="ras", timeout_s=0.2)
    assert seen.status is Status.DOWN
    assert seen.reason.startswith("no answer within 0.2 s, while waiting for an answer from port")
    assert seen.duration_ms < 250


def test_what_does_not_know_us_is_no_gatekeeper() -> None:
    answer = accepting(5)(encoded("unknownMessageResponse", requestSeqNum=5))
    assert answer is not None
    assert answer.refused == "it does not know this request: it is no gatekeeper"


def room(kind: int, cause: int | None) -> Any:
    """Make a room that answers a status enquiry, decoded by pycrate, with this message and cause."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(4)
        body = await reader.readexactly(int.from_bytes(head[2:], "big") - 4)
        assert body[4] == 0x75
        USER.from_aper(body[9:])
        content = USER.get_val()["h323-uu-pdu"]["h323-message-body"][1]
        identifier = {"guid": content["callIdentifier"]["guid"]}
        name = "status" if kind == 0x7D else "releaseComplete"
        said = {"protocolIdentifier": VERSION, "callIdentifier": identifier}
        USER.set_val({"h323-uu-pdu": {"h323-message-body": (name, said)}})
        user = b"\x05" + bytes(USER.to_aper())
        reference = (int.from_bytes(body[2:4], "big") | 0x8000).to_bytes(2, "big")
        elements = b"" if cause is None else bytes((0x08, 2, 0x80, 0x80 | cause))
        answer = b"\x08\x02" + reference + bytes((kind,)) + elements + b"\x14\x01\x00"
        answer += b"\x7e" + len(user).to_bytes(2, "big") + user
        writer.write(b"\x03\0\0\x04" + b"\x03\0" + (len(answer) + 4).to_bytes(2, "big") + answer)
        await writer.drain()
        await reader.read()

    return talk


@pytest.mark.parametrize(
    ("kind", "cause", "words", "warning"),
    [
        (0x7D, 30, "status", ""), (0x5A, 81, "release complete", ""), (0x5A, None, "release complete", ""),
        (0x5A, 42, "release complete", "it says congestion (Q.850 cause 42)"),
    ],
)  # fmt: skip
async def test_a_room_that_answers_an_enquiry_is_up(kind: int, cause: int | None, words: str, warning: str) -> None:
    async with peer(room(kind, cause)) as port:
        seen = await ask(port)
    assert (seen.status, seen.fields["message"], seen.fields.get("cause")) == (Status.UP, words, cause)
    assert seen.warning == warning


async def test_a_room_that_passes_enquiries_over_is_up_only_where_that_is_enough() -> None:
    async with peer(saying()) as port:
        assert (await ask(port)).status is Status.DOWN
        assert (await ask(port, answer=False)).status is Status.UP
