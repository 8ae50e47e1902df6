"""The lab's network: CPU time per echo reply of the simulator, and what a province at its usual pace costs.

The network is a province of 1 centre, 10 districts, 209 communes and 1,350 addresses; each line has delay, jitter and
a little loss, so a reply crosses up to four impaired directions and waits in the timer wheel. fping asks from inside
the lab's namespace. Flat out: as fast as fping sends. Usual: 5 echoes to each address in 10 s. The figure is the CPU
time (user + system) of the lab's process; writing a reply into the TUN device carries it up to fping's socket, which
is counted in.

usage: benchmarks/lab_network.py [--rounds N] [--seconds S] [--json]
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
import time
from typing import Any

from lab.control import ControlClient, ControlServer, listen
from lab.lines import Conditions
from lab.network import Network, Unavailable, inside, isolate

DISTRICTS, COMMUNES, ADDRESSES = 10, 209, 1350
NAME = f"bench-{os.getpid()}"


def province() -> tuple[Network, list[str]]:
    """Build the network; gives the addresses to ask too."""
    network = Network(seed=1)
    addresses = ["10.0.0.1"]
    network.add_place("centre", "10.0.0.1")
    for district in range(DISTRICTS):
        addresses.append(f"10.{district + 1}.0.1")
        network.add_place(f"district-{district}", addresses[-1])
        conditions = Conditions(delay_ms=4 + district, jitter_ms=0.5, loss_percent=0.05)
        network.add_line(f"trunk-{district}", "centre", f"district-{district}", conditions)
    for commune in range(COMMUNES):
        district = commune % DISTRICTS
        addresses.append(f"10.{district + 1}.{commune // DISTRICTS + 1}.1")
        network.add_place(f"commune-{commune}", addresses[-1])
        conditions = Conditions(delay_ms=6, jitter_ms=1, correlation=0.5, loss_percent=0.1, burst_packets=3)
        network.add_line(f"line-{commune}", f"district-{district}", f"commune-{commune}", conditions)
    for number in range(ADDRESSES - len(addresses)):
        commune = number % COMMUNES
        address = f"10.{commune % DISTRICTS + 1}.{commune // DISTRICTS + 1}.{number // COMMUNES + 10}"
        network.add_host(address, f"commune-{commune}")
        addresses.append(address)
    return network, addresses


async def serve(name: str) -> None:
    """Run the lab until killed; tells its CPU time when asked."""
    outside = listen(name)
    space = isolate()
    network, _ = province()
    network.start(space)

    def cost(_: object) -> dict[str, float]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {"cpu_s": time.process_time(), "rss_mb": used.ru_maxrss / 1024}

    await ControlServer(network, {"cost": cost}).start(outside)
    sys.stderr.write("ready\n")
    await asyncio.Event().wait()


def measure(client: ControlClient, words: list[str]) -> dict[str, float]:
    """Let fping ask; gives what it cost the lab per echo and per second, and what fping lost."""
    before = client.ask("cost")
    begun = time.monotonic()
    told = subprocess.run(inside(client.pid, words), check=False, capture_output=True, text=True).stderr
    wall = time.monotonic() - begun
    after = client.ask("cost")
    rows = [line.split(" : ", 1)[1].split() for line in told.splitlines() if " : " in line]
    answers = [word for row in rows for word in row]
    cpu = after["cpu_s"] - before["cpu_s"]
    return {
        "echoes": len(answers),
        "lost_percent": 100 * answers.count("-") / len(answers),
        "us_per_echo": 1e6 * cpu / len(answers),
        "core_percent": 100 * cpu / wall,
        "echoes_per_s": len(answers) / wall,
        "rss_mb": after["rss_mb"],
    }


def compare(program: str, rounds: int, seconds: int) -> dict[str, Any]:
    """Run all rounds and take medians."""
    process = subprocess.Popen([sys.executable, __file__, "--serve", NAME], stderr=subprocess.PIPE)
    try:
        assert process.stderr is not None
        heard = b""
        while b"ready" not in heard:
            heard = os.read(process.stderr.fileno(), 65536)
            if not heard:
                raise SystemExit(3)
        result: dict[str, Any] = {}
        with ControlClient(NAME, 60) as client, tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("\n".join(province()[1]) + "\n")
            file.flush()
            ask = [program, "-q", "-t", "1000", "-f", file.name]
            flat = [*ask, "-C", "20", "-i", "0", "-p", "20"]
            usual = [*ask, "-C", str(seconds // 2), "-i", f"{2000 / ADDRESSES * 0.95:.3f}", "-p", "2000"]
            for mode, words, turns in (("flat", flat, rounds), ("usual", usual, max(1, rounds // 2))):
                runs = [measure(client, words) for _ in range(turns)]
                row = {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}
                row["echoes_per_cpu_second"] = round(1e6 / row["us_per_echo"])
                result[mode] = {"rounds": turns, **row}
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()
    return result


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of each round at the usual pace")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.serve:
        try:
            asyncio.run(serve(words.serve))
        except Unavailable as error:
            print(error, file=sys.stdout)
        return 3
    program = shutil.which("fping")
    if program is None:
        print("fping is not installed: apt-get install fping", file=sys.stderr)
        return 2
    result = compare(program, words.rounds, words.seconds)
    if words.json:
        print(json.dumps(result))
        return 0
    for mode, row in result.items():
        print(
            f"{mode:6} {ADDRESSES} addresses, median of {row['rounds']}: {row['us_per_echo']} us of CPU per echo "
            f"({row['echoes_per_cpu_second']} echoes per CPU-second), {row['core_percent']} % of a core at "
            f"{row['echoes_per_s']:.0f} echoes/s, lost {row['lost_percent']} %, RSS {row['rss_mb']:.0f} MB"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
