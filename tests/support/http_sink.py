"""A real HTTP server on loopback that takes what is posted and misbehaves on request."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

DROP = "drop"
HANG = "hang"

Answer = Callable[[int], str]
"""Asked with the number of the request, from 1: a status line with headers, DROP or HANG."""


@dataclass(frozen=True)
class Request:
    """One request that came in whole."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Sink:
    """What came, and how it shall answer."""

    port: int = 0
    encrypted: bool = False
    requests: list[Request] = field(default_factory=list)
    answer: Answer = lambda _number: "200 OK"
    body: bytes = b"ok"
    _released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http{'s' if self.encrypted else ''}://127.0.0.1:{self.port}/alarm"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request and answer it."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append(Request(line, headers, body))
            answer = self.answer(len(self.requests))
            if answer == HANG:
                await self._released.wait()
            elif answer != DROP:
                head = f"HTTP/1.1 {answer}\r\nContent-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + self.body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def release(self) -> None:
        """Let go of everybody who hangs."""
        self._released.set()


@asynccontextmanager
async def http_sink(tls: ssl.SSLContext | None = None, port: int = 0) -> AsyncIterator[Sink]:
    """Run a sink on the test's own loop; with a context it speaks TLS."""
    sink = Sink(encrypted=tls is not None)
    server = await asyncio.start_server(sink.serve, "127.0.0.1", port, ssl=tls)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        sink.release()
        server.close()
        await server.wait_closed()
