"""What people add to the ledger: maintenance, corrections, tickets. Each row with its author; none is ever changed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

from haidang.model import CheckId, State
from storage.database import Database, has_table

KINDS = ("target", "site", "circuit", "carrier", "system")
"""What maintenance can be on."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """One piece of planned (or belatedly recorded) work.

    Parameters:
        number: what people call it by; 0 before it is written.
        kind, name: what it is on, e.g. ``site`` ``yen-the``.
        start_ns, end_ns: the first occurrence.
        rule: RFC 5545 RRULE of the repetitions; empty: once.
        zone: IANA name of the wall clock that the rule follows.
        excluded: 1 when it is agreed not to count, else 0.
        reason, author: why, and who says so.
        created_ns: when it was written down; what began before that is retroactive.
        cancelled_from_ns: what lies after this was called off; ``None``: nothing was.
        cancelled_by: who called it off, and why.
    """

    number: int
    kind: str
    name: str
    start_ns: int
    end_ns: int
    rule: str
    zone: str
    excluded: int
    reason: str
    author: str
    created_ns: int
    cancelled_from_ns: int | None = None
    cancelled_by: str = ""


@dataclass(frozen=True, slots=True)
class CorrectionRow:
    """One correction of a check's record; times in UTC nanoseconds."""

    check: CheckId
    start_ns: int
    end_ns: int
    state: State
    reason: str
    author: str
    created_ns: int


@dataclass(frozen=True, slots=True)
class ForecastRow:
    """One forecast that was made.

    Parameters:
        objective, target: what of; the target's id, or what else the objective is about.
        period: its name, e.g. ``2026-11``.
        miss: the probability of a miss.
        left_s: seconds left of the budget then.
        outages: pooled ones it was made from.
    """

    objective: str
    target: str
    period: str
    miss: float
    left_s: float
    outages: int


class Accounts:
    """Writes what people add to the ledger. The only writer of these tables.

    Parameters:
        database: ``haidang.db``, shared with the ledger.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def plan(self, work: Maintenance) -> int:
        """Write maintenance down and return its number."""
        with self._database.transaction() as sql:
            (number,) = sql.execute(
                "INSERT INTO maintenance (kind, name, start_ns, end_ns, rule, zone, excluded, reason, author, "
                "created_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (
                    work.kind, work.name, work.start_ns, work.end_ns, work.rule, work.zone, work.excluded,
                    work.reason, work.author, work.created_ns,
                ),
            ).fetchone()  # fmt: skip
        return int(number)

    def cancel(self, number: int, from_ns: int, reason: str, author: str, now_ns: int) -> None:
        """Call maintenance off from a time on. What was before that stays.

        Raises:
            ValueError: there is no such maintenance, or it was called off before.
        """
        with self._database.transaction() as sql:
            if sql.execute("SELECT 1 FROM maintenance WHERE id = ?", (number,)).fetchone() is None:
                raise ValueError(f"there is no maintenance {number}; see haidang maintenance list --all")
            try:
                sql.execute(
                    "INSERT INTO maintenance_cancel VALUES (?, ?, ?, ?, ?)", (number, from_ns, reason, author, now_ns)
                )
            except sqlite3.IntegrityError:
                raise ValueError(f"maintenance {number} was cancelled before") from None

    def correct(self, row: CorrectionRow) -> None:
        """Write a correction down."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO correction (target, probe, start_ns, end_ns, state, reason, author, created_ns) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.check.target, row.check.probe, row.start_ns, row.end_ns, row.state, row.reason, row.author,
                    row.created_ns,
                ),
            )  # fmt: skip

    def report(self, target: str, at_ns: int, reference: str, author: str, now_ns: int) -> None:
        """Write down that an outage was reported to whoever owes the service."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO ticket (target, at_ns, reference, author, created_ns) VALUES (?, ?, ?, ?, ?)",
                (target, at_ns, reference, author, now_ns),
            )

    def foretold(self, made_ns: int, rows: Iterable[ForecastRow]) -> None:
        """Keep forecasts that were made at a time."""
        with self._database.transaction() as sql:
            sql.executemany(
                "INSERT INTO forecast (made_ns, objective, target, period, miss, left_s, outages) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [(made_ns, *astuple(row)) for row in rows],
            )


class AccountsReader:
    """Reads what people added, in the daemon or in any other process.

    Parameters:
        connection: the writer's, or one of `storage.database.open_reader`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection
        self._has_spoken = has_table(connection, "primary_check")

    def maintenance(self) -> list[Maintenance]:
        """Return all maintenance there ever was, in the order of its numbers."""
        rows = self._sql.execute(
            "SELECT id, kind, name, start_ns, end_ns, rule, zone, excluded, m.reason, m.author, m.created_ns, "
            "from_ns, coalesce(c.author || ': ' || c.reason, '') FROM maintenance m "
            "LEFT JOIN maintenance_cancel c ON c.maintenance = m.id ORDER BY id"
        )
        return [Maintenance(*row) for row in rows]

    def corrections(self, targets: Iterable[str]) -> dict[str, list[CorrectionRow]]:
        """Return the corrections of some targets, by target, in the order they were made."""
        found: dict[str, list[CorrectionRow]] = {}
        for target, probe, start, end, state, *rest in self._sql.execute(
            "SELECT target, probe, start_ns, end_ns, state, reason, author, created_ns FROM correction "
            "WHERE target IN (SELECT value FROM json_each(?)) ORDER BY id",
            (json.dumps(list(targets)),),
        ):
            row = CorrectionRow(CheckId(target, probe), start, end, State(state), *rest)
            found.setdefault(target, []).append(row)
        return found

    def forecasts(self) -> Iterator[ForecastRow]:
        """Yield every forecast that was kept, in the order they were made."""
        rows = self._sql.execute("SELECT objective, target, period, miss, left_s, outages FROM forecast ORDER BY id")
        return (ForecastRow(*row) for row in rows)

    def tickets(self, target: str) -> list[int]:
        """Return when outages of a target were reported, in order."""
        rows = self._sql.execute("SELECT at_ns FROM ticket WHERE target = ? ORDER BY at_ns", (target,))
        return [at_ns for (at_ns,) in rows]

    def watched_ns(self, check: CheckId) -> int | None:
        """Return since when a check is watched; ``None`` when that is not on record."""
        return self.watched([check.target]).get(check.target, {}).get(check.probe)

    def watched(self, targets: Iterable[str]) -> dict[str, dict[str, int]]:
        """Return since when each probe of some targets is watched, by target, as far as that is on record."""
        found: dict[str, dict[str, int]] = {}
        for target, probe, since_ns in self._sql.execute(
            "SELECT target, probe, since_ns FROM watched WHERE target IN (SELECT value FROM json_each(?))",
            (json.dumps(list(targets)),),
        ):
            found.setdefault(target, {})[probe] = since_ns
        return found

    def spoke(self, targets: Iterable[str]) -> dict[str, list[tuple[int, str]]]:
        """Return from when on which probe said whether a target was there, in order; not of those nobody noted."""
        found: dict[str, list[tuple[int, str]]] = {}
        if self._has_spoken:
            for target, from_ns, probe in self._sql.execute(
                "SELECT target, from_ns, probe FROM primary_check WHERE target IN (SELECT value FROM json_each(?)) "
                "ORDER BY target, from_ns",
                (json.dumps(list(targets)),),
            ):
                found.setdefault(target, []).append((from_ns, probe))
        return found
