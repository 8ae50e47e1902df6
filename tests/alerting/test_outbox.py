from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.outbox import LONGEST_WAIT_NS, Outbox
from alerting.sender import delay_s
from alerting.world import Recipient, Step
from haidang.clock import ManualClock
from haidang.model import State
from storage.database import Database
from tests.alerting.province import AN, BINH, SECOND, SPOKE, START, Desk
from tests.support.undone import undone


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    made.becomes(State.DOWN)
    yield made
    made.database.close()


@pytest.fixture
def clock(desk: Desk) -> ManualClock:
    assert isinstance(desk.clock, ManualClock)
    return desk.clock


def steps(desk: Desk, limit: int = 10) -> list[tuple[str, str]]:
    return [(message.contact, message.step) for message in desk.outbox.due(limit)]


def test_a_claimed_message_is_nobody_elses(desk: Desk) -> None:
    due = desk.outbox.due(10)
    assert [message.attempts for message in desk.outbox.claim(due)] == [1, 1]
    assert desk.outbox.claim(due) == []
    assert desk.outbox.due(10, {("mail", AN.address), ("mail", BINH.address)}) == []


def test_no_more_than_the_limit_is_due(desk: Desk) -> None:
    assert len(desk.outbox.due(1)) == 1


def test_the_recovery_waits_for_the_failure_to_be_read(desk: Desk) -> None:
    desk.becomes(State.UP)
    assert steps(desk) == [("an", "opened"), ("binh", "opened")]
    first, second = desk.outbox.claim(desk.outbox.due(10))
    assert steps(desk) == []
    desk.outbox.sent(first)
    desk.outbox.retry(second, START + 5 * SECOND, "busy")
    assert steps(desk) == [("an", "resolved")]


def test_the_recovery_is_told_also_when_the_failure_could_not_be(desk: Desk) -> None:
    desk.becomes(State.UP)
    for message in desk.outbox.claim(desk.outbox.due(10)):
        desk.outbox.failed(message, "550 no such user")
    assert steps(desk) == [("an", "resolved"), ("binh", "resolved")]


def test_a_message_of_another_incident_does_not_wait(desk: Desk) -> None:
    (message,) = desk.outbox.claim(desk.outbox.due(1))
    desk.outbox.retry(message, START + 900 * SECOND, "busy")
    desk.becomes(State.DOWN, SPOKE)
    assert ("an", "opened") in steps(desk)


def test_a_retry_comes_when_planned_and_not_before(desk: Desk, clock: ManualClock) -> None:
    for message in desk.outbox.claim(desk.outbox.due(10)):
        desk.outbox.retry(message, START + 5 * SECOND, "busy")
    assert desk.outbox.due(10) == []
    assert desk.outbox.next_ns() == START + 5 * SECOND
    clock.advance(5)
    assert len(desk.outbox.due(10)) == 2


@pytest.mark.parametrize("step_s", [-86400, -1000, 86400])
def test_a_clock_that_jumps_never_makes_a_retry_wait_longer_than_the_longest(
    desk: Desk, clock: ManualClock, step_s: int
) -> None:
    for message in desk.outbox.claim(desk.outbox.due(10)):
        desk.outbox.retry(message, START + LONGEST_WAIT_NS, "busy")
    clock.step(step_s)
    clock.advance(LONGEST_WAIT_NS / 1e9)
    assert len(desk.outbox.due(10)) == 2


def test_what_was_in_flight_when_the_daemon_died_is_sent_again_with_the_same_id(desk: Desk, tmp_path: Path) -> None:
    before = {message.message_id for message in desk.outbox.claim(desk.outbox.due(10))}
    desk.database.close()
    database = Database(tmp_path / "haidang.db", "haidang")
    outbox = Outbox(database, ManualClock(START), "example.vn")
    assert outbox.due(10) == []
    assert outbox.recover() == 2
    again = outbox.claim(outbox.due(10))
    assert {message.message_id for message in again} == before
    assert [message.attempts for message in again] == [2, 2]
    database.close()


def test_an_outcome_of_a_message_that_is_not_in_flight_changes_nothing(desk: Desk) -> None:
    (message,) = desk.outbox.claim(desk.outbox.due(1))
    desk.outbox.sent(message)
    desk.outbox.retry(message, 0, "late")
    desk.outbox.failed(message, "late")
    assert desk.outbox.counts() == {"sent": 1, "waiting": 1}


def test_a_message_id_is_well_formed_whatever_the_names(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    database.connection.execute("PRAGMA foreign_keys=OFF")
    word = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*"

    @given(contact=st.text(max_size=80), domain=st.text(max_size=80))
    def check(contact: str, domain: str) -> None:
        who = Recipient(contact.encode(errors="replace").decode(), "a@example.vn")
        with undone(database):
            message_id = Outbox(database, ManualClock(), domain).put(7, Step.OPENED, who, {}, 0)
            assert re.fullmatch(rf"<7-opened-{word}@{word}>", message_id)

    check()
    database.close()


def test_the_waits_grow_to_a_quarter_of_an_hour_and_no_further() -> None:
    assert [delay_s(attempt, 0.0) for attempt in range(1, 9)] == [5, 15, 45, 120, 300, 900, 900, 900]


@given(attempt=st.integers(1, 1000), jitter=st.floats(0, 1))
def test_jitter_only_shortens_a_wait_and_by_a_fifth_at_most(attempt: int, jitter: float) -> None:
    assert 0.8 * delay_s(attempt, 0) <= delay_s(attempt, jitter) <= delay_s(attempt, 0)
