"""A device of the lab behind a loopback socket, as its network would put it there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from lab.devices import Device


class LabAgent(asyncio.DatagramProtocol):
    """Hands datagrams to a device and its replies back, late ones late.

    Parameters:
        device: who answers.
        now_ns: the lab's time.
        elsewhere: sends what must come from another address.
    """

    def __init__(self, device: Device, now_ns: Callable[[], int], elsewhere: asyncio.DatagramTransport) -> None:
        self.device = device
        self.port = 0
        self.asked = 0
        self._now_ns = now_ns
        self._elsewhere = elsewhere
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        for reply in self.device.receive(data, self._now_ns()):
            transport = self._elsewhere if reply.wrong_source else self._transport
            assert transport is not None
            if reply.delay_s:
                asyncio.get_running_loop().call_later(reply.delay_s, self._send, transport, reply.data, addr)
            else:
                self._send(transport, reply.data, addr)

    @staticmethod
    def _send(transport: asyncio.DatagramTransport, data: bytes, addr: tuple[str, int]) -> None:
        if not transport.is_closing():
            transport.sendto(data, addr)


@asynccontextmanager
async def serving_device(device: Device, now_ns: Callable[[], int]) -> AsyncIterator[LabAgent]:
    """Let a device answer on a free port of loopback."""
    loop = asyncio.get_running_loop()
    elsewhere, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))
    transport, agent = await loop.create_datagram_endpoint(
        lambda: LabAgent(device, now_ns, elsewhere), local_addr=("127.0.0.1", 0)
    )
    try:
        yield agent
    finally:
        transport.close()
        elsewhere.close()


async def run(*arguments: str) -> tuple[int, str]:
    """Run a program; returns its exit code and all it wrote."""
    process = await asyncio.create_subprocess_exec(
        *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    written, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode or 0, written.decode("utf-8", "replace")
