"""Incidents: one failure, one number, one message when it begins and one when it ends.

What happens when a check changes its state, by whether it has an open incident:

===========  =========================================  ====================================
state        none open                                  open
===========  =========================================  ====================================
down         opened, people are told; or opened again,  noted (we had looked away meanwhile);
             when it was back for a short time only;    merged into the open incident of what
             or noted with the open incident of what    it shares with others
             it shares with others (a carrier, …)
unreachable  noted with the open incident of the cause  noted there and here
up,degraded  nothing                                    resolved, those who know are told
unknown,     nothing                                    noted
maintenance
===========  =========================================  ====================================

While a check flaps its incident stays open: one message says that it flaps, one that it does not any more, and what
it is then; the changes in between are noted.

Merged: an incident goes on in another one, when it becomes clear that one cause is behind both: the members of a
shared risk, what fails shortly before its only way does, the several ways of something that is cut off. It keeps its
number and its timeline, and nobody hears of it by itself.

What is told when is the business of `alerting.rounds`. Nothing is remembered outside the database: a batch that was
rolled back can be given again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from alerting import handling, journal, records
from alerting.notifier import Notifier
from alerting.policy import NS, Policy
from alerting.records import STORM, Incident, Owner
from alerting.rounds import Rounds
from alerting.storms import grow
from alerting.text import clean
from alerting.world import Step, World
from haidang.clock import Clock
from haidang.model import CheckId, State, Transition
from storage.database import Database

OWN = STORM.target
"""The target of incidents about ourselves."""


class Incidents:
    """Opens and resolves incidents. With its helpers the only writer of their tables.

    Parameters:
        database: ``haidang.db``, shared with ledger and outbox.
        clock: says when a check was forgotten, and what is due; all else has its time in the transition.
        world: what a check is called, and what hangs on it.
        notifier: tells people.
        policy: what belongs together, and when people hear of it.
    """

    def __init__(
        self, database: Database, clock: Clock, world: World, notifier: Notifier, policy: Policy | None = None
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._world = world
        self._notifier = notifier
        self._rounds = Rounds(world, notifier)
        self.use(policy or Policy())
        self.quiet: Callable[[CheckId], bool] = lambda _: False
        """Tells whether nobody is to be reminded of a check now: maintenance."""

    def use(self, policy: Policy) -> None:
        """Go by other rules from now on."""
        self._policy = policy

    def on_transition(self, transition: Transition) -> int | None:
        """Take one transition in; call it inside the transaction that writes the ledger, after its row.

        Returns:
            the number of the incident that the new state belongs to; ``None`` when it belongs to none.
        """
        with self._database.transaction() as sql:
            number = self._take(sql, transition)
            if self._policy.hold_s == 0:
                self._rounds.make(sql, self._policy, self._clock.utc_ns(), self.quiet)
            return number

    def tick(self) -> bool:
        """Let time pass: tell what is due. Call it every second.

        Returns:
            whether anything was written.

        Raises:
            sqlite3.Error: it could not be; the next tick does it.
        """
        now_ns = self._clock.utc_ns()
        if not self._rounds.anything_due(self._database.connection, self._policy, now_ns):
            return False
        with self._database.transaction() as sql:
            self._rounds.make(sql, self._policy, now_ns, self.quiet)
        return True

    def forget(
        self, checks: Iterable[CheckId], step: Step = Step.CLOSED, why: str = "no longer in the configuration"
    ) -> None:  # fmt: skip
        """Close the open incidents of checks of which nobody will know any more, and say so to those who were told.

        Parameters:
            checks: which.
            step: what people are told.
            why: stands in the timeline.
        """
        now_ns = self._clock.utc_ns()
        with self._database.transaction() as sql:
            for check in checks:
                incident = records.open_incident(sql, check)
                if incident is None:
                    continue
                closed = replace(incident, resolved_ns=now_ns)
                journal.end(sql, closed)
                journal.note(sql, closed, now_ns, "closed", why)
                self._tell_end(sql, closed, step, now_ns)

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
        now_ns = self._clock.utc_ns()
        with self._database.transaction() as sql:
            return handling.acknowledge(sql, number, who, now_ns, until_ns, note)

    def remark(self, number: int, who: str, text: str) -> None:
        """Add what a person has to say to the timeline, also of an incident that is over.

        Raises:
            ValueError: there is no such incident.
        """
        with self._database.transaction() as sql:
            handling.remark(sql, number, who, self._clock.utc_ns(), text)

    def attribute(self, number: int, who: str, owner: Owner, why: str) -> bool:
        """Say whose fault it is. A person has the last word; the evidence (``haidang``) only the first.

        Returns:
            whether it was taken.

        Raises:
            ValueError: there is no such incident.
        """
        with self._database.transaction() as sql:
            return handling.attribute(sql, number, who, self._clock.utc_ns(), owner, why)

    def keep_evidence(self, number: int, kind: str, lines: Sequence[str]) -> None:
        """Keep what was found out when an incident began; of each kind the first is kept."""
        with self._database.transaction() as sql:
            sql.execute(
                "INSERT OR IGNORE INTO incident_evidence (incident, kind, at_ns, data) VALUES (?, ?, ?, ?)",
                (
                    number, kind, self._clock.utc_ns(),
                    json.dumps([clean(line, 200) for line in lines], ensure_ascii=False),
                ),
            )  # fmt: skip

    def open_checks(self) -> set[CheckId]:
        """Return the checks with an open incident; those that are not configured any more are to be forgotten."""
        rows = self._database.connection.execute(
            "SELECT target, probe FROM incident WHERE resolved_ns IS NULL AND NOT (target = ? AND probe = ?)",
            (STORM.target, STORM.probe),
        )
        return {CheckId(*row) for row in rows}

    def _take(self, sql: sqlite3.Connection, transition: Transition) -> int | None:
        incident = records.open_incident(sql, transition.check)
        if incident is not None and (transition.flapping or records.flapping(sql, incident.number)):
            return self._flap(sql, incident, transition)
        match transition.state:
            case State.DOWN if incident is None:
                above = records.open_incident(sql, transition.cause) if transition.cause else None
                if above is not None:
                    return self._hide(sql, transition, None)
                again = self._again(sql, transition)
                return again if again is not None else self._open(sql, transition)
            case State.UNREACHABLE:
                return self._hide(sql, transition, incident)
            case State.UP | State.DEGRADED:
                if incident is not None:
                    self._resolve(sql, incident, transition)
                return None
        if incident is None:
            return None
        kind = "again" if transition.state is State.DOWN else "state"
        journal.note(sql, incident, transition.at_ns, kind, _words(transition))
        above = records.covering(sql, transition.cause) if transition.cause else None
        if above is not None and incident.merged_into is None and above.number != incident.number:
            self._merge(sql, incident, above, transition.confirmed_ns)
        return incident.number

    def _open(self, sql: sqlite3.Connection, transition: Transition) -> int:
        check = transition.check
        behind = self._world.behind(check)
        held_ns = transition.confirmed_ns + round(self._policy.hold_s * NS)
        incident = journal.create(
            sql, check, self._world.subject(check), clean(transition.reason), transition.at_ns,
            transition.confirmed_ns, held_ns,
        )  # fmt: skip
        impact = self._world.impact([check, *transition.members])
        journal.judged(sql, incident, self._policy.judge(check, impact), impact)
        if transition.flapping:
            journal.note(sql, incident, transition.at_ns, "flapping", _words(transition))
        for member in transition.members:
            if records.open_incident(sql, member) is None:
                journal.note(sql, incident, transition.at_ns, "hidden", str(member), member)
        self._gather(sql, incident, {*behind, *transition.members}, transition.confirmed_ns)
        return incident.number

    def _gather(self, sql: sqlite3.Connection, cause: Incident, below: set[CheckId], now_ns: int) -> None:
        """Merge what failed together with its cause and was found first; a late parent, a late verdict on a group."""
        if not below:
            return
        together_ns = round(self._policy.together_s * NS)
        for other in records.leading(sql):
            if other.check in below and other.since_ns >= cause.since_ns - together_ns:
                self._merge(sql, other, cause, now_ns)

    def _merge(self, sql: sqlite3.Connection, child: Incident, into: Incident, now_ns: int) -> None:
        journal.merge(sql, child, into, now_ns)
        self._grown(sql, into, now_ns)

    def _grown(self, sql: sqlite3.Connection, incident: Incident, now_ns: int) -> None:
        """Have it judged anew soon: it may be worse than was told."""
        if incident.check == STORM:
            grow(sql, self._policy, incident, now_ns)
        elif incident.told_ns is not None and not incident.pending and incident.merged_into is None:
            journal.due(sql, incident, Step.GROWN, now_ns + round(self._policy.hold_s * NS))

    def _again(self, sql: sqlite3.Connection, transition: Transition) -> int | None:
        """Open the last incident of a check again, when that is over for a short time only."""
        last = records.newest(sql, transition.check)
        if last is None or last.ended_ns is None:
            return None
        reopen_ns = round(self._policy.reopen_s * NS)
        if not last.ended_ns <= transition.at_ns <= last.ended_ns + reopen_ns:
            return None
        above = records.root(sql, last.number) if last.merged_into is not None else None
        held_ns = transition.confirmed_ns + round(self._policy.hold_s * NS)
        if above is not None and above.number != last.number and not above.open:
            if above.check != STORM or transition.at_ns > (above.ended_ns or 0) + reopen_ns:
                return None  # it failed because of something else then
            journal.reopen(sql, above, transition.at_ns, held_ns, f"#{last.number} {last.check}")
        silent = above is not None and above.number != last.number
        journal.reopen(sql, last, transition.at_ns, None if silent else held_ns, _words(transition))
        return last.number

    def _flap(self, sql: sqlite3.Connection, incident: Incident, transition: Transition) -> int | None:
        """Take in a change of a check that flaps, or that flapped up to this one."""
        already = records.flapping(sql, incident.number)
        if transition.flapping:
            journal.note(sql, incident, transition.at_ns, "state" if already else "flapping", _words(transition))
            if not already:
                self._tell_change(incident, Step.FLAPPING, transition)
            return incident.number
        journal.note(sql, incident, transition.at_ns, "steady", _words(transition))
        if transition.state in (State.UP, State.DEGRADED):
            self._resolve(sql, incident, transition, Step.FLAPPED)
            return None
        if transition.state is State.DOWN:
            self._tell_change(incident, Step.STEADY, transition)
        return incident.number

    def _tell_change(self, incident: Incident, step: Step, transition: Transition) -> None:
        """Tell those who know of it; what is not told yet is told as it is then."""
        if incident.merged_into is None and incident.told_ns is not None:
            self._notifier.changed(incident, step, transition.confirmed_ns)

    def _resolve(
        self, sql: sqlite3.Connection, incident: Incident, transition: Transition, step: Step = Step.RESOLVED
    ) -> None:  # fmt: skip
        # A wall clock that was set back must not end an outage before it began.
        ended_ns = max(transition.at_ns, incident.since_ns)
        resolved = replace(incident, ended_ns=ended_ns, resolved_ns=transition.confirmed_ns)
        journal.end(sql, resolved)
        journal.note(sql, resolved, ended_ns, "resolved", _words(transition))
        self._tell_end(sql, resolved, step, transition.confirmed_ns)

    def _tell_end(self, sql: sqlite3.Connection, incident: Incident, step: Step, now_ns: int) -> None:
        """Tell the end, once: of what was merged only those who will not hear of it with the other one."""
        if incident.merged_into is not None:
            above = records.root(sql, incident.number)
            heard = records.audience(sql, above.number) if above is not None else frozenset()
            if records.audience(sql, incident.number) <= heard:
                return
        known = replace(incident, facts=records.facts(sql, incident.number))
        self._notifier.ended(known, step, now_ns, records.members(sql, incident.number))

    def _hide(self, sql: sqlite3.Connection, transition: Transition, own: Incident | None) -> int | None:
        above = records.covering(sql, transition.cause) if transition.cause else None
        if own is not None:
            journal.note(sql, own, transition.at_ns, "state", _words(transition))
        if above is not None:
            above = self._join_ways(sql, above, self._world.above(transition.check), transition.confirmed_ns)
            journal.note(sql, above, transition.at_ns, "hidden", str(transition.check), transition.check)
            self._grown(sql, above, transition.confirmed_ns)
        incident = above or own
        return incident.number if incident else None

    def _join_ways(
        self, sql: sqlite3.Connection, cause: Incident, ways: Sequence[CheckId], now_ns: int
    ) -> Incident:  # fmt: skip
        """Make the losses of several ways to one thing one incident, when they began together; return that one."""
        if len(ways) < 2:
            return cause
        together_ns = round(self._policy.together_s * NS)
        found = {one.number: one for way in ways if (one := records.covering(sql, way)) is not None}
        found[cause.number] = cause
        lost = [one for one in found.values() if abs(one.since_ns - cause.since_ns) <= together_ns]
        first = min(lost, key=lambda one: one.number)
        for other in lost:
            if other.number != first.number and other.merged_into is None and other.open:
                self._merge(sql, other, first, now_ns)
        return first


def _words(transition: Transition) -> str:
    return f"{transition.state}: {transition.reason}" if transition.reason else transition.state.value
