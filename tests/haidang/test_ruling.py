"""Rules in the daemon: from a point to an incident and its end, across maintenance, restart and reload."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerting import records
from alerting.incidents import Incidents
from alerting.notifier import Notifier
from alerting.outbox import Outbox
from collectors.points import series
from config import load
from haidang.cli import app
from haidang.clock import ManualClock
from haidang.handling import policy
from haidang.model import Point
from haidang.ruling import Ruling
from haidang.world import ConfiguredWorld
from storage.database import Database
from storage.ledger import LedgerReader

S = 10**9
CONFIG = """\
haidang: 1
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
    - {id: silent, measurement: sensor, field: value, absent: 10m}
targets: [{id: ups-1, address: 10.0.0.1, name: {vi: UPS số 1, en: UPS 1}}]
"""
LOAD = series("sensor", {"target": "ups-1", "kind": "ups_load", "sensor": "output load"})


class Bench:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "haidang.yaml"
        self.path.write_text(CONFIG, encoding="utf-8")
        self.clock = ManualClock()
        self.database = Database(folder / "haidang.db", "haidang")
        self.start()

    def start(self) -> None:
        configuration = load(self.path)
        world = ConfiguredWorld(configuration, LedgerReader(self.database.connection))
        notifier = Notifier(Outbox(self.database, self.clock, "example.org"), world, configuration.timezone)
        self.incidents = Incidents(self.database, self.clock, world, notifier, policy(configuration))
        self.ruling = Ruling(configuration, self.database, self.clock, self.incidents, lambda: None)

    def measure(self, *values: float) -> None:
        for value in values:
            self.clock.advance(60)
            self.ruling.take([Point(LOAD, self.clock.utc_ns(), {"value": value})])
            self.ruling.tick()

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
    assert incident.reason == "output load value is 92, above 80 for 00:02:00"
    assert incident.started_ns == bench.clock.utc_ns() - 120 * S
    (payload,) = bench.database.connection.execute("SELECT payload FROM notification").fetchone()
    assert json.loads(payload)["subject"].startswith("[Hải Đăng #1] VƯỢT NGƯỠNG: UPS số 1: UPS quá tải (ngưỡng)")
    bench.measure(75, 65)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


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
    assert incident.reason == "output load value: nothing came for 00:10:01"
    bench.measure(50)
    assert bench.told() == [(1, "opened"), (1, "resolved")]


def test_a_rule_taken_out_of_the_configuration_closes_what_it_found(bench: Bench) -> None:
    bench.measure(90, 90, 90)
    bench.path.write_text(CONFIG.replace("id: ups-load", "id: another"), encoding="utf-8")
    bench.ruling.use(load(bench.path))
    assert bench.told() == [(1, "opened"), (1, "closed")]


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
"""


def test_rules_are_tried_on_a_written_history(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    (tmp_path / "tests.yaml").write_text(TESTS, encoding="utf-8")
    words = ["rules", "test", str(tmp_path / "tests.yaml"), "--config", str(tmp_path / "haidang.yaml")]
    good = CliRunner().invoke(app, words)
    assert good.exit_code == 0, good.output
    assert good.output.count("ok ") == 2
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
