"""The commands about availability as a person types them: what they print, what they refuse, how they end."""

from __future__ import annotations

import json
import time
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from config import load
from haidang import statements
from haidang.cli import app
from haidang.control import ask
from haidang.foretelling import Foretelling, rows_now
from storage.accounts import Accounts, ForecastRow
from storage.database import Database, open_reader
from tests.support.daemon import Daemon, until
from tests.support.history import write
from tests.support.netns import Namespace

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
DAY = 86_400
CONFIG = """\
haidang: 1
timezone: Asia/Ho_Chi_Minh
language: vi
data_dir: ./data
systems:
  - {id: wan, name: {vi: Mạng WAN, en: WAN}, objective: 99.9}
  - {id: video, formula: weighted, weight: people, objective: 99}
  - {id: portals, formula: worst-site}
sites: [{id: north, people: 900}, {id: south, people: 100}]
circuits: [{id: line, carrier: VNPT, system: wan}]
objectives:
  - {id: contract, carrier: VNPT, percent: 99.9, view: contractual, clock: ticket, month_minutes: 43200}
  - {id: quarter, system: wan, percent: 99.9, period: quarter}
  - {id: office, target: a, percent: 99, hours: [{days: [mon, tue, wed, thu, fri], from: "07:30", to: "17:00"}]}
targets:
  - {id: a, name: {vi: Trạm A, en: Station A}, address: 192.0.2.1, circuit: line}
  - {id: b, address: 192.0.2.2, site: north, system: video}
  - {id: c, address: 192.0.2.3, site: south, system: video}
  - {id: d, address: 192.0.2.4, site: north, system: portals}
  - {id: e, address: 192.0.2.5, site: south, system: portals}
"""


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=HANOI).timestamp())


