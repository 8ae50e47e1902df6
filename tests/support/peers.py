"""Servers for probes: real programs started on free ports of loopback, and peers that do everything wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

HOST = "127.0.0.1"
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Find a port nobody listens at now."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HOST, 0))
        return int(sock.getsockname()[1])


@contextmanager
def program(command: list[str], port: int, *, udp: bool = False, folder: Path) -> Iterator[None]:
    """Run a real server until it is no longer needed.

    Parameters:
        command: in the foreground.
        port: where it listens; waited for, at most 10 s (over TCP).
        udp: it listens at no TCP port: whoever asks waits for the answer.
        folder: its output goes there.
    """
    log = folder / f"{Path(command[0]).name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder)
        try:
            until = time.monotonic() + 10
            while not udp and not _listens(port):
                assert process.poll() is None, f"{command[0]} ended: {log.read_text(errors='replace')[-2000:]}"
                assert time.monotonic() < until, f"{command[0]} does not listen: {log.read_text(errors='replace')}"
                time.sleep(0.02)
            yield
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), 0.2).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def peer(talk: Talk, tls: ssl.SSLContext | None = None, host: str = HOST) -> AsyncIterator[int]:
    """Listen at a free port and let each connection be talked to; gives the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(handle, host, 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(*data: bytes, ask: bool = True) -> Talk:
    """Make a peer that answers each thing said to it with the next of these, and then closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for one in data:
            if ask and not await reader.read(65_536):
                return
            writer.write(one)
            await writer.drain()

    return talk


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Read everything and say nothing."""
    while await reader.read(65_536):
        pass


def dripping(data: bytes, every_s: float = 0.02) -> Talk:
    """Make a peer that sends one byte at a time, for ever."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            for byte in data:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(every_s)

    return talk


async def resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hear one thing, then reset the connection."""
    await asyncio.wait({asyncio.ensure_future(reader.read(1))}, timeout=0.05)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def endless(data: bytes) -> Talk:
    """Make a peer that sends the same again and again, as fast as it is taken."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(data * max(1, 65_536 // len(data)))
            await writer.drain()

    return talk
