"""Ten thousand targets down at once: how long the loop is held, when the first page is written, what it costs.

``python benchmarks/storm.py [TARGETS [SECONDS]]``. Verdicts come over ten seconds, as the cadence spreads them, or over
as many as are given; the database is a real one with ``synchronous=FULL``, and between two deliveries the loop is free,
as in the daemon.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from config import load
from haidang.clock import SystemClock
from haidang.handling import policy
from haidang.model import CheckId, Observation, State, Status, Transition
from haidang.pipeline import Pipeline
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from storage.metrics import InMemoryStore

SPREAD_S = 10.0
SLICES = 1000
MAIN = """\
haidang: 1
systems: [{id: wan, objective: 99.9}]
contacts: [{id: an, email: an@example.org}, {id: binh, email: binh@example.org, language: en}]
alerting: {to: [an, binh], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
inventory: [targets.csv]
"""


class Verdicts:
    """Stands for the health engine: each observation is a verdict."""

    def __init__(self) -> None:
        self.at_once: list[CheckId] = []

    def observe(self, observation: Observation, now_ns: int) -> list[Transition]:
        """See `availability.health.HealthEngine.observe`."""
        up = observation.status is Status.UP
        state, was = (State.UP, State.DOWN) if up else (State.DOWN, State.UP)
        check = CheckId(observation.target, observation.probe)
        return [Transition(check, state, was, now_ns - 54 * 10**9, now_ns, observation.reason)]

    def tick(self, now_ns: int) -> list[Transition]:
        """See `availability.health.HealthEngine.tick`; gives all verdicts in one go when it is told to."""
        found, self.at_once = self.at_once, []
        return [Transition(check, State.DOWN, None, now_ns, now_ns, "no reply") for check in found]


async def storm(folder: Path, targets: int, spread_s: float) -> Iterator[tuple[str, float]]:
    """Let all fail, then come back; return the figures."""
    rows = "".join(f"t{n},10.{n // 62500}.{n // 250 % 250}.{n % 250 + 1},wan\n" for n in range(targets))
    (folder / "targets.csv").write_text(f"id,address,system\n{rows}", encoding="utf-8")
    (folder / "haidang.yaml").write_text(MAIN, encoding="utf-8")
    configuration = load(folder / "haidang.yaml")
    clock, database = SystemClock(), Database(folder / "haidang.db", "haidang")
    world = ConfiguredWorld(configuration, LedgerReader(database.connection))
    outbox = Outbox(database, clock, "example.org")
    notifier = Notifier(outbox, world, configuration.timezone)
    incidents = Incidents(database, clock, world, notifier, policy(configuration))
    ledger = Ledger(database)
    ledger.begin(clock.utc_ns(), "benchmark")
    ledger.watch([CheckId(f"t{n}", "icmp") for n in range(targets)], clock.utc_ns())
    verdicts = Verdicts()
    pipeline = Pipeline(
        clock, database, verdicts, ledger, incidents, InMemoryStore(), lambda: None, lambda _a, _b: None,  # type: ignore[arg-type]
    )  # fmt: skip
    longest = 0.0
    figures: list[tuple[str, float]] = []

    async def watch_loop() -> None:
        nonlocal longest
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - began - 0.005)

    def messages() -> int:
        return sum(outbox.counts().values())

    async def second(name: str, status: Status) -> None:
        """Deliver everything over some seconds, with a tick a second; then five more."""
        nonlocal longest
        longest, began = 0.0, time.monotonic()
        first_s, before, ticked, cpu = 0.0, messages(), 0.0, time.process_time()
        share = max(1, targets // SLICES)
        wanted = targets if status is Status.DOWN else 0
        slot = 0
        done_s = 0.0
        while not done_s or time.monotonic() - began < done_s + 5:
            now_s = time.monotonic() - began
            while slot * share < targets and now_s >= slot * spread_s / SLICES:
                for n in range(slot * share, min(targets, (slot + 1) * share)):
                    pipeline.deliver(
                        Observation(f"t{n}", "icmp", clock.utc_ns(), status, "no reply to 5 echoes", {}, 0.0), ()
                    )
                slot += 1
            if now_s - ticked >= 1:
                ticked = now_s
                pipeline.tick()
                if not done_s and slot * share >= targets and len(incidents.open_checks()) == wanted:
                    done_s = now_s
            if not first_s and messages() > before:
                first_s = now_s
            await asyncio.sleep(0.01)
        figures.extend(
            [
                (f"{name}: first message written, s", first_s), (f"{name}: all written into the ledger, s", done_s),
                (f"{name}: longest the loop was held, s", longest),
                (f"{name}: processor, s", time.process_time() - cpu),
                (f"{name}: messages for each person", (messages() - before) / 2),
            ]
        )  # fmt: skip

    watching = asyncio.create_task(watch_loop())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await second("down", Status.DOWN)
    await second("up", Status.UP)
    longest, verdicts.at_once = 0.0, [CheckId(f"t{n}", "icmp") for n in range(targets)]
    for _ in range(100):
        pipeline.tick()
        await asyncio.sleep(0.1)
    figures.append(("all in one go: longest the loop was held, s", longest))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    figures.append(("memory grown at most, MiB", grown))
    watching.cancel()
    database.close()
    return iter(figures)


def main() -> None:
    """Measure and print."""
    targets = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    spread_s = float(sys.argv[2]) if len(sys.argv) > 2 else SPREAD_S
    with TemporaryDirectory() as folder:
        for name, value in asyncio.run(storm(Path(folder), targets, spread_s)):
            sys.stdout.write(f"{name:45} {value:10.3f}\n")


if __name__ == "__main__":
    main()
