"""Oracle: the listener's answer to a TNS connect packet, as ``tnsping`` asks, or to a service's name."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from probes.attempt import Attempt, BadSettings, Down, Settings, shown
from probes.stream import Stream, connect

PORT = 1521
_LONGEST = 8192
_MOST_RESENDS = 3
_HEADER = struct.Struct(">HHBBH")
_CONNECT = struct.Struct(">HHHHHHHHHHI26x")
_ACCEPT, _REFUSE, _REDIRECT, _RESEND = 2, 4, 5, 11
_NAME = re.compile(r"[\w.$#-]{1,200}")
_ERROR = re.compile(r"\((?:ERR|CODE)=(\d{1,6})\)")
_RELEASE = re.compile(r"\(VSNNUM=(\d{1,10})\)")
_WORDS = {
    12505: "the listener does not know this SID", 12514: "the listener does not know this service",
    12516: "no handler of the service is free", 12518: "the listener could not hand the connection on",
    12519: "no handler of the service is free", 12520: "no handler of the service is free",
    12526: "the service is in restricted mode", 12527: "the service is in restricted mode",
    12528: "the instance is blocking new connections", 12541: "there is no listener",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleSettings(Settings):
    """What is asked for.

    Parameters:
        service: name of a service that must be there; empty: the listener alone is asked.
    """

    service: str = ""


async def oracle(attempt: Attempt, settings: OracleSettings) -> None:
    """Ask the listener whether it lives, or whether it would connect to a service; nobody logs in."""
    request = connecting(settings.service)
    async with await connect(attempt, settings.port or PORT) as stream:
        with attempt.phase("answer", "waiting for the listener's answer"):
            for _ in range(1 + _MOST_RESENDS):
                await stream.write(request)
                kind, body = await _packet(stream)
                if kind != _RESEND:
                    break
    if kind == _RESEND:
        raise Down(f"it asks for the same again and again, {_MOST_RESENDS + 1} times")
    if kind in (_ACCEPT, _REDIRECT):
        return
    text = body[4:].decode("utf-8", "replace")
    if found := _RELEASE.search(text):
        attempt.fields["version"] = release(int(found[1]))
    error = _ERROR.search(text)
    code = int(error[1]) if error else -1
    attempt.fields["error_code"] = code
    if code != 0:
        words = f"ORA-{code:05}, {_WORDS[code]}" if code in _WORDS else f"{shown(text) or 'without a word'}"
        raise Down(f"it refuses: {words}")


def connecting(service: str = "") -> bytes:
    """Make a connect packet.

    Raises:
        BadSettings: it is no name of a service.
    """
    if service and not _NAME.fullmatch(service):
        raise BadSettings(f"{shown(service)} is no name of a service")
    inner = f"(SERVICE_NAME={service})(CID=(PROGRAM=haidang)(HOST=monitor)(USER=haidang))" if service else ""
    data = f"(DESCRIPTION=(CONNECT_DATA={inner or '(COMMAND=ping)'}))".encode()
    offset = _HEADER.size + _CONNECT.size
    # Version 314 down to 300, SDU 2048, TDU 32767, one in our byte order, then where the data lies.
    body = _CONNECT.pack(314, 300, 0, 2048, 32_767, 0x7F08, 0, 1, len(data), offset, 2048)
    return _HEADER.pack(offset + len(data), 0, 1, 0, 0) + body + data


def release(number: int) -> str:
    """Tell a release from its number (VSNNUM): up to 12.2 four bits each, from 18 on in other places."""
    major = number >> 24 & 0xFF
    if major >= 18:
        parts = (major, number >> 16 & 0xFF, number >> 12 & 0xF, number >> 4 & 0xFF, number & 0xF)
    else:
        parts = (major, number >> 20 & 0xF, number >> 12 & 0xFF, number >> 8 & 0xF, number & 0xFF)
    return ".".join(map(str, parts))


async def _packet(stream: Stream) -> tuple[int, bytes]:
    head = await stream.exactly(_HEADER.size)
    size, _, kind, _, _ = _HEADER.unpack(head)
    if kind not in (_ACCEPT, _REFUSE, _REDIRECT, _RESEND) or not _HEADER.size <= size <= _LONGEST:
        raise Down(f"its answer is not a listener's: {shown(head)}")
    return kind, await stream.exactly(size - _HEADER.size)
