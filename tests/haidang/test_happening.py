"""What happened becomes points: while it lasts, and once with words at its true start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import config
from config import Configuration
from haidang.clock import ManualClock
from haidang.happening import Happenings
from haidang.model import Point, State
from storage.accounts import Accounts, Maintenance
from tests.alerting.province import SECOND, START, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    path = tmp_path / "haidang.yaml"
    path.write_text(
        "haidang: 1\ntargets: [{id: hub, address: 192.0.2.1, site: yen, system: wan}]\n"
        "sites: [{id: yen, name: Yên Thế, level: district}]\nsystems: [{id: wan, name: WAN}]\n",
        encoding="utf-8",
    )
    return config.load(path)


def advance(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, ManualClock)
    desk.clock.advance(seconds)


def told(points: list[Point]) -> list[tuple[str, int, dict[str, Any]]]:
    return [(one.series.measurement, (one.time_ns - START) // SECOND, dict(one.fields)) for one in points]


def test_an_incident_is_told_each_minute_while_it_lasts_and_its_end_at_its_start(
    desk: Desk, configuration: Configuration
) -> None:
    happenings = Happenings()
    assert happenings.points(configuration, desk.sql, START) == []
    desk.becomes(State.DOWN, reason="no <reply>")
    advance(desk, 20)
    now, start = happenings.points(configuration, desk.sql, desk.clock.utc_ns())
    assert told([now]) == [("haidang_incident", 20, {"open": 1, "lasts_s": 60.0, "hidden": 0})]
    assert {name: value for name, value in now.series.tags if name != "name"} == {
        "number": "1", "site": "yen", "system": "wan"
    }  # fmt: skip
    assert (start.series, start.time_ns) == (now.series, START - 40 * SECOND)
    assert str(start.fields["text"]).endswith("no &lt;reply&gt;")
    assert "end_ms" not in start.fields

    advance(desk, 60)  # nothing is new: only that it lasts
    assert told(happenings.points(configuration, desk.sql, desk.clock.utc_ns())) == [
        ("haidang_incident", 80, {"open": 1, "lasts_s": 120.0, "hidden": 0})
    ]
    desk.becomes(State.UP)
    last, start = happenings.points(configuration, desk.sql, desk.clock.utc_ns())
    assert (last.fields["open"], last.fields["lasts_s"]) == (0, 80.0)
    assert start.time_ns == START - 40 * SECOND
    assert start.fields["end_ms"] == (START + 40 * SECOND) // 10**6
    assert happenings.points(configuration, desk.sql, desk.clock.utc_ns()) == []


def test_what_came_and_went_between_two_looks_is_told_and_what_was_before_the_first_is_not(
    desk: Desk, configuration: Configuration
) -> None:
    desk.becomes(State.DOWN)
    desk.becomes(State.UP)
    happenings = Happenings()
    assert happenings.points(configuration, desk.sql, desk.clock.utc_ns()) == []
    advance(desk, 7200)
    desk.becomes(State.DOWN)
    desk.becomes(State.UP)
    points = happenings.points(configuration, desk.sql, desk.clock.utc_ns())
    assert [dict(one.series.tags)["number"] for one in points] == ["2", "2"]
    assert [one.fields.get("open") for one in points] == [0, None]


def test_maintenance_is_told_while_it_is_under_way_with_its_planned_end(
    desk: Desk, configuration: Configuration
) -> None:
    work = Maintenance(
        0, "site", "yen", START + 60 * SECOND, START + 660 * SECOND, "", "UTC", 1, "switch", "an", START
    )  # fmt: skip
    Accounts(desk.database).plan(work)
    happenings = Happenings()
    assert happenings.points(configuration, desk.sql, START) == []
    now, start = happenings.points(configuration, desk.sql, START + 90 * SECOND)
    assert told([now]) == [("haidang_maintenance", 90, {"open": 1, "lasts_s": 30.0})]
    assert told([start]) == [
        ("haidang_maintenance", 60, {"text": "site:yen: switch", "end_ms": (START + 660 * SECOND) // 10**6})
    ]
    assert happenings.points(configuration, desk.sql, START + 700 * SECOND) == []
