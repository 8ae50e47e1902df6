"""Which route an incident takes, and who is told when: rules and a model that walks second by second."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.oncall.rota import Hours, moment
from alerting.routing import Clockwork, Facts, Plan, Progress, Route, Rung, chosen, climb, next_at
from alerting.severity import Severity

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
WORK = (Hours(frozenset(range(5)), 7 * 60 + 30, 17 * 60),)
S = 10**9


def at(text: str) -> int:
    return moment(datetime.fromisoformat(text), ZONE)


def plan(name: str) -> Plan:
    return Plan(name, (Rung(0, ("an",)),))


def names(routes: list[Route], facts: Facts, holidays: frozenset[date] = frozenset()) -> list[str]:
    return [one.route for one in chosen(routes, facts, Clockwork(ZONE, holidays))]


def test_the_first_route_that_fits_is_taken_and_the_next_only_if_it_says_so() -> None:
    routes = [Route(plan("wan"), systems=frozenset({"wan"}), further=True), Route(plan("rest")), Route(plan("never"))]
    assert names(routes, Facts(frozenset({"wan"}))) == ["wan", "rest"]
    assert names(routes, Facts(frozenset({"datanet"}))) == ["rest"]


def test_severity_is_at_least_and_owner_and_site_are_one_of_those_named() -> None:
    route = [
        Route(plan("x"), sites=frozenset({"yen-the"}), owners=frozenset({"carrier", "power"}), severity=Severity.MAJOR)
    ]
    fine = Facts(sites=frozenset({"yen-the", "province"}), severity=Severity.CRITICAL, owner="carrier")
    assert names(route, fine) == ["x"]
    assert not names(route, Facts(fine.systems, fine.sites, Severity.MINOR, fine.owner))
    assert not names(route, Facts(fine.systems, fine.sites, fine.severity, "unknown"))
    assert not names(route, Facts(fine.systems, frozenset({"province"}), fine.severity, fine.owner))


@pytest.mark.parametrize(
    ("when", "route"),
    [
        ("2026-11-23 07:30", "work"), ("2026-11-23 07:29", "quiet"), ("2026-11-23 17:00", "quiet"),
        ("2026-11-28 10:00", "quiet"), ("2027-02-05 10:00", "holiday"), ("2027-02-05 03:00", "holiday"),
    ],
)  # fmt: skip
def test_working_hours_quiet_hours_and_holidays_go_different_ways(when: str, route: str) -> None:
    routes = [
        Route(plan("holiday"), holidays="only"), Route(plan("work"), hours=WORK, holidays="except"),
        Route(plan("quiet")),
    ]  # fmt: skip
    assert names(routes, Facts(at_ns=at(when)), frozenset({date(2027, 2, 5)})) == [route]


ages = st.lists(st.integers(0, 120), min_size=1, max_size=4, unique=True).map(sorted)
holds = st.lists(st.tuples(st.integers(0, 300), st.integers(1, 200)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(ages, holds)
def test_each_step_is_told_once_in_order_never_while_held_and_on_time_otherwise(
    steps: list[int], held: list[tuple[int, int]]
) -> None:
    route = Plan("r", tuple(Rung(age, (str(number),)) for number, age in enumerate(steps)))

    def until(second: int) -> int | None:
        ends = [begin + length for begin, length in held if begin <= second < begin + length]
        return max(ends) * S + START if ends else None

    # The model: an age that stands still while held, and is the next step's when the hold ends.
    told: list[tuple[int, int]] = []
    age, was_held, done = 0, False, 0
    for second in range(600):
        if until(second) is not None:
            was_held = True
        else:
            if was_held and done < len(steps):
                age, was_held = steps[done], False
            while done < len(steps) and steps[done] <= age:
                told.append((second, done))
                done += 1
            age += 1
    assert walk(route, until, every_second=True) == told
    seldom = walk(route, until, every_second=False)
    assert [number for _, number in seldom] == list(range(len(seldom)))
    assert all(until(second) is None for second, _ in seldom)
    if not held:
        assert seldom == told


def walk(route: Plan, until: Callable[[int], int | None], *, every_second: bool) -> list[tuple[int, int]]:
    """Climb for ten minutes, looking each second or only when something is said to be due."""
    progress, found = Progress(START, 0, START), []
    for second in range(600):
        now_ns = START + second * S
        if progress.due_ns is None or (progress.due_ns > now_ns and not every_second):
            continue
        rungs, progress = climb(route, progress, now_ns, over=False, held_until_ns=until(second))
        found += [(second, int(rung.to[0])) for rung in rungs]
    return found


START = 1_700_000_000 * S


def test_what_is_over_is_told_to_nobody() -> None:
    route = Plan("r", (Rung(0, ("an",)), Rung(60, ("binh",))))
    rungs, progress = climb(route, Progress(START, 1, START), START + 3600 * S, over=True, held_until_ns=None)
    assert (rungs, progress.due_ns) == ((), None)


def test_after_an_hour_without_the_daemon_every_step_that_is_due_is_told_at_once() -> None:
    route = Plan("r", (Rung(0, ("an",)), Rung(60, ("binh",)), Rung(7200, ("chi",))))
    rungs, progress = climb(route, Progress(START, 1, START + 60 * S), START + 3600 * S, over=False, held_until_ns=None)
    assert [rung.to for rung in rungs] == [("binh",)]
    assert progress == Progress(START, 2, START + 7200 * S)


def test_after_a_hold_the_next_step_comes_at_once_and_the_others_at_their_distance() -> None:
    route = Plan("r", (Rung(0, ("an",)), Rung(900, ("binh",)), Rung(1800, ("chi",))))
    _, held = climb(route, Progress(START, 1, START), START, over=False, held_until_ns=START + 7200 * S)
    end_ns = START + 7200 * S
    rungs, progress = climb(route, held, end_ns, over=False, held_until_ns=None)
    assert [rung.to for rung in rungs] == [("binh",)]
    assert progress.due_ns == end_ns + 900 * S


def test_a_list_is_due_at_the_next_time_the_clock_shows_its_hour() -> None:
    assert next_at(450, at("2026-11-23 07:29"), ZONE) == at("2026-11-23 07:30")
    assert next_at(450, at("2026-11-23 07:30"), ZONE) == at("2026-11-24 07:30")


def test_a_plan_outlives_a_restart_as_json() -> None:
    route = Plan("r", (Rung(0, ("an", "duty")), Rung(60.5, ("binh",))), 450)
    assert Plan.from_json(route.as_json()) == route