def haidang(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def said(done: Result, status: int = 0) -> Any:
    assert done.exit_code == status, f"{done.exit_code}\n{done.stdout}\n{done.stderr}"
    return json.loads(done.stdout)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A configuration whose October 2026 is on record: a was down for an hour, c for a day, e for two hours."""
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    outages = [
        ("a", at("2026-10-05T10:00"), at("2026-10-05T11:00")),
        ("c", at("2026-10-10T00:00"), at("2026-10-11T00:00")),
        ("e", at("2026-10-31T23:00"), at("2026-11-01T01:00")),
    ]
    write(tmp_path / "data", "abcde", at("2026-09-30T00:00"), at("2026-11-02T00:00"), outages)
    return str(path)


def test_a_month_is_told_by_targets_systems_and_objectives(config: str) -> None:
    found = said(haidang("availability", "--month", "2026-10", "--config", config, "--json"), 1)
    targets = {row["target"]: row for row in found["targets"]}
    assert targets["a"]["down_s"] == 3600
    assert targets["a"]["verdict"] == "missed"
    assert targets["e"]["down_s"] == 3600, "the other hour is November's"
    systems = {row["system"]: row for row in found["systems"]}
    assert systems["video"]["down_s"] == DAY / 10, "a tenth of the people for a day"
    assert systems["video"]["members_formula"] == "weighted, 2 members: the share of people served that is up"
    assert systems["portals"]["worst_site"] == "south"
    objectives = {row["objective"]: row for row in found["objectives"]}
    assert objectives["wan"]["verdict"] == "missed"
    assert objectives["video"]["verdict"] == "met"
    assert objectives["contract"]["down_s"] == 0, "nobody opened a ticket"
    assert objectives["contract"]["budget_s"] == pytest.approx(2592)
    assert "43200 min, contractual" in objectives["contract"]["formula"].replace(")", "")
    assert objectives["office"]["down_s"] == 3600
    assert objectives["office"]["period_s"] == 22 * 9.5 * 3600


def test_quarters_years_and_rolling_windows_have_their_own_objectives(config: str) -> None:
    quarter = said(haidang("availability", "--quarter", "2026-Q4", "--config", config, "--json"), 0)
    assert [row["objective"] for row in quarter["objectives"]] == ["quarter"]
    assert quarter["from"] == "2026-09-30T17:00:00Z"
    year = said(haidang("availability", "--year", "2026", "--system", "wan", "--config", config, "--json"))
    assert year["objectives"] == []
    assert year["targets"][0]["watched_since"] == "2026-09-29T17:00:00Z"
    assert said(haidang("availability", "--last", "90d", "--config", config, "--json"))["period"] == "90d"
    for words in (
        ("--month", "2026-10", "--year", "2026"),
        ("--quarter", "2026-Q5"),
        ("--last", "30"),
        ("--year", "x"),
    ):
        assert haidang("availability", *words, "--config", config).exit_code == 2


def test_everything_is_readable_at_eighty_columns(config: str) -> None:
    done = haidang("availability", "--month", "2026-10", "--config", config)
    assert "Trạm A" in done.stdout
    assert "weighted, 2 members: the share of people served that is up" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_daemon_nothing_is_changed_and_the_cure_is_named(config: str) -> None:
    words = ("--from", "2026-10-05T10:00", "--for", "1h", "--reason", "power", "--config", config)
    done = haidang("maintenance", "add", "target:a", *words)
    assert done.exit_code == 1
    assert "no daemon runs on this data directory" in done.stderr
    assert said(haidang("maintenance", "list", "--all", "--config", config, "--json")) == []


def test_what_a_person_adds_through_the_daemon_changes_the_figures_and_not_the_record(
    config: str, space: Namespace
) -> None:
    with Daemon(Path(config), space.command()) as daemon:
        daemon.wait_for("haidang runs", 30)
        half_past = ("--from", "2026-10-05T10:30", "--for", "90m", "--reason", "Bảo trì nguồn", "--author", "an")
        added = said(haidang("maintenance", "add", "circuit:line", *half_past, "--config", config, "--json"))
        assert added == {"ok": True, "number": 1, "retroactive": True, "meetings": []}
        [listed] = said(haidang("maintenance", "list", "--all", "--config", config, "--json"))
        assert (listed["retroactive"], listed["author"], listed["reason"]) == (True, "an", "Bảo trì nguồn")
        assert down(config, "a") == 1800, "only the overlap is taken away"
        done = haidang("maintenance", "ticket", "a", "VNPT-77", "--at", "2026-10-05T10:20", "--config", config)
        assert done.exit_code == 0, done.stderr
        contract = next(row for row in october(config)["objectives"] if row["objective"] == "contract")
        assert contract["down_s"] == 600, "from the ticket to the maintenance"
        wrong = (
            "--from",
            "2026-10-05T10:05",
            "--to",
            "2026-10-05T10:15",
            "--reason",
            "our own cable",
            "--config",
            config,
        )
        assert haidang("maintenance", "correct", "a", "up", *wrong).exit_code == 0
        assert down(config, "a") == 1200
        assert (
            haidang("maintenance", "cancel", "1", "--whole", "--reason", "wrong line", "--config", config).exit_code
            == 0
        )
        assert down(config, "a") == 3000
        refused = haidang("maintenance", "add", "site:nowhere", *half_past, "--config", config)
        assert refused.exit_code == 2
        assert "site:nowhere covers no target" in refused.stderr
        assert daemon.end() == 0
    assert not (Path(config).parent / "data" / "control").exists()


def test_maintenance_through_the_daemon_is_quiet_and_pages_when_it_ends(space: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(
        "haidang: 1\ndata_dir: ./data\nprobing: {icmp: {cadence: 1s, echoes: 5, timeout: 500ms}}\n"
        "confirmation: {failures: 5, span: 2s, fast_cadence: 1s, clear_span: 3s, clear_samples: 3}\n"
        "targets: [{id: away, address: 192.0.2.1}]\n",
        encoding="utf-8",
    )
    config = str(path)
    with Daemon(path, space.command()) as daemon:
        daemon.wait_for("haidang runs", 30)
        now_ns = time.time_ns()
        ask(
            tmp_path / "data", "maintenance.add",
            {
                "kind": "target", "name": "away", "start_ns": now_ns, "end_ns": now_ns + 3600 * 10**9,
                "reason": "moving", "author": "an",
            },
        )  # fmt: skip
        daemon.wait_for("state changed", 30)
        assert said(haidang("incidents", "--config", config, "--json")) == []
        assert haidang("maintenance", "cancel", "1", "--reason", "done", "--config", config).exit_code == 0
        open_ = until(lambda: json.loads(haidang("incidents", "--config", config, "--json").stdout), 10, "an incident")
        assert [one["target"] for one in open_] == ["away"]
        assert daemon.end() == 0


def october(config: str) -> Any:
    return said(haidang("availability", "--month", "2026-10", "--config", config, "--json"), 1)


def down(config: str, target: str) -> float:
    return float(next(row["down_s"] for row in october(config)["targets"] if row["target"] == target))


def flaky(start_s: int, every_days: int, lasting_s: int, count: int) -> list[tuple[str, int, int]]:
    days = [start_s + number * every_days * DAY for number in range(1, count)]
    return [("a", day, day + lasting_s) for day in days]


def test_the_outlook_names_what_runs_out_and_when(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    now = int(time.time())
    start = now - 300 * DAY
    outages = [*flaky(start, 10, 900, 29), ("a", now - 600, now + DAY)]
    write(tmp_path / "data", "abcde", start, now, outages)
    done = haidang("forecast", "--config", str(path), "--json")
    found = {(row["objective"], row["about"]): row for row in json.loads(done.stdout)["forecasts"]}
    assert json.loads(done.stdout)["kept"] is False
    assert found["wan", "target a"]["pooled_outages"] == 29
    assert found["wan", "target a"]["running_s"] is None, "without a daemon nobody knows whether it still is down"
    assert found["video", "target b"]["miss"] < 0.5
    assert found["video", "system video"]["history"] == "too little history"
    text = haidang("forecast", "--all", "--config", str(path)).stdout
    assert "too little history" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_outage_that_runs_has_a_clock_and_many_short_ones_burn(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG.replace("percent: 99, hours", "percent: 90, hours"), encoding="utf-8")
    now = at("2026-11-25T12:00")
    outages = [
        *flaky(now - 300 * DAY, 10, 60, 29),
        *[("a", now - 3000 + 400 * n, now - 2900 + 400 * n) for n in range(7)],
    ]
    write(tmp_path / "data", "abcde", now - 300 * DAY, now, [*outages, ("a", now - 60, now + DAY)])
    configuration = load(path)
    with closing(open_reader(tmp_path / "data" / "haidang.db")) as sql:
        books = statements.books(configuration, sql, now * 10**9, running=True)
        outlook = {one.promise.id: one for one in Foretelling(configuration, books, now * 10**9).targets("wan")}["wan"]
    left = outlook.figures.budget_left_s
    assert left is not None
    assert outlook.down_s == 60
    assert outlook.lost_at_ns == pytest.approx((now + left) * 10**9, abs=1000)
    assert [burn.pair.name for burn in outlook.burning] == ["1h", "6h", "3d"]
    assert outlook.miss == 0, "so short ones cannot use half an hour up in five days"


def test_planned_work_is_weighed_against_every_objective_it_touches(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    now = int(time.time())
    write(tmp_path / "data", "abcde", now - 300 * DAY, now, flaky(now - 300 * DAY, 20, 600, 14))
    soon = datetime.fromtimestamp(now + 60, HANOI).replace(tzinfo=None).isoformat()
    short = ("maintenance", "what-if", "target:a", "--from", soon, "--for", "1m", "--config", str(path), "--json")
    rows = {row["objective"]: row for row in json.loads(haidang(*short).stdout)}
    assert set(rows) == {"wan", "contract", "quarter", "office"}
    assert rows["quarter"]["costs_s"] == 60
    long = ("maintenance", "what-if", "target:a", "--from", soon, "--for", "2d", "--config", str(path), "--json")
    done = haidang(*long)
    assert done.exit_code == 1
    assert {row["miss_after"] for row in json.loads(done.stdout) if not row["affordable"]} == {1.0}
    past = ("maintenance", "what-if", "target:a", "--from", "2020-01-01", "--for", "2h", "--config", str(path))
    assert "work to come" in haidang(*past).stderr


def test_forecasts_that_were_kept_are_held_against_what_came(config: str, tmp_path: Path) -> None:
    assert "no forecast was kept" in haidang("forecast", "--past", "--config", config).stdout
    database = Database(tmp_path / "data" / "haidang.db", "haidang")
    rows = [
        ("wan", "wan", "2026-10", 0.8), ("wan", "a", "2026-10", 0.9), ("video", "video", "2026-10", 0.1),
        ("video", "c", "2026-10", 0.12), ("gone", "gone", "2026-10", 0.5), ("wan", "wan", "2099-01", 0.5),
        ("wan", "wan", "30d", 0.5), ("quarter", "wan", "2026-Q3", 0.5),
    ]  # fmt: skip
    Accounts(database).foretold(1, [ForecastRow(*row, 0.0, 9) for row in rows])
    database.close()
    found = said(haidang("forecast", "--past", "--config", config, "--json"))
    assert [(row["came"], row["count"]) for row in found["tenths"]] == [(0.5, 2), (0.0, 1), (1.0, 1), (1.0, 1)]
    assert found["calibration_error"] == pytest.approx((2 * abs(0.11 - 0.5) + 0.5 + 0.2 + 0.1) / 5)
    assert "calibration error 0.316" in haidang("forecast", "--past", "--config", config).stdout


def test_the_days_forecasts_leave_out_what_is_all_but_impossible(tmp_path: Path) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    now = at("2026-11-15T12:00")  # in a month's last hours hardly anything can be lost any more
    write(tmp_path / "data", "abcde", now - 300 * DAY, now, flaky(now - 300 * DAY, 10, 2000, 29))
    kept = rows_now(load(path), now * 10**9)
    assert ("wan", "a") in {(row.objective, row.target) for row in kept}
    assert all(row.miss >= 0.01 for row in kept if row.target in "bcde")
