"""Rules in the daemon: from a point to an incident and its end, across maintenance, restart and reload."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from alerting import records
from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from alerting.rules import Change, Rule
from collectors.points import series
from config import load
from haidang.budgeting import NEVER_S, reckoned
from haidang.cli import app
from haidang.clock import ManualClock
from haidang.duty import facts
from haidang.handling import policy
from haidang.model import CheckId, Point, State, Transition
from haidang.ruling import Ruling, words
from haidang.settings import store_settings
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from storage.metrics import open_store

S = 10**9
CONFIG = """\
haidang: 1
data_dir: .
contacts: [{id: an, email: an@example.org}]
alerting:
  to: [an]
  mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}
  incidents: {hold: 0}
  rules:
    - id: ups-load
      name: {vi: UPS quá tải, en: UPS overloaded}
      measurement: sensor
      field: value
      where: [{tag: kind, value: ups_load}]
      above: 80
      clear: 70
      for: 2m
      severity: major
    - {id: narrow, name: {vi: Mất dự phòng, en: Redundancy lost}, state: degraded, for: 5m, severity: minor}
    - {id: long, state: down, where: [{tag: probe, value: icmp}], for: 30m, severity: major}
    - {id: blind, state: unknown, for: 10m}
    - {id: soon-lost, budget: clock, where: [{tag: kind, value: system}], below: 7200, severity: major}
    - {id: silent, measurement: sensor, field: value, absent: 10m}
systems: [{id: power, name: {vi: Nguồn điện, en: Power}, objective: 99.9}]
targets:
  - {id: ups-1, address: 10.0.0.1, name: {vi: UPS số 1, en: UPS 1}}
  - {id: feed, system: power, address: 10.0.0.2}
