"""Events on record: gathered, bounded, forgotten in time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from storage.database import Database
from storage.events import MOST_OF_TARGET, MOST_WAITING, EventLog, Recorded, recorded

SECOND = 10**9
ONE = Recorded(
    "r1", 100 * SECOND, 100 * SECOND, 1, "trap", "192.0.2.1", "linkDown", "warning", "ifIndex=7", proven=False
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "haidang.db", "haidang")
    yield made
    made.close()


def at(second: float, **other: object) -> Recorded:
    at_ns = round(second * SECOND)
    return replace(ONE, first_ns=at_ns, last_ns=at_ns, **other)  # type: ignore[arg-type]


def test_the_same_within_a_minute_is_one_row_with_a_count_also_over_writes(database: Database) -> None:
    log = EventLog(database)
    for second in (100, 101, 102):
        log.add(at(second))
    log.write()
    log.add(at(150))
    log.add(at(150.5, text="ifIndex=8"))
    log.write()
    log.add(at(300))
    log.write()
    found = [
        (event.text, event.count, event.first_ns // SECOND, event.last_ns // SECOND)
        for event in recorded(database.connection)
    ]
    assert found == [("ifIndex=7", 1, 300, 300), ("ifIndex=8", 1, 150, 150), ("ifIndex=7", 4, 100, 150)]


def test_each_target_keeps_its_newest(database: Database) -> None:
    log = EventLog(database)
    log.add(at(1, target="quiet"))
    for number in range(MOST_OF_TARGET + 50):
        log.add(at(2 + number, text=f"{number}"))
    log.write()
    assert len(recorded(database.connection, "quiet")) == 1
    kept = recorded(database.connection, "r1", most=1_000)
    assert len(kept) == MOST_OF_TARGET
    assert kept[0].text == f"{MOST_OF_TARGET + 49}"


def test_what_is_too_much_for_the_disk_is_counted(database: Database) -> None:
    log = EventLog(database)
    for number in range(MOST_WAITING + 7):
        log.add(at(5, text=f"{number}"))
    assert log.left_out == 7


def test_old_ones_go_and_what_could_not_be_written_waits(database: Database) -> None:
    log = EventLog(database)
    log.add(at(100))
    log.write()
    log.add(at(200, proven=True))
    database.connection.execute("ALTER TABLE event RENAME TO away")
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        log.write()
    database.connection.execute("ALTER TABLE away RENAME TO event")
    log.write()
    log.tidy(150 * SECOND)
    assert [(event.last_ns // SECOND, event.proven) for event in recorded(database.connection)] == [(200, True)]
