"""A name server, over UDP and TCP (RFC 1035, RFC 7766); all encoding is dnspython's."""

from __future__ import annotations

import asyncio
from typing import Annotated, ClassVar, Literal

import dns.exception
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
from pydantic import AfterValidator, Field

from lab.services.doors import Peer
from lab.services.server import Around, Server
from lab.services.words import Fault, Words
from lab.services.zones import Zones

PORT = 53
PAYLOAD = 1232  # bytes of a UDP answer that no line fragments (RFC 9715)
_HEADER = 12


def _zones(texts: dict[str, str]) -> dict[str, str]:
    Zones(texts)
    return texts


class DnsOptions(Words):
    """What a name server is."""

    zones: Annotated[dict[str, str], AfterValidator(_zones)] = Field(
        {".": ""},
        description="zone → its records as text, see Zones; other names are refused. An empty root, if not set",
    )


class DnsFault(Fault):
    """What is wrong with a name server."""

    rcode: Literal["FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"] | None = Field(
        None, description="answer to every question"
    )


class DnsServer(Server[DnsOptions, DnsFault]):
    """A name server that knows some zones and asks nobody else."""

    transports: ClassVar[tuple[Literal["tcp", "udp"], ...]] = ("tcp", "udp")

    def __init__(self, address: str, options: DnsOptions, fault: DnsFault, around: Around) -> None:
        super().__init__(address, options, fault, around)
        self._zones = Zones(options.zones)

    def datagram(self, data: bytes, peer: Peer) -> tuple[bytes, Peer] | None:
        """See `Server.datagram`."""
        answer = self._answer(data)
        if answer is None or self.fault.silent:
            return None
        self.answered += 1
        wire = answer.to_wire(max_size=min(answer.request_payload or 512, PAYLOAD), prefer_truncation=True)
        return wire, peer

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See `Server.talk`."""
        while True:
            async with self.deadline():
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            answer = self._answer(data)
            if answer is None:
                return
            await self.hesitate(reader)
            await self.say(writer, answer.to_wire(max_size=65535, prefer_truncation=True, prepend_length=True))

    def _answer(self, data: bytes) -> dns.message.Message | None:
        """Make the answer; ``None`` for what is no question (an answer to an answer would never end)."""
        if len(data) < _HEADER or data[2] & 0x80:
            self.malformed += 1
            return None
        try:
            question = dns.message.from_wire(data, ignore_trailing=True)
            answer = dns.message.make_response(question, our_payload=PAYLOAD)
        except (dns.exception.DNSException, ValueError):
            self.malformed += 1
            refusal = dns.message.Message(int.from_bytes(data[:2], "big"))
            refusal.flags = dns.flags.QR
            refusal.set_rcode(dns.rcode.FORMERR)
            return refusal
        if self.fault.rcode is not None:
            answer.set_rcode(dns.rcode.from_text(self.fault.rcode))
        elif question.opcode() != dns.opcode.QUERY:
            answer.set_rcode(dns.rcode.NOTIMP)
        elif len(question.question) != 1:
            answer.set_rcode(dns.rcode.FORMERR)
        else:
            self._fill(answer)
        return answer

    def _fill(self, answer: dns.message.Message) -> None:
        asked = answer.question[0]
        transfer = asked.rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
        if asked.rdclass != dns.rdataclass.IN or transfer:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        found = self._zones.ask(asked.name, asked.rdtype)
        answer.set_rcode(found.rcode)
        answer.answer, answer.authority = found.answer, found.authority
        if found.rcode != dns.rcode.REFUSED:
            answer.flags |= dns.flags.AA
