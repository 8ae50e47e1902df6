"""Maintenance at work: recorded and quiet while it lasts, looked at anew when it ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from alerting.policy import Policy
from availability.dependencies import judge
from availability.health import HealthEngine
from availability.rule import Rule
from config import load
from haidang.clock import ManualClock
from haidang.maintaining import Maintaining
from haidang.model import CheckId, Observation, Sample, State, Status
from haidang.pipeline import Pipeline
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from storage.metrics import InMemoryStore

S = 10**9
CONFIG = """\
haidang: 1
timezone: Asia/Ho_Chi_Minh
contacts: [{id: oncall, email: oncall@example.org}]
alerting: {to: [oncall], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
sites: [{id: north}]
targets:
  - {id: hub, address: 10.0.0.1, site: north}
  - {id: spoke, address: 10.0.0.2, site: north, parents: [hub]}
  - {id: other, address: 10.0.0.3}
"""


class Bench:
    """The rooms from health to outbox, with maintenance, and a hand on the time."""

    def __init__(self, folder: Path) -> None:
        (folder / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
        configuration = load(folder / "haidang.yaml")
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        ledger = Ledger(self.database)
        ledger.begin(self.clock.utc_ns(), "1")
        world = ConfiguredWorld(configuration, LedgerReader(self.database.connection))
        outbox = Outbox(self.database, self.clock, "example.org")
        incidents = Incidents(
            self.database, self.clock, world, Notifier(outbox, world, configuration.timezone), Policy(hold_s=0)
        )
        self.health = HealthEngine(judge, lambda _check, _fast: None)
        self.targets = {"hub": True, "spoke": True, "other": True}
        for target in self.targets:
            self.health.watch(CheckId(target, "icmp"), Rule())
        self.health.connect({CheckId("spoke", "icmp"): (CheckId("hub", "icmp"),)})
        self.configuration = configuration
        self.maintaining = Maintaining(configuration, self.database, self.clock, ledger, incidents, lambda: None, list)
        self.verbs = self.maintaining.verbs()
        self.pipeline = Pipeline(
            self.clock, self.database, self.health, ledger, incidents, InMemoryStore(), lambda: None,
            ledger.clock_stepped, self.maintaining.silences,
        )  # fmt: skip

    def live(self, seconds: int, **good: bool) -> None:
        """Let time pass; every target is seen each second, good or not as last said."""
        self.targets.update(good)
        for _ in range(seconds):
            now = self.clock.utc_ns()
            for target, ok in self.targets.items():
                status = Status.UP if ok else Status.DOWN
                self.pipeline.deliver(Observation(target, "icmp", now, status, "", {}, 1.0, (Sample(now, ok),)), ())
            self.clock.advance(1)
            self.pipeline.tick()
            self.maintaining.tick()

    def plan(self, seconds: int, **words: object) -> int:
        """Plan maintenance from now on and return its number."""
        now = self.clock.utc_ns()
        request = {
            "kind": "site", "name": "north", "start_ns": now, "end_ns": now + seconds * S, "reason": "power works",
            "author": "an", "excluded": True, **words,
        }  # fmt: skip
        number = self.verbs["maintenance.add"](request)["number"]
        assert isinstance(number, int)
        return number

    def messages(self) -> list[tuple[str, str]]:
        rows = self.database.connection.execute(
            "SELECT i.target, n.step FROM notification n JOIN incident i ON i.id = n.incident ORDER BY n.id"
        )
        return list(rows)

    def states(self, target: str) -> list[State]:
        reader = LedgerReader(self.database.connection)
        return [one.state for one in reader.between(CheckId(target, "icmp"), 0, 2**62)]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """The rooms, healthy and well known."""
    made = Bench(tmp_path)
    made.live(5)
    yield made
    made.database.close()


async def test_in_maintenance_everything_is_recorded_and_nobody_is_woken(bench: Bench) -> None:
    bench.plan(300)
    bench.live(100, hub=False, spoke=False)
    bench.live(60, hub=True, spoke=True)
    bench.live(200)
    assert bench.states("hub") == [State.UP, State.DOWN, State.UP]
    assert State.UNREACHABLE in bench.states("spoke")
    assert bench.messages() == []


async def test_what_is_still_down_when_maintenance_ends_pages_once_with_its_true_start(bench: Bench) -> None:
    bench.plan(120)
    bench.live(118, hub=False, spoke=False)
    assert bench.messages() == []
    bench.live(5)
    assert bench.messages() == [("hub", "opened")]
    row = bench.database.connection.execute("SELECT started_ns, opened_ns FROM incident").fetchone()
    assert row[1] - row[0] == pytest.approx(120 * S, abs=2 * S)
    members = bench.database.connection.execute("SELECT target FROM incident_event WHERE kind = 'hidden'").fetchall()
    assert members == [("spoke",)]
    bench.live(60, hub=True, spoke=True)
    assert bench.messages() == [("hub", "opened"), ("hub", "resolved")]


async def test_what_hid_behind_a_device_in_maintenance_is_named_in_its_incident_afterwards(bench: Bench) -> None:
    bench.plan(120, kind="target", name="hub")
    bench.live(118, hub=False, spoke=False)
    assert bench.messages() == []
    bench.live(5)
    assert bench.messages() == [("hub", "opened")]
    members = bench.database.connection.execute("SELECT target FROM incident_event WHERE kind = 'hidden'").fetchall()
    assert members == [("spoke",)]


async def test_others_page_as_ever_while_a_site_is_in_maintenance(bench: Bench) -> None:
    bench.plan(600)
    bench.live(60, other=False)
    assert bench.messages() == [("other", "opened")]


async def test_an_outage_told_before_maintenance_began_is_told_over_within_it(bench: Bench) -> None:
    bench.live(60, hub=False)
    bench.plan(600)
    bench.live(60, hub=True)
    assert bench.messages() == [("hub", "opened"), ("hub", "resolved")]


async def test_maintenance_that_is_called_off_pages_for_what_is_down(bench: Bench) -> None:
    number = bench.plan(3600)
    bench.live(60, hub=False, spoke=False)
    bench.verbs["maintenance.cancel"]({"number": number, "reason": "not today", "author": "an"})
    assert bench.messages() == [("hub", "opened")]
    with pytest.raises(ValueError, match="cancelled before"):
        bench.verbs["maintenance.cancel"]({"number": number, "reason": "again", "author": "an"})


async def test_two_overlapping_windows_end_with_the_later_one(bench: Bench) -> None:
    bench.plan(60)
    bench.plan(180, kind="target", name="hub")
    bench.live(120, hub=False)
    assert bench.messages() == []
    bench.live(62)
    assert bench.messages() == [("hub", "opened")]


async def test_a_clock_set_back_into_maintenance_and_out_again_wakes_nobody_twice(bench: Bench) -> None:
    bench.plan(60)
    bench.live(62, hub=False)
    assert bench.messages() == [("hub", "opened")]
    bench.clock.step(-50)
    bench.live(60)
    assert bench.messages() == [("hub", "opened")]


@pytest.mark.parametrize(
    ("words", "needed"),
    [
        ({"kind": "planet"}, "one of target"),
        ({"name": "south"}, "site:south covers no target"),
        ({"end_ns": 5}, "ends after it begins"),
        ({"start_ns": "soon"}, "start_ns is needed"),
        ({"start_ns": True}, "start_ns is needed"),
        ({"reason": ""}, "reason is needed"),
        ({"reason": "two\nlines"}, "one line"),
        ({"author": "x" * 101}, "author is needed"),
        ({"rule": "FREQ=SECONDLY"}, "FREQ"),
        ({"rule": "FREQ=MONTHLY;BYMONTHDAY=31;BYMONTH=2"}, "not one by its own rule"),
    ],
)
async def test_what_is_no_maintenance_is_refused_in_words(bench: Bench, words: dict[str, object], needed: str) -> None:
    with pytest.raises(ValueError, match=needed):
        bench.plan(60, **words)
    (rows,) = bench.database.connection.execute("SELECT count(*) FROM maintenance").fetchone()
    assert rows == 0


async def test_a_carrier_that_is_still_away_when_its_maintenance_ends_is_one_incident(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    carrier = CheckId("viettel", "carrier")
    bench.health.connect({})
    bench.health.share({carrier: [CheckId("spoke", "icmp"), CheckId("other", "icmp"), CheckId("hub", "icmp")]})
    bench.live(5)
    for name in ("hub", "spoke", "other"):
        bench.plan(150, kind="target", name=name)
    bench.live(140, hub=False, spoke=False, other=False)
    assert bench.messages() == []
    bench.live(20)
    assert bench.messages() == [("viettel", "opened")]
    bench.database.close()


async def test_the_log_says_once_that_maintenance_is_over_and_nothing_of_it_at_a_reload(bench: Bench) -> None:
    with capture_logs() as logs:
        bench.maintaining.use(bench.configuration)
        bench.plan(60)
        bench.live(120)
        bench.maintaining.use(bench.configuration)
    said = [one["event"] for one in logs if "maintenance" in one["event"]]
    assert said.count("maintenance under way") == said.count("no maintenance is under way any more") == 1
