"""Messages in the form that SIP and RTSP share with HTTP: a start line, headers, a body (RFC 3261 §7, RFC 2326 §4)."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_LINES = 100
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Malformed(Exception):
    """That is no message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request.

    Parameters:
        method, target, version: of the start line.
        headers: name in lower case and value, in their order. Text is Latin-1, so that any octets come back as they
            came.
        body: octets.
    """

    method: str
    target: str
    version: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Return the values of a header."""
        return [value for known, value in self.headers if known == name]

    def first(self, name: str) -> str:
        """Return a header's first value, empty when there is none."""
        return next((value for known, value in self.headers if known == name), "")

    @property
    def body_length(self) -> int:
        """What Content-Length says, 0 without it.

        Raises:
            Malformed: that is no length.
        """
        text = self.first("content-length") or "0"
        if not re.fullmatch(r"[0-9]{1,9}", text):
            raise Malformed("Content-Length is no number")
        return int(text)


def parse(data: bytes, short: Mapping[str, str] | None = None) -> Message:
    """Read a request's head, and its body from what is left of a datagram.

    Parameters:
        short: names that may be abbreviated (RFC 3261 §7.3.3).

    Raises:
        Malformed: it is none.
    """
    head, _, rest = data.partition(b"\r\n\r\n")
    start, *lines = head.decode("latin-1").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not all(words) or not _NAME.fullmatch(words[0]) or _CONTROL.search(start):
        raise Malformed("no request line")
    if len(lines) > MOST_LINES:
        raise Malformed("too many headers")
    headers: list[tuple[str, str]] = []
    for line in lines:
        if _CONTROL.search(line):
            raise Malformed("control characters")
        if line[:1] in (" ", "\t") and headers:
            headers[-1] = (headers[-1][0], f"{headers[-1][1]} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        name = name.rstrip().lower()
        if not colon or not _NAME.fullmatch(name):
            raise Malformed("no header")
        headers.append(((short or {}).get(name, name), value.strip()))
    message = Message(words[0], words[1], words[2], tuple(headers))
    return dataclasses.replace(message, body=rest[: message.body_length])


def parse_whole(data: bytes, short: Mapping[str, str] | None = None) -> Message:
    """Read a request from a datagram.

    Raises:
        Malformed: it is none, or its body is cut off.
    """
    message = parse(data, short)
    if message.body_length > len(message.body):
        raise Malformed("the body is cut off")
    return message


async def receive(reader: asyncio.StreamReader, longest_body: int, short: Mapping[str, str] | None = None) -> Message:
    """Read a request from a connection; the stream's limit bounds its head.

    Raises:
        Malformed: it is none, or too long.
        EOFError: the connection ended.
    """
    head = b""
    while not head:  # empty lines before a request keep a connection alive (RFC 5626 §4.4.1)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lstrip(b"\r\n")
        except asyncio.LimitOverrunError:
            raise Malformed("the head is too long") from None
    message = parse(head, short)
    length = message.body_length
    if length > longest_body:
        raise Malformed("the body is too long")
    return dataclasses.replace(message, body=await reader.readexactly(length))


def encode(start: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Write a message; Content-Length is added."""
    lines = [start, *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body
