"""A history through today's rules: what it makes of it, and what is no history."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from haidang.cli import app

T0 = datetime(2026, 10, 31, 16, 50, tzinfo=UTC)  # ten minutes before November in Hanoi
CONFIG = """\
haidang: 1
data_dir: ./data
contacts: [{id: oncall, email: oncall@example.org}]
alerting: {to: [oncall], mail: {from: h@example.org, servers: [{host: 127.0.0.1, security: none}]}}
systems: [{id: wan, objective: 99.9}]
objectives: [{id: short, target: hub, percent: 99, period: rolling, days: 1}]
targets:
  - {id: hub, system: wan, name: {vi: Trạm trung tâm, en: Hub}, address: 192.0.2.1}
  - {id: spoke, address: 192.0.2.2, parents: [hub]}
"""


def at(seconds: float) -> str:
    return (T0 + timedelta(seconds=seconds)).isoformat()


def outage(target: str, start: float, end: float) -> dict[str, Any]:
    return {"target": target, "start": at(start), "end": at(end)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a configuration is."""
    (tmp_path / "haidang.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


def run(folder: Path, *lines: object, raw: bytes | None = None, words: tuple[str, ...] = ("--json",)) -> Any:
    path = folder / "history.jsonl"
    path.write_bytes(raw if raw is not None else "".join(json.dumps(line) + "\n" for line in lines).encode())
    return CliRunner().invoke(app, ["replay", str(path), "--config", str(folder / "haidang.yaml"), *words])


def test_a_cut_hub_is_one_incident_with_what_is_behind_it_and_its_length_is_right(folder: Path) -> None:
    done = run(folder, outage("hub", 0, 1200), outage("spoke", 0, 1210))
    assert done.exit_code == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["pages"] == 1
    assert found["messages"] == 2
    [incident] = found["incidents"]
    assert (incident["target"], incident["hidden"]) == ("hub", ["spoke"])
    assert 40 <= incident["delay_s"] <= 60
    rows = {row["target"]: row for row in found["targets"]}
    assert abs(rows["hub"]["measured_down_s"] - 1200) <= 2
    assert abs(rows["spoke"]["measured_down_s"] - 1210) <= 2


def test_what_is_too_short_for_todays_rules_goes_unnoticed_and_that_is_said(folder: Path) -> None:
    done = run(folder, outage("spoke", 0, 20))
    assert done.exit_code == 1
    [row] = json.loads(done.stdout)["targets"]
    assert (row["missed"], row["noticed"]) == (1, 0)


def test_weeks_between_two_outages_cost_nothing_and_are_not_blindness(folder: Path) -> None:
    done = run(folder, outage("hub", 0, 300), outage("hub", 30 * 86400, 30 * 86400 + 300))
    found = json.loads(done.stdout)
    assert found["pages"] == 2
    assert abs(found["targets"][0]["measured_down_s"] - 600) <= 4


def test_an_objective_is_missed_in_the_month_in_which_its_budget_was_used(folder: Path) -> None:
    done = run(folder, outage("hub", -2000, 4200))  # 43 minutes of October and 60 of November
    assert [(row["objective"], row["period"]) for row in json.loads(done.stdout)["misses"]] == [
        ("wan", "2026-11"),
        ("short", "1d"),
    ]
    assert json.loads(run(folder, outage("hub", 0, 800)).stdout)["misses"] == []


def test_recorded_observations_are_judged_as_they_were(folder: Path) -> None:
    lines = [
        {"target": "hub", "probe": "icmp", "slot": at(second), "status": "down" if 100 <= second < 200 else "up"}
        for second in range(0, 400, 5)
    ]
    found = json.loads(run(folder, *lines, outage("hub", 100, 200)).stdout)
    assert found["pages"] == 1
    assert found["targets"][0]["measured_down_s"] == 100


def test_it_can_be_read_at_eighty_columns_in_the_readers_names(folder: Path) -> None:
    done = run(folder, outage("hub", 0, 1200), words=())
    assert "Trạm trung tâm" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("raw", "needed"),
    [
        (b"", "tells nothing"),
        (b"not json\n", ":1: no JSON"),
        (b"\xff\xfe\n", ":1: no JSON"),
        (b"\n[]\n", ":2: a line is a JSON object with a target"),
        (b'{"target": "hub"}\n', "the key 'start' is missing"),
        (b'{"target": "hub", "start": "2026-10-05", "end": "2026-10-04"}\n', "ends after it begins"),
        (b'{"target": "hub", "start": 5, "end": 6}\n', "a time is a text"),
        (b'{"target": "hub", "probe": "icmp", "slot": "2026-10-05", "status": "odd"}\n', "is not a valid Status"),
        (b'{"target": "hub", "start": "1970-01-01", "end": "2026-10-04"}\n', "more than ten years"),
        (b'{"target": "nobody", "start": "2026-10-01", "end": "2026-10-04"}\n', "names no target"),
        (b"[" * 60_000 + b"\n", ":1: "),
        (b"x" * 70_000, "too long"),
    ],
)
def test_what_is_no_history_is_refused_with_its_line(folder: Path, raw: bytes, needed: str) -> None:
    done = run(folder, raw=raw)
    assert done.exit_code == 2
    assert needed in done.stderr


def test_observations_out_of_order_are_refused(folder: Path) -> None:
    lines = [{"target": "hub", "probe": "icmp", "slot": at(second), "status": "up"} for second in (5, 0)]
    assert "earlier than the last" in run(folder, *lines).stderr
