"""The lab's services: what a thousand cameras cost to start, to keep, and to ask.

Each has an RTSP service at an address of its own (127.0.0.0/8, port 8554). Beside `lab.services` stand the two other
ways to have a thousand addresses answer: `asyncio.start_server` for each, and one wildcard socket that tells the
addresses apart (it cannot refuse a connection to one of them, see `lab/services/doors.py`); both answer a fixed text.
Start: processor and wall time until all listen. Memory: growth of the process, without the kernel's 3.2 kB a socket.
Asking: processor time of the server per DESCRIBE, each over a connection of its own.

usage: benchmarks/lab_services.py [--services N] [--rounds N] [--json]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import socket
import statistics
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import structlog

from lab.services import Service, Services

PORT = 8554
WAYS = ("lab.services", "asyncio.start_server", "one wildcard socket")
FIXED = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Length: 0\r\n\r\n"
AT_ONCE = 20


def addresses(count: int) -> list[str]:
    """Give so many addresses of loopback."""
    return [f"127.{20 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}" for number in range(count)]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a connection with the fixed text."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(FIXED)
    await writer.drain()
    writer.close()


async def listen(way: str, count: int, stack: AsyncExitStack) -> None:
    """Have so many services listen until the stack is left."""
    if way == WAYS[0]:
        services = Services()
        stack.push_async_callback(services.close)
        await services.open(None, [Service("rtsp", address, PORT) for address in addresses(count)])
    elif way == WAYS[1]:
        for address in addresses(count):
            await stack.enter_async_context(await asyncio.start_server(answer, address, PORT))
    else:
        sock = socket.create_server(("0.0.0.0", PORT), backlog=100)
        await stack.enter_async_context(await asyncio.start_server(answer, sock=sock))


def resident_kb() -> float:
    """Return this process's memory, kB."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * resource.getpagesize() / 1024


async def serve(way: str, count: int) -> None:
    """Listen, ask each service once from another process, print what it took."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))  # not a line on each connection
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    before_kb, begun, used = resident_kb(), time.monotonic(), time.process_time()
    async with AsyncExitStack() as stack:
        await listen(way, count, stack)
        found: dict[str, float] = {
            "start_ms": 1e3 * (time.monotonic() - begun),
            "start_cpu_ms": 1e3 * (time.process_time() - used),
            "kb_each": (resident_kb() - before_kb) / count,
        }
        used = time.process_time()
        client = await asyncio.create_subprocess_exec(sys.executable, __file__, "--ask", str(count))
        if await client.wait():
            raise SystemExit("a service did not answer")
        found["us_per_question"] = 1e6 * (time.process_time() - used) / count
    print(json.dumps(found))


async def ask(count: int) -> None:
    """Ask each service once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(address: str) -> None:
        async with room:
            reader, writer = await asyncio.open_connection(address, PORT)
            writer.write(f"DESCRIBE rtsp://{address}/ RTSP/1.0\r\nCSeq: 1\r\n\r\n".encode())
            if not (await reader.readline()).startswith(b"RTSP/1.0 200"):
                raise SystemExit(f"{address} did not answer")
            writer.close()

    await asyncio.gather(*map(one, addresses(count)))


def compare(count: int, rounds: int) -> dict[str, dict[str, float]]:
    """Run all ways in turn, each in a fresh process; gives medians."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            words = [sys.executable, "-P", __file__, "--serve", way, "--services", str(count)]
            done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
            runs[way].append(json.loads(done.stdout))
    return {
        way: {key: round(statistics.median(run[key] for run in rows), 1) for key in rows[0]}
        for way, rows in runs.items()
    }


def show(result: dict[str, dict[str, float]], count: int) -> None:
    """Print the table."""
    print(f"{count:6} RTSP services: start ms, of it CPU ms, kB each, us of CPU per question")
    for way, row in result.items():
        figures = (row["start_ms"], row["start_cpu_ms"], row["kb_each"], row["us_per_question"])
        print(f"{way:22}", *(f"{figure:8.1f}" for figure in figures))


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--ask", type=int, help=argparse.SUPPRESS)
    words: Any = parser.parse_args()
    if words.serve:
        asyncio.run(serve(words.serve, words.services))
    elif words.ask:
        asyncio.run(ask(words.ask))
    else:
        result = compare(words.services, words.rounds)
        print(json.dumps(result)) if words.json else show(result, words.services)


if __name__ == "__main__":
    main()
