"""The ledger keeps every moment once, and what nobody watched is unknown."""

from __future__ import annotations

import itertools
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haidang.model import CheckId, State, Transition
from storage import snapshots
from storage.accounts import AccountsReader
from storage.database import (
    Database,
    DatabaseDamaged,
    DatabaseError,
    DatabaseTooNew,
    migrations,
    open_reader,
    statements,
)
from storage.ledger import Ledger, LedgerReader
from tests.support.undone import undone

S = 1_000_000_000
A = CheckId("a", "icmp")
B = CheckId("b", "icmp")


def change(check: CheckId, state: State, at: int, confirmed: int | None = None) -> Transition:
    return Transition(check, state, None, at * S, (at if confirmed is None else confirmed) * S, "because")


def story(database: Database, check: CheckId) -> list[tuple[str, float, float | None]]:
    reader = LedgerReader(database.connection)
    return [
        (one.state.value, one.start_ns / S, None if one.end_ns is None else one.end_ns / S)
        for one in reader.between(check, -(2**62), 2**62)
    ]


def test_intervals_follow_each_other_from_true_start_to_true_start(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.record(change(A, State.DOWN, 100, confirmed=140))
    ledger.record(change(A, State.UP, 200, confirmed=230))
    assert story(database, A) == [("up", 5, 100), ("down", 100, 200), ("up", 200, None)]
    database.close()


def test_after_a_crash_the_time_since_the_last_beat_is_unknown(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.record(change(B, State.DOWN, 6, confirmed=50))
    ledger.beat(60 * S)
    database.connection.close()  # no orderly end
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    assert ledger.begin(1000 * S, "1") == {A: State.UP, B: State.DOWN}
    ledger.record(change(A, State.UP, 1003))
    assert story(database, A) == [("up", 5, 60), ("unknown", 60, 1003), ("up", 1003, None)]
    assert story(database, B) == [("down", 6, 60), ("unknown", 60, None)]
    database.close()


def test_an_orderly_end_counts_up_to_that_moment(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.beat(10 * S)
    ledger.end(17 * S)
    Ledger(database).begin(500 * S, "1")
    assert story(database, A) == [("up", 5, 17), ("unknown", 17, None)]
    database.close()


def test_a_verdict_after_the_last_beat_proves_that_we_lived_then(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.beat(10 * S)
    ledger.record(change(A, State.DOWN, 12, confirmed=55))
    Ledger(database).begin(500 * S, "1")
    assert story(database, A) == [("down", 12, 55), ("unknown", 55, None)]
    database.close()


def test_the_state_before_unknown_survives_several_restarts(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.DOWN, 12, confirmed=55))
    for start in (100, 200, 300):
        assert Ledger(database).begin(start * S, "1") == {A: State.DOWN}
    assert story(database, A) == [("down", 12, 55), ("unknown", 55, None)]
    database.close()


def test_a_jump_of_the_clock_forward_is_unknown_time_and_back_is_counted_once(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.clock_stepped(100 * S, 7300 * S)
    assert story(database, A) == [("up", 5, 100), ("unknown", 100, 7300), ("up", 7300, None)]
    ledger.clock_stepped(7400 * S, 200 * S)  # the first step was the error
    assert story(database, A) == [("up", 5, 100), ("up", 100, None)], "what was lived through counts, the jump does not"
    ledger.record(change(A, State.DOWN, 300, confirmed=340))
    assert story(database, A) == [("up", 5, 100), ("up", 100, 300), ("down", 300, None)]
    (retracted,) = database.connection.execute("SELECT count(*) FROM interval WHERE retracted_ns > 0").fetchone()
    assert retracted == 2, "the record of the wrong clock is kept"
    database.close()


def test_an_outage_keeps_its_length_over_a_clock_set_back(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(10_000 * S, "1")
    ledger.record(change(A, State.UP, 10_000))
    ledger.record(change(A, State.DOWN, 20_000, confirmed=20_040))
    ledger.clock_stepped(21_800 * S, 14_600 * S)
    ledger.record(change(A, State.UP, 15_500))
    assert story(database, A) == [("up", 10_000, 12_800), ("down", 12_800, 15_500), ("up", 15_500, None)]
    database.close()


def test_an_hour_in_the_far_future_does_not_void_the_ledger(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.clock_stepped(100 * S, 10**8 * S)
    ledger.beat((10**8 + 3000) * S)
    ledger.record(change(A, State.DOWN, 10**8 + 600, confirmed=10**8 + 640))
    ledger.clock_stepped((10**8 + 3600) * S, 3700 * S)
    ledger.beat(3710 * S)
    ledger.record(change(A, State.UP, 4000))
    assert story(database, A)[-2:] == [("down", 700, 4000), ("up", 4000, None)]
    assert LedgerReader(database.connection).alive_ns() == 4000 * S
    database.close()


def test_a_check_taken_out_and_put_back_leaves_a_gap_that_nothing_covers(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    ledger.retire([A], 50 * S)
    ledger.record(change(A, State.UP, 90))
    assert story(database, A) == [("up", 5, 50), ("up", 90, None)]
    database.close()


steps = st.one_of(
    st.tuples(st.just("change"), st.sampled_from(list(State)), st.integers(-50, 300)),
    st.tuples(st.just("restart"), st.integers(0, 100), st.booleans()),
    st.tuples(st.just("step"), st.integers(-7200, 7200), st.none()),
    st.tuples(st.just("retire"), st.none(), st.none()),
    st.tuples(st.just("beat"), st.none(), st.none()),
)


def test_whatever_happens_no_interval_is_negative_or_overlaps_another(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")

    @settings(max_examples=150, deadline=None)
    @given(st.lists(steps, max_size=25))
    def check(happenings: list[tuple[str, object, object]]) -> None:
        with undone(database):
            ledger = Ledger(database)
            now = 1_000_000  # the daemon lives after 1970
            ledger.begin(now * S, "1")
            for kind, first, second in happenings:
                now += 7
                if kind == "change":
                    assert isinstance(first, State)
                    assert isinstance(second, int)
                    ledger.record(change(A, first, now - second, confirmed=now))
                elif kind == "restart":
                    assert isinstance(first, int)
                    if second:
                        ledger.end(now * S)
                    now += first
                    ledger = Ledger(database)
                    ledger.begin(now * S, "1")
                elif kind == "step":
                    assert isinstance(first, int)
                    ledger.clock_stepped(now * S, (now + first) * S)
                    now += first
                elif kind == "retire":
                    ledger.retire([A], now * S)
                else:
                    ledger.beat(now * S)
            told = story(database, A)
            assert all(end is None or end >= start for _, start, end in told)
            assert all(left[2] is not None and left[2] <= right[1] for left, right in itertools.pairwise(told))
            assert sum(end is None for _, _, end in told) <= 1

    check()
    database.close()


def test_nothing_of_a_transaction_that_fails_is_kept(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")

    def fail_half_way() -> None:
        with database.transaction():
            ledger.record(change(A, State.UP, 5))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_half_way()
    assert story(database, A) == []
    ledger.record(change(A, State.UP, 6))
    assert story(database, A) == [("up", 6, None)]
    database.close()


def test_another_process_reads_while_the_daemon_writes_and_after_it_ended(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger = Ledger(database)
    ledger.begin(0, "1")
    ledger.record(change(A, State.UP, 5))
    reading = open_reader(tmp_path / "haidang.db")
    with database.transaction():
        ledger.record(change(A, State.DOWN, 50))
        assert [one.state for one in LedgerReader(reading).running()] == [State.UP]
    assert [one.state for one in LedgerReader(reading).running()] == [State.DOWN]
    reading.close()
    database.close()
    reading = open_reader(tmp_path / "haidang.db")
    assert [one.state for one in LedgerReader(reading).running()] == [State.DOWN]
    with pytest.raises(Exception, match="readonly"):
        reading.execute("DELETE FROM interval")
    reading.close()


def test_a_file_that_is_no_database_is_refused_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "haidang.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(DatabaseDamaged, match=r"haidang\.db: is damaged .* restore a backup"):
        Database(tmp_path / "haidang.db", "haidang")


def test_a_file_of_a_later_version_is_refused_with_the_cure(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    database.connection.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(DatabaseTooNew, match="schema 99"):
        Database(tmp_path / "haidang.db", "haidang")


def test_a_missing_file_says_that_the_daemon_has_not_run(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError, match="has the daemon run"):
        open_reader(tmp_path / "haidang.db")


def test_a_check_is_watched_since_the_first_time_whatever_comes_later(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger, reader = Ledger(database), AccountsReader(database.connection)
    assert reader.watched_ns(A) is None
    for now in (50, 90):
        ledger.watch([A], now * S)
    assert reader.watched_ns(A) == 50 * S
    database.close()


def test_a_machine_that_began_in_1970_watches_since_its_clock_was_set(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger, reader = Ledger(database), AccountsReader(database.connection)
    ledger.begin(10 * S, "1")
    ledger.watch([A], 11 * S)
    ledger.record(change(A, State.DOWN, 12, confirmed=50))
    set_to = 1_790_000_000
    ledger.clock_stepped(60 * S, set_to * S)
    assert reader.watched_ns(A) == (set_to - 60 + 11) * S
    assert story(database, A)[-2:] == [("unknown", 60, set_to), ("down", set_to, None)], "the outage goes on"
    database.close()


@pytest.mark.parametrize("step", [7200, -7200])
def test_a_step_of_two_hours_leaves_the_first_watch_in_the_past(tmp_path: Path, step: int) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger, reader = Ledger(database), AccountsReader(database.connection)
    ledger.begin(10_000 * S, "1")
    ledger.watch([A], 10_001 * S)
    ledger.clock_stepped(11_000 * S, (11_000 + step) * S)
    since = reader.watched_ns(A)
    assert since is not None
    assert since <= (11_000 + step) * S
    assert since == (10_001 if step > 0 else 10_001 + step) * S
    database.close()


def test_a_ledger_of_the_first_schema_learns_since_when_it_watched(tmp_path: Path) -> None:
    old = sqlite3.connect(tmp_path / "haidang.db", isolation_level=None)
    for statement in statements(migrations("haidang")[0]):
        old.execute(statement)
    old.execute("PRAGMA user_version=1")
    for start, end in ((100, 200), (200, None)):
        old.execute(
            "INSERT INTO interval (target, probe, state, start_ns, end_ns, confirmed_ns, reason) "
            "VALUES ('a', 'icmp', 'up', ?, ?, 0, '')", (start, end),
        )  # fmt: skip
    old.close()
    database = Database(tmp_path / "haidang.db", "haidang")
    assert AccountsReader(database.connection).watched_ns(A) == 100
    assert (tmp_path / "haidang.db.schema-1").exists()
    database.close()


def test_a_check_that_speaks_for_a_target_is_written_down_whenever_it_becomes_another_one(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    ledger, reader = Ledger(database), AccountsReader(database.connection)
    ledger.begin(100 * S, "1")
    for second, probe in ((100, "icmp"), (200, "icmp"), (300, "rtsp"), (400, "icmp")):
        ledger.judge_by([CheckId("a", probe)], second * S)
    assert reader.spoke(["a"])["a"] == [(100 * S, "icmp"), (300 * S, "rtsp"), (400 * S, "icmp")]
    ledger.clock_stepped(450 * S, 250 * S)
    assert reader.spoke(["a"])["a"] == [(100 * S, "icmp"), (250 * S, "icmp")], (
        "what was exchanged in time that comes again"
    )
    database.close()


def test_what_spoke_before_that_was_written_down_is_taken_over_from_the_snapshots(tmp_path: Path) -> None:
    database = Database(tmp_path / "haidang.db", "haidang")
    for second, probe in ((100, "icmp"), (200, "icmp"), (300, "rtsp")):
        snapshots.keep(database, {"targets": {"a": {"check": probe, "site": second}}}, second * S)
    Ledger(database).judge_by([CheckId("a", "http")], 400 * S)
    spoke = [(100 * S, "icmp"), (300 * S, "rtsp"), (400 * S, "http")]
    assert AccountsReader(database.connection).spoke(["a"]) == {"a": spoke}
    database.close()
