"""ICMP: CPU time per echo of our engine beside fping, in one run, in a network namespace of its own.

Flat out: 10,000 addresses x 3 echoes as fast as they go. Sustained: 10,000 addresses x 3 echoes in each cycle of 10 s.
The figure is the CPU time (user + system) of the whole process that pings, interpreter start-up taken out for ours and
left in for fping (it has none to speak of). Statistics per target are included on our side.

usage: benchmarks/icmp.py [--rounds N] [--cycles N] [--json]   (as root)
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TARGETS = 10_000
ECHOES = 3
ADDRESSES = [f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}" for i in range(TARGETS)]


def ours(mode: str, cycles: int) -> dict[str, float]:
    """Run our engine in this process and tell what it cost."""
    from collectors.cadence import Cadence  # noqa: PLC0415 the parent process does not need them
    from haidang.clock import SystemClock  # noqa: PLC0415
    from probes.icmp import Burst, IcmpEngine  # noqa: PLC0415
    from probes.icmp.probe import observe  # noqa: PLC0415

    async def main() -> dict[str, float]:
        clock = SystemClock()
        engine = IcmpEngine()
        rtts: list[float] = []
        lost = 0
        over = asyncio.Event()

        def done(burst: Burst) -> None:
            nonlocal lost
            seen = observe(burst, burst.address, 0, clock)
            lost += int(seen.fields["packets_sent"]) - int(seen.fields["packets_received"])
            rtts.append(float(seen.fields.get("rtt_max_ms", 0)))
            if len(rtts) == TARGETS:
                over.set()

        if mode == "flat":
            before = resource.getrusage(resource.RUSAGE_SELF)
            for address in ADDRESSES:
                engine.start(address, done, count=ECHOES, interval_s=0)
            await over.wait()
        else:
            cadence = Cadence(clock)
            for address in ADDRESSES:

                def start(_slot: int, address: str = address) -> None:
                    engine.start(address, done, count=ECHOES, interval_s=10 / ECHOES)

                cadence.add(address, 10, start)
            turning = asyncio.create_task(cadence.run())
            await over.wait()  # the first round comes faster than the cadence
            await asyncio.sleep(10)
            rtts.clear()
            before = resource.getrusage(resource.RUSAGE_SELF)
            await asyncio.sleep(10 * cycles)
            turning.cancel()
        after = resource.getrusage(resource.RUSAGE_SELF)
        engine.close()
        rtts.sort()
        return {
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "echoes": len(rtts) * ECHOES,
            "lost": lost,
            "rtt_max_p99_ms": rtts[len(rtts) * 99 // 100],
            "rss_mb": after.ru_maxrss / 1024,
        }

    return asyncio.run(main())


def fping(program: str, mode: str, cycles: int, addresses: Path) -> dict[str, float]:
    """Run fping over the same addresses and tell what it cost."""
    command = [program, "-q", "-f", str(addresses)]
    if mode == "flat":
        command += ["-C", str(ECHOES), "-i0", "-p100"]
    else:  # the whole list in each third of a cycle, like ours
        command += ["-C", str(ECHOES * cycles), "-i", "0.3", "-p", str(10_000 // ECHOES)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    told = subprocess.run(command, check=False, capture_output=True, text=True).stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    lost = sum(line.split(":", 1)[1].split().count("-") for line in told.splitlines() if " : " in line)
    echoes = TARGETS * ECHOES * (cycles if mode == "sustained" else 1)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu_s": cpu, "echoes": echoes, "lost": lost}


@contextmanager
def namespace() -> Iterator[list[str]]:
    """Make a namespace; gives the words that run a command inside it."""
    name = f"hd-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        yield ["ip", "netns", "exec", name, sys.executable, "-P", __file__]
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)


def measure(rounds: int, cycles: int) -> dict[str, Any]:
    """Run both in turn and sum up."""
    result: dict[str, Any] = {}
    with namespace() as command, tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(ADDRESSES) + "\n")
        file.flush()
        for mode in ("flat", "sustained"):
            turns = rounds if mode == "flat" else max(1, rounds // 2 + rounds % 2)
            runs: dict[str, list[dict[str, float]]] = {"ours": [], "fping": []}
            for _ in range(turns):
                for who, found in runs.items():
                    words = [*command, "--child", who, "--mode", mode, "--cycles", str(cycles), "--list", file.name]
                    done = subprocess.run(words, check=True, capture_output=True, text=True)
                    found.append(json.loads(done.stdout))
            row: dict[str, Any] = {"rounds": turns}
            for who, found in runs.items():
                row[f"{who}_echoes"] = int(statistics.median(one["echoes"] for one in found))
                cost = statistics.median(one["cpu_s"] / one["echoes"] for one in found)
                row[f"{who}_us_per_echo"] = round(cost * 1e6, 2)
                row[f"{who}_lost"] = sum(int(one["lost"]) for one in found)
            row["ours_rss_mb"] = round(statistics.median(one["rss_mb"] for one in runs["ours"]))
            row["ours_rtt_max_p99_ms"] = round(statistics.median(one["rtt_max_p99_ms"] for one in runs["ours"]), 3)
            pairs = zip(runs["ours"], runs["fping"], strict=True)
            ratios = [a["cpu_s"] / a["echoes"] / (b["cpu_s"] / b["echoes"]) for a, b in pairs]
            row["ratio"] = round(statistics.median(ratios), 3)
            result[mode] = row
    return result


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cycles", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", choices=["ours", "fping"], help=argparse.SUPPRESS)
    parser.add_argument("--mode", default="flat", help=argparse.SUPPRESS)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    program = shutil.which("fping")
    if program is None:
        print("fping is not installed: apt-get install fping", file=sys.stderr)
        return 2
    if words.child:
        found = (
            ours(words.mode, words.cycles) if words.child == "ours"
            else fping(program, words.mode, words.cycles, words.list)
        )  # fmt: skip
        print(json.dumps(found))
        return 0
    if os.geteuid() != 0:
        print("this benchmark makes a network namespace: run it as root", file=sys.stderr)
        return 2
    result = measure(words.rounds, words.cycles)
    if words.json:
        print(json.dumps(result))
        return 0
    for mode, row in result.items():
        print(
            f"{mode:10} {row['ours_echoes']} echoes, median of {row['rounds']}: CPU per echo ours "
            f"{row['ours_us_per_echo']} us, fping {row['fping_us_per_echo']} us, ratio {row['ratio']}; "
            f"lost {row['ours_lost']}/{row['fping_lost']}; ours RSS {row['ours_rss_mb']} MB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
