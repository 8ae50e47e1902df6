"""Answers in the form of SIP and RTSP: a status line, headers, perhaps a body (RFC 3261 §7, RFC 2326 §6)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from probes.attempt import Down, shown
from probes.stream import Stream

MOST_HEAD = 16_384
MOST_BODY = 65_536
_STATUS = re.compile(r"(SIP/2\.0|RTSP/[12]\.[0-9]) ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_SHORT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length", "c": "content-type"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; header names in small letters, several values of a name in their order."""

    status: int
    words: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]

    def first(self, name: str) -> str:
        """Return the first value of a header; empty without one."""
        return next((value for key, value in self.headers if key == name), "")


def parse(data: bytes, protocol: str) -> Answer:
    """Read a head and what follows it.

    Parameters:
        data: the whole datagram, or the head of an answer on a connection.
        protocol: ``SIP`` or ``RTSP``.

    Raises:
        ValueError: it is no answer of this protocol.
    """
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("utf-8", "replace").split("\r\n")
    match = _STATUS.fullmatch(lines[0])
    if match is None or not match[1].upper().startswith(protocol):
        raise ValueError(f"not an answer of {protocol}: {shown(lines[0], 60)}")
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        if line.startswith((" ", "\t")) and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ValueError(f"a header without a name: {shown(line, 60)}")
        key = name.strip().lower()
        headers.append((_SHORT.get(key, key), value.strip()))
    return Answer(int(match[2]), match[3] or "", tuple(headers), body)


async def read(stream: Stream, protocol: str) -> Answer:
    """Read one answer off a connection, with its body.

    Raises:
        Down: it is none, or longer than anybody needs.
    """
    head = b""
    while not head.strip():  # empty lines before are allowed, and are how SIP keeps connections alive
        head = await _line(stream)
    if not head.startswith(protocol.encode()):
        raise Down(f"not an answer of {protocol}: {shown(head, 60)}")
    while not head.endswith(b"\r\n\r\n"):
        head += await _line(stream)
        if len(head) > MOST_HEAD:
            raise Down(f"the head of its answer is longer than {MOST_HEAD} bytes")
    try:
        answer = parse(head, protocol)
    except ValueError as error:
        raise Down(f"its answer is broken: {shown(str(error))}") from error
    length = answer.first("content-length") or "0"
    if not (length.isascii() and length.isdecimal() and len(length) < 10 and int(length) <= MOST_BODY):
        raise Down(f"its answer announces {shown(length, 20)} bytes, at most {MOST_BODY} are read")
    return Answer(answer.status, answer.words, answer.headers, await stream.exactly(int(length)))


async def _line(stream: Stream) -> bytes:
    """Return a line, ended by CR LF, also where a device ends it by LF alone (RFC 2326 §4 asks to take that)."""
    return (await stream.until(b"\n", MOST_HEAD)).rstrip(b"\r\n") + b"\r\n"
