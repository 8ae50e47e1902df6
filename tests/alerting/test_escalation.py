"""From the incident through its routes to the outbox: who is told, in which order, until somebody acknowledges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alerting import records
from alerting.escalation import Escalations
from alerting.records import Incident
from alerting.routing import Plan, Rung
from alerting.world import Recipient
from haidang.clock import ManualClock
from haidang.model import CheckId, State
from tests.alerting.province import AN, BINH, HUB, SECOND, START, Desk, Province

CHI, DUNG = Recipient("chi", "chi@example.vn", "vi"), Recipient("dung", "dung@example.vn", "en")
TWO_STEPS = Plan("wan", (Rung(0, ("binh",)), Rung(900, ("chi",)), Rung(1800, ("dung", "binh"))))


@dataclass
class Routes:
    """Routes and silences as the configuration and people would have them; change them as they do."""

    taken: Sequence[Plan] = (TWO_STEPS,)
    known: dict[str, Recipient] = field(default_factory=lambda: {one.contact: one for one in (AN, BINH, CHI, DUNG)})
    silent_until_ns: int | None = None

    def plans(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> Sequence[Plan]:
        return self.taken

    def people(self, names: Sequence[str], at_ns: int) -> Sequence[Recipient]:
        return [self.known[name] for name in dict.fromkeys(names)]

    def silenced_until_ns(self, incident: Incident, members: Sequence[CheckId], at_ns: int) -> int | None:
        return self.silent_until_ns if self.silent_until_ns and at_ns < self.silent_until_ns else None


class Night:
    """A desk with routes, and a hand on the time."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.routes = ManualClock(START), Routes()
        self.desk = Desk(folder, self.clock, Province((AN,)), router=self.routes)
        self._seen = 0

    def down(self, check: CheckId = HUB) -> int:
        number = self.desk.becomes(State.DOWN, check)
        assert number is not None
        self.desk.incidents.tick()
        return number

    def up(self, check: CheckId = HUB) -> None:
        self.desk.becomes(State.UP, check)
        self.desk.incidents.tick()

    def passes(self, seconds: int) -> None:
        for _ in range(seconds // 15):
            self.clock.advance(15)
            self.desk.escalator.tick()

    def told(self) -> list[tuple[str, str]]:
        """Return who was told what since this was asked last."""
        rows = self.desk.sql.execute(
            "SELECT id, contact, step FROM notification WHERE id > ? ORDER BY id", (self._seen,)
        )
        found = rows.fetchall()
        self._seen = found[-1][0] if found else self._seen
        return [(contact, step) for _, contact, step in found]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path)
    yield made
    made.desk.database.close()


def test_nobody_acknowledges_so_step_after_step_is_told_and_recovery_goes_to_all_of_them(night: Night) -> None:
    night.down()
    assert night.told() == [("an", "opened"), ("binh", "opened")]
    night.passes(885)
    assert night.told() == []
    night.passes(15)
    assert night.told() == [("chi", "escalated")]
    night.passes(900)
    assert night.told() == [("dung", "escalated"), ("binh", "escalated")]
    night.passes(7200)
    assert night.told() == []
    night.up()
    assert sorted(night.told()) == [(name, "resolved") for name in ("an", "binh", "chi", "dung")]


def test_an_acknowledgement_ends_it_and_when_it_runs_out_the_next_is_told(night: Night) -> None:
    number = night.down()
    night.passes(600)
    night.desk.incidents.acknowledge(number, "binh", night.clock.utc_ns() + 7200 * SECOND)
    night.told()
    night.passes(7185)
    assert night.told() == []
    night.passes(75)
    assert night.told() == [("chi", "escalated")]


def test_recovery_before_the_next_step_ends_it(night: Night) -> None:
    night.down()
    night.up()
    night.told()
    night.passes(3600)
    assert night.told() == []


