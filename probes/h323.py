"""H.323 (ITU-T H.225.0): whether a gatekeeper answers discovery, or a room answers a status enquiry without a call."""

from __future__ import annotations

import ipaddress
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, Settings, shown
from probes.datagrams import ask
from probes.per import Reader
from probes.stream import Stream, connect

PORTS = {"q931": 1720, "ras": 1719}
AGAIN_S = (1.0, 2.0, 4.0)
_PROTOCOL = bytes.fromhex("060008914a0004")
"""protocolIdentifier: itu-t recommendation h(8) 2250 version(0) 4, with its length."""
_CONFIRM, _REJECT, _UNKNOWN = 1, 2, 24
_REASONS = ("it has no resources", "terminals are excluded", "it speaks another version", "no reason given")
_MORE_REASONS = ("security denial", "a reason in data", "a feature it needs is not supported", "security error")
_MOST_MESSAGES = 20
_STATUS_ENQUIRY = 0x75
_MESSAGES = {0x7D: "status", 0x5A: "release complete", 0x4D: "release", 0x6E: "notify", 0x7B: "information"}
_CAUSES = {34: "no circuit is free", 41: "temporary failure", 42: "congestion", 47: "no resources"}


@dataclass(frozen=True, slots=True, kw_only=True)
class H323Settings(Settings):
    """What is asked.

    Parameters:
        protocol: ``q931``: a room, an MCU or a gateway is sent a status enquiry (TCP); ``ras``: a gatekeeper is
            discovered (UDP).
        answer: whether a room must answer the enquiry, as H.225.0 wants it; without, taking the connection is enough,
            for devices that pass enquiries over.
        gatekeeper: the identifier it must have; empty: any. Only ``ras``.
    """

    protocol: str = "q931"
    answer: bool = True
    gatekeeper: str = ""


@dataclass(frozen=True, slots=True)
class RasAnswer:
    """What a gatekeeper said; ``refused`` is empty when it takes us."""

    gatekeeper: str
    refused: str


async def h323(attempt: Attempt, settings: H323Settings) -> None:
    """Discover a gatekeeper, or enquire after a call that does not exist: nothing rings, nobody registers."""
    if settings.protocol not in PORTS:
        raise BadSettings(f"protocol is none of {', '.join(PORTS)}: {shown(settings.protocol)}")
    port = settings.port or PORTS[settings.protocol]
    if settings.protocol == "ras":
        await _discover(attempt, port, settings.gatekeeper)
    else:
        await _enquire(attempt, port, must_answer=settings.answer)


async def _discover(attempt: Attempt, port: int, wanted: str) -> None:
    number = 1 + secrets.randbelow(65_535)
    answer = await ask(
        attempt, port, lambda address, own: gatekeeper_request(number, address, own), accepting(number), AGAIN_S
    )
    attempt.fields["gatekeeper"] = shown(answer.gatekeeper)
    if answer.refused:
        raise Down(f"the gatekeeper rejects us: {answer.refused}")
    if wanted and answer.gatekeeper != wanted:
        raise Down(f"the gatekeeper is {shown(answer.gatekeeper) or 'without a name'}, expected is {shown(wanted)}")


def gatekeeper_request(number: int, address: str, port: int) -> bytes:
    """Make GatekeeperRequest in aligned PER.

    Parameters:
        number: requestSeqNum, 1 to 65535.
        address, port: where the answer shall go (rasAddress).
    """
    own = ipaddress.ip_address(address.partition("%")[0])
    # An alternative's number and the optional parts' absence fill the first two octets: 0 00000, 0 0000. Then, at whole
    # octets, the number less its least value; the address's alternative is in the upper four bits: 0 for IPv4, 3 for
    # IPv6. At the end endpointType: a terminal and nothing else.
    kind = b"\x00" if own.version == 4 else b"\x30"
    where = kind + own.packed + port.to_bytes(2, "big")
    return b"\0\0" + (number - 1).to_bytes(2, "big") + _PROTOCOL + where + b"\x02\x00"


def accepting(number: int) -> Callable[[bytes], RasAnswer | None]:
    """Make a reader of answers to the request of this number; what is none gives ``None``."""

    def accept(data: bytes) -> RasAnswer | None:
        try:
            return _ras(Reader(data), number)
        except ValueError:
            return None

    return accept


