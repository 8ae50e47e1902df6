"""A conference room's SIP side: it answers OPTIONS, as rooms do for who asks whether they live (RFC 3261 §11)."""

from __future__ import annotations

import asyncio
import hashlib
import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lab.services import textual
from lab.services.doors import Peer
from lab.services.server import Server
from lab.services.textual import Malformed, Message
from lab.services.words import Fault, Words, among

PORT = 5060
SHORT_NAMES = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length", "m": "contact", "c": "content-type",
    "k": "supported", "s": "subject", "e": "content-encoding",
}  # fmt: skip
REASONS = {
    200: "OK", 302: "Moved Temporarily", 400: "Bad Request", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 408: "Request Timeout", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 486: "Busy Here", 500: "Server Internal Error", 501: "Not Implemented",
    503: "Service Unavailable", 504: "Server Time-out", 505: "Version Not Supported", 600: "Busy Everywhere",
}  # fmt: skip
_KNOWN = frozenset(("INVITE", "BYE", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO", "REFER", "MESSAGE",
                    "UPDATE"))  # fmt: skip
_COPIED = (("from", "From"), ("to", "To"), ("call-id", "Call-ID"), ("cseq", "CSeq"))
_VIA = re.compile(r"SIP\s*/\s*2\.0\s*/\s*\w+\s+(\[[0-9A-Fa-f:.]+\]|[^\s:;,\[\]]+)(?:\s*:\s*(\d{1,5}))?([^,]*)")
_RPORT = re.compile(r";\s*rport\s*(?:=\s*\d*)?(?=\s*(?:;|$))", re.IGNORECASE)
_TAG = re.compile(r">[^>]*;\s*tag\s*=|^[^<>]*;\s*tag\s*=", re.IGNORECASE)


class SipOptions(Words):
    """What a room is."""

    agent: str = Field("Haidang lab room", pattern=r"^[ -~]{1,100}$", description="its User-Agent")


class SipFault(Fault):
    """What is wrong with a room."""

    status: Annotated[int, among(REASONS)] = Field(200, description="answer to OPTIONS")


class SipServer(Server[SipOptions, SipFault]):
    """A user agent without state: a request that comes again gets the same answer (RFC 3261 §8.2.7)."""

    transports: ClassVar[tuple[Literal["tcp", "udp"], ...]] = ("tcp", "udp")

    def datagram(self, data: bytes, peer: Peer) -> tuple[bytes, Peer] | None:
        """See `Server.datagram`; the answer goes where the topmost Via says (§18.2.2, RFC 3581)."""
        try:
            request = textual.parse_whole(data.lstrip(b"\r\n"), SHORT_NAMES)
            made = self._answer(request, peer)
        except Malformed:
            self.malformed += 1
            return None
        if made is None or self.fault.silent:
            return None
        self.answered += 1
        data, port = made
        return data, (peer[0], port, *peer[2:])

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See `Server.talk`."""
        peer = writer.get_extra_info("peername")
        try:
            while True:
                async with self.deadline():
                    request = await textual.receive(reader, self.around.limits.body_bytes, SHORT_NAMES)
                made = self._answer(request, peer)
                if made is not None:
                    await self.hesitate(reader)
                    await self.say(writer, made[0])
        except Malformed:  # where the next request begins is unknown
            self.malformed += 1

    def _answer(self, request: Message, peer: Peer) -> tuple[bytes, int] | None:
        """Make an answer, and the port it goes to over UDP; ``None`` for what is never answered.

        Raises:
            Malformed: it does not say who asks.
        """
        vias = request.all("via")
        found = _VIA.match(vias[0]) if vias else None
        if found is None:
            raise Malformed("no Via")
        if request.method == "ACK":
            return None
        host, port, rest = found.groups()
        reply_port = int(port or PORT)
        if _RPORT.search(rest):
            reply_port = int(peer[1])
            rest = _RPORT.sub(f";rport={reply_port}", rest, count=1) + f";received={peer[0]}"
        elif host.strip("[]") != peer[0]:
            rest += f";received={peer[0]}"
        vias[0] = vias[0][: found.start(3)] + rest + vias[0][found.end() :]
        if not 0 < reply_port < 65536:
            raise Malformed("no port to answer to")
        status = self._judge(request)
        headers = [("Via", via) for via in vias]
        for name, written in _COPIED:
            value = request.first(name)
            if name == "to" and value and not _TAG.search(value):
                value += f";tag={_tag(request)}"
            if value:
                headers.append((written, value))
        headers += [("Allow", "OPTIONS"), ("User-Agent", self.options.agent)]
        if status == 200:
            own = f"[{self.address}]" if ":" in self.address else self.address
            headers += [("Contact", f"<sip:{own}:{self.port}>"), ("Accept", "application/sdp"), ("Supported", "")]
        return textual.encode(f"SIP/2.0 {status} {REASONS[status]}", headers), reply_port

    def _judge(self, request: Message) -> int:
        method = request.first("cseq").rpartition(" ")[2]
        if request.version != "SIP/2.0":
            return 505
        if method != request.method or not all(request.first(name) for name, _ in _COPIED):
            return 400
        if request.method == "OPTIONS":
            return self.fault.status
        if request.method == "CANCEL":
            return 481
        return 405 if request.method in _KNOWN else 501


def _tag(request: Message) -> str:
    key = f"{request.first('call-id')} {request.first('via')} {request.first('from')}"
    return hashlib.blake2s(key.encode("latin-1"), digest_size=5).hexdigest()
