"""What people are told as time passes: storms as one, reminders at sensible times, rest for who acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting import records
from alerting.policy import Policy
from alerting.records import STORM
from alerting.severity import Severity
from alerting.world import Recipient, Step
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import AN, BINH, HUB, SECOND, START, ZONE, Desk

HOUR = 3600 * SECOND


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ManualClock(START + 6 * HOUR), policy=Policy())  # 09:12 in Vietnam
    made.world.readers = (AN,)
    yield made
    made.database.close()


def wait(desk: Desk, seconds: float, step: float = 1.0) -> None:
    assert isinstance(desk.clock, ManualClock)
    for _ in range(round(seconds / step)):
        desk.clock.advance(step)
        desk.incidents.tick()


def told(desk: Desk, number: int = 1) -> list[str]:
    return [one.step.value for one in records.deliveries(desk.sql, number)]


def everything(desk: Desk) -> list[tuple[int, str, str]]:
    return desk.sql.execute("SELECT incident, step, contact FROM notification ORDER BY id").fetchall()


def station(number: int) -> CheckId:
    return CheckId(f"station-{number:05}", "icmp")


def payload(desk: Desk, step: Step) -> str:
    (text,) = desk.sql.execute(
        "SELECT payload FROM notification WHERE step = ? ORDER BY id DESC LIMIT 1", (step,)
    ).fetchone()
    return str(json.loads(text)["text"])


def test_a_first_message_waits_two_seconds_and_survives_the_daemon_meanwhile(desk: Desk, tmp_path: Path) -> None:
    desk.becomes(State.DOWN)
    wait(desk, 1)
    assert told(desk) == []
    desk.database.close()
    again = Desk(tmp_path, desk.clock, desk.world, Policy())
    again.incidents.tick()
    assert told(again) == []
    wait(again, 1)
    assert told(again) == ["opened"]
    desk.database = again.database


def test_two_failures_are_two_messages_and_a_third_within_the_minute_gathers_all(desk: Desk) -> None:
    for number in range(3):
        desk.becomes(State.DOWN, station(number))
        wait(desk, 10)
    assert everything(desk) == [(1, "opened", "an"), (2, "opened", "an"), (4, "opened", "an")]
    [storm] = records.leading(desk.sql)
    assert (storm.check, storm.number) == (STORM, 4)
    assert records.members(desk.sql, 4) == [station(0), station(1), station(2)]
    assert "3 đối tượng: Trạm station-00000, Trạm station-00001, Trạm station-00002" in payload(desk, Step.OPENED)


def test_three_failures_spread_over_minutes_are_three_messages(desk: Desk) -> None:
    for number in range(3):
        desk.becomes(State.DOWN, station(number))
        wait(desk, 61)
    assert [step for _, step, _ in everything(desk)] == ["opened"] * 3
    assert len(records.leading(desk.sql)) == 3


@pytest.mark.parametrize("many", [1000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_thousands_of_failures_are_two_messages_in_ten_minutes_and_one_at_the_end(desk: Desk, many: int) -> None:
    checks = [station(number) for number in range(many)]
    for start in range(0, many, many // 10):
        with desk.database.transaction():
            for check in checks[start : start + many // 10]:
                desk.becomes(State.DOWN, check)
        wait(desk, 1)
    assert [step for _, step, _ in everything(desk)] == ["opened"]
    wait(desk, 590)
    assert [step for _, step, _ in everything(desk)] == ["opened", "grown"]
    assert f"{many} đối tượng" in payload(desk, Step.GROWN)
    assert len(records.leading(desk.sql)) == 1
    with desk.database.transaction():
        for check in checks:
            desk.becomes(State.UP, check)
    wait(desk, 2)
    assert [step for _, step, _ in everything(desk)] == ["opened", "grown", "resolved"]
    assert records.leading(desk.sql) == []
    (longest,) = desk.sql.execute("SELECT max(length(payload)) FROM notification").fetchone()
    assert longest < 20_000, "a digest names some and counts the rest"


def test_what_is_hidden_behind_the_members_of_a_storm_makes_no_message_of_its_own(desk: Desk) -> None:
    for number in range(5):
        desk.becomes(State.DOWN, station(number))
    wait(desk, 3)
    for number in range(200):
        desk.becomes(State.UNREACHABLE, CheckId(f"behind-{number}", "icmp"), cause=station(number % 5))
        wait(desk, 2)
    assert [step for _, step, _ in everything(desk)] == ["opened", "grown"]
    desk.becomes(State.DOWN, station(77))
    wait(desk, 3)
    assert [step for _, step, _ in everything(desk)] == ["opened", "grown", "opened"], "minutes later it is another one"


def test_a_storm_that_comes_back_is_the_same_incident_and_no_second_storm_of_messages(desk: Desk) -> None:
    for _ in range(2):
        for number in range(50):
            desk.becomes(State.DOWN, station(number))
        wait(desk, 120)
        for number in range(50):
            desk.becomes(State.UP, station(number))
        wait(desk, 60)
    assert [step for _, step, _ in everything(desk)] == ["opened", "resolved", "reopened", "resolved"]


def test_each_recipient_of_a_storm_gets_one_digest_with_what_is_theirs(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = Recipient("keeper", "keeper@example.vn", "en")

    def recipients(check: CheckId) -> tuple[Recipient, ...]:
        return (BINH, keeper) if check in (station(3), station(4)) else (BINH,)

    monkeypatch.setattr(desk.world, "recipients", recipients)
    for number in range(10):
        desk.becomes(State.DOWN, station(number))
    wait(desk, 3)
    assert sorted(contact for _, _, contact in everything(desk)) == ["binh", "keeper"]
    letters = dict(desk.sql.execute("SELECT contact, payload FROM notification").fetchall())
    assert "Affected: 10: Station station-00000, Station" in letters["binh"]
    assert "Affected: 2: Station station-00003, Station station-00004\\n" in letters["keeper"], "theirs only"
    assert "station-00000" not in letters["keeper"]


def test_what_is_wrong_with_ourselves_is_never_lost_in_a_storm(desk: Desk) -> None:
    for number in range(10):
        desk.becomes(State.DOWN, station(number))
    desk.becomes(State.DOWN, CheckId("haidang", "store"))
    wait(desk, 3)
    assert len(everything(desk)) == 2


def test_people_are_reminded_after_an_hour_after_four_and_then_daily_in_working_hours(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    wait(desk, 3)
    when: list[datetime] = []
    while len(when) < 4:
        wait(desk, 600, step=60)
        if len(told(desk)) > 1 + len(when):
            when.append(datetime.fromtimestamp(desk.clock.utc_ns() // SECOND, ZONE))
    assert told(desk) == ["opened", *["still"] * 4]
    assert [(one.day, one.hour) for one in when] == [(23, 10), (23, 13), (24, 13), (25, 13)]
    desk.becomes(State.UP)
    wait(desk, 90_000, step=600)
    assert told(desk)[5:] == ["resolved"]


def test_a_reminder_tells_all_that_is_open_and_comes_once_for_all_of_it(desk: Desk) -> None:
    for number in range(4):
        desk.becomes(State.DOWN, station(number))
        wait(desk, 120)
    wait(desk, 3600, step=20)
    reminders = [incident for incident, step, _ in everything(desk) if step == "still"]
    assert reminders == [1]
    assert "#2 Trạm station-00001; #3 Trạm station-00002; #4 Trạm station-00003" in payload(desk, Step.STILL)


def test_who_acknowledges_is_not_reminded_until_the_time_is_over(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    wait(desk, 3)
    found = desk.incidents.acknowledge(1, "An", desk.clock.utc_ns() + 2 * HOUR, "on my way")
    assert found.acknowledged(desk.clock.utc_ns())
    wait(desk, 7000, step=20)
    assert told(desk) == ["opened"]
    wait(desk, 400, step=20)
    assert told(desk) == ["opened", "still"]
    lines = [(event.kind, event.text) for event in records.events(desk.sql, 1)]
    assert ("acknowledged", "An: on my way") in lines
    assert ("unacknowledged", "the time of An is over") in lines


def test_who_acknowledges_to_the_end_hears_of_the_end_only(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    wait(desk, 3)
    desk.incidents.acknowledge(1, "An")
    wait(desk, 200_000, step=600)
    desk.becomes(State.UP)
    assert told(desk) == ["opened", "resolved"]


def test_what_cannot_be_acknowledged_says_why(desk: Desk) -> None:
    with pytest.raises(ValueError, match="there is no incident 7"):
        desk.incidents.acknowledge(7, "An")
    desk.becomes(State.DOWN)
    with pytest.raises(ValueError, match="in the future"):
        desk.incidents.acknowledge(1, "An", desk.clock.utc_ns() - 1)
    desk.becomes(State.UP)
    with pytest.raises(ValueError, match="incident 1 is over"):
        desk.incidents.acknowledge(1, "An")


def test_nobody_is_reminded_of_what_is_in_maintenance(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    wait(desk, 3)
    desk.incidents.quiet = lambda check: check == HUB
    wait(desk, 7200, step=20)
    assert told(desk) == ["opened"]


def test_a_person_has_the_last_word_on_whose_fault_it_is(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    assert desk.incidents.attribute(1, "haidang", records.Owner.POWER, "dying gasp")
    assert desk.incidents.attribute(1, "An", records.Owner.CARRIER, "ticket 4711")
    assert not desk.incidents.attribute(1, "haidang", records.Owner.POWER, "dying gasp")
    incident = records.incident(desk.sql, 1)
    assert incident is not None
    assert (incident.owner, incident.owner_by) == (records.Owner.CARRIER, "An")


def test_a_wall_clock_set_back_does_not_keep_a_first_message_waiting(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    assert isinstance(desk.clock, ManualClock)
    desk.clock.step(-30 * 86_400)
    desk.incidents.tick()
    assert told(desk) == ["opened"]


@given(
    told_s=st.integers(0, 3 * 86_400), after_s=st.integers(0, 10 * 86_400),
    severity=st.sampled_from(Severity), start=st.times(), end=st.times(),
)  # fmt: skip
def test_a_reminder_lies_ahead_in_the_hours_for_it_and_at_most_a_day_and_a_night_away(
    told_s: int, after_s: int, severity: Severity, start: time, end: time
) -> None:
    start, end = start.replace(microsecond=0, second=0, fold=0), end.replace(microsecond=0, second=0, fold=0)
    policy = Policy(remind_from=start, remind_to=end, zone=ZONE)
    told_ns = START + told_s * SECOND
    now_ns = told_ns + after_s * SECOND
    at_ns = policy.remind_at(told_ns, now_ns, severity)
    assert now_ns < at_ns <= now_ns + 48 * HOUR
    local = datetime.fromtimestamp(at_ns / 1e9, ZONE)
    if severity is Severity.CRITICAL or start >= end:
        offset = timedelta(seconds=(at_ns - told_ns) // SECOND)
        assert offset in (timedelta(hours=1), timedelta(hours=4)) or (offset - timedelta(hours=4)) % timedelta(1) == (
            timedelta(0)
        )
    else:
        assert start <= local.time() <= end
