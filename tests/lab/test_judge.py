"""The judge: what counts as seen, as missed, as told twice, and as invented."""

from __future__ import annotations

from lab.scenario import Fault, Record, Seen, Truth, Verdict, judge
from lab.scenario.witness import Outage

S = 10**9
SYSTEMS = {"hub": "wan", "commune": "datanet", "other": "datanet"}


def truth(*, seen: str = "down", outages: tuple[Outage, ...] | None = None) -> Truth:
    if outages is None:
        outages = (Outage("hub", 100 * S, 400 * S), Outage("commune", 100 * S, 430 * S))
    fault = Fault("hub", frozenset({"hub/icmp"}), 100 * S, 400 * S, seen)
    return Truth(0, 1000 * S, (fault,), outages, SYSTEMS)


def incident(number: int, check: str, started: float, opened: float, messages: int = 2) -> Seen:
    return Seen(number, (check,), round(started * S), round(opened * S), round(400 * S), messages)


def verdict(*incidents: Seen, down: dict[str, float] | None = None, what: Truth | None = None) -> Verdict:
    down = {"hub": 300.0, "commune": 330.0} if down is None else down
    record = Record(incidents, down, frozenset(), sum(one.messages for one in incidents))
    return judge("hub-cut", what or truth(), record)


def test_a_fault_that_is_told_once_by_its_cause_passes() -> None:
    found = verdict(incident(1, "hub/icmp", 100.5, 142))
    assert found.passed
    assert (found.root_cause_hits, found.missed, found.surplus, found.false_alarms, found.messages) == (1, 0, 0, 0, 2)
    assert found.as_json()["detection_delay_s"] == {"median": 42.0, "p95": 42.0}
    assert found.downtime_error_s == 0
    assert found.system_down_s == {"datanet": 330.0, "wan": 300.0}


def test_a_fault_nobody_told_is_missed() -> None:
    found = verdict(down={})
    assert (found.missed, found.root_cause_hits, found.passed) == (1, 0, False)
    assert (found.downtime_error_s, found.worst_unit) == (330.0, "commune")
    assert found.as_json()["detection_delay_s"] == {"median": None, "p95": None}


def test_what_suffers_from_a_fault_belongs_to_it_but_is_not_its_cause() -> None:
    found = verdict(incident(1, "commune/icmp", 101, 145))
    assert (found.root_cause_hits, found.missed, found.false_alarms, found.passed) == (0, 0, 0, False)
    assert found.notes == ("wrong cause: hub was called commune/icmp",)


def test_telling_one_thing_twice_is_surplus() -> None:
    found = verdict(incident(1, "hub/icmp", 100.5, 142), incident(2, "commune/icmp", 101, 145))
    assert (found.surplus, found.false_alarms) == (1, 0)


def test_an_incident_without_a_fault_is_a_false_alarm() -> None:
    found = verdict(incident(1, "hub/icmp", 100.5, 142), incident(2, "other/icmp", 200, 250))
    assert (found.false_alarms, found.passed) == (1, False)
    assert found.notes == ("false alarm: incident 2 says other/icmp",)


def test_an_incident_long_before_or_after_the_fault_is_a_false_alarm() -> None:
    early = verdict(incident(1, "hub/icmp", 50, 92))
    late = verdict(incident(1, "hub/icmp", 750, 790))
    assert (early.false_alarms, early.missed) == (1, 1)
    assert (late.false_alarms, late.missed) == (1, 1)


def test_nothing_is_what_should_be_told_of_what_is_only_degraded() -> None:
    quiet = verdict(down={}, what=truth(seen="degraded", outages=()))
    assert (quiet.faults, quiet.missed, quiet.passed) == (0, 0, True)
    assert quiet.notes == ("not called degraded: hub",)
    loud = verdict(incident(1, "hub/icmp", 120, 170), down={}, what=truth(seen="degraded", outages=()))
    assert (loud.false_alarms, loud.surplus) == (0, 1)
    assert loud.notes[0] == "called down, though it was only bad: hub/icmp"


def test_a_warning_that_was_only_called_degraded_is_missed_and_the_note_says_so() -> None:
    what = truth(seen="warning", outages=())
    missed = judge("test", what, Record((), {}, frozenset({"hub/icmp"}), 0))
    assert (missed.faults, missed.missed, missed.passed) == (1, 1, False)
    assert missed.notes == ("missed: hub, only called degraded",)


def test_downtime_that_was_invented_is_an_error_too() -> None:
    found = verdict(incident(1, "hub/icmp", 100.5, 142), down={"hub": 300.0, "commune": 330.0, "other": 12.5})
    assert (found.downtime_error_s, found.worst_unit) == (12.5, "other")


def test_an_outage_counts_only_within_the_scenario() -> None:
    what = truth(outages=(Outage("hub", -50 * S, 100 * S), Outage("hub", 950 * S, 1200 * S)))
    assert what.down_s() == {"hub": 150.0}
