from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting import records
from alerting.world import Recipient, Step
from haidang.clock import ManualClock
from haidang.model import CheckId, State, Transition
from storage.database import open_reader
from tests.alerting.province import AN, BINH, HUB, SECOND, SPOKE, START, Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


def told(desk: Desk, number: int = 1) -> list[tuple[str, str]]:
    return [(delivery.step.value, delivery.contact) for delivery in records.deliveries(desk.sql, number)]


def kinds(desk: Desk, number: int = 1) -> list[str]:
    return [event.kind for event in records.events(desk.sql, number)]


def advance(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.clock, ManualClock)
    desk.clock.advance(seconds)


def test_a_failure_opens_one_incident_with_its_true_start_and_tells_each_reader_once(desk: Desk) -> None:
    assert desk.becomes(State.DOWN, reason="no reply to 5 echoes") == 1
    (incident,) = records.incidents(desk.sql)
    assert (incident.check, incident.started_ns, incident.opened_ns) == (HUB, START - 40 * SECOND, START)
    assert incident.open
    assert incident.reason == "no reply to 5 echoes"
    assert told(desk) == [("opened", "an"), ("opened", "binh")]


def test_a_recovery_ends_it_at_the_true_end_and_tells_the_same_people_once(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    advance(desk, 600)
    assert desk.becomes(State.UP) is None
    assert desk.becomes(State.UP) is None
    (incident,) = records.incidents(desk.sql, resolved=True)
    assert (incident.ended_ns, incident.resolved_ns) == (START + 560 * SECOND, START + 600 * SECOND)
    assert records.incidents(desk.sql) == []
    assert told(desk) == [("opened", "an"), ("opened", "binh"), ("resolved", "an"), ("resolved", "binh")]
    assert kinds(desk) == ["opened", "resolved"]


def test_degraded_opens_nothing_but_ends_an_outage(desk: Desk) -> None:
    assert desk.becomes(State.DEGRADED) is None
    assert records.incidents(desk.sql, resolved=True) == []
    desk.becomes(State.DOWN)
    desk.becomes(State.DEGRADED)
    assert told(desk)[2:] == [("resolved", "an"), ("resolved", "binh")]


def test_looking_away_and_finding_it_still_down_tells_nobody_again(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    assert desk.becomes(State.UNKNOWN, reason="the daemon was not running") == 1
    assert desk.becomes(State.DOWN) == 1
    assert len(told(desk)) == 2
    assert kinds(desk) == ["opened", "state", "again"]


def test_what_is_hidden_behind_a_failure_is_listed_once_and_pages_nobody(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    assert desk.becomes(State.UNREACHABLE, SPOKE, cause=HUB) == 1
    desk.becomes(State.UNKNOWN, SPOKE)
    assert desk.becomes(State.UNREACHABLE, SPOKE, cause=HUB) == 1
    assert records.members(desk.sql, 1) == [SPOKE]
    assert len(told(desk)) == 2
    assert desk.becomes(State.UNREACHABLE, SPOKE, cause=CheckId("elsewhere", "icmp")) is None


def test_what_stays_down_after_its_cause_came_back_is_its_own_incident(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    desk.becomes(State.UNREACHABLE, SPOKE, cause=HUB)
    desk.becomes(State.UP)
    assert desk.becomes(State.DOWN, SPOKE) == 2
    assert told(desk, 2) == [("opened", "an"), ("opened", "binh")]


def test_a_recovery_goes_to_those_who_were_told_whatever_the_configuration_says_now(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    desk.world.readers = (BINH, Recipient("chi", "chi@example.vn"))
    desk.becomes(State.UP)
    assert told(desk)[2:] == [("resolved", "an"), ("resolved", "binh")]
    addresses = [delivery.address for delivery in records.deliveries(desk.sql, 1)]
    assert addresses[2:] == [AN.address, BINH.address]


def test_taking_a_failed_check_out_of_the_configuration_closes_its_incident_and_says_so(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    desk.world.readers = ()
    assert desk.incidents.open_checks() == {HUB}
    desk.incidents.forget([HUB, SPOKE])
    desk.incidents.forget([HUB])
    (incident,) = records.incidents(desk.sql, resolved=True)
    assert (incident.open, incident.ended_ns) == (False, None)
    assert told(desk)[2:] == [("closed", "an"), ("closed", "binh")]
    payload = desk.sql.execute("SELECT payload FROM notification WHERE step = 'closed'").fetchone()[0]
    assert "THÔI THEO DÕI" in payload


def test_a_clock_set_back_during_an_outage_does_not_end_it_before_it_began(desk: Desk) -> None:
    desk.becomes(State.DOWN)
    assert isinstance(desk.clock, ManualClock)
    desk.clock.step(-3600)
    desk.becomes(State.UP)
    (incident,) = records.incidents(desk.sql, resolved=True)
    assert incident.ended_ns == incident.started_ns


def test_a_batch_that_is_rolled_back_leaves_nothing_and_can_be_given_again(desk: Desk) -> None:
    def fail_late() -> None:
        with desk.database.transaction():
            desk.becomes(State.DOWN)
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError):
        fail_late()
    assert records.incidents(desk.sql, resolved=True) == []
    assert desk.outbox.counts() == {}
    assert desk.becomes(State.DOWN) == 1
    assert len(told(desk)) == 2


def test_a_message_that_cannot_be_composed_goes_out_in_bare_words(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(check: CheckId, at_ns: int) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.world, "month", broken)
    desk.becomes(State.DOWN, reason="no reply")
    payload = desk.sql.execute("SELECT payload FROM notification").fetchone()[0]
    assert "[Haidang #1] opened: hub/icmp: no reply" in payload


def test_a_reason_that_is_not_even_text_is_kept_harmlessly(desk: Desk) -> None:
    desk.becomes(State.DOWN, reason="\udcff\x00bad\x1b[31m\r\nX: y")
    (incident,) = records.incidents(desk.sql)
    assert incident.reason == "bad X: y"


def test_another_process_reads_incidents_while_the_daemon_writes(desk: Desk, tmp_path: Path) -> None:
    desk.becomes(State.DOWN)
    desk.becomes(State.UNREACHABLE, SPOKE, cause=HUB)
    reader = open_reader(tmp_path / "haidang.db")
    try:
        (incident,) = records.incidents(reader, check=HUB)
        assert incident.subject.name["vi"] == "Trạm hub"
        assert records.incident(reader, 1) == incident
        assert records.incident(reader, 2) is None
        assert records.members(reader, 1) == [SPOKE]
        first = records.deliveries(reader, 1)[0]
        assert (first.step, first.contact, first.state, first.attempts) == (Step.OPENED, "an", "waiting", 0)
    finally:
        reader.close()


def flaps(desk: Desk, state: State, *, still: bool = True, reason: str = "") -> int | None:
    now = desk.clock.utc_ns()
    return desk.incidents.on_transition(
        Transition(HUB, state, None, now - 40 * SECOND, now, reason, evidence={}, flapping=still)
    )


def test_while_it_flaps_one_incident_stays_open_and_two_messages_tell_of_it(desk: Desk) -> None:
    desk.world.readers = (AN,)
    assert flaps(desk, State.DOWN) == 1
    for _ in range(20):
        advance(desk, 120)
        assert flaps(desk, State.UP) == 1
        assert flaps(desk, State.DOWN) == 1
    flaps(desk, State.UP)
    assert told(desk) == [("flapping", "an")]
    assert len(records.incidents(desk.sql)) == 1
    advance(desk, 3600)
    assert flaps(desk, State.UP, still=False, reason="no longer flapping, up") is None
    assert told(desk) == [("flapping", "an"), ("flapped", "an")]
    assert records.incidents(desk.sql) == []
    payload = desk.sql.execute("SELECT payload FROM notification WHERE step = 'flapped'").fetchone()[0]
    assert "HẾT CHẬP CHỜN, ĐÃ ỔN ĐỊNH" in payload
    assert "references" in payload, "in the thread of the first message"


def test_an_outage_that_begins_to_flap_says_so_and_what_it_is_in_the_end(desk: Desk) -> None:
    desk.world.readers = (AN,)
    desk.becomes(State.DOWN)
    flaps(desk, State.UP)
    flaps(desk, State.DOWN)
    flaps(desk, State.DOWN, still=False, reason="no longer flapping, down")
    assert told(desk) == [("opened", "an"), ("flapping", "an"), ("steady", "an")]
    advance(desk, 600)
    desk.becomes(State.UP)
    assert told(desk)[3:] == [("resolved", "an")], "after that it is an outage like any other"


def test_failures_with_a_shared_cause_are_one_incident_of_that_cause(desk: Desk) -> None:
    desk.world.readers = (AN,)
    carrier = CheckId("VNPT", "carrier")
    now = desk.clock.utc_ns()
    members = (HUB, SPOKE)
    desk.incidents.on_transition(
        Transition(carrier, State.DOWN, None, now, now, "2 of 3 that share it fail at once", members=members)
    )
    for check in members:
        assert desk.becomes(State.DOWN, check, cause=carrier) == 1
    behind = CheckId("camera", "icmp")
    assert desk.becomes(State.UNREACHABLE, behind, cause=HUB) == 1, "what hangs on a member is affected too"
    for check in members:
        assert desk.becomes(State.UP, check) is None
    assert told(desk) == [("opened", "an")]
    payload = desk.sql.execute("SELECT payload FROM notification").fetchone()[0]
    assert "SỰ CỐ NHÀ MẠNG" in payload
    assert "Trạm spoke" in payload
    desk.becomes(State.UP, carrier)
    assert told(desk) == [("opened", "an"), ("resolved", "an")]
    assert records.members(desk.sql, 1) == [HUB, SPOKE, behind]
