"""The daemon before the lab: scenarios in simulated time, judged by what was true."""

from __future__ import annotations

from pathlib import Path

import pytest

from haidang.drill import rehearse_scenario
from lab.province import Shape, generate
from lab.scenario import Verdict, read_scenario

SMALL = generate(Shape().scaled(0.02), 1)
TWENTIETH = generate(Shape().scaled(0.05), 1)


def played(name: str, folder: Path) -> Verdict:
    return rehearse_scenario(read_scenario(name), SMALL, folder).verdict


@pytest.mark.parametrize("name", ["hub-cut-parent-last", pytest.param("hub-cut-parent-first", marks=pytest.mark.slow)])
def test_a_hub_with_all_that_hangs_on_it_is_one_incident_in_whatever_order_it_is_seen(
    name: str, tmp_path: Path
) -> None:
    verdict = played(name, tmp_path)
    assert verdict.passed, verdict.notes
    assert (verdict.incidents, verdict.surplus, verdict.messages) == (1, 0, 2)
    assert verdict.delays_s[0] <= 90
    assert verdict.downtime_error_s <= 12


def test_a_router_that_reboots_is_away_for_as_long_as_it_boots(tmp_path: Path) -> None:
    verdict = played("device-reboot", tmp_path)
    assert verdict.passed, verdict.notes
    assert (verdict.incidents, verdict.messages) == (1, 2)
    assert verdict.downtime_error_s <= 12


@pytest.mark.slow
def test_mail_that_could_not_go_arrives_later_and_once(tmp_path: Path) -> None:
    verdict = played("mail-away", tmp_path)
    assert verdict.passed, verdict.notes
    assert verdict.messages == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "most_messages"),
    [
        ("backbone-line-cut", 2), ("flapping-line", 4), ("loss-even", 0), ("loss-bursty", 3),
        ("latency-creep", 0), ("commune-power-failure", 3), ("agent-dead", 2), ("clock-step", 4), ("store-away", 4),
    ],
)  # fmt: skip
def test_each_scenario_is_seen_for_what_it_is(name: str, most_messages: int, tmp_path: Path) -> None:
    # Of a fifth of all packets lost in spells the longest are outages in which nothing came through; how many there are
    # is chance. Four in an hour flap: that it does, that it lasts, that it is over.
    # A power failure of hours is told a third time: that it lasts. A store that is away is an incident of our own.
    verdict = played(name, tmp_path)
    assert verdict.passed, verdict.notes
    assert verdict.messages <= most_messages


@pytest.mark.slow
def test_on_a_quiet_morning_nobody_is_told_anything(tmp_path: Path) -> None:
    morning = read_scenario("quiet-day").model_copy(update={"lasts": 4 * 3600.0})
    verdict = rehearse_scenario(morning, SMALL, tmp_path).verdict
    assert (verdict.incidents, verdict.messages, verdict.downtime_error_s) == (0, 0, 0), verdict.notes


@pytest.mark.slow
def test_a_carrier_that_fails_everywhere_is_one_incident(tmp_path: Path) -> None:
    verdict = rehearse_scenario(read_scenario("carrier-outage"), TWENTIETH, tmp_path).verdict
    assert verdict.passed, verdict.notes
    assert (verdict.incidents, verdict.messages) == (1, 2)


@pytest.mark.slow
def test_a_storm_is_seen_at_every_site_and_nowhere_else(tmp_path: Path) -> None:
    verdict = rehearse_scenario(read_scenario("regional-storm"), TWENTIETH, tmp_path).verdict
    assert (verdict.missed, verdict.false_alarms) == (0, 0), verdict.notes
    assert verdict.root_cause_hits == verdict.faults
    assert verdict.messages <= 10
