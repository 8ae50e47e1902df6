"""How checks change state: confirmation, recovery, blindness, dependencies."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from availability.dependencies import judge
from availability.health import HealthEngine
from availability.rule import Rule
from haidang.model import CheckId, Observation, Sample, State, Status, Transition

S = 1_000_000_000
START = 1_700_000_000 * S
ROUTER = CheckId("router", "icmp")
HUB = CheckId("hub", "icmp")
AGENT = CheckId("router", "snmp")


class Bench:
    """A health engine with a hand on the time."""

    def __init__(self, rule: Rule | None = None, parents: dict[CheckId, tuple[CheckId, ...]] | None = None) -> None:
        self.hurried: set[CheckId] = set()
        self.engine = HealthEngine(judge, self._hurry)
        self.now = START
        self.transitions: list[Transition] = []
        for check in {ROUTER, *(parents or {}), *(one for many in (parents or {}).values() for one in many)}:
            self.engine.watch(check, rule or Rule(span_s=40))
        self.engine.connect(parents or {})

    def _hurry(self, check: CheckId, fast: bool) -> None:
        (self.hurried.add if fast else self.hurried.discard)(check)

    def see(self, second: float, ok: bool, check: CheckId = ROUTER, reason: str = "") -> list[Transition]:
        """Let one sample be known at a second after the start."""
        at = START + round(second * S)
        self.now = max(self.now, at)
        status = Status.UP if ok else Status.DOWN
        seen = Observation(check.target, check.probe, at, status, reason, {}, 1.0, (Sample(at, ok),))
        return self._keep(self.engine.observe(seen, self.now))

    def blind(self, second: float, check: CheckId = ROUTER, reason: str = "no right") -> list[Transition]:
        """Let a probe be impossible."""
        at = START + round(second * S)
        self.now = max(self.now, at)
        return self._keep(
            self.engine.observe(Observation(check.target, check.probe, at, Status.UNKNOWN, reason, {}, 0.0), self.now)
        )

    def tick(self, second: float) -> list[Transition]:
        self.now = START + round(second * S)
        return self._keep(self.engine.tick(self.now))

    def _keep(self, transitions: list[Transition]) -> list[Transition]:
        self.transitions += transitions
        return transitions

    def story(self, check: CheckId = ROUTER) -> list[tuple[str, float]]:
        """Tell what a check went through: states and the seconds they began."""
        return [(one.state.value, (one.at_ns - START) / S) for one in self.transitions if one.check == check]


def test_the_first_good_sample_is_up_at_once() -> None:
    bench = Bench()
    bench.see(3, True)
    assert bench.story() == [("up", 3)]


def test_a_failure_is_confirmed_by_five_samples_over_forty_seconds_and_begins_at_the_first() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in range(10, 50):
        assert bench.see(second, False) == []
    (down,) = bench.see(50, False, reason="no reply")
    assert (down.state, down.previous) == (State.DOWN, State.UP)
    assert (down.at_ns - START) / S == 10
    assert (down.confirmed_ns - START) / S == 50
    assert down.reason == "no reply (41 tries in 40 s)"
    assert down.evidence == {"failures": 41, "span_s": 40.0}


def test_many_failures_in_a_moment_are_no_outage() -> None:
    bench = Bench()
    bench.see(0, True)
    for tenth in range(1, 100):
        assert bench.see(tenth / 10, False) == []
    bench.see(10, True)
    assert bench.story() == [("up", 0)]


def test_few_failures_over_a_long_time_are_no_outage_yet() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in (60, 120, 180, 240):
        assert bench.see(second, False) == []
    assert bench.see(300, False)[0].at_ns == START + 60 * S


def test_one_good_sample_ends_a_suspicion() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in range(10, 49):
        bench.see(second, False)
    bench.see(49, True)
    for second in range(50, 90):
        assert bench.see(second, False) == []
    assert bench.story() == [("up", 0)]


def test_a_suspect_is_probed_fast_until_it_is_confirmed_or_cleared() -> None:
    bench = Bench()
    bench.see(0, True)
    assert bench.hurried == set()
    bench.see(10, False)
    assert bench.hurried == {ROUTER}
    bench.see(11, True)
    assert bench.hurried == set()
    for second in range(20, 61):
        bench.see(second, False)
    assert bench.story()[-1] == ("down", 20)
    assert bench.hurried == set()
    bench.see(100, True)
    assert bench.hurried == {ROUTER}, "a recovery is watched closely"


def test_a_recovery_needs_a_stable_stretch_and_begins_at_its_first_good_sample() -> None:
    bench = Bench()
    for second in range(41):
        bench.see(second, False)
    bench.see(100, True)
    bench.see(110, True)
    bench.see(115, False)
    (up,) = bench.see(130, True)
    assert (up.at_ns - START) / S == 100, "one lost sample in between does not count against it"
    assert bench.story() == [("down", 0), ("up", 100)]


def test_a_recovery_that_fails_again_begins_anew() -> None:
    bench = Bench()
    for second in range(41):
        bench.see(second, False)
    bench.see(100, True)
    bench.see(110, True)
    for second in range(111, 116):
        bench.see(second, False)
    for second in (120, 130, 140):
        assert bench.see(second, True) == []
    assert bench.see(150, True)[0].at_ns == START + 120 * S


def test_a_lossy_line_gets_out_of_down() -> None:
    bench = Bench()
    for second in range(41):
        bench.see(second, False)
    rng = random.Random(1)
    for second in range(100, 400):
        bench.see(second, rng.random() > 0.3)
    assert [state for state, _ in bench.story()] == ["down", "up", "degraded"], "up, and said to lose too much"
    assert bench.story()[1][1] < 110
    assert bench.transitions[-1].reason.startswith("it loses ")


def test_samples_that_come_late_and_are_older_than_what_is_known_change_nothing() -> None:
    bench = Bench()
    bench.see(10, True)
    late = Observation(
        "router", "icmp", START, Status.DOWN, "", {}, 1.0, (Sample(START, False), Sample(START + S, False))
    )
    assert bench.engine.observe(late, bench.now) == []
    assert bench.hurried == set()


def test_an_echo_lost_at_the_end_of_a_burst_is_where_the_outage_begins() -> None:
    bench = Bench()
    samples = tuple(Sample(START + second * S, second < 6) for second in (0, 2, 4, 6, 8))
    bench.engine.observe(Observation("router", "icmp", START, Status.UP, "", {}, 1.0, samples), START + 10 * S)
    for second in range(10, 47):
        bench.see(second, False)
    assert bench.story() == [("down", 6)]


def test_blindness_is_unknown_from_the_last_certain_sample_and_an_outage_goes_on_after_it() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in range(10, 52):
        bench.see(second, False)
    for second in range(60, 130, 10):
        bench.blind(second)
        bench.tick(second + 1)
    assert bench.story()[-1] == ("unknown", 51)
    bench.see(150, False)
    assert bench.story()[-1] == ("down", 150), "a confirmed outage is not confirmed a second time"


def test_a_moment_of_blindness_ends_nothing() -> None:
    bench = Bench()
    bench.see(0, True)
    bench.blind(10)
    bench.tick(15)
    bench.see(20, True)
    for second in range(30, 72):
        bench.see(second, False)
    for second in range(80, 200, 20):
        bench.blind(second)
        bench.tick(second + 1)
        bench.see(second + 10, False)
    assert bench.story() == [("up", 0), ("down", 30)]


def test_after_blindness_an_outage_ends_only_by_a_stable_stretch() -> None:
    bench = Bench()
    for second in range(41):
        bench.see(second, False)
    bench.blind(100)
    bench.tick(110)
    assert bench.story()[-1] == ("unknown", 40)
    for second in (120, 130, 140):
        assert bench.see(second, True) == []
    assert bench.see(150, True)[0].at_ns == START + 120 * S


def test_what_fails_after_blindness_must_be_confirmed_when_it_was_up_before() -> None:
    bench = Bench()
    bench.see(0, True)
    bench.tick(70)
    bench.see(80, False)
    assert bench.story() == [("up", 0), ("unknown", 0)]
    bench.blind(90)
    for second in range(100, 140):
        bench.see(second, False)
    assert bench.story()[-1] == ("unknown", 0), "nothing is backdated over the time we were blind"
    bench.see(140, False)
    assert bench.story()[-1] == ("down", 100)


def test_a_check_that_cannot_be_probed_at_all_is_unknown_from_the_start() -> None:
    bench = Bench()
    bench.blind(5)
    bench.blind(15)
    assert bench.story() == [("unknown", 5)]
    assert bench.transitions[0].reason == "no right"


def test_silence_becomes_unknown_where_the_samples_ended() -> None:
    bench = Bench()
    bench.see(0, True)
    bench.see(10, True)
    assert bench.tick(60) == []
    bench.tick(71)
    assert bench.story() == [("up", 0), ("unknown", 10)]
    assert bench.tick(200) == []


def test_after_a_restart_an_outage_known_before_goes_on_with_the_first_failure() -> None:
    bench = Bench()
    other = CheckId("camera", "icmp")
    bench.engine.watch(other, Rule(), State.DOWN)
    bench.see(5, False, other)
    assert bench.story(other) == [("down", 5)]
    third = CheckId("codec", "icmp")
    bench.engine.watch(third, Rule(), State.DOWN)
    for second in (6, 16, 26):
        assert bench.see(second, True, third) == []
    bench.see(36, True, third)
    assert bench.story(third) == [("up", 6)], "its recovery is confirmed like any other"


def test_a_step_of_the_wall_clock_confirms_nothing() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in range(10, 15):
        bench.see(second, False)
    bench.engine.shift(7200 * S)
    assert bench.see(7200 + 15, False) == []
    for second in range(16, 50):
        assert bench.see(7200 + second, False) == []
    assert bench.see(7200 + 50, False)[0].at_ns == START + (7200 + 10) * S


def test_the_agent_of_a_device_that_does_not_answer_pings_is_hidden_behind_it() -> None:
    bench = Bench(parents={AGENT: (ROUTER,)})
    bench.see(0, True, ROUTER)
    bench.see(1, True, AGENT)
    for second in range(10, 60):
        bench.see(second, False, AGENT)
        bench.see(second + 0.5, False, ROUTER)
    assert bench.story(ROUTER) == [("up", 0), ("down", 10.5)]
    assert bench.story(AGENT) == [("up", 1), ("unreachable", 10)]
    assert bench.transitions[-1].cause == ROUTER


def test_a_child_that_fails_first_waits_for_its_parents_and_makes_them_be_probed_at_once() -> None:
    bench = Bench(parents={ROUTER: (HUB,)})
    bench.see(0, True, HUB)
    bench.see(0, True, ROUTER)
    bench.see(10, False, ROUTER)
    bench.see(11, False, ROUTER)
    assert HUB in bench.hurried
    for second in range(12, 52):
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER) == [("up", 0)], "the hub has not been heard since"
    bench.see(55, False, HUB)
    for second in range(56, 97):
        bench.see(second, False, HUB)
    assert bench.story(HUB)[-1] == ("down", 55)
    assert bench.story(ROUTER)[-1] == ("unreachable", 10)


def test_a_child_fails_by_itself_when_its_parent_is_seen_up_afterwards() -> None:
    bench = Bench(parents={ROUTER: (HUB,)})
    bench.see(0, True, HUB)
    bench.see(0, True, ROUTER)
    for second in range(10, 51):
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER) == [("up", 0)]
    bench.see(51, True, HUB)
    assert bench.story(ROUTER)[-1] == ("down", 10)


def test_with_two_parents_one_alive_the_fault_is_the_childs_own() -> None:
    other = CheckId("hub2", "icmp")
    bench = Bench(parents={ROUTER: (HUB, other)})
    for check in (HUB, other, ROUTER):
        bench.see(0, True, check)
    for second in range(10, 60):
        bench.see(second, False, HUB)
        bench.see(second, True, other)
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER)[-1] == ("down", 10)


def test_one_of_what_a_check_needs_hides_it_though_another_way_is_alive() -> None:
    end = CheckId("end", "icmp")
    for failed, state in ((HUB, "unreachable"), (None, "down")):
        bench = Bench(parents={end: (ROUTER, HUB)})
        bench.engine.connect({end: (ROUTER,)}, {end: (HUB,)})
        for check in (HUB, ROUTER, end):
            bench.see(0, True, check)
        for second in range(10, 60):
            bench.see(second, True, ROUTER)
            bench.see(second, failed is None, HUB)
            bench.see(second, False, end)
        bench.see(60, failed is None, HUB)
        assert bench.story(end)[-1] == (state, 10)


def test_when_the_parent_recovers_first_its_children_stay_quiet_until_their_own_fresh_sample() -> None:
    sites = [CheckId(f"site{number}", "icmp") for number in range(20)]
    bench = Bench(parents=dict.fromkeys(sites, (HUB,)))
    for check in (HUB, *sites):
        bench.see(0, True, check)
    order = [HUB, *sites]
    for second in range(10, 60):
        random.Random(second).shuffle(order)
        for check in order:
            bench.see(second, False, check)
    assert {one.state for one in bench.transitions if one.at_ns > START} == {State.DOWN, State.UNREACHABLE}
    assert sum(one.state is State.DOWN for one in bench.transitions) == 1
    before = len(bench.transitions)
    for second in range(100, 131):
        bench.see(second, True, HUB)
    assert [one.check for one in bench.transitions[before:]] == [HUB]
    for second in range(131, 170):
        for site in sites:
            bench.see(second, True, site)
    assert all(one.state is State.UP for one in bench.transitions[before:])
    assert len(bench.transitions) == before + 21


def test_a_child_that_stays_down_after_its_parent_is_back_gets_its_own_verdict() -> None:
    bench = Bench(parents={ROUTER: (HUB,)})
    for second in range(60):
        bench.see(second, False, HUB)
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER) == [("unreachable", 0)]
    for second in range(60, 389):
        bench.see(second, True, HUB)
        bench.see(second, False, ROUTER)
    assert bench.story(HUB) == [("down", 0), ("up", 60)]
    assert bench.story(ROUTER) == [("unreachable", 0)], "a site that boots is given five minutes"
    for second in range(389, 400):
        bench.see(second, True, HUB)
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER) == [("unreachable", 0), ("down", 90)]


def test_a_parent_that_was_long_down_does_not_hide_a_childs_own_failure() -> None:
    bench = Bench(parents={ROUTER: (HUB,)})
    for second in range(600):
        bench.see(second, False, HUB)  # a hub that never answers pings
        bench.see(second, True, ROUTER)
    for second in range(600, 645):
        bench.see(second, False, HUB)
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER)[-1] == ("down", 600)


def test_blindness_towards_a_failed_parent_releases_no_children() -> None:
    sites = [CheckId(f"site{number}", "icmp") for number in range(5)]
    bench = Bench(parents=dict.fromkeys(sites, (HUB,)))
    for second in range(60):
        for check in (HUB, *sites):
            bench.see(second, False, check)
    for second in range(60, 140):
        bench.blind(second, HUB)
        bench.tick(second)
        for site in sites:
            bench.see(second, False, site)
    assert bench.story(HUB)[-1] == ("unknown", 59)
    assert {one.state for one in bench.transitions if one.check in sites} == {State.UNREACHABLE}


def test_with_a_slowly_polled_parent_the_verdict_waits_for_its_fresh_sample() -> None:
    bench = Bench(Rule(span_s=40, stale_s=1000), parents={ROUTER: (HUB,)})
    bench.see(0, True, HUB)
    bench.see(0, True, ROUTER)
    bench.see(9.9, False, ROUTER)
    bench.see(10, True, HUB)  # just before the cut reached it
    for second in range(11, 51):
        bench.see(second, False, ROUTER)
    assert bench.story(ROUTER) == [("up", 0)]
    assert HUB in bench.hurried
    for second in range(51, 93):
        bench.see(second, False, HUB)
        bench.see(second, False, ROUTER)
    assert bench.story(HUB)[-1] == ("down", 51)
    assert bench.story(ROUTER)[-1] == ("unreachable", 9.9)


def test_a_verdict_waits_for_a_silent_parent_a_minute_and_no_longer() -> None:
    bench = Bench(Rule(span_s=40, stale_s=1000), parents={ROUTER: (HUB,)})
    bench.see(0, True, HUB)
    bench.see(0, True, ROUTER)
    for second in range(10, 51):
        bench.see(second, False, ROUTER)
    assert bench.tick(100) == []
    bench.tick(111)
    assert bench.story(ROUTER)[-1] == ("down", 10)


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=1, max_size=120),
    st.integers(1, 6), st.integers(0, 60), st.integers(1, 4), st.integers(0, 60),
)  # fmt: skip
def test_the_states_equal_an_obvious_model_of_the_rule(
    steps: list[tuple[int, bool]], failures: int, span: int, clear: int, clear_span: int
) -> None:
    rule = Rule(failures, span, clear, clear_span, stale_s=10**9, flap_changes=10**6, loss_percent=0)
    bench = Bench(rule)
    second = 0
    history: list[tuple[int, bool]] = []
    state, story = None, []
    for wait, ok in steps:
        second += wait
        history.append((second, ok))
        bench.see(second, ok)
        run: list[int] = []  # the samples at the end that agree with the newest
        losses = 0
        for at, good in reversed(history):
            if good == ok:
                run.append(at)
                losses = 0
            elif state != "down" or not ok or (losses := losses + 1) >= failures:
                break  # while it is down, single losses do not end a run of good samples
        if ok and state != "up":
            needed, stretch = (clear, clear_span) if state == "down" else (1, 0)
            if len(run) >= needed and second - run[-1] >= stretch:
                state = "up"
                story.append((state, run[-1]))
        elif not ok and state != "down" and len(run) >= failures and second - run[-1] >= span:
            state = "down"
            story.append((state, run[-1]))
    assert bench.story() == story


def test_a_slow_burst_that_ends_after_faster_samples_tells_where_a_run_began() -> None:
    bench = Bench()
    bench.see(0, True)
    for second in (6, 7):  # fast probes, while a burst sent at 2, 4, 6, 8 is under way
        bench.see(second, False)
    for second in (2, 4, 8):
        bench.see(second, False)
    for second in range(10, 60, 5):
        bench.see(second, False)
    for second in (66, 67):
        bench.see(second, True)
    for second in (60, 62, 64, 68):
        bench.see(second, second > 60)
    for second in range(70, 110, 5):
        bench.see(second, True)
    assert bench.story() == [("up", 0), ("down", 2), ("up", 62)]


def test_an_old_sample_does_not_move_a_run_over_the_other_kind() -> None:
    bench = Bench()
    for second in (0, 3, 5):
        bench.see(second, True)
    bench.see(6, False)
    bench.see(4, False)  # lost before the good one at 5: another matter
    for second in range(10, 60, 5):
        bench.see(second, False)
    assert bench.story() == [("up", 0), ("down", 6)]
