"""What is on record of incidents: read by the daemon that writes them and by every command that shows them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from alerting.severity import Severity
from alerting.world import Step, Subject
from haidang.model import CheckId

_COLUMNS = (
    "id, target, probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns, severity, told_ns, reopened_ns, "
    "merged_into, acknowledged_by, acknowledged_until_ns, owner, owner_by"
)

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
    """Return the open incident of a check, else the newest open one that has it as a member (of a shared cause)."""
    own = open_incident(sql, check)
    if own is not None:
        return own
    row = sql.execute(
        f"SELECT {_COLUMNS} FROM incident WHERE resolved_ns IS NULL AND EXISTS ("
        "SELECT 1 FROM incident_event AS member WHERE member.incident = incident.id AND member.kind = 'hidden' "
        "AND member.target = ? AND member.probe = ?) ORDER BY id DESC LIMIT 1",
        (check.target, check.probe),
    ).fetchone()
    return _incident(row) if row else None


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


def _incident(row: tuple[Any, ...]) -> Incident:
    number, target, probe, subject, reason, started_ns, opened_ns, ended_ns, resolved_ns, *rest = row
    severity, told_ns, reopened_ns, merged_into, by, until_ns, owner, owner_by = rest
    return Incident(
        number, CheckId(target, probe), Subject.from_json(json.loads(subject)), reason, started_ns, opened_ns,
        ended_ns, resolved_ns, Severity(severity), told_ns, reopened_ns, merged_into, by, until_ns, Owner(owner),
        owner_by,
    )  # fmt: skip
