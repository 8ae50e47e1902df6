"""Whether a flood on the pages delays probes and verdicts: probing with nobody looking, and in a flood, in one run.

    .venv/bin/python benchmarks/web_flood.py [--targets 2000] [--seconds 20] [--rounds 3]

A real daemon pings 127.0.0.0/8 and asks name servers that are switched off and on. Three stretches take turns: nobody
looks; 50 clients ask a stand-in that answers as much (what clients cost that share our processors); the same 50 clients
ask the daemon as fast as it answers, half of them signed in, while 150 more connections send a request byte by byte
(slow loris). Lateness is how long after its slot a probe started; a verdict's delay counts from the moment the name
server fell silent. The ratio of the last two is the daemon's own share.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import httpx2

from tests.support.answerer import Answerer
from tests.support.daemon import Daemon

CLIENTS, LORIS, SERVERS = 50, 150, 8
PASSWORD = "a long sentence"
SILENT_S = 8.0
"""So long a name server says nothing: longer than any verdict takes."""
Histogram = list[tuple[float, float]]


@dataclass
class Stretch:
    """What was measured of one kind of stretch, over all rounds."""

    p99_ms: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    answered: int = 0
    cpu_s: float = 0.0


def configure(folder: Path, targets: int, ports: list[int]) -> Path:
    """Write pinged targets, and a target for each name server."""
    lines = ["haidang: 1", "data_dir: ./data", "logging: {format: json}", 'web: {listen: "127.0.0.1:0"}']
    lines += ["probing: {icmp: {cadence: 10s, echoes: 1}}", "inventory: [targets.csv]"]
    lines += ["confirmation: {failures: 2, span: 1s, clear_samples: 1, clear_span: 1s, flap_changes: 60}", "targets:"]
    lines += [
        f"  - {{id: names{number}, address: 127.0.0.1, probes: [dns],"
        f" dns: {{port: {port}, cadence: 1s, timeout: 500ms}}}}"
        for number, port in enumerate(ports)
    ]
    (folder / "haidang.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = [f"t{number},127.1.{number // 250}.{1 + number % 250}" for number in range(targets)]
    (folder / "targets.csv").write_text("id,address\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return folder / "haidang.yaml"


def figures(client: httpx2.Client) -> tuple[float, Histogram]:
    """Return processor seconds, and the histogram of lateness."""
    cpu, late = 0.0, list[tuple[float, float]]()
    for line in client.get("/metrics").text.splitlines():
        name, _, value = line.rpartition(" ")
        if name == "process_cpu_seconds_total":
            cpu = float(value)
        elif name.startswith("haidang_probe_lateness_seconds_bucket"):
            late.append((float(name.split('"')[1]), float(value)))
    return cpu, late


def quantile(before: Histogram, after: Histogram, share: float = 0.99) -> float:
    """Return a quantile of what was added to a histogram, within its bucket by proportion, seconds."""
    grown = [(bound, count - earlier[1]) for (bound, count), earlier in zip(after, before, strict=True)]
    wanted, low, below = share * grown[-1][1], 0.0, 0.0
    for bound, count in grown:
        if count >= wanted:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / max(1.0, count - below)
        low, below = bound, count
    return low


async def flood(port: int, cookie: str, source: str, answered: list[int]) -> None:
    """Ask as fast as it is answered."""
    paths = ("/", "/search?q=t1", "/target/t7") if cookie else ("/login",)
    number = 0
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            while True:
                number += 1
                head = f"GET {paths[number % len(paths)]} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{cookie}\r\n"
                writer.write(head.encode())
                start = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    int(line[15:]) for line in start.lower().split(b"\r\n") if line.startswith(b"content-length:")
                )
                await reader.readexactly(length)
                answered[0] += 1
        except (OSError, asyncio.IncompleteReadError, StopIteration, RuntimeError):
            await asyncio.sleep(0.1)


async def loris(port: int, source: str) -> None:
    """Send a request that never ends, a byte each second; begin anew when that is cut off."""
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: ")
            while not reader.at_eof():
                writer.write(b"x")
                await writer.drain()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 1)
        await asyncio.sleep(0.1)


def clients(port: int, cookie: str, seconds: float, count: multiprocessing.Queue[int], *, slow: bool) -> None:
    """Be all clients at once, in a process of their own."""

    async def all_of_them() -> None:
        answered = [0]
        tasks = [
            asyncio.create_task(flood(port, cookie if number % 2 else "", f"127.0.1.{number + 1}", answered))
            for number in range(CLIENTS)
        ]
        if slow:
            tasks += [asyncio.create_task(loris(port, f"127.0.2.{number + 1}")) for number in range(LORIS)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        count.put(answered[0])

    asyncio.run(all_of_them())


def stand_in(port: multiprocessing.Queue[int], size: int, rate: float) -> None:
    """Answer every request with a page of a size, at most so many a second in all; for ever."""

    async def serve() -> None:
        next_at = [0.0]

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            body = b"x" * size
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    now = time.monotonic()
                    next_at[0] = max(now, next_at[0]) + 1 / rate
                    await asyncio.sleep(next_at[0] - now)
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body)
                    await writer.drain()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port.put(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(serve())


def stretch(
    daemon: Daemon, client: httpx2.Client, servers: list[Answerer], seconds: float, into: Stretch
) -> None:  # fmt: skip
    """Measure one stretch: lateness over all of it, and a verdict about each name server."""
    cpu, late = figures(client)
    off_at: dict[str, float] = {}
    began = time.monotonic()
    for number, server in enumerate(servers):
        time.sleep(0.137)  # they fall silent at different phases of a second
        server.on = False
        off_at[f"names{number}/dns"] = time.time()
    time.sleep(SILENT_S)
    for server in servers:
        server.on = True
    time.sleep(max(0.0, seconds - (time.monotonic() - began)))
    cpu_after, late_after = figures(client)
    into.cpu_s += cpu_after - cpu
    into.p99_ms.append(1000 * quantile(late, late_after))
    for line in daemon.events("state changed"):
        at = datetime.fromisoformat(line["timestamp"]).timestamp()
        if line["state"] == "down" and line["check"] in off_at and at >= off_at[line["check"]]:
            into.delays_s.append(at - off_at.pop(line["check"]))
    if off_at:
        print(f"no verdict about {', '.join(off_at)}", file=sys.stderr)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--targets", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    servers = [Answerer() for _ in range(SERVERS)]
    with tempfile.TemporaryDirectory() as name:
        config = configure(Path(name), asked.targets, [one.port for one in servers])
        with Daemon(config) as daemon:
            base = daemon.wait_for("pages are served", 60)["address"]
            said = "nobody can sign in yet: open this link once, within a day, and choose a name and a password"
            link = daemon.wait_for(said)["link"]
            client = httpx2.Client(base_url=base, headers={"origin": base}, timeout=60)
            client.post(link, data={"name": "an", "password": PASSWORD, "again": PASSWORD})
            [(key, value)] = client.cookies.items()
            cookie, web = f"Cookie: {key}={value}\r\n", httpx2.URL(base).port or 0
            size = len(client.get("/").content)
            ports: multiprocessing.Queue[int] = multiprocessing.Queue()
            count: multiprocessing.Queue[int] = multiprocessing.Queue()
            other = multiprocessing.Process(target=stand_in, args=(ports, size, 250.0), daemon=True)
            other.start()
            beside = ports.get()
            print(
                f"{asked.targets} targets, {asked.rounds} rounds of {asked.seconds:g} s; load {os.getloadavg()[0]:.1f}"
            )
            time.sleep(25)
            found = {
                "nobody looks": Stretch(),
                "clients of another server": Stretch(),
                "flood and slow loris": Stretch(),
            }
            for _ in range(asked.rounds):
                for what, port in zip(found, (0, beside, web), strict=True):
                    crowd = multiprocessing.Process(
                        target=clients, args=(port, cookie, asked.seconds + 2, count), kwargs={"slow": port == web}
                    )
                    if port:
                        crowd.start()
                        time.sleep(1)
                    stretch(daemon, client, servers, asked.seconds, found[what])
                    if port:
                        found[what].answered += count.get()
                        crowd.join()
                    time.sleep(4)
            refused = [
                line for line in client.get("/metrics").text.splitlines()
                if line.startswith("haidang_web_") and "_total" in line and not line.endswith(" 0.0")
            ]  # fmt: skip
            client.close()
            daemon.end()
    print("| stretch | lateness p99, ms (each round) | verdict after, s: median, worst | answered/s | % of a core |")
    print("|---|---|---|---|---|")
    for what, one in found.items():
        rounds = ", ".join(f"{p99:.1f}" for p99 in one.p99_ms)
        print(
            f"| {what} | {statistics.median(one.p99_ms):.1f} ({rounds}) | {statistics.median(one.delays_s):.2f}, "
            f"{max(one.delays_s):.2f} of {len(one.delays_s)} | {one.answered / asked.rounds / asked.seconds:.0f} | "
            f"{100 * one.cpu_s / asked.rounds / asked.seconds:.0f} |"
        )
    quiet, beside_us, flooded = found.values()
    for what, other_one in (("nobody", quiet), ("clients of another server", beside_us)):
        late = statistics.median(flooded.p99_ms) / statistics.median(other_one.p99_ms)
        verdict = statistics.median(flooded.delays_s) / statistics.median(other_one.delays_s)
        print(f"in the flood against {what}: lateness p99 {late:.2f} : 1, verdict {verdict:.2f} : 1")
    print("\n".join(refused))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
