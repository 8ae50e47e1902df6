"""What people add to alerting: stand-ins and silences. Each row with its author; called off, never taken out."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from storage.database import Database

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OverrideRow:
    """Somebody stands in for whoever a rota has on duty; times in UTC nanoseconds.

    Parameters:
        number: what people call it by; 0 before it is written.
        rota, person: which rota, which contact.
        start_ns, end_ns: from when until when.
        reason, author, created_ns: why, who says so, and when it was written down.
        cancelled_ns, cancelled_by: from when on it is called off, and by whom; ``None``: it is not.
    """

    number: int
    rota: str
    person: str
    start_ns: int
    end_ns: int
    reason: str
    author: str
    created_ns: int
    cancelled_ns: int | None = None
    cancelled_by: str = ""


@dataclass(frozen=True, slots=True)
class SilenceRow:
    """Nobody is told of something until a time.

    Parameters:
        number: what people call it by; 0 before it is written.
        kind, name: what it is on, as with maintenance: ``site`` ``yen-the``.
        start_ns, end_ns: from when until when.
        reason, author, created_ns: why, who says so, and when it was written down.
        cancelled_ns, cancelled_by: from when on it is called off, and by whom; ``None``: it is not.
    """

    number: int
    kind: str
    name: str
    start_ns: int
    end_ns: int
    reason: str
    author: str
    created_ns: int
    cancelled_ns: int | None = None
    cancelled_by: str = ""


class DutyBook:
    """Writes stand-ins and silences. The only writer of these tables.

    Parameters:
        database: ``haidang.db``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def stand_in(self, row: OverrideRow) -> int:
        """Write a stand-in down and return its number."""
        return self._insert(
            "duty_override (rota, person,", row.rota, row.person, row.start_ns, row.end_ns, row.reason, row.author,
            row.created_ns,
        )  # fmt: skip

    def silence(self, row: SilenceRow) -> int:
        """Write a silence down and return its number."""
        return self._insert(
            "silence (kind, name,", row.kind, row.name, row.start_ns, row.end_ns, row.reason, row.author,
            row.created_ns,
        )  # fmt: skip

    def cancel_stand_in(self, number: int, by: str, now_ns: int) -> None:
        """Call a stand-in off from now on.

        Raises:
            ValueError: there is none, or it was called off before.
        """
        self._cancel("duty_override", "stand-in", number, by, now_ns)

    def cancel_silence(self, number: int, by: str, now_ns: int) -> None:
        """Call a silence off from now on.

        Raises:
            ValueError: there is none, or it was called off before.
        """
        self._cancel("silence", "silence", number, by, now_ns)

    def _insert(self, into: str, *values: object) -> int:
        with self._database.transaction() as sql:
            (number,) = sql.execute(
                f"INSERT INTO {into} start_ns, end_ns, reason, author, created_ns) VALUES (?, ?, ?, ?, ?, ?, ?) "
                "RETURNING id",
                values,
            ).fetchone()
        return int(number)

    def _cancel(self, table: str, noun: str, number: int, by: str, now_ns: int) -> None:
        with self._database.transaction() as sql:
            changed = sql.execute(
                f"UPDATE {table} SET cancelled_ns = ?, cancelled_by = ? WHERE id = ? AND cancelled_ns IS NULL",
                (now_ns, by, number),
            ).rowcount
            if not changed:
                raise ValueError(f"there is no {noun} {number}, or it was called off before")


def overrides(sql: sqlite3.Connection, after_ns: int = 0) -> list[OverrideRow]:
    """Return the stand-ins that end after a time, in the order of their numbers."""
    return _rows(sql, "id, rota, person", "duty_override", after_ns, OverrideRow)


def silences(sql: sqlite3.Connection, after_ns: int = 0) -> list[SilenceRow]:
    """Return the silences that end after a time, in the order of their numbers."""
    return _rows(sql, "id, kind, name", "silence", after_ns, SilenceRow)


def _rows(sql: sqlite3.Connection, first: str, table: str, after_ns: int, make: Callable[..., T]) -> list[T]:
    rows = sql.execute(
        f"SELECT {first}, start_ns, end_ns, reason, author, created_ns, cancelled_ns, cancelled_by FROM {table} "
        "WHERE end_ns > ? ORDER BY id",
        (after_ns,),
    )
    return [make(*row) for row in rows]
