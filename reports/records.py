"""What the report reads beside the books: incidents, outages' evidence, tickets, corrections, and what all of it is."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from availability.tenures import FOREVER_NS, Tenure
from haidang.model import CheckId, State
from storage.accounts import CorrectionRow
from storage.database import has_table


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stood at the end of the period; times in UTC nanoseconds."""

    number: int
    check: CheckId
    name: Mapping[str, str]
    site: Mapping[str, str]
    reason: str
    started_ns: int
    opened_ns: int
    ended_ns: int | None
    acknowledged_ns: int | None
    hidden: frozenset[str]


_OWNER = (
    "SELECT one.owner FROM incident AS mine JOIN incident AS one ON one.id IN (mine.id, mine.merged_into) "
    "WHERE mine.id = interval.incident AND one.owner <> 'unknown' ORDER BY one.id = mine.id DESC LIMIT 1"
)
"""Whose fault an interval's incident is, or the one that it goes on in, as people and devices have said up to now."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """An interval of downtime with everything a dispute needs."""

    state: State
    start_ns: int
    end_ns: int | None
    reason: str
    cause: CheckId | None
    owner: str
    incident: int | None
    evidence: Mapping[str, Any]


class Records:
    """Reads ``haidang.db`` for the report.

    Parameters:
        sql: any connection.
        until_ns: where knowledge ends; what came later is not looked at, so that a report of a month that is over does
            not change with the time at which it is made.
    """

    def __init__(self, sql: sqlite3.Connection, until_ns: int) -> None:
        self._sql = sql
        self._until_ns = until_ns

    def incidents(self, start_ns: int, end_ns: int) -> list[Incident]:
        """Return the incidents that lasted into a period or began in it, in the order of their start."""
        until = min(end_ns, self._until_ns)
        rows = self._sql.execute(
            "SELECT id, target, probe, subject, reason, started_ns, opened_ns, ended_ns FROM incident "
            "WHERE started_ns < ?2 AND opened_ns < ?2 AND (ended_ns IS NULL AND resolved_ns IS NULL "
            "OR coalesce(ended_ns, resolved_ns) > ?1) ORDER BY started_ns, id",
            (start_ns, until),
        ).fetchall()
        hidden: dict[int, set[str]] = defaultdict(set)
        seen: dict[int, int] = {}
        for number, at_ns, kind, target in self._sql.execute(
            "SELECT incident, at_ns, kind, target FROM incident_event "
            "WHERE kind IN ('hidden', 'regained', 'acknowledged') AND at_ns < ? "
            "AND incident IN (SELECT value FROM json_each(?)) ORDER BY id",
            (until, json.dumps([row[0] for row in rows])),
        ):
            if kind != "acknowledged":
                hidden[number].add(target)
            else:
                seen.setdefault(number, at_ns)
        found = []
        for number, target, probe, subject, reason, started_ns, opened_ns, ended_ns in rows:
            what = json.loads(subject)
            end = ended_ns if ended_ns is not None and ended_ns < until else None
            found.append(
                Incident(
                    number, CheckId(target, probe), what.get("name") or {}, what.get("site") or {}, reason, started_ns,
                    opened_ns, end, seen.get(number), frozenset(hidden[number]),
                )
            )  # fmt: skip
        return found

    def downtime(self, held: Iterable[Tenure], start_ns: int, end_ns: int) -> list[Stretch]:
        """Return the intervals of downtime of a target that touch a period, in order, see `availability.tenures`."""
        found = []
        for one in held:
            begin = one.start_ns or start_ns
            for stretch in self._down(one.check, max(start_ns, begin), min(end_ns, one.end_ns)):
                last = min(stretch.end_ns or one.end_ns, one.end_ns)
                end = None if last == FOREVER_NS else last
                start = stretch.start_ns if one.start_ns is None else max(stretch.start_ns, begin)
                found.append(replace(stretch, start_ns=start, end_ns=end))
        return found

    def _down(self, check: CheckId, start_ns: int, end_ns: int) -> list[Stretch]:
        rows = self._sql.execute(
            "SELECT state, start_ns, end_ns, reason, cause_target, cause_probe, "
            f"CASE owner WHEN '' THEN coalesce(({_OWNER}), '') ELSE owner END, incident, evidence "
            "FROM interval WHERE target = ? AND probe = ? AND retracted_ns IS NULL "
            "AND state IN ('down', 'unreachable') "
            "AND start_ns < ? AND (end_ns IS NULL OR end_ns > ?) ORDER BY start_ns",
            (check.target, check.probe, min(end_ns, self._until_ns), start_ns),
        )
        return [
            Stretch(
                State(state), begin, end if end is not None and end < self._until_ns else None, reason,
                CheckId(cause, probe) if cause and probe else None, owner, incident, json.loads(evidence),
            )
            for state, begin, end, reason, cause, probe, owner, incident, evidence in rows
        ]  # fmt: skip

    def tickets(self, target: str) -> list[tuple[int, str]]:
        """Return when outages of a target were reported, and under which reference."""
        return self._sql.execute(
            "SELECT at_ns, reference FROM ticket WHERE target = ? AND at_ns < ? ORDER BY at_ns",
            (target, self._until_ns),
        ).fetchall()

    def corrections(self, start_ns: int, end_ns: int) -> list[CorrectionRow]:
        """Return every correction of something in a period, in the order they were made."""
        rows = self._sql.execute(
            "SELECT target, probe, start_ns, end_ns, state, reason, author, created_ns FROM correction "
            "WHERE start_ns < ? AND end_ns > ? ORDER BY id",
            (end_ns, start_ns),
        )
        return [CorrectionRow(CheckId(row[0], row[1]), row[2], row[3], State(row[4]), *row[5:]) for row in rows]

    def digest(self, start_ns: int, known_ns: int, more: Iterable[object]) -> str:
        """Return the SHA-256 over everything on record that figures are made of.

        Parameters:
            start_ns: from when on intervals are looked at.
            known_ns: where an interval that runs is taken to end.
            more: what was read elsewhere, as plain data.
        """
        found = hashlib.sha256()
        until = self._until_ns
        for query, values in (
            ("SELECT target, probe, since_ns FROM watched WHERE since_ns < ? ORDER BY target, probe", (until,)),
            (
                (  # of targets that had another one: sums of reports from before this was on record stay as they are
                    "SELECT target, from_ns, probe FROM primary_check AS one WHERE from_ns < ?1 AND EXISTS (SELECT 1 "
                    "FROM primary_check AS other WHERE other.target = one.target AND other.from_ns < ?1 "
                    "AND other.from_ns <> one.from_ns) ORDER BY target, from_ns"
                ),
                (until,),
            ),
            (
                (
                    "SELECT target, probe, state, start_ns, min(coalesce(end_ns, ?1), ?2), reason, cause_target, "
                    "cause_probe, owner, evidence FROM interval WHERE retracted_ns IS NULL AND start_ns < ?2 "
                    "AND (end_ns IS NULL OR end_ns > ?3) ORDER BY target, probe, start_ns, id"
                ),
                (known_ns, until, start_ns),
            ),
            (
                (
                    "SELECT id, owner, owner_by FROM incident WHERE owner <> 'unknown' AND started_ns < ?1 "
                    "AND coalesce(ended_ns, resolved_ns, ?1) > ?2 ORDER BY id"
                ),
                (until, start_ns),
            ),
            ("SELECT * FROM maintenance ORDER BY id", ()),
            ("SELECT * FROM maintenance_cancel ORDER BY maintenance", ()),
            ("SELECT * FROM correction ORDER BY id", ()),
            ("SELECT target, at_ns, reference, author, created_ns FROM ticket WHERE at_ns < ? ORDER BY id", (until,)),
        ):
            if "FROM primary_check" in query and not has_table(self._sql, "primary_check"):
                continue
            for row in self._sql.execute(query, values):
                found.update(repr(row).encode())
        for one in more:
            found.update(repr(one).encode())
        return found.hexdigest()