"""
LOAD = series("sensor", {"target": "ups-1", "kind": "ups_load", "sensor": "output load"})


ICMP = CheckId("ups-1", "icmp")


class Bench:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "haidang.yaml"
        self.path.write_text(CONFIG, encoding="utf-8")
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        self.start()

    def start(self) -> None:
        configuration = self.configuration = load(self.path)
        world = ConfiguredWorld(configuration, LedgerReader(self.database.connection))
        notifier = Notifier(Outbox(self.database, self.clock, "example.org"), world, configuration.timezone)
        self.incidents = Incidents(self.database, self.clock, world, notifier, policy(configuration))
        self.ruling = Ruling(configuration, self.database, self.clock, self.incidents, lambda: None)

    def measure(self, *values: float) -> None:
        for value in values:
            self.clock.advance(60)
            self.ruling.take([Point(LOAD, self.clock.utc_ns(), {"value": value})])
            self.ruling.tick()

    def becomes(self, state: State, after_s: float = 60, cause: CheckId | None = None) -> None:
        now_ns = self.clock.utc_ns()
        change = Transition(ICMP, state, None, now_ns, now_ns, "", cause)
        self.incidents.on_transition(change)
        self.ruling.changed([change])
        self.wait(after_s)

    def wait(self, seconds: float) -> None:
        for _ in range(round(seconds / 10)):
            self.clock.advance(10)
            self.ruling.tick()
            self.incidents.tick()

    def told(self) -> list[tuple[int, str]]:
        return self.database.connection.execute("SELECT incident, step FROM notification ORDER BY id").fetchall()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.database.close()


def test_a_value_out_of_bounds_is_an_incident_with_the_rules_name_and_severity(bench: Bench) -> None:
    bench.measure(50, 90, 91, 92)
    [incident] = records.incidents(bench.database.connection)
    assert str(incident.check) == "ups-1/rule:ups-load:output load"
    assert incident.subject.name == {"vi": "UPS số 1: UPS quá tải", "en": "UPS 1: UPS overloaded"}
    assert incident.severity.value == "major"
    assert incident.reason == "output load is 92, above 80 for 00:02:00"
    assert incident.started_ns == bench.clock.utc_ns() - 120 * S
    (payload,) = bench.database.connection.execute("SELECT payload FROM notification").fetchone()
    assert json.loads(payload)["subject"].startswith("[Hải Đăng #1] VƯỢT NGƯỠNG: UPS số 1: UPS quá tải (ngưỡng)")
    bench.measure(75, 65)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


@pytest.mark.parametrize(
    ("field", "value", "over", "expected"),
    [
        ("value", 30.0, 26.0, "portal is 30 h, above 26"),
        ("trouble", 1.0, 0.0, "portal is in a state of warning"),
        ("trouble", 2.0, 0.0, "portal is in a critical state"),
    ],
)
def test_a_rule_says_why_it_fires_in_words(field: str, value: float, over: float, expected: str) -> None:
    one = Rule("backup", "sensor", field, above=over)
    line = series("sensor", {"target": "db", "kind": "backup", "sensor": "portal", "unit": "h"})
    assert words(Change(one, line, True, 5 * S, value), 5 * S) == expected
    assert words(Change(one, line, True, 5 * S, value), 125 * S) == f"{expected} for 00:02:00"


def test_a_restart_tells_nothing_again_and_still_sees_the_end(bench: Bench) -> None:
    bench.measure(90, 90, 90)
    bench.start()
    bench.measure(95, 95, 95)
    assert bench.told() == [(1, "opened")]
    bench.measure(60)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_in_maintenance_nobody_is_told_until_it_is_over_and_of_what_ended_meanwhile_never(bench: Bench) -> None:
    bench.incidents.quiet = lambda _: True
    bench.measure(90, 90, 90, 60, 90, 90, 90)
    assert bench.told() == []
    bench.incidents.quiet = lambda _: False
    bench.ruling.tick()
    assert bench.told() == [(1, "opened")]


def test_data_that_comes_no_more_is_an_incident(bench: Bench) -> None:
    bench.measure(50)
    bench.clock.advance(601)
    bench.ruling.tick()
    [incident] = records.incidents(bench.database.connection)
    assert incident.reason == "output load: nothing came for 00:10:01"
    bench.measure(50)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_a_value_that_comes_no_more_ends_as_not_measured_and_says_so(bench: Bench) -> None:
    bench.measure(90, 90, 90)
    bench.wait(600)
    assert bench.told() == [(1, "opened"), (2, "opened")], "the rule on silence has seen it"
    bench.wait(310)
    assert bench.told()[2:] == [(1, "unmeasured")]
    (payload,) = bench.database.connection.execute(
        "SELECT payload FROM notification WHERE step = 'unmeasured'"
    ).fetchone()
    assert "KHÔNG CÒN SỐ LIỆU: UPS số 1: UPS quá tải" in json.loads(payload)["text"]
    assert "không rõ đã hết hay chưa" in json.loads(payload)["text"]
    [_, ended] = records.incidents(bench.database.connection, resolved=True)
    assert (ended.open, ended.ended_ns) == (False, None)
    assert records.events(bench.database.connection, 1)[-1].text.endswith("whether it is over is not known")
    bench.measure(90, 90, 90)
    assert [step for _, step in bench.told()[3:]] == ["resolved", "opened"], "silence is over, and it is still bad"


def test_what_fired_before_the_restart_and_is_not_measured_since_does_not_stay_for_ever(bench: Bench) -> None:
    bench.measure(90, 90, 90)
    bench.start()
    bench.clock.advance(25 * 3600)
    bench.ruling.tick()
    assert bench.told() == [(1, "opened")]
    bench.clock.advance(2 * 3600)
    bench.ruling.tick()
    assert bench.told() == [(1, "opened"), (1, "unmeasured")]


def test_a_rule_taken_out_of_the_configuration_closes_what_it_found(bench: Bench) -> None:
    bench.measure(90, 90, 90)
    bench.path.write_text(CONFIG.replace("id: ups-load", "id: another"), encoding="utf-8")
    bench.ruling.use(load(bench.path))
    assert bench.told() == [(1, "opened"), (1, "closed")]


def test_a_state_that_lasts_is_an_incident_of_its_own_severity_and_one_that_is_short_is_none(bench: Bench) -> None:
    bench.becomes(State.DEGRADED, 120)
    bench.becomes(State.UP, 600)
    assert bench.told() == []
    bench.becomes(State.DEGRADED, 300)
    [incident] = records.incidents(bench.database.connection)
    assert str(incident.check) == "ups-1/rule:narrow:icmp"
    assert incident.severity.value == "minor"
    assert incident.reason == "icmp is degraded for 00:05:00"
    assert incident.subject.name["vi"] == "UPS số 1: Mất dự phòng"
    bench.becomes(State.UP, 10)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_what_is_degraded_because_of_a_failure_that_is_told_makes_that_worse_and_no_second_page(bench: Bench) -> None:
    line = CheckId("line-1", "icmp")
    now_ns = bench.clock.utc_ns()
    bench.incidents.on_transition(Transition(line, State.DOWN, State.UP, now_ns, now_ns, ""))
    bench.becomes(State.DEGRADED, 310, cause=line)
    assert bench.told() == [(1, "opened"), (1, "grown")]
    [incident] = records.incidents(bench.database.connection)
    assert (incident.check, incident.severity.value) == (line, "minor")


def test_a_failure_that_lasts_is_told_again_as_worse_under_its_own_number(bench: Bench) -> None:
    bench.becomes(State.DOWN, 1790)
    assert bench.told() == [(1, "opened")]
    bench.wait(20)
    assert bench.told() == [(1, "opened"), (1, "grown")]
    [incident] = records.incidents(bench.database.connection)
    assert (incident.check, incident.severity.value) == (ICMP, "major")
    bench.becomes(State.UP, 60)
    assert bench.told()[2:] == [(1, "resolved")]


def test_a_restart_forgets_no_state_and_takes_its_own_blindness_for_none(bench: Bench) -> None:
    bench.becomes(State.DEGRADED, 300)
    bench.start()
    bench.becomes(State.UNKNOWN, 60)
    bench.becomes(State.DEGRADED, 600)
    assert bench.told() == [(1, "opened")]
    bench.becomes(State.UP, 10)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_nobody_knowing_how_it_is_for_long_is_an_incident(bench: Bench) -> None:
    bench.becomes(State.UNKNOWN, 600)
    [incident] = records.incidents(bench.database.connection)
    assert incident.check.probe == "rule:blind:icmp"


def test_a_budget_about_to_be_lost_is_an_incident_of_the_system(bench: Bench) -> None:
    def point(clock_s: float) -> Point:
        tags = {"kind": "system", "name": "power", "objective": "power"}
        return Point(series("budget", tags), bench.clock.utc_ns(), {"clock_s": clock_s})

    bench.ruling.take([point(NEVER_S)])
    bench.clock.advance(60)
    bench.ruling.take([point(6000)])
    [incident] = records.incidents(bench.database.connection)
    assert str(incident.check) == "system:power/rule:soon-lost:power"
    assert incident.subject.name == {"vi": "Nguồn điện: soon-lost", "en": "Power: soon-lost"}
    assert incident.reason == "the objective is lost in 01:40:00 if what is down stays down"
    assert facts(bench.configuration, incident, (), 0).systems == {"power"}
    bench.clock.advance(60)
    bench.ruling.take([point(NEVER_S)])
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_budgets_are_reckoned_from_the_ledger(bench: Bench) -> None:
    now_ns = 1_796_000_000 * S  # 28 November 2026: an outage of half an hour that still runs
    ledger = Ledger(bench.database)
    ledger.begin(now_ns - 10 * 86_400 * S, "test")
    for state, ago_s in ((State.UP, 9 * 86_400), (State.DOWN, 1800)):
        at_ns = now_ns - ago_s * S
        ledger.record(Transition(CheckId("feed", "icmp"), state, None, at_ns, at_ns, ""))
    ledger.beat(now_ns)
    points = reckoned(bench.configuration, {}, now_ns)
    whole = next(point for point in points if dict(point.series.tags)["kind"] == "system")
    assert whole.fields["clock_s"] == pytest.approx(43.2 * 60 - 1800, abs=1)
    assert whole.fields["left_percent"] == pytest.approx(100 * (1 - 30 / 43.2), abs=0.1)
    assert len(points) == 1, "no rule is about single targets"


TESTS = """\
tests:
  - name: two minutes of overload fire, seventy percent clears
    measurement: sensor
    tags: {target: ups-1, kind: ups_load}
    field: value
    values: "50 90x3 75x5 70"
    expect:
      - {rule: ups-load, at: 3m, does: fires}
      - {rule: ups-load, at: 9m, does: clears}
  - name: silence is noticed after ten minutes
    measurement: sensor
    tags: {target: ups-1, kind: temperature}
    field: value
    values: "20"
    after: 15m
    expect: [{rule: silent, at: 10m}]
  - name: a state that lasts
    tags: {target: ups-1, probe: icmp}
    states: "up degradedx3 up degradedx6 up"
    expect: [{rule: narrow, at: 10m}, {rule: narrow, at: 11m, does: clears}]
  - name: a budget about to be lost
    measurement: budget
    tags: {kind: system, name: power, objective: power}
    field: clock_s
    values: "31622400x3 5000 31622400"
    expect: [{rule: soon-lost, at: 3m}, {rule: soon-lost, at: 4m, does: clears}]
