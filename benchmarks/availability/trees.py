"""Root cause on random topologies: whether each failure is put down to the right node, in any order of arrival.

Each topology has 2 to 2,000 nodes (log-uniform), up to four levels and more, one node in ten with two parents, one in
ten that needs a further node beside its parents, cadences of 5 to 60 s, one to three faults within 20 s, and 2 % of all
echoes lost. It counts as right when after 90 s exactly the faulty nodes that had a living way to them are *down*,
everything they cut off is *unreachable* because of one of them that is really above it, and nothing else is either.

usage: benchmarks/availability/trees.py [--trees N] [--nodes N] [--seed N]
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import time
from dataclasses import dataclass

from availability.rule import Rule
from benchmarks.availability.prober import Prober
from haidang.model import CheckId, State

NOISE = 0.02
CUT_S = 70.0
WATCH_S = 90.0


@dataclass(frozen=True, slots=True)
class Result:
    """How one topology went.

    Parameters:
        right: every node was judged rightly.
        nodes: how many there are.
        delay_s: from the last fault to the last verdict.
        wrong: what was not right, in words.
    """

    right: bool
    nodes: int
    delay_s: float
    wrong: str


Ways = dict[CheckId, tuple[CheckId, ...]]


def topology(rng: random.Random, nodes: int) -> tuple[Ways, Ways]:
    """Make a random topology: each node hangs on one or two earlier ones, and some need one more (parents, needs)."""
    names = [CheckId(f"n{number}", "icmp") for number in range(nodes)]
    parents: Ways = {names[0]: ()}
    needs: Ways = {}
    for number in range(1, nodes):
        reach = min(number, max(1, nodes // 10))  # the earlier tenth are the hubs
        several = 2 if reach > 1 and rng.random() < 0.1 else 1
        parents[names[number]] = tuple(names[one] for one in rng.sample(range(reach), several))
        if rng.random() < 0.1:
            needs[names[number]] = (names[rng.randrange(reach)],)
    return parents, needs


def try_one(seed: int, most: int) -> Result:
    """Break a random topology and compare the verdicts with the truth."""
    rng = random.Random(seed)
    nodes = round(math.exp(rng.uniform(math.log(2), math.log(most))))
    parents, needs = topology(rng, nodes)
    names = list(parents)
    faults = {name: CUT_S + rng.uniform(0, 20) for name in rng.sample(names, min(nodes, rng.randint(1, 3)))}
    cut_at: dict[CheckId, float] = {}
    for name in names:  # parents come before their children
        ways = max((cut_at[parent] for parent in parents[name]), default=math.inf)
        cut_at[name] = min(faults.get(name, math.inf), ways, *(cut_at[need] for need in needs.get(name, ())))
    cadences = {name: rng.choice((5.0, 10.0, 10.0, 20.0, 30.0, 60.0)) for name in names}
    phases = {name: rng.uniform(0, 60) for name in names}

    def answers(check: CheckId, at_s: float) -> bool:
        return at_s < cut_at[check] and rng.random() >= NOISE

    prober = Prober(cadences, phases, parents, answers, Rule(stale_s=190), needs)
    prober.run(CUT_S + 20 + WATCH_S)
    cut = {name for name in names if cut_at[name] < math.inf}
    hidden = {
        name
        for name in names
        if cut.intersection(needs.get(name, ())) or (parents[name] and cut.issuperset(parents[name]))
    }
    tops = faults.keys() - hidden
    above: dict[CheckId, set[CheckId]] = {}
    for name in names:
        above[name] = {name} & tops
        for way in parents[name] + needs.get(name, ()):
            above[name] |= above[way]
    causes = {one.check: one.cause for one in prober.transitions if one.state is State.UNREACHABLE}
    ever_down = {one.check for one in prober.transitions if one.state is State.DOWN}
    wrong = [f"{name} down" for name in ever_down - tops]
    for name in names:
        state = prober.engine.state(name)
        if name in tops:
            wrong += [f"{name} is {state}, not down"] if state is not State.DOWN else []
        elif name in hidden:
            ok = state is State.UNREACHABLE and causes[name] in above[name]
            wrong += [] if ok else [f"{name} is {state} because of {causes.get(name)}"]
        elif state in (State.DOWN, State.UNREACHABLE):
            wrong.append(f"{name} is {state}, not up")
    last_s = max((one.confirmed_ns for one in prober.transitions if one.state is State.DOWN), default=0) / 1e9
    delay_s = last_s - 1_700_000_000 - max(faults.values())
    return Result(not wrong, nodes, delay_s, "; ".join(wrong[:3]))


def main() -> None:
    """Try many and print the share that is right."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--trees", type=int, default=10_000)
    options.add_argument("--nodes", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    began = time.monotonic()
    results: list[Result] = []
    for number in range(asked.trees):
        result = try_one(asked.seed * 1_000_000 + number, asked.nodes)
        results.append(result)
        if not result.right:
            print(f"tree {number} ({result.nodes} nodes): {result.wrong}", flush=True)
        if len(results) % 100 == 0:
            print(f"{_score(results)}, {time.monotonic() - began:.0f} s", flush=True)
    print(f"{_score(results)}, {time.monotonic() - began:.0f} s")


def _score(results: list[Result]) -> str:
    right = sum(result.right for result in results)
    delays = sorted(result.delay_s for result in results)
    return (
        f"{right} of {len(results)} right ({100 * right / len(results):.2f} %), "
        f"{sum(result.nodes for result in results)} nodes, last verdict on a fault after "
        f"{statistics.median(delays):.1f} s (median), {delays[int(len(delays) * 0.99)]:.1f} s (p99)"
    )


if __name__ == "__main__":
    main()
