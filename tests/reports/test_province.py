"""A small province's month: parts of the report that must agree with each other, and with the ledger."""

from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from availability.periods import month_named
from config import Configuration
from haidang import reporting
from haidang.model import Point, Series
from lab.province import Shape
from reports.load import loads
from reports.model import Report
from reports.words import Words
from storage.database import open_reader
from storage.metrics import InMemoryStore
from tests.reports.ledgers import HANOI, S, at, notes
from tests.reports.province import configure, write

MONTH = "2026-11"
PERIOD = month_named(MONTH, HANOI)


@pytest.fixture(scope="module")
def configuration(tmp_path_factory: pytest.TempPathFactory) -> Configuration:
    shape = Shape(districts=2, communes=10, rooms=4, cameras=20, devices=8, services=5)
    made = configure(tmp_path_factory.mktemp("province"), shape, "reports:\n  credits: [{below: 99.9, percent: 5}]\n")
    write(made, month_named("2025-10", HANOI).start_ns // S, PERIOD.end_ns // S + 3600, seed=3)
    return made


@pytest.fixture(scope="module")
def report(configuration: Configuration) -> Report:
    return made(configuration)


def made(configuration: Configuration, now_s: int = 3600) -> Report:
    now_ns = PERIOD.end_ns + now_s * S
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        return reporting.make(configuration, sql, MONTH, now_ns, min(now_ns, PERIOD.end_ns + 3600 * S))


def test_everything_adds_up(configuration: Configuration, report: Report) -> None:
    assert sum(row.down_s for row in report.causes) == pytest.approx(sum(row.numbers.down_s for row in report.targets))
    assert sum(row.down_s for row in report.outages) == pytest.approx(
        sum(row.measured.down_s for row in report.circuits)
    )
    for carrier in report.carriers:
        mine = [row.measured for row in report.circuits if row.carrier == carrier.name]
        assert carrier.circuits == len(mine)
        assert carrier.down_s == pytest.approx(sum(one.down_s for one in mine))
        assert carrier.measured_percent == pytest.approx(
            100 * sum(one.up_s for one in mine) / sum(one.up_s + one.down_s for one in mine), abs=1e-5
        )
    for row in report.promised:
        assert sum(day.down_s for day in row.days) == pytest.approx(row.numbers.down_s, abs=0.001 * len(row.days))
        assert len(row.trend) == 13
        assert (row.trend[-1].month, row.trend[-1].down_s) == (MONTH, row.numbers.down_s)
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        (began,) = sql.execute(
            "SELECT count(*) FROM incident WHERE started_ns >= ? AND opened_ns < ?", (PERIOD.start_ns, PERIOD.end_ns)
        ).fetchone()
    assert report.incident_sums.count == began > 0
    assert report.incident_sums.detection.median_s == 57
    assert report.incident_sums.acknowledgement.max_s == 240


def test_the_trend_is_what_each_months_own_report_says(configuration: Configuration, report: Report) -> None:
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        for month in ("2025-11", "2026-04", "2026-10"):
            end_ns = month_named(month, HANOI).end_ns
            then = reporting.make(configuration, sql, month, end_ns + S, end_ns + S)
            for row, earlier in zip(report.promised, then.promised, strict=True):
                mine = next(one for one in row.trend if one.month == month)
                assert mine == earlier.trend[-1]


def test_the_next_month_is_foretold(report: Report) -> None:
    foretold = [row for row in report.promised if row.miss_next is not None]
    assert len(foretold) >= 5
    assert all(row.pooled >= 5 for row in foretold)
    assert all(row.pooled < 5 for row in report.promised if row not in foretold)


def test_what_came_after_the_month_changes_nothing(configuration: Configuration, report: Report) -> None:
    assert made(configuration, now_s=10 * 86_400) == report


def test_the_sentences_say_what_the_figures_do(report: Report) -> None:
    met = sum(row.numbers.verdict == "met" for row in report.promised)
    assert f"{met}/{len(report.promised)} mục tiêu" in report.story["vi"][0]
    assert f"{met} of {len(report.promised)} objectives" in report.story["en"][0]
    assert str(report.incident_sums.count) in report.story["vi"][1]
    words = Words("vi", HANOI)
    worst = min(report.sites, key=lambda row: (row.numbers.availability_percent or 0, row.id))
    assert words.name(worst.name) in report.story["vi"][2]
    assert notes(report, "vi") == [], "there was nothing out of the ordinary"


def test_the_load_of_a_line_is_its_highest_window_in_the_month(configuration: Configuration) -> None:
    circuit = next(iter(configuration.inventory.circuits))
    store = InMemoryStore()
    series = Series("circuit_load", (("circuit", circuit), ("ifName", "Gi0/1"), ("target", "r")))
    for hour, (in_percent, out_percent) in enumerate(
        [(99.0, 1.0), (50.0, 2.0), (91.5, 3.0), (90.0, 2.5), (70.0, 99.0)]
    ):
        moment = (at("2026-11-01T00:23") + (hour - 1) * 3600) * S if hour < 4 else PERIOD.end_ns + 1380 * S
        fields = {"in_p95_percent": in_percent, "out_p95_percent": out_percent, "coverage_percent": 98.0}
        store.add([Point(series, moment, fields)])
    found = asyncio.run(loads(configuration, store, PERIOD.start_ns, PERIOD.end_ns))
    assert [(row.direction, row.highest_percent, row.windows, row.over) for row in found] == [
        ("in", 91.5, 3, 1), ("out", 3.0, 3, 0),
    ]  # fmt: skip
    assert found[0].highest_at.timestamp() == at("2026-11-01T01:00")
    assert found[0].coverage_percent == 98