"""


def test_rules_are_tried_on_a_written_history(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "tests.yaml").write_text(TESTS, encoding="utf-8")
    words = ["rules", "test", str(tmp_path / "tests.yaml"), "--config", str(tmp_path / "haidang.yaml")]
    good = CliRunner().invoke(app, words)
    assert good.exit_code == 0, good.output
    assert good.output.count("ok ") == 4
    (tmp_path / "tests.yaml").write_text(TESTS.replace("at: 3m", "at: 2m"), encoding="utf-8")
    bad = CliRunner().invoke(app, words)
    assert bad.exit_code == 1
    assert "happened ups-load fires at 00:03:00, ups-load clears at 00:09:00" in bad.output
    for wrong, said in (("50 90y3", '"90y3" is no value'), ("50", "no rule 'ups-loat' fires")):
        text = TESTS.replace("50 90x3", wrong).replace(
            "rule: ups-load", "rule: ups-loat" if wrong == "50" else "rule: ups-load"
        )
        (tmp_path / "tests.yaml").write_text(text, encoding="utf-8")
        refused = CliRunner().invoke(app, words)
        assert refused.exit_code == 2
        assert said in refused.output


def test_rules_are_tried_on_what_is_on_record(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    start_ns = 1_796_000_400 * S
    with closing(Database(tmp_path / "haidang.db", "haidang")) as database:
        ledger = Ledger(database)
        ledger.begin(start_ns - 3600 * S, "test")
        for state, at_s in ((State.UP, -3000), (State.DEGRADED, 600), (State.UP, 1200)):
            at_ns = start_ns + at_s * S
            ledger.record(Transition(ICMP, state, None, at_ns, at_ns, ""))
    start = datetime.fromtimestamp(start_ns / S, ZoneInfo("Asia/Ho_Chi_Minh"))

    async def measure() -> None:
        store = open_store(store_settings(load(tmp_path / "haidang.yaml")), ManualClock())
        store.add([Point(LOAD, start_ns + place * 60 * S, {"value": 90.0}) for place in range(5)])
        await store.close(5)

    asyncio.run(measure())
    tests = tmp_path / "tests.yaml"
    night = [f"{at:%Y-%m-%dT%H:%M}" for at in (start, start + timedelta(hours=1))]
    tests.write_text(
        f"tests: [{{name: last night, from: '{night[0]}', to: '{night[1]}', "
        "expect: [{rule: ups-load, at: 2m}, {rule: silent, at: 14m}, {rule: narrow, at: 15m}, "
        "{rule: ups-load, at: 19m, does: lapses}, "
        "{rule: narrow, at: 20m, does: clears}]}]",
        encoding="utf-8",
    )
    words = ["rules", "test", str(tests), "--config", str(tmp_path / "haidang.yaml")]
    found = CliRunner().invoke(app, words)
    assert found.exit_code == 0, found.output
    tests.write_text("tests: [{name: nothing to play, measurement: ping, field: x}]", encoding="utf-8")
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2
    assert "exactly one of values, states and from (with to) is needed" in refused.output
