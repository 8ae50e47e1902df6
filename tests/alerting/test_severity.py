"""How bad an incident is: by what it takes from people, in the order of the documented table."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.policy import Policy
from alerting.severity import Impact, Severity, Threshold, severity
from config import load
from haidang.handling import policy
from haidang.model import CheckId


@pytest.mark.parametrize(
    ("impact", "level", "why"),
    [
        (Impact(), "warning", ""),
        (Impact(targets=5), "minor", "targets"),
        (Impact(sites=1), "minor", "sites"),
        (Impact(budget_percent=50.0), "minor", "budget_percent"),
        (Impact(budget_percent=50.1), "warning", ""),
        (Impact(sites=3), "major", "sites"),
        (Impact(sites=1, people=3_000), "major", "people"),
        (Impact(budget_percent=0.0), "major", "budget_percent"),
        (Impact(system_percent=20.0), "major", "system_percent"),
        (Impact(sites=10, people=5), "critical", "sites"),
        (Impact(system_percent=50.0), "critical", "system_percent"),
        (Impact(people=20_000), "critical", "people"),
    ],
)
def test_each_figure_raises_it_at_its_threshold(impact: Impact, level: str, why: str) -> None:
    assert severity(impact) == (Severity(level), why)


@given(
    targets=st.integers(1, 100), sites=st.integers(0, 100), people=st.integers(0, 100_000),
    system_percent=st.floats(0, 100), budget_percent=st.none() | st.floats(0, 100), more=st.integers(0, 50),
)  # fmt: skip
def test_a_greater_impact_is_never_less_severe(
    targets: int, sites: int, people: int, system_percent: float, budget_percent: float | None, more: int
) -> None:
    one = Impact(targets, sites, people, system_percent, budget_percent)
    worse = Impact(targets + more, sites + more, people + more, min(100.0, system_percent + more), budget_percent)
    assert severity(worse)[0].rank >= severity(one)[0].rank


def test_a_configuration_without_a_word_about_it_gives_the_defaults_and_one_with_thresholds_those(
    tmp_path: Path,
) -> None:
    path = tmp_path / "haidang.yaml"
    path.write_text("haidang: 1\n", encoding="utf-8")
    found, usual = policy(load(path)), Policy()
    assert {**asdict(found), "remind_s": ()} == {**asdict(usual), "remind_s": ()}
    assert tuple(found.remind_s) == tuple(usual.remind_s)
    path.write_text("haidang: 1\nalerting: {severity: {critical: {targets: 2}}}\n", encoding="utf-8")
    assert policy(load(path)).severities[0] == (Severity.CRITICAL, Threshold(targets=2))


def test_what_a_rule_finds_is_at_least_as_bad_as_the_rule_says() -> None:
    known = Policy(least={"hot": Severity.MAJOR})
    assert known.judge(CheckId("room", "rule:hot:sensor 1"), Impact()) is Severity.MAJOR
    assert known.judge(CheckId("room", "rule:hot"), Impact(sites=10)) is Severity.CRITICAL
    assert known.judge(CheckId("room", "icmp"), Impact()) is Severity.WARNING
