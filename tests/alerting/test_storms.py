"""Storms that come slowly: what plainly has one reason goes on as one incident, and nothing else does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerting import records
from alerting.policy import Policy
from alerting.records import STORM
from alerting.severity import Severity
from alerting.storms import SHARE
from alerting.world import Ground, Step
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import AN, BINH, SECOND, START, Desk
from tests.alerting.test_rounds import everything, payload, station, told, wait

WAN = Ground("system", "wan", 200, {"vi": "Mạng WAN", "en": "WAN"})
CAMERAS = Ground("system", "cameras", 789, {"vi": "Camera", "en": "Cameras"})
DISTRICT = Ground("site", "luc-ngan", 20, {"vi": "Huyện Lục Ngạn", "en": "Luc Ngan district"})
VIETTEL = Ground("carrier", "Viettel", 90, {"vi": "Viettel", "en": "Viettel"})


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, ManualClock(START + 6 * 3600 * SECOND), policy=Policy())  # 09:12 in Vietnam
    made.world.readers = (AN,)
    yield made
    made.database.close()


def fails(desk: Desk, number: int, *grounds: Ground, minutes: float = 5) -> None:
    desk.world.grounds[station(number)] = grounds
    desk.becomes(State.DOWN, station(number))
    wait(desk, 60 * minutes, 5)


def leading(desk: Desk) -> list[CheckId]:
    return [one.check for one in records.leading(desk.sql)]


def test_four_of_one_district_within_half_an_hour_go_on_as_one_and_grow(desk: Desk) -> None:
    for number in range(6):
        fails(desk, number, WAN, DISTRICT)
    wait(desk, 300, 5)
    assert [step for _, step, _ in everything(desk)] == ["opened"] * 4 + ["grown", "grown"]
    assert leading(desk) == [STORM]
    [storm] = records.leading(desk.sql)
    assert len(records.members(desk.sql, storm.number)) == 6
    text = payload(desk, Step.GROWN)
    assert "NẶNG HƠN: 6 đối tượng" in text
    assert "Điểm chung: Huyện Lục Ngạn (6/6); Mạng WAN (6/6)" in text, "the narrowest comes first"
    for number in range(6):
        desk.becomes(State.UP, station(number))
        wait(desk, 60, 5)
    assert told(desk, storm.number) == ["opened", "grown", "grown", "resolved"]
    assert [step for _, step, _ in everything(desk)].count("resolved") == 1, "no member is told by itself"


def test_the_fourth_is_told_at_once_and_not_kept_for_a_digest(desk: Desk) -> None:
    for number in range(3):
        fails(desk, number, DISTRICT)
    fails(desk, 3, DISTRICT, minutes=0.1)
    assert [step for _, step, _ in everything(desk)] == ["opened"] * 4
    assert "station-00003" in payload(desk, Step.OPENED)


def test_single_faults_that_have_nothing_in_common_stay_single(desk: Desk) -> None:
    systems = [Ground("system", f"system-{number}", 50, {"en": str(number)}) for number in range(6)]
    for number, system in enumerate(systems):
        fails(desk, number, system)
    assert [step for _, step, _ in everything(desk)] == ["opened"] * 6
    assert STORM not in leading(desk)


def test_a_storm_in_one_district_takes_in_nothing_of_another_system(desk: Desk) -> None:
    for number in range(5):
        fails(desk, number, WAN, DISTRICT)
    fails(desk, 10, CAMERAS)
    fails(desk, 11, VIETTEL)
    assert set(leading(desk)) == {STORM, station(10), station(11)}


def test_four_cameras_among_hundreds_are_four_faults(desk: Desk) -> None:
    for number in range(8):
        fails(desk, number, CAMERAS, minutes=3)
    assert [step for _, step, _ in everything(desk)] == ["opened"] * 8


def test_what_failed_longer_ago_does_not_count(desk: Desk) -> None:
    for number in range(8):
        fails(desk, number, DISTRICT, minutes=11)
    assert STORM not in leading(desk)


def test_what_is_back_does_not_count(desk: Desk) -> None:
    for number in range(8):
        fails(desk, number, DISTRICT, minutes=2)
        desk.becomes(State.UP, station(number))
        wait(desk, 10)
    assert [step for _, step, _ in everything(desk)] == ["opened", "resolved"] * 8


def test_what_is_critical_by_itself_is_told_by_itself(desk: Desk) -> None:
    for number in range(4):
        fails(desk, number, WAN)
    hub = station(50)
    desk.world.below[hub] = [station(number) for number in range(100, 112)]
    fails(desk, 50, WAN)
    [storm, cut] = sorted(records.leading(desk.sql), key=lambda one: one.number)
    assert (storm.check, cut.check, cut.severity) == (STORM, hub, Severity.CRITICAL)
    assert told(desk, cut.number) == ["opened"]


def test_what_rules_find_is_no_storm(desk: Desk) -> None:
    for number in range(6):
        check = CheckId(f"room-{number}", "rule:hot:sensor")
        desk.world.grounds[check] = (DISTRICT,)
        desk.becomes(State.DOWN, check)
        wait(desk, 120, 5)
    assert STORM not in leading(desk)


def test_several_checks_of_one_device_are_one_device(desk: Desk) -> None:
    for probe in ("http", "tls", "dns", "ntp", "smtp"):
        check = CheckId("server", probe)
        desk.world.grounds[check] = (DISTRICT,)
        desk.becomes(State.DOWN, check)
        wait(desk, 120, 5)
    assert STORM not in leading(desk)


def test_a_reminder_of_a_storm_counts_and_names_what_is_still_down(desk: Desk) -> None:
    for number in range(6):
        fails(desk, number, WAN, DISTRICT)
    for number in range(4):
        desk.becomes(State.UP, station(number))
    wait(desk, 2 * 3600, 30)
    text = payload(desk, Step.STILL)
    assert "VẪN CHƯA KHÔI PHỤC: 2 đối tượng" in text
    assert "station-00004" in text
    assert "station-00000" not in text


def test_a_member_that_was_told_to_others_is_told_over_to_them(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.world, "recipients", lambda check: (AN, BINH) if check == station(0) else (AN,))
    for number in range(4):
        fails(desk, number, DISTRICT)
    desk.becomes(State.UP, station(0))
    wait(desk, 60)
    ends = [(incident, contact) for incident, step, contact in everything(desk) if step == "resolved"]
    assert ends in ([], [(1, "binh")]), "whoever got the storm's message hears its end, nobody hears twice"
    assert ("binh", True) in {(contact, incident == 5) for incident, _, contact in everything(desk)}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(
        st.tuples(st.integers(1, 12), st.sampled_from([(WAN,), (WAN, DISTRICT), (CAMERAS,), (VIETTEL, WAN), ()])),
        max_size=12,
    )
)
def test_whatever_fails_is_told_and_a_slow_storm_has_a_ground(
    faults: list[tuple[int, tuple[Ground, ...]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    desk = Desk(tmp_path_factory.mktemp("storm"), ManualClock(START + 6 * 3600 * SECOND), policy=Policy())
    desk.world.readers = (AN,)
    for number, (minutes, grounds) in enumerate(faults):
        desk.world.grounds[station(number)] = grounds
        desk.becomes(State.DOWN, station(number))
        for _ in range(minutes * 2):
            wait(desk, 30, 30)
    wait(desk, 660, 30)
    storms = [one for one in records.incidents(desk.sql) if one.check == STORM]
    members = {one for storm in storms for one in records.members(desk.sql, storm.number)}
    for storm in storms:
        names = [desk.world.common(one.check) for one in records.children(desk.sql, storm.number)]
        assert all(names)
        assert any(
            sum(ground in theirs for theirs in names) >= max(4, SHARE * ground.size)
            for ground in {ground for theirs in names for ground in theirs}
        )
    spoken = {row[0] for row in desk.sql.execute("SELECT incident FROM notification")}
    for one in records.incidents(desk.sql):
        assert one.number in spoken or one.check in members, "somebody heard of it"
    desk.database.close()
