"""The ledger: which check was in which state from when to when. It stands up in a dispute, so it only ever grows.

A row is accepted once the transaction around it has been committed. What was not watched (the daemon stopped, crashed,
the clock jumped) is written as ``unknown``: neither up nor down.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping

from haidang.model import CheckId, FieldValue, Interval, State, Transition
from storage import snapshots
from storage.clock_steps import JUMP, UNDONE_NS, Move, Row, moves
from storage.database import Database

_KEPT = "state, reason, cause_target, cause_probe, owner, incident, evidence"
_COLUMNS = "target, probe, state, start_ns, end_ns, reason, cause_target, cause_probe, owner, incident"

_NO_CLOCK_NS = 86_400 * 10**9
"""A wall clock that jumps forward by more than this had not been set at all."""


class Ledger:
    """Writes the ledger. The only writer of its tables.

    Parameters:
        database: ``haidang.db``, shared with the incidents and the outbox so that they are one transaction.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._run = 0

    def begin(self, now_ns: int, version: str) -> dict[CheckId, State]:
        """Note a start of the daemon and mark what nobody watched since the last one.

        Every interval left open by the run before is closed at the last moment that run is known to have lived, and
        ``unknown`` begins there. A clock that shows an earlier time than that was set back meanwhile.

        Returns:
            the last known state of each of these checks.
        """
        with self._database.transaction() as sql:
            alive_ns = LedgerReader(sql).alive_ns()
            if now_ns < alive_ns:
                _set_back(sql, alive_ns, now_ns)  # while nobody watched
                alive_ns = now_ns
            states: dict[CheckId, State] = {}
            for target, probe, state, start_ns in sql.execute(
                "SELECT target, probe, state, start_ns FROM interval WHERE end_ns IS NULL"
            ).fetchall():
                check = CheckId(target, probe)
                states[check] = self._known_before(sql, check) if state == State.UNKNOWN else State(state)
                if state != State.UNKNOWN:
                    self._replace(
                        sql, check, State.UNKNOWN, max(alive_ns, start_ns), now_ns, "the daemon was not running"
                    )
            cursor = sql.execute(
                "INSERT INTO run (started_ns, beat_ns, version) VALUES (?, ?, ?)", (now_ns, now_ns, version)
            )
            self._run = cursor.lastrowid or 0
        return states

    def beat(self, now_ns: int, says: Mapping[str, FieldValue] | None = None) -> None:
        """Say that the daemon lives; what lies after the last beat of a crashed run is unknown.

        Parameters:
            now_ns: UTC nanoseconds.
            says: what else the daemon has to say of itself, for commands in other processes.
        """
        with self._database.transaction() as sql:
            said = json.dumps(dict(says or {}), ensure_ascii=False)
            sql.execute("UPDATE run SET beat_ns = ?, says = ? WHERE id = ?", (now_ns, said, self._run))

    def end(self, now_ns: int) -> None:
        """Note an orderly end."""
        with self._database.transaction() as sql:
            sql.execute("UPDATE run SET beat_ns = ?, stopped_ns = ? WHERE id = ?", (now_ns, now_ns, self._run))

    def watch(self, checks: Iterable[CheckId], now_ns: int) -> None:
        """Note since when checks are watched; of one that was watched before, the first time stays."""
        with self._database.transaction() as sql:
            sql.executemany(
                "INSERT OR IGNORE INTO watched VALUES (?, ?, ?)",
                [(check.target, check.probe, now_ns) for check in checks],
            )

    def judge_by(self, primaries: Iterable[CheckId], now_ns: int) -> None:
        """Note which check says of each target from now on whether it is there; what it was before stays on record."""
        with self._database.transaction() as sql:
            if sql.execute("SELECT 1 FROM primary_check LIMIT 1").fetchone() is None:
                for kept in snapshots.in_force(sql, 0, now_ns):
                    before = {name: one["check"] for name, one in kept.document["targets"].items()}
                    _speak(sql, before.items(), kept.at_ns)
            _speak(sql, ((check.target, check.probe) for check in primaries), now_ns)

    def record(self, transition: Transition) -> None:
        """Close the check's running interval and open the next; call it inside the transaction of the batch."""
        with self._database.transaction() as sql:
            self._replace(
                sql, transition.check, transition.state, transition.at_ns, transition.confirmed_ns, transition.reason,
                transition.cause, json.dumps(dict(transition.evidence), ensure_ascii=False),
            )  # fmt: skip

    def attach(self, check: CheckId, incident: int) -> None:
        """Note which incident the running interval of a check belongs to."""
        with self._database.transaction() as sql:
            sql.execute(
                "UPDATE interval SET incident = ? WHERE target = ? AND probe = ? AND end_ns IS NULL",
                (incident, check.target, check.probe),
            )

    def retire(self, checks: Iterable[CheckId], now_ns: int) -> None:
        """Close the running intervals of checks that are no longer configured."""
        with self._database.transaction() as sql:
            for check in checks:
                sql.execute(
                    "UPDATE interval SET end_ns = max(start_ns, ?) WHERE target = ? AND probe = ? AND end_ns IS NULL",
                    (now_ns, check.target, check.probe),
                )

    def clock_stepped(self, before_ns: int, after_ns: int) -> None:
        """Keep a jump of the wall clock out of everybody's figures.

        A jump forward leaves time that was never lived through: it becomes ``unknown``. A jump back makes the same
        clock time come a second time: what is on record is moved, see `storage.clock_steps`.
        """
        with self._database.transaction() as sql:
            if after_ns <= before_ns:
                _set_back(sql, before_ns, after_ns)
                return
            if after_ns - before_ns > _NO_CLOCK_NS:
                # A machine that began in 1970: what it watches since then it watches since a moment ago.
                sql.execute(
                    "UPDATE watched SET since_ns = since_ns + ? WHERE since_ns >= "
                    "(SELECT started_ns FROM run ORDER BY id DESC LIMIT 1)",
                    (after_ns - before_ns,),
                )
                sql.execute(
                    "UPDATE primary_check SET from_ns = from_ns + ? WHERE from_ns >= "
                    "(SELECT started_ns FROM run ORDER BY id DESC LIMIT 1)",
                    (after_ns - before_ns,),
                )
            for target, probe, state, reason, cause_target, cause_probe, start_ns in sql.execute(
                "SELECT target, probe, state, reason, cause_target, cause_probe, start_ns FROM interval "
                "WHERE end_ns IS NULL"
            ).fetchall():
                check = CheckId(target, probe)
                cause = CheckId(cause_target, cause_probe) if cause_target else None
                jump = f"{JUMP}{(after_ns - before_ns) / 1e9:.0f} s"
                self._replace(sql, check, State.UNKNOWN, max(before_ns, start_ns), after_ns, jump)
                self._replace(sql, check, State(state), after_ns, after_ns, reason, cause)

    def _replace(
        self, sql: sqlite3.Connection, check: CheckId, state: State, at_ns: int, confirmed_ns: int, reason: str,
        cause: CheckId | None = None, evidence: str = "{}",
    ) -> None:  # fmt: skip
        row = sql.execute(
            "SELECT id, start_ns FROM interval WHERE target = ? AND probe = ? AND end_ns IS NULL",
            (check.target, check.probe),
        ).fetchone()
        if row is None:
            # After a gap (a check taken out of the configuration and put back) time must still not run backwards.
            row_last = sql.execute(
                "SELECT max(end_ns) FROM interval WHERE target = ? AND probe = ? AND retracted_ns IS NULL",
                (check.target, check.probe),
            ).fetchone()
            at_ns = max(at_ns, row_last[0] or 0)
        else:
            at_ns = max(at_ns, row[1])
            sql.execute("UPDATE interval SET end_ns = ? WHERE id = ?", (at_ns, row[0]))
        sql.execute(
            "INSERT INTO interval (target, probe, state, start_ns, confirmed_ns, reason, cause_target, cause_probe, "
            "evidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                check.target, check.probe, state, at_ns, confirmed_ns, reason,
                cause.target if cause else None, cause.probe if cause else None, evidence,
            ),
        )  # fmt: skip

    @staticmethod
    def _known_before(sql: sqlite3.Connection, check: CheckId) -> State:
        row = sql.execute(
            "SELECT state FROM interval WHERE target = ? AND probe = ? AND state <> 'unknown' "
            "AND retracted_ns IS NULL ORDER BY id DESC LIMIT 1",
            (check.target, check.probe),
        ).fetchone()
        return State(row[0]) if row else State.UNKNOWN


