"""Services of the lab on loopback, for a test: opened on free ports, closed at the end whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from haidang.clock import Clock
from lab.services import Limits, Service, Services

HOST = "127.0.0.1"


class Opened:
    """The services of a test, by their kind.

    Parameters:
        services: what they belong to.
    """

    def __init__(self, services: Services) -> None:
        self.services = services

    def port(self, kind: str) -> int:
        """Return the port of the first service of a kind."""
        return next(int(str(row["port"])) for row in self.services.status() if row["kind"] == kind)

    def behave(self, kind: str, **fault: object) -> None:
        """Have something wrong with the first service of a kind."""
        self.services.behave(HOST, self.port(kind), **fault)

    def count(self, kind: str, what: str) -> Any:
        """Return what the first service of a kind has counted."""
        return next(row[what] for row in self.services.status() if row["kind"] == kind)

    @asynccontextmanager
    async def connected(self, kind: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Connect to the first service of a kind."""
        reader, writer = await asyncio.open_connection(HOST, self.port(kind))
        try:
            yield reader, writer
        finally:
            writer.close()


@asynccontextmanager
async def opened(
    *wanted: str | tuple[str, Mapping[str, object]], clock: Clock | None = None, limits: Limits | None = None
) -> AsyncIterator[Opened]:
    """Open services of the given kinds, or kinds with options, on loopback."""
    services = Services(clock=clock, limits=limits)
    rows = [(each, dict[str, object]()) if isinstance(each, str) else each for each in wanted]
    try:
        await services.open(None, [Service(kind, HOST, 0, options) for kind, options in rows])
        yield Opened(services)
    finally:
        await services.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> bytes:
    """Send a request in SIP's, RTSP's or HTTP's form and read the answer, at most 10 s."""
    writer.write(data)
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (
                int(line.partition(b":")[2])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length:")
            ),
            0,
        )
        return head + await reader.readexactly(length)


async def until(reached: Callable[[], bool]) -> None:
    """Wait until something is so, at most 10 s."""
    async with asyncio.timeout(10):
        while not reached():  # noqa: ASYNC110 what is waited for happens in a kernel's buffer
            await asyncio.sleep(0.01)


async def ask_datagram(port: int, data: bytes, timeout_s: float = 5.0) -> bytes:
    """Send a datagram to loopback and wait for the answer.

    Raises:
        TimeoutError: there was none.
        ConnectionRefusedError: nobody listens.
    """
    loop = asyncio.get_running_loop()
    answers: asyncio.Queue[bytes | Exception] = asyncio.Queue()

    class Asker(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            answers.put_nowait(data)

        def error_received(self, exc: Exception) -> None:
            answers.put_nowait(exc)

    transport, _ = await loop.create_datagram_endpoint(Asker, remote_addr=(HOST, port))
    try:
        transport.sendto(data)
        answer = await asyncio.wait_for(answers.get(), timeout_s)
    finally:
        transport.close()
    if isinstance(answer, Exception):
        raise answer
    return answer
