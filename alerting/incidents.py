"""Incidents: one failure, one number, one message when it begins and one when it ends.

What happens when a check changes its state, by whether it has an open incident:

===========  =========================================  ====================================
state        none open                                  open
===========  =========================================  ====================================
down         opened, people are told; or noted with     noted (we had looked away meanwhile)
             the open incident of what it shares with
             others (a carrier, a feeder)
unreachable  noted with the open incident of the cause  noted there and here
up,degraded  nothing                                    resolved, those who know are told
unknown,     nothing                                    noted
maintenance
===========  =========================================  ====================================

While a check flaps its incident stays open: one message says that it flaps, one that it does not any more, and what
it is then; the changes in between are noted.

Nothing is remembered outside the database: a batch that was rolled back can be given again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from alerting import records
from alerting.notifier import Notifier
from alerting.records import FOREVER_NS, Incident
from alerting.text import clean
from alerting.world import Step, World
from haidang.clock import Clock
from haidang.model import CheckId, State, Transition
from storage.database import Database


class Incidents:
    """Opens and resolves incidents. The only writer of their tables.

    Parameters:
        database: ``haidang.db``, shared with ledger and outbox.
        clock: says when a check was forgotten; all else has its time in the transition.
        world: what a check is called.
        notifier: tells people.
    """

    def __init__(self, database: Database, clock: Clock, world: World, notifier: Notifier) -> None:
        self._database = database
        self._clock = clock
        self._world = world
        self._notifier = notifier

    def on_transition(self, transition: Transition) -> int | None:
        """Take one transition in; call it inside the transaction that writes the ledger, after its row.

        Returns:
            the number of the incident that the new state belongs to; ``None`` when it belongs to none.
        """
        with self._database.transaction() as sql:
            incident = records.open_incident(sql, transition.check)
            if incident is not None and (transition.flapping or records.flapping(sql, incident.number)):
                return self._flap(sql, incident, transition)
            match transition.state:
                case State.DOWN if incident is None:
                    above = records.open_incident(sql, transition.cause) if transition.cause else None
                    return self._hide(sql, transition, None) if above else self._open(sql, transition)
                case State.UNREACHABLE:
                    return self._hide(sql, transition, incident)
                case State.UP | State.DEGRADED:
                    if incident is not None:
                        self._resolve(sql, incident, transition)
                    return None
            if incident is None:
                return None
            kind = "again" if transition.state is State.DOWN else "state"
            _note(sql, incident, transition.at_ns, kind, _words(transition))
            return incident.number

    def forget(self, checks: Iterable[CheckId]) -> None:
        """Close the open incidents of checks that are no longer watched, and say so to those who were told."""
        now_ns = self._clock.utc_ns()
        with self._database.transaction() as sql:
            for check in checks:
                incident = records.open_incident(sql, check)
                if incident is None:
                    continue
                closed = replace(incident, resolved_ns=now_ns)
                self._end(sql, closed)
                _note(sql, closed, now_ns, "closed", "no longer in the configuration")
                self._notifier.ended(closed, Step.CLOSED, now_ns, records.members(sql, closed.number))

    def acknowledge(self, number: int, who: str, until_ns: int | None = None, note: str = "") -> Incident:
        """Take an incident on: "still down" and escalation rest until then. A merged one is that which it went on in.

        Parameters:
            number: of the incident.
            who: looks after it.
            until_ns: UTC nanoseconds; ``None``: until it is over.
            note: what there is to say.

        Returns:
            the incident that is acknowledged.

        Raises:
            ValueError: there is no such incident, it is over, or the time is past; with words for the one who asked.
        """
        now_ns, until_ns = self._clock.utc_ns(), FOREVER_NS if until_ns is None else until_ns
        if until_ns <= now_ns:
            raise ValueError("an acknowledgement ends in the future, not in the past")
        with self._database.transaction() as sql:
            found = self._to_change(sql, number)
            sql.execute(
                "UPDATE incident SET acknowledged_by = ?, acknowledged_ns = ?, acknowledged_until_ns = ? WHERE id = ?",
                (clean(who, 100), now_ns, until_ns, found.number),
            )
            _note(sql, found, now_ns, "acknowledged", f"{who}: {note}" if note else who)
        return replace(found, acknowledged_by=clean(who, 100), acknowledged_until_ns=until_ns)

    @staticmethod
    def _to_change(sql: sqlite3.Connection, number: int) -> Incident:
        found = records.root(sql, number)
        if found is None:
            raise ValueError(f"there is no incident {number}")
        if not found.open:
            raise ValueError(f"incident {number} is over")
        return found

    def open_checks(self) -> set[CheckId]:
        """Return the checks with an open incident; those that are not configured any more are to be forgotten."""
        rows = self._database.connection.execute("SELECT target, probe FROM incident WHERE resolved_ns IS NULL")
        return {CheckId(*row) for row in rows}

    def _open(self, sql: sqlite3.Connection, transition: Transition) -> int:
        check, subject = transition.check, self._world.subject(transition.check)
        reason = clean(transition.reason)
        (number,) = sql.execute(
            "INSERT INTO incident (target, probe, subject, reason, started_ns, opened_ns) VALUES (?, ?, ?, ?, ?, ?) "
            "RETURNING id",
            (
                check.target, check.probe, json.dumps(subject.as_json()), reason, transition.at_ns,
                transition.confirmed_ns,
            ),
        ).fetchone()  # fmt: skip
        incident = Incident(number, check, subject, reason, transition.at_ns, transition.confirmed_ns)
        _note(sql, incident, transition.at_ns, "opened", reason)
        if transition.flapping:
            _note(sql, incident, transition.at_ns, "flapping", _words(transition))
        step = Step.FLAPPING if transition.flapping else Step.OPENED
        self._notifier.opened(incident, step, transition.confirmed_ns, transition.members)
        return incident.number

    def _flap(self, sql: sqlite3.Connection, incident: Incident, transition: Transition) -> int | None:
        """Take in a change of a check that flaps, or that flapped up to this one."""
        already = records.flapping(sql, incident.number)
        if transition.flapping:
            _note(sql, incident, transition.at_ns, "state" if already else "flapping", _words(transition))
            if not already:
                self._notifier.changed(incident, Step.FLAPPING, transition.confirmed_ns)
            return incident.number
        _note(sql, incident, transition.at_ns, "steady", _words(transition))
        if transition.state in (State.UP, State.DEGRADED):
            self._resolve(sql, incident, transition, Step.FLAPPED)
            return None
        if transition.state is State.DOWN:
            self._notifier.changed(incident, Step.STEADY, transition.confirmed_ns)
        return incident.number

    def _resolve(
        self, sql: sqlite3.Connection, incident: Incident, transition: Transition, step: Step = Step.RESOLVED
    ) -> None:  # fmt: skip
        # A wall clock that was set back must not end an outage before it began.
        ended_ns = max(transition.at_ns, incident.started_ns)
        resolved = replace(incident, ended_ns=ended_ns, resolved_ns=transition.confirmed_ns)
        self._end(sql, resolved)
        _note(sql, resolved, ended_ns, "resolved", _words(transition))
        self._notifier.ended(resolved, step, transition.confirmed_ns, records.members(sql, resolved.number))

    def _hide(self, sql: sqlite3.Connection, transition: Transition, own: Incident | None) -> int | None:
        above = records.covering(sql, transition.cause) if transition.cause else None
        if own is not None:
            _note(sql, own, transition.at_ns, "state", _words(transition))
        if above is not None:
            _note(sql, above, transition.at_ns, "hidden", str(transition.check), transition.check)
        incident = above or own
        return incident.number if incident else None

    @staticmethod
    def _end(sql: sqlite3.Connection, incident: Incident) -> None:
        sql.execute(
            "UPDATE incident SET ended_ns = ?, resolved_ns = ? WHERE id = ? AND resolved_ns IS NULL",
            (incident.ended_ns, incident.resolved_ns, incident.number),
        )


def _words(transition: Transition) -> str:
    return f"{transition.state}: {transition.reason}" if transition.reason else transition.state.value


def _note(
    sql: sqlite3.Connection, incident: Incident, at_ns: int, kind: str, text: str, member: CheckId | None = None
) -> None:
    """Add to the timeline; a check that hides a second time in the same incident is listed once (unique index)."""
    sql.execute(
        "INSERT OR IGNORE INTO incident_event (incident, at_ns, kind, text, target, probe) VALUES (?, ?, ?, ?, ?, ?)",
        (
            incident.number,
            at_ns,
            kind,
            clean(text),
            member.target if member else None,
            member.probe if member else None,
        ),
    )
