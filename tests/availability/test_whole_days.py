"""Probing, judging, ledger and incidents together in simulated time: what people are told, and what is on record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting import records
from availability.objectives import figures
from availability.rule import Rule
from benchmarks.availability.prober import START_NS, Prober, S
from benchmarks.availability.trees import try_one
from haidang.model import CheckId, State
from storage.ledger import Ledger, LedgerReader
from tests.alerting.province import AN, Desk

SITE = CheckId("site", "icmp")
HUB = CheckId("hub", "icmp")
GATEWAY = CheckId("gateway", "icmp")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.world.readers = (AN,)
    yield made
    made.database.close()


def write(desk: Desk, prober: Prober) -> None:
    """Put on record, in one transaction, what became certain."""
    ledger = Ledger(desk.database)
    with desk.database.transaction():
        for transition in prober.transitions:
            ledger.record(transition)
            incident = desk.incidents.on_transition(transition)
            if incident is not None:
                ledger.attach(transition.check, incident)


def messages(desk: Desk) -> list[str]:
    return [step for (step,) in desk.sql.execute("SELECT step FROM notification ORDER BY id")]


def flap(desk: Desk, down_s: float, up_s: float, lasting_s: float) -> list[str]:
    """Let a line flap from the tenth minute on, compare the ledger with the truth, and return what was told."""

    def answers(_: CheckId, at_s: float) -> bool:
        into = at_s - 600
        return not 0 <= into < lasting_s or into % (down_s + up_s) >= down_s

    prober = Prober({SITE: 10.0}, {SITE: 3.0}, {}, answers, Rule())
    prober.run(600 + lasting_s + 4000)
    write(desk, prober)
    assert records.incidents(desk.sql) == [], "it ended"
    end_ns = START_NS + round(prober.now_s * S)
    intervals = LedgerReader(desk.sql).between(SITE, START_NS, end_ns)
    truly_s = lasting_s * down_s / (down_s + up_s)
    assert figures(intervals, START_NS, end_ns, end_ns).down_s == pytest.approx(truly_s, rel=0.01)
    return messages(desk)


def test_flapping_too_short_to_be_confirmed_is_two_messages_and_its_downtime_is_counted(desk: Desk) -> None:
    assert flap(desk, 30, 90, 3 * 3600) == ["flapping", "flapped"]


def test_flapping_that_never_comes_back_for_long_is_three_messages_and_its_downtime_is_counted(desk: Desk) -> None:
    assert flap(desk, 90, 30, 3 * 3600) == ["opened", "flapping", "flapped"]


def test_outages_that_are_each_confirmed_are_told_until_there_are_two(desk: Desk) -> None:
    assert flap(desk, 90, 90, 3 * 3600) == ["opened", "resolved", "reopened", "flapping", "flapped"]


@pytest.mark.slow
@pytest.mark.parametrize(("down_s", "up_s"), [(30.0, 90.0), (90.0, 30.0)])
def test_a_day_of_flapping_is_three_messages_at_most(desk: Desk, down_s: float, up_s: float) -> None:
    assert len(flap(desk, down_s, up_s, 86_400)) <= 3


def test_a_hub_cut_with_two_hundred_sites_is_one_incident_and_its_recovery_one_message(desk: Desk) -> None:
    sites = [CheckId(f"site{number}", "icmp") for number in range(200)]
    parents = {HUB: (GATEWAY,)} | dict.fromkeys(sites, (HUB,))
    cadences = dict.fromkeys([GATEWAY, HUB, *sites], 10.0)
    phases = {check: number * 0.37 % 10 for number, check in enumerate(cadences)}

    def answers(check: CheckId, at_s: float) -> bool:
        return check == GATEWAY or not 60 <= at_s < 200 + (check != HUB) * (at_s % 7)

    prober = Prober(cadences, phases, parents, answers, Rule())
    desk.world.below = {HUB: sites}
    prober.run(300)
    write(desk, prober)
    assert messages(desk) == ["opened", "resolved"]
    assert len(records.incidents(desk.sql, resolved=True)) == 1
    assert set(records.members(desk.sql, 1)) == set(sites)
    verdicts = [one for one in prober.transitions if one.state in (State.DOWN, State.UNREACHABLE)]
    assert max(one.confirmed_ns - START_NS for one in verdicts) / S - 60 <= 90
    assert {prober.engine.state(check) for check in cadences} == {State.UP}


def test_a_hub_that_flaps_is_one_incident_and_its_sites_downtime_is_counted(desk: Desk) -> None:
    sites = [CheckId(f"site{number}", "icmp") for number in range(10)]
    cadences = dict.fromkeys([HUB, *sites], 10.0)
    phases = {check: number * 0.9 for number, check in enumerate(cadences)}

    def answers(_: CheckId, at_s: float) -> bool:
        return not 600 <= at_s < 7800 or (at_s - 600) % 120 >= 30

    prober = Prober(cadences, phases, dict.fromkeys(sites, (HUB,)), answers, Rule())
    desk.world.below = {HUB: sites}
    prober.run(7800 + 4000)
    write(desk, prober)
    assert messages(desk) == ["flapping", "flapped"]
    assert {one.check for one in prober.transitions if one.state is State.DOWN} == {HUB}
    end_ns = START_NS + 11_800 * S
    for check in (HUB, *sites):
        intervals = LedgerReader(desk.sql).between(check, START_NS, end_ns)
        assert figures(intervals, START_NS, end_ns, end_ns).down_s == pytest.approx(1800, rel=0.02)
        assert len([one for one in intervals if one.state in (State.DOWN, State.UNREACHABLE)]) == 60


def test_the_root_of_random_failures_is_found_whatever_is_seen_first() -> None:
    wrong = [result.wrong for seed in range(12) if not (result := try_one(seed, 60)).right]
    assert wrong == []


def test_half_a_minute_without_an_answer_is_no_outage_and_tells_nobody(desk: Desk) -> None:
    prober = Prober({SITE: 10.0}, {SITE: 3.0}, {}, lambda _, at_s: not 100 <= at_s < 130, Rule())
    prober.run(600)
    write(desk, prober)
    assert messages(desk) == []
    assert [one.state for one in prober.transitions] == [State.UP], "retries are not downtime"
