"""What several checks share beside their parents, and how one failure of it is told from several."""

from __future__ import annotations

from collections.abc import Sequence

from availability.dependencies import judge
from availability.health import HealthEngine
from availability.risks import OWN_ROUTE
from availability.rule import Rule
from haidang.model import CheckId, Observation, Sample, State, Status, Transition

S = 1_000_000_000
START = 1_700_000_000 * S
CARRIER = CheckId("VNPT", "carrier")
RING = CheckId("north", "ring")
LINES = [CheckId(f"line{number}", "icmp") for number in range(8)]


class Bench:
    """Lines of one carrier, with a hand on the time."""

    def __init__(self, groups: dict[CheckId, list[CheckId]], parents: dict[CheckId, tuple[CheckId, ...]]) -> None:
        self.engine = HealthEngine(judge, lambda _check, _fast: None)
        above = [one for many in parents.values() for one in many]
        self.checks = list(dict.fromkeys([*above, *LINES, *parents]))
        for check in self.checks:
            self.engine.watch(check, Rule())
        self.engine.connect(parents)
        self.engine.share(groups)
        self.transitions: list[Transition] = []

    def live(self, begin: int, end: int, failed: dict[CheckId, int], no_route: Sequence[CheckId] = ()) -> None:
        """Let seconds pass, each check answering unless it has failed by then."""
        for second in range(begin, end):
            for check in self.checks:
                ok = second < failed.get(check, end)
                at = START + second * S
                status = Status.UP if ok else Status.DOWN
                cut = check in no_route and not ok
                seen = Observation(check.target, check.probe, at, status, "", {}, 1.0, (Sample(at, ok),), cut)
                self.transitions += self.engine.observe(seen, at)
            self.transitions += self.engine.tick(START + second * S)

    def states(self, check: CheckId) -> list[State]:
        return [one.state for one in self.transitions if one.check == check]

    def causes(self) -> set[CheckId | None]:
        return {one.cause for one in self.transitions if one.state is State.DOWN and one.check in LINES}


def test_lines_of_a_carrier_that_fail_together_are_the_carriers_failure() -> None:
    bench = Bench({CARRIER: LINES}, {})
    bench.live(0, 300, {line: 100 + 3 * number for number, line in enumerate(LINES[:5])})
    (down,) = [one for one in bench.transitions if one.check == CARRIER]
    assert (down.state, down.at_ns, down.members) == (State.DOWN, START + 100 * S, tuple(LINES[:5]))
    assert down.reason == "5 of 8 that share it fail at once"
    assert bench.causes() == {CARRIER}
    bench.live(300, 400, {})
    assert bench.states(CARRIER) == [State.DOWN, State.UP]


def test_the_group_that_is_hit_hardest_is_the_reason() -> None:
    bench = Bench({CARRIER: LINES, RING: LINES[:5]}, {})
    bench.live(0, 300, dict.fromkeys(LINES[:5], 100))
    assert bench.causes() == {RING}
    assert bench.states(CARRIER) == []


def test_few_failures_of_a_large_group_are_unsure_and_said_to_be() -> None:
    bench = Bench({CARRIER: LINES}, {})
    bench.live(0, 300, dict.fromkeys(LINES[:3], 100))
    assert bench.causes() == {None}
    last = [one for one in bench.transitions if one.state is State.DOWN][-1]
    assert "unsure: 2 others failed within a minute" in last.reason


def test_failures_far_apart_are_none_of_the_carriers() -> None:
    bench = Bench({CARRIER: LINES}, {})
    bench.live(0, 900, {line: 100 + 130 * number for number, line in enumerate(LINES[:5])})
    assert bench.causes() == {None}


def test_lines_behind_a_failed_hub_are_the_hubs_failure_and_not_their_carriers() -> None:
    hub = CheckId("hub", "icmp")
    bench = Bench({CARRIER: LINES}, dict.fromkeys(LINES, (hub,)))
    bench.live(0, 300, {hub: 103} | {line: 100 + number % 7 for number, line in enumerate(LINES)})
    assert bench.states(hub) == [State.UP, State.DOWN]
    assert bench.states(CARRIER) == []
    assert {bench.engine.state(line) for line in LINES} == {State.UNREACHABLE}


