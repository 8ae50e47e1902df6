"""Pings with our own engine inside the lab: ``ADDRESS,ADDRESS… COUNT INTERVAL_S``; prints round trips as JSON, ms."""

from __future__ import annotations

import asyncio
import json
import sys

from probes.icmp import Burst, IcmpEngine


async def main(addresses: list[str], count: int, interval_s: float) -> dict[str, list[float | None]]:
    """Ping all at the same time."""
    engine = IcmpEngine()
    over = asyncio.Event()
    found: dict[str, list[float | None]] = {}

    def done(burst: Burst) -> None:
        found[burst.address] = [rtt / 1e6 if rtt >= 0 else None for rtt in burst.rtts_ns]
        if len(found) == len(addresses):
            over.set()

    for address in addresses:
        engine.start(address, done, count=count, interval_s=interval_s, timeout_s=1.0)
    await over.wait()
    engine.close()
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main(sys.argv[1].split(","), int(sys.argv[2]), float(sys.argv[3])))))
