"""The timers of escalation, and the lists that wait for the morning: in the database, they outlive the daemon."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from alerting.routing import PAUSED, Plan, Progress, Rung, climb
from alerting.world import Step
from haidang.clock import Clock
from storage.database import Database

MOST_AT_ONCE = 200
"""Timers looked at in one round; the rest comes a second later."""
_DAY_NS = 86_400 * 10**9
_LONGEST_NS = 8 * _DAY_NS
"""No timer is set further ahead (a step's age is a week at most): one that seems to be was set by another clock."""


@dataclass(frozen=True, slots=True)
class Timer:
    """One incident on its way through one plan."""

    incident: int
    plan: Plan
    progress: Progress


@dataclass(frozen=True, slots=True)
class Waiting:
    """One step of an incident that waits for a list."""

    number: int
    incident: int
    step: Step
    recipients: tuple[str, ...]
    at_ns: int


class Escalations:
    """Keeps the timers. The only writer of their tables; every call is part of the caller's transaction.

    Parameters:
        database: ``haidang.db``.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def begin(
        self, incident: int, plans: Iterable[Plan], now_ns: int, held_until_ns: int | None
    ) -> list[tuple[Plan, Sequence[Rung]]]:
        """Begin plans; one that this incident has begun before is passed over.

        Returns:
            what is to be told at once, by plan.
        """
        found = []
        with self._database.transaction() as sql:
            for plan in plans:
                start = Progress(now_ns, 0, now_ns)
                rungs, progress = climb(plan, start, now_ns, over=False, held_until_ns=held_until_ns)
                begun = sql.execute(
                    "INSERT OR IGNORE INTO escalation (incident, route, policy, began_ns, done, due_ns, set_ns) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        incident, plan.route, json.dumps(plan.as_json()), progress.began_ns, progress.done,
                        progress.due_ns, now_ns,
                    ),
                ).rowcount  # fmt: skip
                if begun:
                    found.append((plan, rungs))
        return found

    def due(self, now_ns: int) -> list[Timer]:
        """Return the timers whose time has come, the earliest first; also those that only a clock set back delays."""
        return self._timers(
            "WHERE due_ns IS NOT NULL AND (due_ns <= ? OR due_ns > ? OR set_ns > ?) ORDER BY due_ns LIMIT ?",
            now_ns, now_ns + _LONGEST_NS, now_ns + 60 * 10**9, MOST_AT_ONCE,
        )  # fmt: skip

    def of(self, incident: int) -> list[Timer]:
        """Return every plan an incident has begun."""
        return timers(self._database.connection, incident)

    def keep(self, timer: Timer, progress: Progress, now_ns: int) -> None:
        """Note how far a plan has come."""
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE escalation SET began_ns = ?, done = ?, due_ns = ?, set_ns = ? WHERE incident = ? AND route = ?",
                (progress.began_ns, progress.done, progress.due_ns, now_ns, timer.incident, timer.plan.route),
            )

    def end(self, incident: int) -> None:
        """Stop every timer of an incident."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE escalation SET due_ns = NULL WHERE incident = ?", (incident,))

    def clock_stepped(self, before_ns: int, after_ns: int) -> None:
        """Move every timer with the wall clock: ages are lengths of time, not times of day."""
        by_ns = after_ns - before_ns
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE escalation SET due_ns = due_ns + ?1, set_ns = set_ns + ?1, "
                "began_ns = CASE began_ns WHEN ?2 THEN ?2 ELSE began_ns + ?1 END WHERE due_ns IS NOT NULL",
                (by_ns, PAUSED),
            )

    def list_later(self, incident: int, step: Step, recipients: Sequence[str], at_ns: int, due_ns: int) -> None:
        """Put a step of an incident onto a list."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT INTO digest (incident, step, recipients, at_ns, due_ns) VALUES (?, ?, ?, ?, ?)",
                (incident, step, json.dumps(list(recipients)), at_ns, due_ns),
            )

    def lists_due(self, now_ns: int) -> list[Waiting]:
        """Return everything on the lists whose time has come, in order; also where only a clock set back delays it."""
        rows = self._database.connection.execute(
            "SELECT id, incident, step, recipients, at_ns FROM digest WHERE told_ns IS NULL "
            "AND (due_ns <= ? OR due_ns > ?) ORDER BY id",
            (now_ns, now_ns + 2 * _DAY_NS),
        )
        return [Waiting(row[0], row[1], Step(row[2]), tuple(json.loads(row[3])), row[4]) for row in rows]

    def listed(self, waiting: Iterable[Waiting], now_ns: int) -> None:
        """Note that a list was told."""
        with self._database.transaction() as sql:
            sql.executemany("UPDATE digest SET told_ns = ? WHERE id = ?", [(now_ns, one.number) for one in waiting])

    def anything_due(self, now_ns: int) -> bool:
        """Tell whether there is anything to do; cheap, so that a quiet second costs no commit."""
        return bool(self.due(now_ns) or self.lists_due(now_ns))

    def _timers(self, where: str, *values: int) -> list[Timer]:
        return _timers(self._database.connection, where, *values)


def listed(sql: sqlite3.Connection, incident: int) -> list[tuple[str, list[str], int, int | None]]:
    """Return what of an incident goes onto lists: the step, for whom, when it is due, and when it was told."""
    rows = sql.execute(
        "SELECT step, recipients, due_ns, told_ns FROM digest WHERE incident = ? ORDER BY id", (incident,)
    )
    return [(step, json.loads(names), due_ns, told_ns) for step, names, due_ns, told_ns in rows]


def timers(sql: sqlite3.Connection, incident: int) -> list[Timer]:
    """Return every plan an incident has begun, through any connection to ``haidang.db``."""
    return _timers(sql, "WHERE incident = ? ORDER BY route", incident)


def _timers(sql: sqlite3.Connection, where: str, *values: int) -> list[Timer]:
    rows: Iterator[tuple[int, str, int, int, int | None]] = sql.execute(
        f"SELECT incident, policy, began_ns, done, due_ns FROM escalation {where}", values
    )
    return [
        Timer(incident, Plan.from_json(json.loads(plan)), Progress(began_ns, done, due_ns))
        for incident, plan, began_ns, done, due_ns in rows
    ]
