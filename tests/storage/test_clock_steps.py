"""However the clock is moved, no outage is lost, made longer or told twice; what nobody lived through is unknown."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from haidang.model import CheckId, State, Transition
from storage.accounts import AccountsReader
from storage.database import Database
from storage.ledger import Ledger, LedgerReader
from tests.support.undone import undone

S = 1_000_000_000
HOUR = 3600
DAY = 24 * HOUR
A = CheckId("a", "icmp")
FIRST = 1_000_000
OUTAGE = (State.DOWN, State.UNREACHABLE)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "haidang.db", "haidang")
    yield made
    made.close()


class Watched:
    """One check, its ledger, the daemon's clock, and what was truly lived through."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ledger = Ledger(self.database)
        self.wall = FIRST
        self.lived = 0
        self.truth: list[tuple[State, int]] = []  # states and since when, in time that knows no steps
        self.jumps: list[list[int]] = []  # what is left of each jump forward, and when it was, in that time
        self.lost = 0
        self.ledger.begin(self.wall * S, "1")
        self.ledger.watch([A], self.wall * S)
        self.become(State.UP)

    def become(self, state: State, since: int = 0) -> None:
        """Confirm a state that began some seconds ago."""
        at = self.wall - since
        self.ledger.record(Transition(A, state, None, at * S, self.wall * S, "because"))
        self.truth.append((state, self.lived - since))

    def live(self, seconds: int) -> None:
        self.lived += seconds
        self.wall += seconds

    def step(self, seconds: int) -> None:
        self.ledger.clock_stepped(self.wall * S, (self.wall + seconds) * S)
        self.wall += seconds
        if seconds > 0:
            self.jumps.append([seconds, self.lived])
        for jump in reversed(self.jumps):
            if seconds < 0 and self.lived - jump[1] <= DAY:
                undone = min(jump[0], -seconds)
                jump[0] -= undone
                seconds += undone
        self.lost += max(0, -seconds)

    def story(self) -> list[tuple[State, int, int]]:
        rows = LedgerReader(self.database.connection).between(A, -(2**62), 2**62)
        return [
            (row.state, row.start_ns // S, self.wall if row.end_ns is None else row.end_ns // S) for row in rows
        ]  # fmt: skip

    def lengths(self) -> list[tuple[State, int]]:
        ends = [since for _, since in self.truth[1:]] + [self.lived]
        return [(state, end - since) for (state, since), end in zip(self.truth, ends, strict=True)]


def outages(lengths: Iterable[tuple[State, int]]) -> list[tuple[State, int]]:
    """Give the outages in order, each as one however often the record splits it."""
    away = (one for one in lengths if one[0] in OUTAGE and one[1])
    return [(state, sum(length for _, length in each)) for state, each in itertools.groupby(away, lambda one: one[0])]


def merged(rows: Iterable[tuple[State, int, int]]) -> list[tuple[State, int, int]]:
    """Put neighbours of the same state together."""
    found: list[tuple[State, int, int]] = []
    for row in rows:
        state, start, end = row
        if found and found[-1][0] is state and found[-1][2] == start:
            found[-1] = (state, found[-1][1], end)
        elif end > start:
            found.append(row)
    return found


def of(lengths: Iterable[tuple[State, int]], *states: State) -> int:
    return sum(length for state, length in lengths if state in states)


happenings = st.one_of(
    st.tuples(st.just("become"), st.sampled_from([State.UP, State.DOWN, State.UNREACHABLE, State.DEGRADED])),
    st.tuples(st.just("live"), st.integers(1, 5 * HOUR)),
    st.tuples(st.just("step"), st.integers(-3 * HOUR, 3 * HOUR)),
    st.tuples(st.just("step"), st.sampled_from([-DAY, -2 * HOUR, -1, 1, 2 * HOUR, DAY, 10 * 365 * DAY])),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(happenings, max_size=25))
def test_no_outage_is_lost_or_doubled_by_steps_of_the_clock(
    database: Database, happened: list[tuple[str, State | int]]
) -> None:
    with undone(database):
        _no_outage_is_lost(Watched(database), happened)


def _no_outage_is_lost(one: Watched, happened: list[tuple[str, State | int]]) -> None:
    for kind, value in happened:
        if kind == "become":
            assert isinstance(value, State)
            one.become(value)
        else:
            assert isinstance(value, int)
            getattr(one, kind)(value)
    story, true = one.story(), one.lengths()
    assert all(left[2] == right[1] for left, right in itertools.pairwise(story)), "each moment stands there once"
    assert story[-1][2] == one.wall, "and none lies in the future"
    recorded = [(state, end - start) for state, start, end in story]
    assert outages(recorded) == outages(true)
    working = of(true, State.UP, State.DEGRADED) - of(recorded, State.UP, State.DEGRADED)
    unlived = sum(left for left, _ in one.jumps) - of(recorded, State.UNKNOWN)
    moved = FIRST - story[0][1]
    assert working >= 0
    assert unlived >= 0
    assert working + unlived + moved == one.lost, "only what a step back took, and no jump gave, is missing"
    since = AccountsReader(one.database.connection).watched_ns(A)
    assert since is not None
    assert since // S <= story[0][1] or moved == 0


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([State.UP, State.DOWN]), st.integers(0, 2 * HOUR)), min_size=2, max_size=10),
    st.integers(1, 20 * HOUR), st.data(),
)  # fmt: skip
def test_a_jump_that_is_undone_within_a_day_leaves_no_trace(
    database: Database, lives: list[tuple[State, int]], jump: int, data: st.DataObject
) -> None:
    with undone(database):
        _a_jump_leaves_no_trace(Watched(database), lives, jump, data)