def _ras(message: Reader, number: int) -> RasAnswer | None:
    extended, kind = message.choice(5)
    if extended or kind not in (_CONFIRM, _REJECT, _UNKNOWN):
        return None  # RequestInProgress among them: the answer is still to come
    message.bits(1)  # whether something follows that a later version added
    if kind == _UNKNOWN:
        if int.from_bytes(message.octets(2), "big") + 1 != number:
            return None
        return RasAnswer("", "it does not know this request: it is no gatekeeper")
    has_data, has_name = message.bits(1), message.bits(1)
    if int.from_bytes(message.octets(2), "big") + 1 != number:
        return None
    message.octets(message.short_length())  # protocolIdentifier
    if has_data:
        _skip_data(message)
    name = ""
    if has_name:  # BMPString of 1 to 128
        name = message.octets(2 * (message.bits(7) + 1)).decode("utf-16-be", "replace")
    if kind == _CONFIRM:
        return RasAnswer(name, "")
    later, reason = message.choice(2)
    words = _MORE_REASONS if later else _REASONS
    return RasAnswer(name, words[reason] if reason < len(words) else f"reason {reason}")


def _skip_data(message: Reader) -> None:
    """Pass over NonStandardParameter."""
    later, kind = message.choice(1)
    if later or kind == 0:
        message.octets(message.short_length())
    else:  # country, its extension, manufacturer
        message.bits(1)
        message.octets(4)
    message.octets(message.short_length())


async def _enquire(attempt: Attempt, port: int, *, must_answer: bool) -> None:
    reference = 1 + secrets.randbelow(0x7FFF)
    async with await connect(attempt, port) as stream:
        if not must_answer:
            return
        with attempt.phase("answer", "waiting for the answer to a status enquiry"):
            await stream.write(status_enquiry(reference, os.urandom(16)))
            kind, cause = await _answered(stream, reference)
    attempt.fields["message"] = _MESSAGES.get(kind, f"message {kind}")
    if cause is not None:
        attempt.fields["cause"] = cause
        if cause in _CAUSES:
            attempt.warnings.append(f"it says {_CAUSES[cause]} (Q.850 cause {cause})")


def status_enquiry(reference: int, call: bytes) -> bytes:
    """Make STATUS ENQUIRY (Q.931 §3.1.16) with its Status-Inquiry-UUIE (H.225.0 §7.3), in a TPKT (RFC 1006).

    Parameters:
        reference: of a call, 1 to 32767.
        call: its identifier, 16 octets.
    """
    # H323-UserInformation in aligned PER: no user data; the body is an alternative behind the extension marker, whose
    # content has a length before it: nothing optional, the version, and the call's identifier.
    inner = b"\x00" + _PROTOCOL + b"\x00" + call
    user = b"\x05" + STATUS_INQUIRY + bytes((len(inner),)) + inner
    body = b"\x08\x02" + reference.to_bytes(2, "big") + bytes((_STATUS_ENQUIRY,))
    body += b"\x7e" + len(user).to_bytes(2, "big") + user
    return b"\x03\x00" + (len(body) + 4).to_bytes(2, "big") + body


STATUS_INQUIRY = bytes.fromhex("0830")
"""H323-UserInformation up to the alternative statusInquiry."""


async def _answered(stream: Stream, reference: int) -> tuple[int, int | None]:
    for _ in range(_MOST_MESSAGES):
        head = await stream.exactly(4)
        size = int.from_bytes(head[2:], "big")
        if head[0] != 3 or size < 4:
            raise Down(f"its answer is not H.323: {shown(head)}")
        body = await stream.exactly(size - 4)
        if not body:
            continue  # keeps the connection alive
        read = message(body)
        if read is None:
            raise Down(f"its answer is not Q.931: {shown(body, 40)}")
        if read[0] & 0x7FFF == reference:
            return read[1:]
    raise Down(f"{_MOST_MESSAGES} messages, and none is about our enquiry")


def message(body: bytes) -> tuple[int, int, int | None] | None:
    """Read a message of Q.931 (§4).

    Returns:
        call reference, type, and cause where it gives one; ``None`` when it is no message.
    """
    if len(body) < 3 or body[0] != 0x08 or body[1] > 2 or len(body) < 3 + body[1]:
        return None
    at = 2 + body[1]
    reference, kind, cause = int.from_bytes(body[2:at], "big"), body[at], None
    at += 1
    while at < len(body):
        element = body[at]
        if element & 0x80:  # of one octet
            at += 1
            continue
        wide = 2 if element == 0x7E else 1
        size = int.from_bytes(body[at + 1 : at + 1 + wide], "big")
        content = body[at + 1 + wide : at + 1 + wide + size]
        if len(content) < size or at + 1 + wide > len(body):
            return None
        if element == 0x08 and len(content) >= 2:
            value = content[1:2] if content[0] & 0x80 else content[2:3]
            cause = value[0] & 0x7F if value else None
        at += 1 + wide + size
    return reference, kind, cause
