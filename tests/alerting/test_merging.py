"""One cause is one incident, also when it becomes clear late, ends in parts, or comes back at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting import records
from alerting.policy import Policy
from alerting.world import Recipient
from haidang.clock import ManualClock
from haidang.model import CheckId, State, Transition
from tests.alerting.province import AN, HUB, SECOND, SPOKE, Desk

A, B = CheckId("end-a", "icmp"), CheckId("end-b", "icmp")
VNPT = CheckId("VNPT", "carrier")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, policy=Policy())
    made.world.readers = (AN,)
    yield made
    made.database.close()


def told(desk: Desk, number: int) -> list[str]:
    return [one.step.value for one in records.deliveries(desk.sql, number)]


def kinds(desk: Desk, number: int) -> list[str]:
    return [event.kind for event in records.events(desk.sql, number)]


def wait(desk: Desk, seconds: float) -> None:
    """Let time pass as in the daemon: a round each second, in long stretches each minute."""
    assert isinstance(desk.clock, ManualClock)
    while seconds > 0:
        step = 1.0 if seconds <= 120 else 60.0
        desk.clock.advance(step)
        desk.incidents.tick()
        seconds -= step


def fails(desk: Desk, check: CheckId, ago_s: float = 40, members: tuple[CheckId, ...] = ()) -> int | None:
    now = desk.clock.utc_ns()
    began = now - round(ago_s * SECOND)
    return desk.incidents.on_transition(Transition(check, State.DOWN, None, began, now, "no reply", members=members))


def test_a_parent_that_is_found_late_takes_in_what_was_told_of_its_children(desk: Desk) -> None:
    desk.world.below = {HUB: (SPOKE,)}
    assert fails(desk, SPOKE) == 1
    wait(desk, 5)
    assert fails(desk, HUB) == 2
    wait(desk, 5)
    assert (told(desk, 1), told(desk, 2)) == (["opened"], ["opened"])
    child = records.incident(desk.sql, 1)
    assert child is not None
    assert child.merged_into == 2
    assert records.members(desk.sql, 2) == [SPOKE]
    desk.becomes(State.UP, SPOKE)
    assert told(desk, 1) == ["opened"], "its end is told with the other's"
    desk.becomes(State.UP, HUB)
    wait(desk, 400)
    assert (told(desk, 1), told(desk, 2)) == (["opened"], ["opened", "resolved"])


def test_a_child_that_failed_long_before_its_parent_stays_an_incident_of_its_own(desk: Desk) -> None:
    desk.world.below = {HUB: (SPOKE,)}
    fails(desk, SPOKE)
    wait(desk, 600)
    fails(desk, HUB)
    wait(desk, 5)
    child = records.incident(desk.sql, 1)
    assert child is not None
    assert child.merged_into is None


def test_a_child_told_of_within_the_hold_of_its_parent_is_never_told_by_itself(desk: Desk) -> None:
    desk.world.below = {HUB: (SPOKE,)}
    fails(desk, SPOKE)
    wait(desk, 1)
    fails(desk, HUB)
    wait(desk, 5)
    assert (told(desk, 1), told(desk, 2)) == ([], ["opened"])


def test_both_lines_of_a_hub_cut_together_are_one_incident_once_the_hub_is_cut_off(desk: Desk) -> None:
    desk.world.ways = {HUB: (A, B)}
    assert fails(desk, A) == 1
    wait(desk, 4)
    assert fails(desk, B) == 2
    wait(desk, 1)
    assert desk.becomes(State.UNREACHABLE, HUB, cause=B) == 1
    for spoke in (SPOKE, *(CheckId(f"spoke-{n}", "icmp") for n in range(20))):
        assert desk.becomes(State.UNREACHABLE, spoke, cause=B) == 1
    wait(desk, 10)
    assert told(desk, 1) == ["opened", "grown"], "one line was minor, a hub with all behind it is critical"
    assert told(desk, 2) == []
    whole = records.incident(desk.sql, 1)
    assert whole is not None
    assert whole.severity.value == "critical"
    desk.becomes(State.UP, B)
    desk.becomes(State.UP, A)
    wait(desk, 400)
    assert (told(desk, 1), told(desk, 2)) == (["opened", "grown", "resolved"], [])


def test_a_second_line_lost_hours_after_the_first_is_another_incident(desk: Desk) -> None:
    desk.world.ways = {HUB: (A, B)}
    fails(desk, A)
    wait(desk, 7200)
    fails(desk, B)
    wait(desk, 1)
    assert desk.becomes(State.UNREACHABLE, HUB, cause=B) == 2
    wait(desk, 5)
    assert told(desk, 2) == ["opened"]


def test_what_lasts_after_the_common_cause_is_over_is_told_by_itself_after_a_while(desk: Desk) -> None:
    desk.world.ways = {HUB: (A, B)}
    fails(desk, A)
    fails(desk, B)
    desk.becomes(State.UNREACHABLE, HUB, cause=B)
    wait(desk, 5)
    desk.becomes(State.UP, A)
    wait(desk, 240)
    assert told(desk, 2) == [], "the other line is given time to come back as well"
    wait(desk, 180)
    assert told(desk, 2) == ["split"]
    assert kinds(desk, 2)[-2:] == ["split", "told"]
    desk.becomes(State.UP, B)
    assert told(desk, 2) == ["split", "resolved"]


def test_a_group_takes_in_the_members_that_were_incidents_before(desk: Desk) -> None:
    fails(desk, A)
    wait(desk, 4)
    assert fails(desk, VNPT, members=(A, B, SPOKE)) == 2
    assert desk.becomes(State.DOWN, B, cause=VNPT) == 2
    assert desk.becomes(State.DOWN, A, cause=VNPT) == 1, "it keeps its number"
    wait(desk, 5)
    assert (told(desk, 1), told(desk, 2)) == (["opened"], ["opened"])
    assert set(records.members(desk.sql, 2)) == {A, B, SPOKE}


def test_what_fails_again_soon_is_the_same_incident_and_tells_it_once_each_time(desk: Desk) -> None:
    assert fails(desk, HUB) == 1
    wait(desk, 100)
    desk.becomes(State.UP)
    wait(desk, 300)
    assert fails(desk, HUB) == 1
    wait(desk, 5)
    desk.becomes(State.UP)
    assert told(desk, 1) == ["opened", "resolved", "reopened", "resolved"]
    assert kinds(desk, 1) == ["opened", "resolved", "reopened", "told", "resolved"]
    wait(desk, 1200)
    assert fails(desk, HUB) == 2, "after that it is another one"


def test_a_reopened_incident_lasts_from_its_newest_failure(desk: Desk) -> None:
    fails(desk, HUB)
    wait(desk, 100)
    desk.becomes(State.UP)
    wait(desk, 60)
    fails(desk, HUB)
    incident = records.incident(desk.sql, 1)
    assert incident is not None
    assert incident.open
    assert incident.since_ns == desk.clock.utc_ns() - 40 * SECOND
    assert incident.started_ns < incident.since_ns


def test_who_was_told_of_a_merged_incident_and_not_of_the_whole_is_told_its_end(desk: Desk) -> None:
    desk.world.below = {HUB: (SPOKE,)}
    desk.world.readers = (Recipient("keeper", "keeper@example.vn"),)
    fails(desk, SPOKE)
    wait(desk, 5)
    desk.world.readers = (AN,)
    fails(desk, HUB)
    wait(desk, 5)
    desk.becomes(State.UP, SPOKE)
    assert [one.address for one in records.deliveries(desk.sql, 1)] == ["keeper@example.vn"] * 2
    assert told(desk, 1) == ["opened", "resolved"]


def test_what_comes_back_while_its_cause_lasts_shrinks_the_incident_and_is_lost_again_when_it_is(desk: Desk) -> None:
    desk.becomes(State.DOWN, HUB)
    spokes = [CheckId(f"spoke-{number}", "icmp") for number in range(3)]
    for spoke in spokes:
        desk.becomes(State.UNREACHABLE, spoke, cause=HUB)
    desk.becomes(State.UP, spokes[0])
    desk.becomes(State.UP, spokes[0])
    assert records.lasting(desk.sql, 1) == spokes[1:]
    assert records.members(desk.sql, 1) == spokes, "it was one of them"
    assert [event.text for event in records.events(desk.sql, 1) if event.kind == "back"] == ["spoke-0/icmp"]
    desk.becomes(State.UNREACHABLE, spokes[0], cause=HUB)
    assert set(records.lasting(desk.sql, 1)) == set(spokes)
    assert sorted(records.members(desk.sql, 1), key=str) == spokes
    desk.becomes(State.UP, HUB)
    desk.becomes(State.UP, spokes[1])
    assert [event.kind for event in records.events(desk.sql, 1)].count("back") == 1, (
        "what comes back afterwards is no news"
    )
