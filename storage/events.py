"""Events on record: what devices told by themselves, the newest of each target; a storm stays small."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from storage.database import Database

MOST_WAITING = 2_000
"""Different events that wait for the disk; what is over is counted and left out."""
MOST_OF_TARGET = 200
SAME_NS = 60 * 10**9
"""Events that say the same within this time are one row with a count."""
_COLUMNS = "target, first_ns, last_ns, count, kind, source, name, severity, text, proven"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row: an event, and how often it came.

    Parameters:
        target: whose.
        first_ns, last_ns: when the first and the last of them arrived, UTC nanoseconds.
        count: how many.
        kind: ``trap``, ``inform``, ``syslog`` or ``hook``.
        source: the address it came from; of a hook its token's name.
        name: what it is.
        severity: ``critical``, ``warning`` or ``info``.
        text: its variables or words, printable.
        proven: from an SNMPv3 user with a key, or a program with a token.
    """

    target: str
    first_ns: int
    last_ns: int
    count: int
    kind: str
    source: str
    name: str
    severity: str
    text: str
    proven: bool


_Same = tuple[str, str, str, str, str, str, bool]


class EventLog:
    """Writes events.

    Parameters:
        database: ``haidang.db``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: dict[_Same, Recorded] = {}
        self._rows: dict[_Same, tuple[int, int]] = {}
        self.left_out = 0

    def add(self, event: Recorded) -> None:
        """Remember an event until the next `write`."""
        same = (event.target, event.kind, event.source, event.name, event.severity, event.text, event.proven)
        known = self._waiting.get(same)
        if known is not None:
            count = known.count + event.count
            self._waiting[same] = Recorded(known.target, known.first_ns, event.last_ns, count, *_rest(event))
        elif len(self._waiting) < MOST_WAITING:
            self._waiting[same] = event
        else:
            self.left_out += event.count

    def write(self) -> None:
        """Write what waits, as one transaction.

        Raises:
            sqlite3.Error: it was not written, and waits on.
        """
        if not self._waiting:
            return
        newest = max(event.last_ns for event in self._waiting.values())
        rows = {same: (row, last) for same, (row, last) in self._rows.items() if 0 <= newest - last < SAME_NS}
        with self._database.transaction() as sql:
            for same, event in self._waiting.items():
                row = rows.get(same)
                if row is not None and 0 <= event.last_ns - row[1] < SAME_NS:
                    sql.execute(
                        "UPDATE event SET count = count + ?, last_ns = ? WHERE id = ?",
                        (event.count, event.last_ns, row[0]),
                    )
                    rows[same] = (row[0], event.last_ns)
                else:
                    values = (event.target, event.first_ns, event.last_ns, event.count, *_rest(event))
                    marks = ", ".join("?" * len(values))
                    added = sql.execute(f"INSERT INTO event ({_COLUMNS}) VALUES ({marks})", values).lastrowid
                    rows[same] = (added or 0, event.last_ns)
            for target in {event.target for event in self._waiting.values()}:
                sql.execute(
                    "DELETE FROM event WHERE target = ? AND id <= "
                    "(SELECT id FROM event WHERE target = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                    (target, target, MOST_OF_TARGET),
                )
        self._rows = rows
        self._waiting = {}

    def tidy(self, before_ns: int) -> None:
        """Delete what is older."""
        with self._database.transaction() as sql:
            sql.execute("DELETE FROM event WHERE last_ns < ?", (before_ns,))


def _rest(event: Recorded) -> tuple[str, str, str, str, str, bool]:
    return event.kind, event.source, event.name, event.severity, event.text, event.proven


def recorded(sql: sqlite3.Connection, target: str | None = None, *, most: int = 50) -> list[Recorded]:
    """Read events, the newest first.

    Parameters:
        sql: any connection to ``haidang.db``.
        target: only this one's.
        most: how many.
    """
    where, values = ("WHERE target = ?", [target]) if target is not None else ("", [])
    rows = sql.execute(f"SELECT {_COLUMNS} FROM event {where} ORDER BY last_ns DESC, id DESC LIMIT ?", [*values, most])
    return [_recorded(row) for row in rows]


def heard(
    sql: sqlite3.Connection, targets: Sequence[str], since_ns: int, until_ns: int, *, most: int = 200
) -> list[Recorded]:  # fmt: skip
    """Read the events of some targets that arrived within a time, the newest first."""
    marks = ", ".join("?" * len(targets))
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM event WHERE target IN ({marks}) AND last_ns >= ? AND first_ns <= ? "
        "ORDER BY last_ns DESC, id DESC LIMIT ?",
        (*targets, since_ns, until_ns, most),
    )
    return [_recorded(row) for row in rows]


def _recorded(row: tuple[str, int, int, int, str, str, str, str, str, int]) -> Recorded:
    of, first, last, count, kind, source, name, severity, text, proven = row
    return Recorded(of, first, last, count, kind, source, name, severity, text, bool(proven))
