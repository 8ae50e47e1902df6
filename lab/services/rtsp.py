"""A camera's RTSP side: OPTIONS and DESCRIBE, with Digest where a password is set (RFC 2326). It sends no video."""

from __future__ import annotations

import asyncio
import secrets
from email.utils import formatdate
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from lab.services import textual
from lab.services.digest import Lock
from lab.services.server import Around, Server
from lab.services.textual import Malformed, Message
from lab.services.words import Fault, Words, among

PORT = 554
REASONS = {
    200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    453: "Not Enough Bandwidth", 500: "Internal Server Error", 501: "Not Implemented", 503: "Service Unavailable",
    505: "RTSP Version Not Supported",
}  # fmt: skip
_ALLOWED = "OPTIONS, DESCRIBE"
_KNOWN = frozenset(("SETUP", "PLAY", "PAUSE", "TEARDOWN", "ANNOUNCE", "RECORD", "GET_PARAMETER", "SET_PARAMETER"))
_TEXT = r"^[ !#-~]{0,100}$"


class RtspOptions(Words):
    """What a camera is."""

    path: str = Field("", pattern=r"^(/[!-~]*)?$", description="of its stream; others are not found. Any, when empty")
    username: str = Field("", pattern=_TEXT, description="who may see it; everybody, when empty")
    password: str = Field("", pattern=_TEXT, repr=False)
    realm: str = Field("Haidang lab camera", pattern=_TEXT)


class RtspFault(Fault):
    """What is wrong with a camera."""

    status: Annotated[int, among(REASONS)] = Field(200, description="answer to DESCRIBE; from 500 on to every request")


class RtspServer(Server[RtspOptions, RtspFault]):
    """A camera."""

    def __init__(self, address: str, options: RtspOptions, fault: RtspFault, around: Around) -> None:
        super().__init__(address, options, fault, around)
        self._lock = Lock(options.realm, options.username, options.password, secrets.token_hex(16))

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """See `Server.talk`."""
        try:
            while True:
                async with self.deadline():
                    request = await textual.receive(reader, self.around.limits.body_bytes)
                await self.hesitate(reader)
                await self.say(writer, self._answer(request))
        except Malformed:
            self.malformed += 1
            await self.say(writer, textual.encode(_status_line(400), []))

    def _answer(self, request: Message) -> bytes:
        status = self._judge(request)
        sequence = request.first("cseq")
        headers = [("CSeq", sequence)] if sequence else []
        headers += [("Date", formatdate(self.around.clock.utc_ns() / 1e9, usegmt=True)), ("Server", "Haidang lab")]
        body = b""
        if status == 401:
            headers.append(("WWW-Authenticate", self._lock.challenge))
        elif status == 405:
            headers.append(("Allow", _ALLOWED))
        elif status == 200 and request.method == "OPTIONS":
            headers.append(("Public", _ALLOWED))
        elif status == 200:
            body = self._description()
            headers += [("Content-Base", f"{request.target.rstrip('/')}/"), ("Content-Type", "application/sdp")]
        return textual.encode(_status_line(status), headers, body)

    def _judge(self, request: Message) -> int:
        if request.version != "RTSP/1.0":
            return 505
        if not request.first("cseq"):
            return 400
        if self.fault.status >= 500:
            return self.fault.status
        if request.method == "OPTIONS":
            return 200
        if request.method != "DESCRIBE":
            return 405 if request.method in _KNOWN else 501
        try:
            path = urlsplit(request.target).path
        except ValueError:
            return 400
        if self.fault.status != 200:
            return self.fault.status
        authorization = request.first("authorization")
        if self.options.username and not self._lock.opens(request.method, request.target, authorization):
            return 401
        wanted = self.options.path
        return 200 if not wanted or path.rstrip("/") == wanted.rstrip("/") else 404

    def _description(self) -> bytes:
        """Describe one H.264 stream (RFC 4566, RFC 6184 §8.2.1)."""
        family = "IP6" if ":" in self.address else "IP4"
        nowhere = "::" if family == "IP6" else "0.0.0.0"  # noqa: S104 no socket: SDP's "the client chooses"
        lines = (
            "v=0", f"o=- 1 1 IN {family} {self.address}", "s=Haidang lab camera", f"c=IN {family} {nowhere}", "t=0 0",
            "a=control:*", "m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000",
            "a=fmtp:96 packetization-mode=1;profile-level-id=42001f", "a=control:trackID=1", "",
        )  # fmt: skip
        return "\r\n".join(lines).encode("ascii")


def _status_line(status: int) -> str:
    return f"RTSP/1.0 {status} {REASONS[status]}"
