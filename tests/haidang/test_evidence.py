"""What is gathered right after an incident was told: it is kept, says whose fault it is, and holds nothing up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from alerting import records
from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from alerting.policy import Policy
from alerting.records import Owner
from collectors.points import series
from config import load
from haidang.clock import ManualClock
from haidang.evidence import AFTER_TOLD_NS, MOST_LINES, Gathering, Sources
from haidang.model import CheckId, Point, State, Transition
from haidang.world import ConfiguredWorld
from lab.simulated import SimulatedLoop
from storage.database import Database
from storage.events import EventLog, Recorded
from storage.ledger import Ledger, LedgerReader
from storage.metrics import InMemoryStore

S = 10**9
ROUTER = CheckId("router", "icmp")
CONFIG = """\
haidang: 1
sites: [{id: xa}]
circuits: [{id: c1, carrier: VNPT, b: xa}]
contacts: [{id: an, email: an@example.org}]
alerting: {to: [an], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
credentials: [{id: it, community: {env: COMMUNITY}}]
targets:
  - {id: core, address: 10.0.0.1, snmp: {credential: it}}
  - {id: router, address: 10.0.0.2, site: xa, circuit: c1, parents: [core]}
  - {id: ups, address: 10.0.0.3, site: xa, parents: [router]}
  - {id: far, address: 10.0.0.4}
"""


class Bench:
    """Everything from the ledger to the outbox, and what gathers."""

    def __init__(self, folder: Path) -> None:
        (folder / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
        configuration = load(folder / "haidang.yaml")
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        self.ledger = Ledger(self.database)
        world = ConfiguredWorld(configuration, LedgerReader(self.database.connection))
        notifier = Notifier(Outbox(self.database, self.clock, "example.org"), world, configuration.timezone)
        self.incidents = Incidents(self.database, self.clock, world, notifier, Policy(hold_s=0))
        self.store = InMemoryStore()
        self.events = EventLog(self.database)
        self._make: Callable[[Sources], Gathering] = lambda sources: Gathering(
            configuration, self.database, self.clock, self.incidents, sources
        )

    def fails(self, check: CheckId = ROUTER) -> int:
        now = self.clock.utc_ns()
        proof = {"failures": 56, "span_s": 54.0, "last_good_ns": now - 56 * S}
        down = Transition(check, State.DOWN, State.UP, now - 55 * S, now, "no reply", None, proof)
        with self.database.transaction():
            self.ledger.record(down)
            number = self.incidents.on_transition(down)
            assert number is not None
            self.ledger.attach(check, number)
        return number

    def hears(self, target: str, name: str, ago_s: float, text: str = "") -> None:
        at = self.clock.utc_ns() - round(ago_s * S)
        self.events.add(Recorded(target, at, at, 1, "trap", "10.0.0.9", name, "warning", text, False))
        self.events.write()

    def gather(self, sources: Sources | None = None) -> dict[str, list[str]]:
        """Let the time come and all that is begun end, in simulated time."""
        self.clock.advance(AFTER_TOLD_NS / S)

        async def live() -> None:
            gathering = self._make(sources or Sources(lambda _: State.UP, self.store))
            gathering.tick()
            gathering.tick()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.gather(*others)
            gathering.tick()

        with asyncio.Runner(loop_factory=lambda: SimulatedLoop(self.clock, math.inf)) as runner:
            runner.run(live())
        return {kind: lines for kind, (_, lines) in records.evidence(self.database.connection, 1).items()}

    def owner(self) -> tuple[Owner, str]:
        incident = records.incident(self.database.connection, 1)
        assert incident is not None
        return incident.owner, incident.owner_by


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def test_samples_ports_events_path_and_what_else_failed_are_kept(bench: Bench) -> None:
    tags = {"target": "core", "ifName": "wan1", "ifAlias": "line c1 VNPT"}
    bench.store.add([Point(series("interface", tags), bench.clock.utc_ns() - 20 * S, {"ifOperStatus": 2})])
    bench.hears("core", "linkDown", 54, "ifIndex=3")
    bench.fails()
    bench.fails(CheckId("far", "icmp"))
    found = bench.gather()
    assert list(found) == ["samples", "ports", "events", "path", "others"]
    assert found["samples"][0].startswith("last good sample ")
    assert found["samples"][1].endswith(", 56 failed in 54 s")
    assert found["ports"][0].endswith("core port wan1 is down")
    assert found["events"][0].endswith("core: linkDown ifIndex=3")
    assert found["path"] == ["on the way: core (10.0.0.1) is up"]
    assert found["others"][0] == "1 others failed within 2 minutes"
    assert found["others"][1].startswith("far/icmp down at ")


def test_a_dying_gasp_makes_it_the_power(bench: Bench) -> None:
    bench.hears("router", "dyingGasp", 56)
    bench.fails()
    bench.gather()
    assert bench.owner() == (Owner.POWER, "haidang")


def test_a_ups_of_the_site_on_battery_makes_it_the_power(bench: Bench) -> None:
    bench.hears("ups", "upsTrapOnBattery", 3600)
    bench.fails()
    bench.gather()
    assert bench.owner() == (Owner.POWER, "haidang")


def test_a_lost_signal_with_the_mains_there_makes_it_the_carrier(bench: Bench) -> None:
    bench.hears("ups", "upsTrapOnBattery", 7200)
    bench.hears("ups", "powerRestored", 3600)
    bench.hears("core", "linkDown", 54)
    bench.fails()
    bench.gather()
    assert bench.owner() == (Owner.CARRIER, "haidang")


def test_without_word_of_power_or_line_nobody_is_blamed(bench: Bench) -> None:
    bench.fails()
    bench.gather()
    assert bench.owner() == (Owner.UNKNOWN, "")


def test_what_a_person_said_stands(bench: Bench) -> None:
    bench.hears("router", "dyingGasp", 56)
    bench.fails()
    bench.incidents.attribute(1, "An", Owner.OWN_WORKS, "we pulled the wrong fibre")
    bench.gather()
    assert bench.owner() == (Owner.OWN_WORKS, "An")


def test_a_trace_that_never_ends_costs_only_itself(bench: Bench) -> None:
    async def never(address: str) -> Sequence[str]:
        assert address == "10.0.0.2"
        await asyncio.Event().wait()
        return []

    bench.fails()
    found = bench.gather(Sources(lambda _: State.UP, bench.store, never))
    assert "path" not in found
    assert "samples" in found
    assert "others" in found


def test_the_trace_comes_first_and_nothing_is_longer_than_agreed(bench: Bench) -> None:
    async def long(_: str) -> Sequence[str]:
        return [f"{hop} 10.0.0.{hop}\x1b[31m" + "x" * 1000 for hop in range(64)]

    bench.fails()
    found = bench.gather(Sources(lambda _: State.UP, bench.store, long))
    assert len(found["path"]) == MOST_LINES
    assert all(len(line) <= 200 and line.isprintable() for line in found["path"])
    assert found["path"][0].startswith("0 10.0.0.0")


def test_the_evidence_stands_in_the_message_of_the_next_step(bench: Bench) -> None:
    bench.hears("core", "linkDown", 54, "<script>alert(1)</script>")
    bench.fails()
    bench.gather()
    now = bench.clock.utc_ns()
    bench.incidents.on_transition(Transition(ROUTER, State.UP, State.DOWN, now, now, ""))
    (payload,) = bench.database.connection.execute(
        "SELECT payload FROM notification WHERE step = 'resolved'"
    ).fetchone()
    assert "linkDown" in payload
    assert "<script>alert" not in payload.partition('"html"')[2]


def test_what_was_told_long_ago_is_not_looked_into_after_a_restart(bench: Bench) -> None:
    bench.fails()
    bench.clock.advance(3600)
    assert bench.gather() == {}
