"""The audit log: whatever is done to it afterwards is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.audit import START, Audit, entries, verify
from storage.database import Database

COUNT = 8


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "haidang.db", "haidang")
    audit = Audit(made)
    for number in range(COUNT):
        audit.add(
            1_700_000_000 * 10**9 + number, "silence.add", "an", {"name": f"trạm-{number}", "answer": {"n": number}}
        )
    yield made
    made.close()


def test_an_untouched_log_is_in_order_and_an_empty_one_too(database: Database, tmp_path: Path) -> None:
    found = verify(database.connection)
    assert (found.entries, found.fault) == (COUNT, "")
    assert found.head == list(entries(database.connection))[-1].hash
    other = Database(tmp_path / "other.db", "haidang")
    assert verify(other.connection).head == START
    other.close()


@pytest.mark.parametrize("column", ["kind", "author", "data", "hash"])
def test_bytes_that_are_no_text_are_an_edit_like_any_other(database: Database, column: str) -> None:
    database.connection.execute(f"UPDATE audit SET {column} = CAST(? AS TEXT) WHERE id = 3", (b"\xff\x1b[\0{",))
    found = verify(database.connection)
    assert (found.entries, found.fault) == (2, "entry 3 is not what was written, or not where it was written")
    assert getattr(list(entries(database.connection))[2], column) == "\udcff\x1b[\0{"


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.integers(1, COUNT), st.sampled_from(["at_ns", "kind", "author", "data", "hash"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), st.integers(0, 2**62),
)  # fmt: skip
def test_any_edit_is_found(database: Database, number: int, column: str, text: str, time: int) -> None:
    sql = database.connection
    value = time if column == "at_ns" else text
    (before,) = sql.execute(f"SELECT {column} FROM audit WHERE id = ?", (number,)).fetchone()
    if before == value:
        return
    sql.execute("BEGIN")
    try:
        sql.execute(f"UPDATE audit SET {column} = ? WHERE id = ?", (value, number))
        found = verify(sql)
    finally:
        sql.execute("ROLLBACK")
    assert found.fault
    assert found.entries == number - 1


@pytest.mark.parametrize("number", range(1, COUNT))
def test_a_deleted_entry_is_found_also_when_the_others_move_up(database: Database, number: int) -> None:
    sql = database.connection
    sql.execute("DELETE FROM audit WHERE id = ?", (number,))
    assert f"entry {number} is missing" in verify(sql).fault
    sql.execute("UPDATE audit SET id = id - 1 WHERE id > ?", (number,))
    assert f"entry {number} is not what was written" in verify(sql).fault


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 7), (7, 8)])
def test_two_entries_that_changed_places_are_found(database: Database, one: int, other: int) -> None:
    sql = database.connection
    sql.execute("UPDATE audit SET id = 99 WHERE id = ?", (one,))
    sql.execute("UPDATE audit SET id = ? WHERE id = ?", (one, other))
    sql.execute("UPDATE audit SET id = ? WHERE id = 99", (other,))
    assert f"entry {one} is not" in verify(sql).fault


def test_entries_cut_off_the_end_are_found_by_a_noted_head_only(database: Database) -> None:
    sql = database.connection
    head = verify(sql).head
    Audit(database).add(1, "later", "binh", {})
    assert verify(sql, head[:12]).fault == ""
    sql.execute("DELETE FROM audit WHERE id >= ?", (COUNT,))
    assert verify(sql).fault == ""
    assert "cut off or written anew" in verify(sql, head[:12]).fault


def test_a_chain_written_anew_is_found_by_a_noted_head(database: Database) -> None:
    sql = database.connection
    head = verify(sql).head
    sql.execute("DELETE FROM audit")
    for number in range(COUNT):
        Audit(database).add(number, "forged", "an", {})
    assert verify(sql).fault == ""
    assert verify(sql, head).fault


def test_a_change_that_is_undone_leaves_no_entry(database: Database) -> None:
    def half_done() -> None:
        with database.transaction() as sql:
            Audit(database).add(1, "silence.add", "an", {})
            sql.execute("INSERT INTO audit VALUES (1, 0, '', '', '', '')")

    with pytest.raises(sqlite3.IntegrityError):
        half_done()
    assert verify(database.connection).entries == COUNT
