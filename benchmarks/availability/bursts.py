"""False downs and detection delay under bursty loss, by the time a failure must last: the trade-off behind the default.

Loss after Gilbert and Elliott: a good state that loses nothing and a bad one that loses everything, 1 % lost on
average, bad for 5 s (or as asked) on average, exponential. A month has about 5,200 bursts and only long ones can be
taken for an outage, so each month's bursts are drawn and those of at least 10 s are played through the daemon's judges
with the daemon's probing (`prober`); what lies between them is skipped. Independent loss of 1 % is played whole.

usage: benchmarks/availability/bursts.py [--months N] [--burst SECONDS] [--svg FILE] [--json]
"""

from __future__ import annotations

import argparse
import json
import math
import random
from pathlib import Path

from availability.rule import Rule
from benchmarks.availability.curve import draw
from benchmarks.availability.prober import Prober
from haidang.model import CheckId, State

SITE = CheckId("site", "icmp")
MONTH_S = 30 * 86_400.0
LOSS = 0.01
SPANS = (20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 54.0, 58.0)
SHORTEST_S = 10.0
AROUND_S = 30.0


def played(rule: Rule, bad_s: float, rng: random.Random) -> float | None:
    """Play one stretch without answers; return the seconds from its start to the verdict *down*, if there was one."""
    from_s = 20 + rng.uniform(0, 10)

    def answers(_: CheckId, at_s: float) -> bool:
        return not from_s <= at_s < from_s + bad_s

    prober = Prober({SITE: 10.0}, {SITE: rng.uniform(0, 10)}, {}, answers, rule)
    prober.run(from_s + bad_s + AROUND_S)
    for one in prober.transitions:
        if one.state is State.DOWN:
            return one.confirmed_ns / 1e9 - 1_700_000_000 - from_s
    return None


def false_downs(rule: Rule, burst_s: float, months: int, seed: int) -> float:
    """Return how often a month's bursts are taken for an outage, per site and month."""
    rng = random.Random(seed)
    per_month = MONTH_S * LOSS / burst_s
    tail = math.exp(-SHORTEST_S / burst_s)
    found = 0
    for _ in range(round(per_month * tail * months)):
        bad_s = SHORTEST_S + rng.expovariate(1 / burst_s)  # exponential: what is left of a long one is as long again
        if bad_s >= rule.span_s:  # shorter ones cannot hold two samples that far apart
            found += played(rule, bad_s, rng) is not None
    return found / months


def independent(rule: Rule, days: int, seed: int) -> tuple[int, int]:
    """Play independent loss whole; return the numbers of *down* and of *degraded*."""
    rng = random.Random(seed)
    prober = Prober({SITE: 10.0}, {SITE: 3.0}, {}, lambda _, __: rng.random() >= LOSS, rule)
    prober.run(days * 86_400.0)
    states = [one.state for one in prober.transitions]
    return states.count(State.DOWN), states.count(State.DEGRADED)


def delays(rule: Rule, tries: int, seed: int) -> tuple[float, float]:
    """Return median and p95 of the seconds from a cut to the verdict."""
    rng = random.Random(seed)
    found = sorted(played(rule, 400.0, rng) or math.inf for _ in range(tries))
    return found[tries // 2], found[math.ceil(tries * 0.95) - 1]


def main() -> None:
    """Print the trade-off, and draw it."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--months", type=int, default=2000)
    options.add_argument("--burst", type=float, default=5.0)
    options.add_argument("--days", type=int, default=10, help="of independent loss, played whole")
    options.add_argument("--svg", type=Path)
    options.add_argument("--json", action="store_true")
    asked = options.parse_args()
    rows: list[dict[str, float]] = []
    for span_s in SPANS:
        rule = Rule(span_s=span_s)
        median_s, p95_s = delays(rule, 300, 1)
        months = asked.months if span_s >= 40 else max(1, asked.months // 20)
        false = false_downs(rule, asked.burst, months, 2)
        rows.append({"span_s": span_s, "false_downs": false, "median_s": median_s, "p95_s": p95_s, "months": months})
        if not asked.json:
            print(
                f"span {span_s:.0f} s: {false:.3f} false downs per site-month ({months} months), "
                f"verdict after {median_s:.1f} s (median), {p95_s:.1f} s (p95)", flush=True,
            )  # fmt: skip
    down, degraded = independent(Rule(), asked.days, 3)
    if asked.json:
        print(json.dumps({"bursts": rows, "independent": {"days": asked.days, "down": down, "degraded": degraded}}))
    else:
        print(f"independent loss of 1 %, {asked.days} days: {down} down, {degraded} degraded")
    if asked.svg:
        asked.svg.write_text(draw(rows, asked.burst), encoding="utf-8")


if __name__ == "__main__":
    main()
