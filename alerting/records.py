"""What is on record of incidents: read by the daemon that writes them and by every command that shows them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from alerting.severity import Impact, Severity
from alerting.world import Step, Subject
from haidang.model import CheckId

_COLUMNS = (
    "incident.id, incident.target, incident.probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns, "
    "severity, told_ns, reopened_ns, merged_into, acknowledged_by, acknowledged_until_ns, owner, owner_by, said_ns, "
    "again_ns, pending, impact"
)

STORM = CheckId("haidang", "storm")
"""What the incident is of that gathers many."""

EVIDENCE = ("samples", "ports", "events", "path", "others")
"""The kinds of evidence, in the order in which they are shown."""

FOREVER_NS = 4_102_444_800 * 10**9
"""The year 2100: acknowledged until it is over."""


class Owner(StrEnum):
    """Whose fault an incident is."""

    UNKNOWN = "unknown"
    CARRIER = "carrier"
    POWER = "power"
    OWN_WORKS = "own-works"
    THIRD_PARTY = "third-party"


@dataclass(frozen=True, slots=True)
class Incident:
    """One failure of one check, with everything hidden behind it.

    Parameters:
        number: what people say on the phone.
        check: what failed.
        subject: what it was called when it failed; the configuration may have changed since.
        reason: why, in the probe's words.
        started_ns, ended_ns: the failure's true start and end; the end is ``None`` while it lasts, and when the
            check was taken out of the configuration before it came back.
        opened_ns, resolved_ns: when start and end were confirmed; the end is ``None`` while the incident is open.
        severity: how bad it is for people.
        told_ns: when its first message was written, or it was found that nobody need be told; ``None`` before.
        reopened_ns: when it failed again within a short time, the true start of the newest failure.
        merged_into: it goes on in the incident of this number, and nobody is told of it by itself.
        acknowledged_by, acknowledged_until_ns: who looks after it, and until when nobody else is asked to;
            ``FOREVER_NS`` means until it is over, ``None`` that nobody does.
        owner: whose fault it is.
        owner_by: who said so; ``haidang`` when the evidence does.
        said_ns: when its newest message was written.
        again_ns, pending: when the next message is due and which step it tells; empty: that it lasts.
        impact: what the severity was judged by, ``None`` before.
        facts: lines for the next message, by what they are (``open:vi``, ``evidence``); only while one is written.
    """

    number: int
    check: CheckId
    subject: Subject
    reason: str
    started_ns: int
    opened_ns: int
    ended_ns: int | None = None
    resolved_ns: int | None = None
    severity: Severity = Severity.MINOR
    told_ns: int | None = None
    reopened_ns: int | None = None
    merged_into: int | None = None
    acknowledged_by: str = ""
    acknowledged_until_ns: int | None = None
    owner: Owner = Owner.UNKNOWN
    owner_by: str = ""
    said_ns: int | None = None
    again_ns: int | None = None
    pending: str = ""
    impact: Impact | None = None
    facts: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def since_ns(self) -> int:
        """The true start of the failure that lasts, or lasted last."""
        return self.reopened_ns or self.started_ns

    def acknowledged(self, now_ns: int) -> bool:
        """Whether somebody has said to look after it, and the time for that is not over."""
        return self.acknowledged_until_ns is not None and now_ns < self.acknowledged_until_ns

    @property
    def open(self) -> bool:
        """Whether the failure still lasts, as far as is known."""
        return self.resolved_ns is None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of an incident's timeline.

    Its ``kind`` is opened, again, hidden, state, flapping, steady, resolved or closed.
    """

    at_ns: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far one message of an incident has come; ``state`` is waiting, sending, sent or failed."""

    step: Step
    contact: str
    channel: str
    address: str
    state: str
    attempts: int
    next_ns: int
    done_ns: int | None
    error: str


def incidents(
    sql: sqlite3.Connection, *, resolved: bool = False, check: CheckId | None = None, limit: int = 1000
) -> list[Incident]:
    """Return incidents, the newest first.

    Parameters:
        sql: any connection to ``haidang.db``.
        resolved: the resolved ones too.
        check: only those of one check.
        limit: at most so many.
    """
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE (?1 OR resolved_ns IS NULL) "
        "AND (?2 IS NULL OR (target = ?2 AND probe = ?3)) ORDER BY id DESC LIMIT ?4",
        (resolved, check.target if check else None, check.probe if check else None, limit),
    )
    return [_incident(row) for row in rows]


def open_incident(sql: sqlite3.Connection, check: CheckId) -> Incident | None:
    """Return the open incident of a check."""
    row = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE target = ? AND probe = ? AND resolved_ns IS NULL",
        (check.target, check.probe),
    ).fetchone()
    return _incident(row) if row else None


def covering(sql: sqlite3.Connection, check: CheckId) -> Incident | None:
    """Return what a failure of a check belongs to.

    That is the check's open incident, else the newest open one that has it as a member (of a shared cause); when it
    was merged, the one that it goes on in.
    """
    own = open_incident(sql, check)
    if own is None:
        row = sql.execute(
            f"SELECT {_COLUMNS} FROM incident_event AS member JOIN incident ON incident.id = member.incident "
            "WHERE member.kind = 'hidden' AND member.target = ? AND member.probe = ? AND resolved_ns IS NULL "
            "ORDER BY incident.id DESC LIMIT 1",
            (check.target, check.probe),
        ).fetchone()
        own = _incident(row) if row else None
    if own is None or own.merged_into is None:
        return own
    above = root(sql, own.number)
    return above if above is not None and above.open else own


def incident(sql: sqlite3.Connection, number: int) -> Incident | None:
    """Return an incident by its number."""
    row = sql.execute(f"SELECT {_COLUMNS} FROM incident WHERE id = ?", (number,)).fetchone()
    return _incident(row) if row else None


def root(sql: sqlite3.Connection, number: int) -> Incident | None:
    """Return the incident that one of this number goes on in: itself, when it was not merged."""
    found, seen = incident(sql, number), {number}
    while found is not None and found.merged_into is not None and found.merged_into not in seen:
        seen.add(found.merged_into)
        found = incident(sql, found.merged_into)
    return found


def events(sql: sqlite3.Connection, number: int) -> list[Event]:
    """Return the timeline of an incident."""
    rows = sql.execute("SELECT at_ns, kind, text FROM incident_event WHERE incident = ? ORDER BY id", (number,))
    return [Event(*row) for row in rows]


def flapping(sql: sqlite3.Connection, number: int) -> bool:
    """Tell whether the check of an incident flaps, as far as people were told."""
    row = sql.execute(
        "SELECT kind FROM incident_event WHERE incident = ? AND kind IN ('flapping', 'steady') "
        "ORDER BY id DESC LIMIT 1",
        (number,),
    ).fetchone()
    return row is not None and row[0] == "flapping"


def members(sql: sqlite3.Connection, number: int) -> list[CheckId]:
    """Return the checks that were hidden behind the failure, in the order they vanished."""
    rows = sql.execute(
        "SELECT target, probe FROM incident_event WHERE incident = ? AND kind = 'hidden' ORDER BY id", (number,)
    )
    return [CheckId(*row) for row in rows]


def deliveries(sql: sqlite3.Connection, number: int) -> list[Delivery]:
    """Return what was told to whom, in order, and how far each message has come."""
    rows = sql.execute(
        "SELECT step, contact, channel, address, state, attempts, next_ns, done_ns, last_error "
        "FROM notification WHERE incident = ? ORDER BY id",
        (number,),
    )
    return [Delivery(Step(step), *rest) for step, *rest in rows]


def children(sql: sqlite3.Connection, number: int, *, still: bool = False) -> list[Incident]:
    """Return the incidents that were merged into one, in order; those that are not over only, when ``still``."""
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE merged_into = ? AND (NOT ? OR resolved_ns IS NULL) ORDER BY id",
        (number, still),
    )
    return [_incident(row) for row in rows]


def open_checks(sql: sqlite3.Connection, target: str) -> list[CheckId]:
    """Return the checks of a target that have an open incident."""
    rows = sql.execute(
        "SELECT target, probe FROM incident WHERE target = ? AND resolved_ns IS NULL ORDER BY id", (target,)
    )
    return [CheckId(*row) for row in rows]


def newest(sql: sqlite3.Connection, check: CheckId) -> Incident | None:
    """Return the newest incident of a check, open or not."""
    row = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE target = ? AND probe = ? ORDER BY id DESC LIMIT 1",
        (check.target, check.probe),
    ).fetchone()
    return _incident(row) if row else None


def leading(sql: sqlite3.Connection, since_ns: int = 0) -> list[Incident]:
    """Return the open incidents that people hear of (not merged into others), begun since a time, in order."""
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE opened_ns >= ? AND resolved_ns IS NULL AND merged_into IS NULL "
        "ORDER BY id",
        (since_ns,),
    )
    return [_incident(row) for row in rows]


def due(sql: sqlite3.Connection, now_ns: int, ahead_ns: int, limit: int) -> list[Incident]:
    """Return the incidents of which a message is due, in order.

    Parameters:
        now_ns: the time.
        ahead_ns: nothing but a reminder is ever planned further ahead; what seems to be is due: the clock was set back.
        limit: at most so many.
    """
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE again_ns <= ?1 OR (again_ns > ?2 AND pending <> '') "
        "ORDER BY id LIMIT ?3",
        (now_ns, now_ns + ahead_ns, limit),
    )
    return [_incident(row) for row in rows]


def audience(sql: sqlite3.Connection, number: int) -> frozenset[tuple[str, str]]:
    """Return the mailboxes (channel, address) that were told anything of an incident."""
    return frozenset(
        sql.execute("SELECT DISTINCT channel, address FROM notification WHERE incident = ?", (number,)).fetchall()
    )


def told_between(sql: sqlite3.Connection, after: int, start_ns: int, end_ns: int) -> list[Incident]:
    """Return the open incidents with a higher number than one, first told within a time, in order."""
    rows = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE told_ns BETWEEN ? AND ? AND merged_into IS NULL "
        "AND resolved_ns IS NULL AND id > ? ORDER BY id",
        (start_ns, end_ns, after),
    )
    return [_incident(row) for row in rows]


def evidence(sql: sqlite3.Connection, number: int) -> dict[str, tuple[int, list[str]]]:
    """Return what was found out when it failed: by its kind the time (UTC nanoseconds) and the lines."""
    rows = sql.execute("SELECT kind, at_ns, data FROM incident_evidence WHERE incident = ?", (number,)).fetchall()
    rows.sort(key=lambda row: EVIDENCE.index(row[0]) if row[0] in EVIDENCE else len(EVIDENCE))
    return {kind: (at_ns, json.loads(data)) for kind, at_ns, data in rows}


def facts(sql: sqlite3.Connection, number: int) -> dict[str, Collection[str]]:
    """Return what the next message of an incident says beside its state: the evidence, when there is any."""
    lines = [line for _, found in evidence(sql, number).values() for line in found]
    return {"evidence": lines} if lines else {}


def _incident(row: tuple[Any, ...]) -> Incident:
    number, target, probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns, *rest = row
    severity, told_ns, reopened_ns, merged_into, by, until_ns, owner, owner_by, said_ns, again_ns, pending, found = rest
    impact = json.loads(found)
    return Incident(
        number, CheckId(target, probe), Subject.from_json(json.loads(subject)), reason, started_ns, opened_ns,
        ended_ns, resolved_ns, Severity(severity), told_ns, reopened_ns, merged_into, by, until_ns, Owner(owner),
        owner_by, said_ns, again_ns, pending, Impact(**impact) if impact else None,
    )  # fmt: skip