def _speak(sql: sqlite3.Connection, primaries: Iterable[tuple[str, str]], from_ns: int) -> None:
    known = dict(sql.execute("SELECT target, probe FROM primary_check ORDER BY from_ns"))
    sql.executemany(
        "INSERT OR REPLACE INTO primary_check (target, from_ns, probe) VALUES (?, ?, ?)",
        [(target, from_ns, probe) for target, probe in primaries if known.get(target) != probe],
    )


def _set_back(sql: sqlite3.Connection, before_ns: int, after_ns: int) -> None:
    step_ns = before_ns - after_ns
    # What was exchanged in time that comes a second time was exchanged by now; the last of it holds.
    sql.execute(
        "DELETE FROM primary_check WHERE from_ns > ?1 AND from_ns < "
        "(SELECT max(from_ns) FROM primary_check AS newest WHERE newest.target = primary_check.target)",
        (after_ns,),
    )
    sql.execute("UPDATE OR REPLACE primary_check SET from_ns = ?1 WHERE from_ns > ?1", (after_ns,))
    checks = sql.execute(
        "SELECT DISTINCT target, probe FROM interval WHERE retracted_ns IS NULL AND (end_ns IS NULL OR end_ns > ?)",
        (after_ns - UNDONE_NS,),
    ).fetchall()
    sql.execute(
        "UPDATE watched SET since_ns = since_ns - ? WHERE since_ns > ? AND NOT EXISTS (SELECT 1 FROM interval "
        "WHERE interval.target = watched.target AND interval.probe = watched.probe AND retracted_ns IS NULL)",
        (step_ns, after_ns),
    )
    for name in checks:
        rows = sql.execute(
            "SELECT id, state, reason, start_ns, end_ns FROM interval WHERE target = ? AND probe = ? "
            "AND retracted_ns IS NULL ORDER BY start_ns DESC, id DESC",
            name,
        )
        found, left_ns = moves(
            (Row(number, State(state), *rest) for number, state, *rest in rows), before_ns, after_ns
        )  # fmt: skip
        rows.close()
        for move in found:
            _move(sql, move, before_ns, after_ns)
        if left_ns:
            sql.execute("UPDATE watched SET since_ns = since_ns - ? WHERE target = ? AND probe = ?", (left_ns, *name))


