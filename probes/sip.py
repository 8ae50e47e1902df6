"""SIP: whether a room, a gateway or a proxy answers OPTIONS (RFC 3261 §11), over UDP, TCP or TLS."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from probes import textual
from probes.attempt import Attempt, BadSettings, Down, shown
from probes.certificates import TlsOptions
from probes.datagrams import ask
from probes.http import statuses
from probes.stream import Stream, connect
from probes.textual import Answer
from probes.tls import secure

PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
AGAIN_S = (0.5, 1.0, 2.0, 4.0)  # T1 doubled up to T2, §17.1.2.2
EXPECTED = "200-299,401,403,405,407,486,501"
_PROVISIONAL = 200
_MOST_PROVISIONAL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SipSettings(TlsOptions):
    """Who is asked, and what is expected.

    Parameters:
        transport: ``udp``, ``tcp`` or ``tls``.
        user: whose address is asked for; empty: the device itself.
        status: final answers that are *up*. Those beside 2xx say that it lives and keeps its rules: a password is
            wanted, OPTIONS is not known, it is busy.
    """

    transport: str = "udp"
    user: str = ""
    status: str = EXPECTED


async def sip(attempt: Attempt, settings: SipSettings) -> None:
    """Send OPTIONS and judge the final answer."""
    if settings.transport not in PORTS:
        raise BadSettings(f"transport is none of {', '.join(PORTS)}: {shown(settings.transport)}")
    expected = statuses(settings.status, 699)
    port = settings.port or PORTS[settings.transport]
    request = Request(attempt.address, port, settings)
    if settings.transport == "udp":
        answer = await ask(attempt, port, request.made, request.answered, AGAIN_S)
    else:
        async with await connect(attempt, port) as stream:
            if settings.transport == "tls":
                await secure(attempt, stream, settings)
            with attempt.phase("answer", "waiting for the answer to OPTIONS"):
                await stream.write(request.made("0.0.0.0", 0))  # noqa: S104 the answer comes over this connection
                answer = await _final(stream, request)
    attempt.fields["status_code"] = answer.status
    agent = answer.first("user-agent") or answer.first("server")
    if agent:
        attempt.fields["agent"] = shown(agent)
    if not any(low <= answer.status <= high for low, high in expected):
        raise Down(f"it answered {answer.status} {shown(answer.words, 60)}".rstrip() + " to OPTIONS")


async def _final(stream: Stream, request: Request) -> Answer:
    for _ in range(_MOST_PROVISIONAL):
        answer = await textual.read(stream, "SIP")
        if request.is_final(answer):
            return answer
    raise Down(f"{_MOST_PROVISIONAL} answers, and none is a final one to our OPTIONS")


class Request:
    """One OPTIONS and the recognition of its answers; a repeated one is the same to the letter (§17.1.2).

    Parameters:
        address, port: of the peer.
        settings: see `SipSettings`.
    """

    def __init__(self, address: str, port: int, settings: SipSettings) -> None:
        self._host = f"[{address}]" if ":" in address else address
        self._port = port
        self._settings = settings
        self._branch = f"z9hG4bK{secrets.token_hex(8)}"
        self._tag = secrets.token_hex(4)
        self.call_id = secrets.token_hex(12)

    def made(self, address: str, port: int) -> bytes:
        """Make the request, given our own address and port."""
        own = f"[{address}]" if ":" in address else address
        here = f"{own}:{port}" if port else f"{own}"
        user = f"{self._settings.user}@" if self._settings.user else ""
        scheme = "sips" if self._settings.transport == "tls" else "sip"
        where = f"{scheme}:{user}{self._host}:{self._port}"
        if not where.isprintable() or any(char in where for char in ' <>"'):
            raise BadSettings(f"{shown(self._settings.user)} is no user of SIP")
        lines = (
            f"OPTIONS {where} SIP/2.0",
            f"Via: SIP/2.0/{self._settings.transport.upper()} {here};branch={self._branch};rport",
            "Max-Forwards: 70", f"From: <sip:haidang@{own}>;tag={self._tag}", f"To: <{where}>",
            f"Call-ID: {self.call_id}", "CSeq: 1 OPTIONS", f"Contact: <sip:haidang@{here}>",
            "Accept: application/sdp", "User-Agent: haidang-probe", "Content-Length: 0", "", "",
        )  # fmt: skip
        return "\r\n".join(lines).encode()

    def answered(self, data: bytes) -> Answer | None:
        """Read a datagram; ``None`` when it is no final answer to this request."""
        try:
            answer = textual.parse(data.lstrip(b"\r\n"), "SIP")
        except ValueError:
            return None
        return answer if self.is_final(answer) else None

    def is_final(self, answer: Answer) -> bool:
        """Tell whether an answer is ours and ends the transaction (§17.1.3)."""
        mine = answer.first("call-id") == self.call_id and answer.first("cseq").split() == ["1", "OPTIONS"]
        return mine and answer.status >= _PROVISIONAL
