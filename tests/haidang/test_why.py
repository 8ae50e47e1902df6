"""``haidang why``: the reasons stand in the order in which somebody asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from haidang.cli import app
from haidang.model import CheckId, State, Transition
from haidang.why import Line, Why
from storage.accounts import Accounts, Maintenance
from storage.ledger import Ledger
from tests.haidang.test_duty import CONFIG, House, S


class Asked(House):
    """A house whose ledger knows the states too."""

    def fails(self, target: str, state: State = State.DOWN, cause: CheckId | None = None) -> None:
        now = self.clock.utc_ns()
        check = CheckId(target, "icmp")
        ledger = Ledger(self.database)
        ledger.watch([check], now - 3600 * S)
        change = Transition(check, state, State.UP, now - 40 * S, now, "no reply", cause)
        with self.database.transaction():
            ledger.record(change)
            self.alarm.incidents.on_transition(change)
        self.passes(0)

    def promised(self, name: str) -> list[Line]:
        return Why(self.configuration, self.database.connection, self.clock.utc_ns()).promised(name)

    def why(self, what: str | int) -> list[Line]:
        asked = Why(self.configuration, self.database.connection, self.clock.utc_ns())
        return asked.incident(what) if isinstance(what, int) else asked.target(what)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path)
    yield made
    made.database.close()


def test_an_incident_says_who_was_told_by_which_route_and_what_comes_next(house: Asked) -> None:
    house.fails("hub")
    lines = house.why(1)
    assert [about for about, _ in lines] == ["incident", "severity", "told", "escalation", "reminder", "route", "route"]
    said = dict(lines[:5])
    assert said["incident"].startswith("#1 hub (hub/icmp) since 15/11/2023 05:12:40, open")
    assert said["told"] == "opened: an by sms +849, waiting"
    assert said["escalation"] == "route wan: 1 of 2 steps told, next 15/11/2023 05:28:20"
    assert [words for about, words in lines if about == "route"] == [
        "wan: taken: after 0 s duty; after 900 s chief",
        "rest: not taken, a route before it was taken",
    ]
    assert house.why("hub")[1:] == lines


def test_what_holds_messages_back_is_named(house: Asked) -> None:
    house.fails("hub")
    house.ask("incident.ack", number=1, who="An", note="")
    house.ask(
        "silence.add", kind="site", name="north", end_ns=house.clock.utc_ns() + 3600 * S, reason="works", author="b"
    )
    house.passes(900)
    held = [words for about, words in house.why(1) if about == "held"]
    assert held[0] == "acknowledged by An: nobody further is told"
    assert held[1].startswith("silent until 15/11/2023 06:13:20")
    assert ("escalation", "route wan: 1 of 2 steps told, held up") in house.why(1)


def test_a_route_that_is_not_taken_says_for_what(house: Asked) -> None:
    house.fails("lone")
    assert ("route", "wan: not taken, it is for systems wan; this is of other") in house.why(1)
    assert ("route", "rest: taken: in the daily list at 07:30 to chief") in house.why(1)


def test_what_is_quiet_says_so(house: Asked) -> None:
    assert house.why("lone") == [("state", "lone: no measurement yet")]
    house.fails("hub")
    house.fails("lone", State.UNREACHABLE, CheckId("hub", "icmp"))
    lines = house.why("lone")
    assert lines[1][1].startswith("it is hidden behind hub/icmp: people hear of that")
    assert lines[2][1].startswith("#1 hub"), "and by whom"
    house.fails("lone", State.UP)
    assert house.why("lone")[-1] == ("told", "it works: there is nothing to tell")


def test_maintenance_is_named(house: Asked) -> None:
    now = house.clock.utc_ns()
    Accounts(house.database).plan(
        Maintenance(0, "target", "hub", now - 60 * S, now + 3600 * S, "", "Asia/Ho_Chi_Minh", 1, "card", "An", now)
    )
    house.fails("hub")
    words = "maintenance 1 of target hub until 15/11/2023 06:13:20 (card): nobody is told before it ends"
    assert ("maintenance", words) in house.why("hub")


RULES = """\
  rules:
    - {id: narrow, name: Redundancy lost, state: degraded, for: 10m, severity: minor}
    - {id: long, name: Down for long, state: down, for: 30m, severity: major}
    - {id: full, measurement: disk, field: used_percent, above: 90, clear: 85, for: 5m, severity: major}
    - {id: clock, name: Month nearly lost, budget: clock, where: [{tag: kind, value: system}], below: 7200}
"""


@pytest.fixture
def ruled(tmp_path: Path) -> Iterator[Asked]:
    made = Asked(tmp_path, CONFIG.replace("systems: [{id: wan}", "systems: [{id: wan, objective: 99.9}") + RULES)
    yield made
    made.database.close()


def test_a_rule_over_states_says_what_it_waits_for(ruled: Asked) -> None:
    ruled.fails("hub", State.DEGRADED)
    assert ruled.why("hub")[1:] == [
        ("rule", "narrow: fires when a check is degraded for 00:10:00; over when it is not"),
        ("told", "nobody before the rule's time is over"),
    ]
    ruled.fails("hub")
    assert ("rule", "long: fires when a check is down for 00:30:00; over when it is not") in ruled.why("hub")


def test_what_a_rule_found_says_the_rule_the_value_and_whose_severity_it_is(ruled: Asked) -> None:
    now = ruled.clock.utc_ns()
    check = CheckId("hub", "rule:full:/var")
    reason = "/var used_percent is 93, above 90 for 00:05:00"
    ruled.alarm.incidents.on_transition(Transition(check, State.DOWN, State.UP, now, now, reason))
    said = dict(ruled.why("hub"))
    assert said["rule"] == "full: fires when disk used_percent is above 90 for 00:05:00; over when it is at most 85"
    assert said["found"] == reason
    assert said["severity"] == "major, because of rule full"
    assert said["told"].startswith("opened: an by sms")


def test_a_promise_says_what_watches_it_and_what_was_found(ruled: Asked) -> None:
    assert ruled.promised("system:wan") == [
        ("promise", "system:wan: 99.9 % each month (wan)"),
        ("rule", "clock: fires when budget clock_s is below 7200; over when it is at least 7200"),
        ("told", "no incident is open about it"),
    ]
    now = ruled.clock.utc_ns()
    ruled.alarm.incidents.on_transition(
        Transition(CheckId("system:wan", "rule:clock:wan"), State.DOWN, State.UP, now, now, "lost in 01:30:00")
    )
    found = ruled.promised("system:wan")
    assert ("found", "lost in 01:30:00") in found
    assert ("route", "wan: not taken, it is for sites province; this is at none") in found
    assert ruled.promised("system:other") == []


def test_the_command_answers_for_numbers_and_names_and_refuses_what_is_neither(house: Asked, tmp_path: Path) -> None:
    house.fails("hub")
    (tmp_path / "haidang.yaml").write_text(CONFIG + "data_dir: .\n", encoding="utf-8")

    def ask(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(app, ["why", *words, "--config", str(tmp_path / "haidang.yaml")])
        return found.exit_code, found.output

    for what in ("1", "#1", "hub"):
        status, text = ask(what)
        assert (status, "opened: an by sms +849" in text) == (0, True)
    assert ask("9")[0] == 2
    assert "neither an incident nor a target: nothing" in ask("nothing")[1]