def _a_jump_leaves_no_trace(one: Watched, lives: list[tuple[State, int]], jump: int, data: st.DataObject) -> None:
    forth = data.draw(st.integers(0, len(lives) - 1))
    back = data.draw(st.integers(forth, len(lives) - 1))
    for number, (state, seconds) in enumerate(lives):
        one.become(state)
        if number == forth:
            one.step(jump)
        one.live(seconds)
        if number == back:
            one.step(-jump)
    ends = itertools.accumulate((length for _, length in one.lengths()), initial=FIRST)
    true = [(state, start, start + length) for (state, length), start in zip(one.lengths(), ends, strict=False)]
    assert merged(one.story()) == merged(true)


def test_an_outage_in_the_time_that_was_set_back_keeps_its_place_and_length(database: Database) -> None:
    one = Watched(database)
    one.live(180)
    one.step(2 * HOUR)
    one.live(180)
    one.become(State.DOWN)
    one.live(300)
    one.become(State.UP)
    one.live(540)
    one.step(-2 * HOUR)
    assert one.story() == [
        (State.UP, FIRST, FIRST + 180), (State.UP, FIRST + 180, FIRST + 360),
        (State.DOWN, FIRST + 360, FIRST + 660), (State.UP, FIRST + 660, FIRST + 1200),
    ]  # fmt: skip


def test_a_step_back_out_of_the_blue_shortens_what_was_well_and_no_outage(database: Database) -> None:
    one = Watched(database)
    one.live(10_000)
    one.become(State.DOWN)
    one.live(300)
    one.become(State.UP)
    one.live(1700)
    one.step(-7200)
    assert [(state, end - start) for state, start, end in one.story()] == [
        (State.UP, 2800), (State.DOWN, 300), (State.UP, 1700),
    ]  # fmt: skip


def test_a_failure_that_is_confirmed_only_after_a_step_back_keeps_its_beginning(database: Database) -> None:
    one = Watched(database)
    one.live(3 * HOUR + 60)
    one.step(-3 * HOUR)
    one.live(10)
    one.become(State.DOWN, since=50)
    one.live(100)
    assert one.story()[-1] == (State.DOWN, one.wall - 150, one.wall)


def test_part_of_a_jump_that_is_undone_leaves_the_rest_unknown(database: Database) -> None:
    one = Watched(database)
    one.live(1000)
    one.step(7200)
    one.live(500)
    one.step(-3600)
    assert [(state, end - start) for state, start, end in one.story()] == [
        (State.UP, 1000), (State.UNKNOWN, 3600), (State.UP, 500),
    ]  # fmt: skip


def test_a_jump_of_long_ago_is_not_what_a_small_step_undoes(database: Database) -> None:
    one = Watched(database)
    one.live(1000)
    one.step(7200)
    one.live(2 * DAY)
    one.step(-1)
    assert [(state, end - start) for state, start, end in one.story()] == [
        (State.UP, 1000), (State.UNKNOWN, 7200), (State.UP, 2 * DAY - 1),
    ]  # fmt: skip


def test_a_clock_that_was_set_back_while_nobody_watched_does_not_stop_the_record(database: Database) -> None:
    one = Watched(database)
    one.live(HOUR)
    one.step(2 * HOUR)
    one.live(100)
    one.become(State.DOWN)
    one.live(300)
    one.ledger.end(one.wall * S)
    one.wall -= 2 * HOUR
    again = Ledger(one.database)
    assert again.begin(one.wall * S, "1") == {A: State.DOWN}
    one.wall += 60
    again.record(Transition(A, State.UP, None, one.wall * S, one.wall * S, ""))
    one.wall += 60
    assert [(state, end - start) for state, start, end in one.story() if end > start] == [
        (State.UP, HOUR), (State.UP, 100), (State.DOWN, 300), (State.UNKNOWN, 60), (State.UP, 60),
    ]  # fmt: skip
