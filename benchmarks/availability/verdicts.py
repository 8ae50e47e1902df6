"""What a verdict costs: CPU time of observing and judging with 10,000 checks, in quiet, in a storm and per tick.

The peer of each figure is the same with 1,000 checks: the ratio says whether the cost grows with what changed or with
what is watched.

usage: benchmarks/availability/verdicts.py [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

from availability.dependencies import judge
from availability.health import HealthEngine
from availability.rule import Rule
from haidang.model import CheckId, Observation, Sample, State, Status

S = 1_000_000_000
START_NS = 1_700_000_000 * S
GATEWAY = CheckId("gateway", "icmp")


def measure(checks: int) -> dict[str, float]:
    """Measure with so many checks behind hubs of a hundred, all of one carrier."""
    hubs = [CheckId(f"hub{number}", "icmp") for number in range(max(1, checks // 100))]
    sites = [CheckId(f"site{number}", "icmp") for number in range(checks - len(hubs) - 1)]
    everything = [GATEWAY, *hubs, *sites]
    engine = HealthEngine(judge, lambda _check, _fast: None)
    for check in everything:
        engine.watch(check, Rule())
    parents = {site: (hubs[number % len(hubs)],) for number, site in enumerate(sites)}
    engine.connect(parents | dict.fromkeys(hubs, (GATEWAY,)))
    engine.share({CheckId("VNPT", "carrier"): sites})

    def see(check: CheckId, second: int, *, ok: bool) -> tuple[float, int]:
        at_ns = START_NS + second * S
        status = Status.UP if ok else Status.DOWN
        seen = Observation(check.target, check.probe, at_ns, status, "", {}, 1.0, (Sample(at_ns, ok),))
        began = time.process_time_ns()
        out = engine.observe(seen, at_ns)
        return (time.process_time_ns() - began) / 1e3, sum(one.state is not State.UP for one in out)

    def tick(second: int) -> float:
        began = time.process_time_ns()
        engine.tick(START_NS + second * S)
        return (time.process_time_ns() - began) / 1e3

    for second in (0, 10, 20):
        quiet = [see(check, second, ok=True)[0] for check in everything]
    ticks = [tick(second) for second in range(21, 41)]
    storm: list[float] = []
    verdicts: list[float] = []
    for second in range(41, 105, 3):  # the gateway is cut: everything fails
        for check in everything:
            took, certain = see(check, second, ok=False)
            storm.append(took)
            verdicts += [took / 1e3] if certain else []
        tick(second)
    return {
        "checks": checks, "observe_us": statistics.mean(quiet), "storm_us": statistics.mean(storm),
        "tick_us": statistics.median(ticks), "verdicts": len(verdicts), "verdict_ms": statistics.median(verdicts),
        "verdict_worst_ms": max(verdicts),
    }  # fmt: skip


def main() -> None:
    """Print both sizes."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    rows = [measure(1_000), measure(10_000)]
    if asked.json:
        print(json.dumps(rows))
        return
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" for key, value in row.items()))


if __name__ == "__main__":
    main()
