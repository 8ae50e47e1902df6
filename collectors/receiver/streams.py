"""Syslog over TCP: the two ways in which messages follow each other in a stream (RFC 6587 §3.4)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from collectors.receiver.intake import LARGEST_PACKET

MOST_CONNECTIONS = 256
MOST_PER_SOURCE = 4
IDLE_S = 900.0
_TURN = 64  # messages of one connection before the others' turn


class Streams:
    """The connections.

    Parameters:
        welcome: whether an address may connect.
        take: gets a message and where it came from.
    """

    def __init__(self, welcome: Callable[[str], bool], take: Callable[[bytes, str], None]) -> None:
        self._welcome = welcome
        self._take = take
        self._open: Counter[str] = Counter()
        self.refused = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a connection until its end."""
        source = plain(writer.get_extra_info("peername")[0])
        if not self._welcome(source) or self._open[source] >= MOST_PER_SOURCE or self._open.total() >= MOST_CONNECTIONS:
            self.refused += 1
            writer.close()
            return
        self._open[source] += 1
        try:
            await self._read(reader, source)
        except (OSError, ValueError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.refused += 1
        finally:
            self._open[source] -= 1
            if not self._open[source]:
                del self._open[source]
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, source: str) -> None:
        count = 0
        while True:
            async with asyncio.timeout(IDLE_S):
                message = await _next(reader)
            if message is None:
                return
            if message:
                self._take(message, source)
            count += 1
            if count % _TURN == 0:
                await asyncio.sleep(0)


async def _next(reader: asyncio.StreamReader) -> bytes | None:
    """Read a message: with its length in front, or up to the end of its line; ``None`` at the end.

    Raises:
        ValueError: longer than is taken, or a length that is none.
    """
    first = await reader.read(1)
    if not first:
        return None
    if first.isdigit():
        digits = first + (await reader.readuntil(b" "))[:-1]
        if len(digits) > 5 or not digits.isdigit() or int(digits) > LARGEST_PACKET:
            raise ValueError("a length that is none, or too long")
        return await reader.readexactly(int(digits))
    try:
        rest = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        rest = error.partial
    return (first + rest).rstrip(b"\r\n\x00")


def plain(address: str) -> str:
    """Write an address as targets have it: without ``%interface``."""
    return address.partition("%")[0]