def _move(sql: sqlite3.Connection, move: Move, before_ns: int, after_ns: int) -> None:
    """Retract a row, and write what is left of it where it belongs."""
    number = move.row.number
    sql.execute(
        "UPDATE interval SET retracted_ns = ?, end_ns = coalesce(end_ns, max(start_ns, ?)) WHERE id = ?",
        (after_ns, before_ns, number),
    )
    if move.end_ns is None or move.end_ns > move.start_ns:
        sql.execute(
            f"INSERT INTO interval (target, probe, start_ns, end_ns, confirmed_ns, {_KEPT}) "
            f"SELECT target, probe, ?, ?, min(confirmed_ns - ?, ?), {_KEPT} FROM interval WHERE id = ?",
            (move.start_ns, move.end_ns, move.row.start_ns - move.start_ns, after_ns, number),
        )


class LedgerReader:
    """Reads the ledger, in the daemon or in any other process.

    Parameters:
        connection: the writer's, or one of `storage.database.open_reader`.

    Attributes:
        connection: the same, for the readers of the other tables.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = self._sql = connection

    def running(self) -> list[Interval]:
        """Return the running interval of every check."""
        rows = self._sql.execute(f"SELECT {_COLUMNS} FROM interval WHERE end_ns IS NULL ORDER BY target, probe")
        return [_interval(row) for row in rows]

    def between(self, check: CheckId, start_ns: int, end_ns: int) -> list[Interval]:
        """Return one check's intervals that touch a period, in order."""
        return self.all_between(check.probe, [check.target], start_ns, end_ns).get(check.target, [])

    def all_between(self, probe: str, targets: Iterable[str], start_ns: int, end_ns: int) -> dict[str, list[Interval]]:
        """Return what `between` returns for one probe of many targets, those without an interval left out."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM interval WHERE target IN (SELECT value FROM json_each(?)) AND probe = ? "
            "AND start_ns < ? AND retracted_ns IS NULL AND (end_ns IS NULL OR end_ns > ?) "
            "ORDER BY target, start_ns, id",
            (json.dumps(list(targets)), probe, end_ns, start_ns),
        )
        found: dict[str, list[Interval]] = {}
        for row in rows:
            found.setdefault(row[0], []).append(_interval(row))
        return found

    def failed_between(self, start_ns: int, end_ns: int) -> list[Interval]:
        """Return the intervals down or unreachable that began within a time, in order; at most a thousand."""
        rows = self._sql.execute(
            f"SELECT {_COLUMNS} FROM interval WHERE state IN ('down', 'unreachable') AND start_ns BETWEEN ? AND ? "
            "AND retracted_ns IS NULL ORDER BY start_ns, id LIMIT 1000",
            (start_ns, end_ns),
        )
        return [_interval(row) for row in rows]

    def proof(self, incident: int) -> dict[str, FieldValue] | None:
        """Return the counted facts behind the first verdict of an incident."""
        row = self._sql.execute(
            "SELECT evidence FROM interval WHERE incident = ? AND state = 'down' ORDER BY id LIMIT 1", (incident,)
        ).fetchone()
        return dict(json.loads(row[0])) if row else None

    def says(self) -> dict[str, FieldValue]:
        """Return what the daemon said of itself with its last beat; empty before the first."""
        row = self._sql.execute("SELECT says FROM run ORDER BY id DESC LIMIT 1").fetchone()
        return dict(json.loads(row[0])) if row else {}

    def alive_ns(self) -> int:
        """Return the last moment the newest run is known to have lived: its end, its last beat or its last verdict."""
        (alive_ns,) = self._sql.execute(
            "SELECT max(coalesce((SELECT max(beat_ns, coalesce(stopped_ns, 0)) FROM run ORDER BY id DESC LIMIT 1), 0), "
            "coalesce((SELECT max(confirmed_ns) FROM interval WHERE retracted_ns IS NULL), 0))"
        ).fetchone()
        return int(alive_ns)

    def last_run(self) -> tuple[int, int, int | None] | None:
        """Return start, last beat and orderly end (or ``None``) of the newest run; ``None`` before the first."""
        row = self._sql.execute("SELECT started_ns, beat_ns, stopped_ns FROM run ORDER BY id DESC LIMIT 1").fetchone()
        return (row[0], row[1], row[2]) if row else None


def _interval(row: tuple[str, str, str, int, int | None, str, str | None, str | None, str, int | None]) -> Interval:
    target, probe, state, start_ns, end_ns, reason, cause_target, cause_probe, owner, incident = row
    cause = CheckId(cause_target, cause_probe) if cause_target and cause_probe else None
    return Interval(CheckId(target, probe), State(state), start_ns, end_ns, reason, cause, owner, incident)
