"""A UDP proxy before an agent: it sees every answer and may change, forge or replay it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

Forge = Callable[[bytes, bytes], Sequence[bytes]]
"""Gets a question and its answer, returns what the client gets."""


class Proxy(asyncio.DatagramProtocol):
    """The client's side."""

    def __init__(self, forge: Forge) -> None:
        self.forge = forge
        self.port = 0
        self.client: tuple[str, int] | None = None
        self.question = b""
        self.transport: asyncio.DatagramTransport | None = None
        self.inner: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.client, self.question = addr, data
        if self.inner is not None:
            self.inner.sendto(data)


class _Inner(asyncio.DatagramProtocol):
    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        proxy = self.proxy
        if proxy.transport is not None and not proxy.transport.is_closing():
            for packet in proxy.forge(proxy.question, data):
                proxy.transport.sendto(packet, proxy.client)


@asynccontextmanager
async def forging(port: int, forge: Forge) -> AsyncIterator[Proxy]:
    """Stand between an engine and the agent on this port of loopback."""
    loop = asyncio.get_running_loop()
    proxy = Proxy(forge)
    outer, _ = await loop.create_datagram_endpoint(lambda: proxy, local_addr=("127.0.0.1", 0))
    inner, _ = await loop.create_datagram_endpoint(lambda: _Inner(proxy), remote_addr=("127.0.0.1", port))
    proxy.inner = inner
    try:
        yield proxy
    finally:
        outer.close()
        inner.close()
