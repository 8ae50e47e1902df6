"""An observation's way: what happens to it when the disk, the clock or a single fact is not as it should be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from availability.dependencies import judge
from availability.health import HealthEngine
from availability.rule import Rule
from config import load
from haidang.clock import ManualClock
from haidang.model import CheckId, Observation, Sample, State, Status, Transition
from haidang.pipeline import Pipeline
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from storage.metrics import InMemoryStore

S = 1_000_000_000
CONFIG = """\
haidang: 1
contacts: [{id: oncall, email: oncall@example.org}]
alerting: {to: [oncall], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
targets:
  - {id: a, address: 10.0.0.1}
  - {id: b, address: 10.0.0.2}
"""


class Stubborn(Incidents):
    """Incidents that cannot cope with one check, as code with a fault nobody foresaw."""

    def on_transition(self, transition: Transition) -> int | None:
        if transition.check.target == "a":
            raise RuntimeError("unforeseen")
        return super().on_transition(transition)


class Bench:
    """The rooms from health to outbox, with a hand on the time."""

    def __init__(self, folder: Path, incidents: type[Incidents] = Incidents) -> None:
        (folder / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
        configuration = load(folder / "haidang.yaml")
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        self.ledger = Ledger(self.database)
        self.ledger.begin(self.clock.utc_ns(), "1")
        world = ConfiguredWorld(configuration, LedgerReader(self.database.connection))
        outbox = Outbox(self.database, self.clock, "example.org")
        health = HealthEngine(judge, lambda _check, _fast: None)
        for target in ("a", "b"):
            health.watch(CheckId(target, "icmp"), Rule(span_s=40))
        health.connect({})
        self.health = health
        self.pipeline = Pipeline(
            self.clock, self.database, health, self.ledger,
            incidents(self.database, self.clock, world, Notifier(outbox, world, configuration.timezone)),
            InMemoryStore(), lambda: None, self.ledger.clock_stepped,
        )  # fmt: skip

    def see(self, target: str, *, ok: bool) -> None:
        """Let one sample of now be known, and a second pass."""
        now = self.clock.utc_ns()
        status = Status.UP if ok else Status.DOWN
        self.pipeline.deliver(Observation(target, "icmp", now, status, "", {}, 1.0, (Sample(now, ok),)), ())
        self.clock.advance(1)
        self.pipeline.tick()

    def states(self, target: str) -> list[State]:
        reader = LedgerReader(self.database.connection)
        return [one.state for one in reader.between(CheckId(target, "icmp"), 0, 2**62)]

    def messages(self) -> int:
        (count,) = self.database.connection.execute("SELECT count(*) FROM notification").fetchone()
        return int(count)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """The rooms, healthy."""
    made = Bench(tmp_path)
    yield made
    made.database.close()


async def test_what_the_disk_refuses_is_kept_and_written_as_soon_as_it_accepts_again(bench: Bench) -> None:
    bench.see("a", ok=True)
    bench.database.connection.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(bench.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # from now on every write is refused, as by a full disk
    for _ in range(60):
        bench.see("a", ok=False)
    assert bench.states("a") == [State.UP]
    assert bench.pipeline.unwritten == 1
    other.execute("ROLLBACK")
    other.close()
    bench.see("a", ok=False)
    assert bench.states("a") == [State.UP, State.DOWN]
    assert bench.messages() == 1
    assert bench.pipeline.unwritten == 0


async def test_one_transition_that_cannot_be_written_does_not_silence_the_others(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Stubborn)
    for _ in range(50):
        bench.see("a", ok=False)
        bench.see("b", ok=False)
    assert bench.states("b") == [State.DOWN]
    assert bench.messages() == 1
    assert bench.pipeline.unwritten == 0
    bench.database.close()


@pytest.mark.parametrize("step", [7200, -7200])
async def test_after_a_step_of_the_clock_an_outage_is_seen_as_fast_as_ever(bench: Bench, step: int) -> None:
    for _ in range(5):
        bench.see("a", ok=True)
    bench.clock.step(step)
    for _ in range(5):
        bench.see("a", ok=True)
    for _ in range(42):
        bench.see("a", ok=False)
    assert bench.states("a")[-1] is State.DOWN
    (down,) = [one for one in LedgerReader(bench.database.connection).running() if one.check.target == "a"]
    assert abs((bench.clock.utc_ns() - down.start_ns) / S - 42) < 2


async def test_a_storm_shares_its_commits(bench: Bench) -> None:
    checks = [CheckId(f"t{number}", "icmp") for number in range(500)]
    for check in checks:
        bench.health.watch(check, Rule(span_s=40))
    bench.health.connect({})
    commits: list[str] = []
    bench.database.connection.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    now = bench.clock.utc_ns()
    for check in checks:
        seen = Observation(check.target, "icmp", now, Status.UP, "", {}, 1.0, (Sample(now, ok=True),))
        bench.pipeline.deliver(seen, ())
    bench.clock.advance(1)
    bench.pipeline.tick()
    assert len(commits) <= 3
    (rows,) = bench.database.connection.execute("SELECT count(*) FROM interval").fetchone()
    assert rows == 500
