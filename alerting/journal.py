"""How incidents are written: the statements behind `alerting.incidents` and its helpers, inside their transactions."""

from __future__ import annotations

import json
import sqlite3

from alerting.records import Incident
from alerting.severity import Impact, Severity
from alerting.text import clean
from alerting.world import Step, Subject
from haidang.model import CheckId


def create(
    sql: sqlite3.Connection, check: CheckId, subject: Subject, reason: str, started_ns: int, opened_ns: int,
    again_ns: int,
) -> Incident:  # fmt: skip
    """Write a new incident, to be told at ``again_ns``."""
    (number,) = sql.execute(
        "INSERT INTO incident (target, probe, subject, reason, started_ns, opened_ns, again_ns, pending) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            check.target, check.probe, json.dumps(subject.as_json()), reason, started_ns, opened_ns, again_ns,
            Step.OPENED,
        ),
    ).fetchone()  # fmt: skip
    incident = Incident(number, check, subject, reason, started_ns, opened_ns)
    note(sql, incident, started_ns, "opened", reason)
    return incident


def reopen(sql: sqlite3.Connection, incident: Incident, at_ns: int, again_ns: int | None, reason: str) -> None:
    """Open an incident again; one that is merged stays so and is not told."""
    sql.execute(
        "UPDATE incident SET ended_ns = NULL, resolved_ns = NULL, reopened_ns = ?, again_ns = ?, pending = ? "
        "WHERE id = ?",
        (at_ns, again_ns, "" if again_ns is None else Step.REOPENED, incident.number),
    )
    note(sql, incident, at_ns, "reopened", reason)


def end(sql: sqlite3.Connection, incident: Incident) -> None:
    """Write the end; nothing more is due."""
    sql.execute(
        "UPDATE incident SET ended_ns = ?, resolved_ns = ?, again_ns = NULL, pending = '' "
        "WHERE id = ? AND resolved_ns IS NULL",
        (incident.ended_ns, incident.resolved_ns, incident.number),
    )


def merge(sql: sqlite3.Connection, child: Incident, into: Incident, at_ns: int) -> None:
    """Let an incident go on in another, with all that is hidden behind it."""
    sql.execute(
        "UPDATE incident SET merged_into = ?, again_ns = NULL, pending = '' WHERE id = ?", (into.number, child.number)
    )
    note(sql, child, at_ns, "merged", f"goes on in #{into.number}")
    note(sql, into, at_ns, "hidden", f"#{child.number} {child.check}", child.check)
    sql.execute(
        "INSERT OR IGNORE INTO incident_event (incident, at_ns, kind, text, target, probe) "
        "SELECT ?, at_ns, kind, text, target, probe FROM incident_event WHERE incident = ? AND kind = 'hidden'",
        (into.number, child.number),
    )


_FRESH = (
    "resolved_ns IS NULL AND merged_into IS NULL AND target <> 'haidang' "
    "AND (opened_ns >= :since OR pending IN ('opened', 'reopened'))"
)
"""What a storm takes in: not told yet, or begun shortly before; nothing of ourselves."""


def fresh(sql: sqlite3.Connection, since_ns: int) -> tuple[int, int]:
    """Count what a storm would take in, of what began since a time; return the first true start as well."""
    count, first_ns = sql.execute(
        f"SELECT count(*), min(coalesce(reopened_ns, started_ns)) FROM incident WHERE {_FRESH}", {"since": since_ns}
    ).fetchone()
    return count, first_ns or 0


def merge_fresh(sql: sqlite3.Connection, storm: Incident, since_ns: int, now_ns: int) -> None:
    """Merge all of that into a storm: as `merge`, for thousands in a few statements."""
    gaps = {"since": since_ns, "storm": storm.number, "now": now_ns, "into": f"goes on in #{storm.number}"}
    sql.execute(
        "INSERT INTO incident_event (incident, at_ns, kind, text) "
        f"SELECT id, :now, 'merged', :into FROM incident WHERE {_FRESH}", gaps,
    )  # fmt: skip
    sql.execute(
        "INSERT OR IGNORE INTO incident_event (incident, at_ns, kind, text, target, probe) "
        "SELECT :storm, :now, 'hidden', '#' || id || ' ' || target || '/' || probe, target, probe "
        f"FROM incident WHERE {_FRESH} ORDER BY id", gaps,
    )  # fmt: skip
    sql.execute(
        f"UPDATE incident SET merged_into = :storm, again_ns = NULL, pending = '' WHERE {_FRESH}", gaps
    )  # fmt: skip


def unacknowledge(sql: sqlite3.Connection, incident: Incident, at_ns: int, why: str) -> None:
    """Take an acknowledgement back: nobody looks after it any more."""
    sql.execute(
        "UPDATE incident SET acknowledged_by = '', acknowledged_until_ns = NULL WHERE id = ?", (incident.number,)
    )
    note(sql, incident, at_ns, "unacknowledged", why)


def due(sql: sqlite3.Connection, incident: Incident, step: Step | None, at_ns: int | None) -> None:
    """Plan the next message; without a step it tells that the incident lasts."""
    sql.execute("UPDATE incident SET again_ns = ?, pending = ? WHERE id = ?", (at_ns, step or "", incident.number))


def judged(sql: sqlite3.Connection, incident: Incident, severity: Severity, impact: Impact) -> None:
    """Write how bad it is."""
    sql.execute(
        "UPDATE incident SET severity = ?, impact = ? WHERE id = ?",
        (severity, json.dumps(impact.as_json()), incident.number),
    )


def told(sql: sqlite3.Connection, incident: Incident, now_ns: int, again_ns: int | None) -> None:
    """Write that a message was written now, and when the next reminder is due."""
    sql.execute(
        "UPDATE incident SET told_ns = coalesce(told_ns, ?), said_ns = ?, again_ns = ?, pending = '' WHERE id = ?",
        (now_ns, now_ns, again_ns, incident.number),
    )


def back(sql: sqlite3.Connection, incident: Incident, at_ns: int, check: CheckId) -> None:
    """Note that a member of an incident is no longer lost: it has shrunk. When it is lost again it is hidden again."""
    shrunk = sql.execute(
        "UPDATE incident_event SET kind = 'regained' "
        "WHERE incident = ? AND target = ? AND probe = ? AND kind = 'hidden'",
        (incident.number, check.target, check.probe),
    ).rowcount
    if shrunk:
        note(sql, incident, at_ns, "back", str(check))


def note(
    sql: sqlite3.Connection, incident: Incident, at_ns: int, kind: str, text: str, member: CheckId | None = None
) -> None:
    """Add to the timeline; a check that hides a second time in the same incident is listed once (unique index)."""
    sql.execute(
        "INSERT OR IGNORE INTO incident_event (incident, at_ns, kind, text, target, probe) VALUES (?, ?, ?, ?, ?, ?)",
        (
            incident.number, at_ns, kind, clean(text, 1000), member.target if member else None,
            member.probe if member else None,
        ),
    )  # fmt: skip