def test_what_is_silenced_is_recorded_and_told_when_the_silence_ends_if_it_still_lasts(night: Night) -> None:
    night.routes.silent_until_ns = START + 3600 * SECOND
    kept = night.down()
    short = night.down(CheckId("other", "icmp"))
    night.passes(1800)
    night.up(CheckId("other", "icmp"))
    night.passes(1785)
    assert night.told() == []
    assert records.incident(night.desk.sql, kept) is not None
    night.passes(75)
    assert sorted(night.told()) == [("an", "opened"), ("binh", "opened")]
    night.passes(915)
    assert night.told() == [("chi", "escalated")]
    assert records.deliveries(night.desk.sql, short) == []


def test_a_silence_in_between_holds_the_next_step(night: Night) -> None:
    night.down()
    night.told()
    night.routes.silent_until_ns = START + 3600 * SECOND
    night.passes(3585)
    assert night.told() == []
    night.passes(75)
    assert night.told() == [("chi", "escalated")]


def test_who_is_told_of_everything_and_by_a_route_is_told_once(night: Night) -> None:
    night.routes.taken = (Plan("wan", (Rung(0, ("an", "binh")),)), Plan("more", (Rung(0, ("binh", "an")),)))
    night.down()
    assert night.told() == [("an", "opened"), ("binh", "opened")]


def test_what_is_not_urgent_comes_as_one_list_at_its_hour(night: Night) -> None:
    night.routes.taken = (Plan("rest", (Rung(0, ("binh",)),), digest=7 * 60 + 30),)
    night.desk.world.readers = ()
    night.down()
    night.passes(600)
    night.up()
    night.down(CheckId("other", "icmp"))
    assert night.told() == []
    night.passes(5 * 3600)  # from 03:12 past 07:30
    assert night.told() == [("binh", "digest")]
    (payload,) = night.desk.sql.execute("SELECT payload FROM notification WHERE step = 'digest'").fetchone()
    assert "Not urgent, since the last list: 3" in payload
    assert payload.count("Station hub") == 2
    assert payload.count("Station other") == 1
    night.passes(24 * 3600)
    assert night.told() == []


def test_timers_are_in_the_database_and_a_new_daemon_goes_on_with_them(night: Night, tmp_path: Path) -> None:
    night.down()
    night.passes(600)
    night.told()
    night.desk.database.close()
    again = Night(tmp_path)
    again.clock.advance(899)
    again.told()
    again.desk.escalator.tick()
    assert again.told() == []
    again.clock.advance(1)
    again.desk.escalator.tick()
    assert again.told() == [("chi", "escalated")]
    again.desk.escalator.tick()
    assert again.told() == []
    night.desk.database = again.desk.database


@pytest.mark.parametrize("by_s", [-7200, 7200])
def test_a_step_of_the_wall_clock_moves_the_timers_with_it(night: Night, by_s: int) -> None:
    night.down()
    night.passes(600)
    night.told()
    before_ns = night.clock.utc_ns()
    night.clock.step(by_s)
    night.desk.escalations.clock_stepped(before_ns, night.clock.utc_ns())
    night.passes(285)
    assert night.told() == []
    night.passes(15)
    assert night.told() == [("chi", "escalated")]


def test_a_clock_set_back_while_nobody_looked_delays_no_step_beyond_the_next_look(night: Night) -> None:
    night.down()
    night.told()
    night.clock.step(-30 * 86_400)
    assert Escalations(night.desk.database, night.clock).anything_due(night.clock.utc_ns())


def test_what_went_on_in_another_incident_is_not_escalated_by_itself(night: Night) -> None:
    numbers = [night.down(CheckId(f"station-{n}", "icmp")) for n in range(3)]
    storm = records.root(night.desk.sql, numbers[0])
    assert storm is not None
    assert storm.number not in numbers
    night.told()
    night.passes(900)
    incidents = {row[0] for row in night.desk.sql.execute("SELECT incident FROM notification WHERE step = 'escalated'")}
    assert incidents == {storm.number}
