"""What people are told as time passes: first messages after a short hold, storms as one, reminders, what is left over.

Every second the watchman makes his round::

    due, and new         many at once: merged into one incident, the storm, which grows (`alerting.storms`)
                         else told
    due, and grown       told when it is worse than was told; a storm tells its growth now and then
    due, nothing new     "still down", with all else that is open; not to those who acknowledged it
    storm, all back      resolved
    merged, and what it went on in is over for some minutes: told by itself

When something is due is in the database, so that nothing is forgotten when the daemon is killed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import structlog

from alerting import journal, records, storms
from alerting.catalogue import LANGUAGES
from alerting.notifier import Notifier
from alerting.policy import NS, Policy
from alerting.records import FOREVER_NS, STORM, Incident
from alerting.world import Step, World, in_language
from haidang.model import CheckId

logger = structlog.get_logger(__name__)

_NEW = frozenset({Step.OPENED, Step.REOPENED})
_AT_ONCE = 200
"""Messages written in one round: more are a storm, or reminders that can wait for the next second."""
_AHEAD_NS = 3600 * NS
"""No step is planned further ahead, see `records.due`."""
_TOGETHER_NS = 1800 * NS
"""Reminders that are due within this time go with one that is due now."""


class Rounds:
    """Makes the rounds.

    Parameters:
        world: names, impact, figures.
        notifier: tells people.
    """

    def __init__(self, world: World, notifier: Notifier) -> None:
        self._world = world
        self._notifier = notifier

    def anything_due(self, sql: sqlite3.Connection, policy: Policy, now_ns: int) -> bool:
        """Tell whether a round would write anything; cheap, so that a quiet second costs no commit."""
        if records.due(sql, now_ns, _AHEAD_NS, 1):
            return True
        storm = records.open_incident(sql, STORM)
        return (storm is not None and storms.over(sql, storm)) or bool(_left_over(sql, policy, now_ns))

    def make(self, sql: sqlite3.Connection, policy: Policy, now_ns: int, quiet: Callable[[CheckId], bool]) -> None:
        """Make one round, inside a transaction."""
        due = records.due(sql, now_ns, _AHEAD_NS, _AT_ONCE)
        if any(one.pending in _NEW for one in due):
            storms.gather(sql, self._world, policy, now_ns)
            due = records.due(sql, now_ns, _AHEAD_NS, _AT_ONCE)
        reminders = []
        for incident in due:
            if incident.pending:
                self._tell(sql, policy, incident, Step(incident.pending), now_ns)
            elif incident.acknowledged(now_ns):
                until_ns = incident.acknowledged_until_ns or FOREVER_NS
                journal.due(sql, incident, None, None if until_ns >= FOREVER_NS else until_ns)
            elif quiet(incident.check):
                journal.due(sql, incident, None, policy.remind_at(now_ns, now_ns, incident.severity))
            else:
                reminders.append(incident)
        if reminders:
            self._remind(sql, policy, reminders, now_ns)
        storm = records.open_incident(sql, STORM)
        if storm is not None and storms.over(sql, storm):
            self._end_storm(sql, storm, now_ns)
        for incident in _left_over(sql, policy, now_ns):
            sql.execute("UPDATE incident SET merged_into = NULL WHERE id = ?", (incident.number,))
            journal.note(sql, incident, now_ns, "split", f"#{incident.merged_into} is over, this lasts")
            journal.due(sql, incident, Step.SPLIT, now_ns)

    def _tell(self, sql: sqlite3.Connection, policy: Policy, incident: Incident, step: Step, now_ns: int) -> None:
        """Judge how bad it is now, and tell the step; growth that is no worse is not told."""
        known = incident
        incident, members = self._judged(sql, policy, incident, now_ns)
        if step is Step.GROWN and incident.severity.rank <= known.severity.rank and not _more(sql, known, incident):
            told_ns = incident.told_ns or now_ns
            journal.due(sql, incident, None, policy.remind_at(told_ns, now_ns, incident.severity))
            return
        if step is Step.OPENED and records.flapping(sql, incident.number):
            step = Step.FLAPPING
        if step is Step.REOPENED and incident.told_ns is None:
            step = Step.OPENED
        if step in (Step.REOPENED, Step.GROWN) and incident.check != STORM:
            self._notifier.changed(incident, step, now_ns, members)
        else:
            self._notifier.opened(incident, step, now_ns, members)
        if step is not Step.OPENED:
            journal.note(sql, incident, now_ns, "told", step.value)
        self._told(sql, policy, incident, now_ns)

    def _told(
        self, sql: sqlite3.Connection, policy: Policy, incident: Incident, now_ns: int, early_ns: int | None = None
    ) -> None:  # fmt: skip
        """Note that people were told now, and plan when next; ``early_ns`` is a reminder that this one stands for."""
        told_ns = incident.told_ns or now_ns
        if incident.acknowledged(now_ns):
            until_ns = incident.acknowledged_until_ns or FOREVER_NS
            again_ns = None if until_ns >= FOREVER_NS else until_ns
        else:
            again_ns = policy.remind_at(told_ns, max(now_ns, early_ns or 0), incident.severity)
        journal.told(sql, incident, now_ns, again_ns)

    def _judged(
        self, sql: sqlite3.Connection, policy: Policy, incident: Incident, now_ns: int
    ) -> tuple[Incident, list[CheckId]]:  # fmt: skip
        """Judge how bad an incident is, with the budget; return it so, with its members and what is known of it."""
        storm = incident.check == STORM
        members = storms.lasting(sql, incident) if storm else records.members(sql, incident.number)
        impact = self._world.impact([*members] if storm else [incident.check, *members])
        try:
            figures = self._world.month(incident.check, now_ns)
        except Exception:  # noqa: BLE001 a figure that cannot be had must not keep the page back
            logger.exception("budget not known", incident=incident.number)
            figures = None
        if figures is not None and figures.budget_s:
            left = 100 * max(0.0, figures.budget_s - figures.down_s) / figures.budget_s
            impact = replace(impact, budget_percent=round(left, 3))
        level = policy.judge(incident.check, impact, members)
        journal.judged(sql, incident, level, impact)
        facts = records.facts(sql, incident.number)
        if storm:
            still = records.children(sql, incident.number, still=True)
            facts |= storms.in_common(self._world, (one.check for one in still))
        return replace(incident, severity=level, impact=impact, facts=facts), members

    def _remind(self, sql: sqlite3.Connection, policy: Policy, reminders: Sequence[Incident], now_ns: int) -> None:
        """Remind of the worst of them, and of all else that is open in the same message."""
        lead = max(reminders, key=lambda one: (one.severity.rank, -one.number))
        heard = records.audience(sql, lead.number)
        others = [
            one for one in records.leading(sql)
            if one.number != lead.number and one.told_ns is not None and not one.acknowledged(now_ns)
        ]  # fmt: skip
        found, members = self._judged(sql, policy, lead, now_ns)
        facts = {**found.facts, **_listed(others)}
        if lead.acknowledged_until_ns is not None:
            journal.note(sql, lead, now_ns, "unacknowledged", f"the time of {lead.acknowledged_by} is over")
        self._notifier.changed(replace(found, facts=facts), Step.STILL, now_ns, members)
        journal.note(sql, lead, now_ns, "told", Step.STILL.value)
        self._told(sql, policy, found, now_ns)
        for one in others:
            soon = one.again_ns is not None and one.again_ns <= now_ns + _TOGETHER_NS
            if soon and not one.pending and records.audience(sql, one.number) <= heard:
                self._told(sql, policy, one, now_ns, one.again_ns)
        logger.info("reminded", incident=lead.number, others=len(others))

    def _end_storm(self, sql: sqlite3.Connection, storm: Incident, now_ns: int) -> None:
        (ended_ns,) = sql.execute(
            "SELECT max(coalesce(ended_ns, resolved_ns)) FROM incident WHERE merged_into = ?", (storm.number,)
        ).fetchone()
        ended = replace(storm, ended_ns=max(ended_ns or now_ns, storm.since_ns), resolved_ns=now_ns)
        journal.end(sql, ended)
        journal.note(sql, ended, ended.ended_ns or now_ns, "resolved", "all that belong to it are over")
        self._notifier.ended(ended, Step.RESOLVED, now_ns, records.members(sql, storm.number))


def _more(sql: sqlite3.Connection, known: Incident, found: Incident) -> bool:
    """Tell whether there is more to say of a storm than was told; of what hangs on its members nothing is news."""
    if found.check != STORM:
        return False
    grown = known.impact is None or found.impact is None or found.impact.targets > known.impact.targets
    return grown or storms.news(sql, known)


def _listed(incidents: Sequence[Incident]) -> dict[str, Collection[str]]:
    """Name incidents for a message, in each language."""
    return {
        f"open:{language}": [
            f"#{one.number} {in_language(one.subject.name, language) or one.check}" for one in incidents
        ]
        for language in LANGUAGES
        if incidents
    }


def _left_over(sql: sqlite3.Connection, policy: Policy, now_ns: int) -> list[Incident]:
    """Return what lasts although what it was merged into is over for a while."""
    settled_ns = now_ns - round(policy.settle_s * NS)
    numbers = sql.execute(
        "SELECT DISTINCT merged_into FROM incident WHERE merged_into IS NOT NULL AND resolved_ns IS NULL"
    ).fetchall()
    found = []
    for (number,) in numbers:
        above = records.incident(sql, number)
        if above is not None and above.resolved_ns is not None and above.resolved_ns <= settled_ns:
            found += records.children(sql, number, still=True)
    return found