def test_after_a_restart_a_groups_failure_goes_on_until_its_last_member_is_back() -> None:
    bench = Bench({}, {})
    engine = bench.engine
    engine.forget(LINES)
    for line in LINES:
        engine.watch(line, Rule(), State.DOWN if line in LINES[:4] else State.UP)
    engine.connect({})
    engine.share({CARRIER: LINES}, [CARRIER])
    bench.live(0, 20, dict.fromkeys(LINES[:4], 0))
    assert bench.states(CARRIER) == []
    bench.live(20, 60, {LINES[0]: 20})
    assert bench.states(CARRIER) == []
    bench.live(60, 100, {})
    assert bench.states(CARRIER) == [State.UP]


def test_a_group_whose_members_are_taken_out_of_the_configuration_is_over() -> None:
    bench = Bench({CARRIER: LINES}, {})
    bench.live(0, 300, dict.fromkeys(LINES[:5], 100))
    bench.engine.forget(LINES[:5])
    bench.engine.connect({})
    bench.engine.share({CARRIER: LINES})
    bench.transitions += bench.engine.tick(START + 301 * S)
    assert bench.states(CARRIER) == [State.DOWN, State.UP]


def test_without_a_route_of_our_own_everything_is_unknown_and_the_one_failure_is_ours() -> None:
    gateway, agent = CheckId("gateway", "icmp"), CheckId("line0", "snmp")
    parents: dict[CheckId, tuple[CheckId, ...]] = dict.fromkeys(LINES, (gateway,))
    bench = Bench({OWN_ROUTE: [gateway, *LINES]}, {**parents, agent: (LINES[0],)})
    everything = dict.fromkeys(bench.checks, 100)
    bench.live(0, 100, {})
    bench.live(100, 400, everything, no_route=[gateway, *LINES])
    assert bench.states(OWN_ROUTE) == [State.DOWN]
    assert {bench.engine.state(check) for check in bench.checks} == {State.UNKNOWN}
    assert all(State.DOWN not in bench.states(check) for check in bench.checks)
    assert {one.at_ns for one in bench.transitions if one.state is State.UNKNOWN} == {START + 100 * S}
    bench.live(400, 460, {})
    assert bench.states(OWN_ROUTE) == [State.DOWN, State.UP]
    assert {bench.engine.state(check) for check in bench.checks} == {State.UP}


def test_what_stays_away_when_our_route_is_back_is_down_from_then_on() -> None:
    bench = Bench({OWN_ROUTE: LINES}, {})
    bench.live(0, 100, {})
    bench.live(100, 300, dict.fromkeys(LINES, 100), no_route=LINES)
    bench.live(300, 400, {LINES[3]: 300})
    assert bench.states(OWN_ROUTE) == [State.DOWN, State.UP]
    down = [one for one in bench.transitions if one.state is State.DOWN and one.check == LINES[3]]
    assert [one.at_ns for one in down] == [START + 300 * S]


def test_a_single_target_without_a_route_is_down() -> None:
    bench = Bench({OWN_ROUTE: LINES}, {})
    bench.live(0, 300, {LINES[0]: 100}, no_route=LINES[:1])
    assert bench.states(LINES[0]) == [State.UP, State.DOWN]
    assert bench.states(OWN_ROUTE) == []


def test_after_a_restart_our_own_failure_goes_on_until_everything_was_reached_or_failed_by_itself() -> None:
    bench = Bench({}, {})
    bench.engine.share({OWN_ROUTE: LINES}, [OWN_ROUTE])
    bench.live(0, 100, dict.fromkeys(LINES, 0), no_route=LINES)
    assert bench.states(OWN_ROUTE) == []
    assert all(State.DOWN not in bench.states(line) for line in LINES)
    bench.live(100, 200, {LINES[0]: 100})
    assert bench.states(OWN_ROUTE) == [State.UP]
    assert bench.states(LINES[0])[-1] is State.DOWN
