"""Why somebody was told of something, or was not: what is on record, held against the configuration as it is now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from alerting import records
from alerting.escalation import timers
from alerting.records import Delivery, Incident
from alerting.routing import PAUSED, Clockwork, Route, misfit
from alerting.rules import STATE
from alerting.severity import severity
from alerting.world import in_language
from availability.maintenance import covers, occurrences
from availability.promises import promises
from config import Configuration, Target
from config.schema.oncall import dates
from haidang import handling
from haidang.duty import concerned, facts, routes, silent_until_ns
from haidang.model import Interval, Series, State
from haidang.ruling import BUDGET, is_rule, line_of, rules, told
from haidang.show import local
from haidang.world import ConfiguredWorld
from storage.accounts import AccountsReader
from storage.duty import silences
from storage.ledger import LedgerReader

Line = tuple[str, str]
"""What it is about, and the words."""

_QUIET = {
    State.UP: "it works: there is nothing to tell",
    State.DEGRADED: "degraded is on record and on the pages and opens no incident",
    State.UNKNOWN: "nobody knows how it is; unknown opens no incident of its own",
}


class Why:
    """Explains.

    Parameters:
        configuration: as it is now; routes and contacts may have been others at the time, and what was sent says so.
        sql: any connection to ``haidang.db``.
        now_ns: UTC nanoseconds.
    """

    def __init__(self, configuration: Configuration, sql: sqlite3.Connection, now_ns: int) -> None:
        self._configuration = configuration
        self._sql = sql
        self._now_ns = now_ns
        self._world = ConfiguredWorld(configuration, LedgerReader(sql))

    def incident(self, number: int) -> list[Line]:
        """Explain who was told of an incident; nothing when there is no such incident."""
        found = records.incident(self._sql, number)
        return [] if found is None else list(self._incident(found))

    def target(self, name: str) -> list[Line]:
        """Explain who is told of a target.

        Raises:
            KeyError: it is not configured.
        """
        target = self._configuration.inventory.targets[name]
        running = {one.check: one for one in LedgerReader(self._sql).running() if one.check.target == name}
        lines = [line for check in running.values() for line in self._check(target, check)]
        return [*(lines or [("state", f"{name}: no measurement yet")]), *self._found(name)]

    def promised(self, name: str) -> list[Line]:
        """Explain who is told of a promise, e.g. ``system:wan``; nothing when nothing was promised of that.

        What is promised is watched by rules over budgets only.
        """
        known = [one for one in promises(self._configuration) if f"{one.kind}:{one.name}" == name]
        if not known:
            return []
        about = [("promise", f"{name}: {one.percent:g} % each {one.period} ({one.id})") for one in known]
        about += self._watched(
            {"kind": one.kind, "name": one.name, "objective": one.id} for one in known
        )  # fmt: skip
        found = self._found(name)
        return [*about, *(found or [("told", "no incident is open about it")])]

    def _watched(self, lines: Iterable[Mapping[str, str]]) -> list[Line]:
        """Say which rules over budgets watch some promises."""
        watched = {Series(BUDGET, tuple(sorted(tags.items()))) for tags in lines}
        found = [
            ("rule", f"{rule.id}: {told(rule)}")
            for rule in rules(self._configuration)
            if rule.measurement == BUDGET and any(rule.covers(line) for line in watched)
        ]
        return found or [("rule", "no rule over budgets is about it: nobody is told before it is missed")]

    def _found(self, name: str) -> list[Line]:
        """Explain what rules found of a target or a promise."""
        return [
            line
            for check in records.open_checks(self._sql, name)
            if is_rule(check) and (one := records.open_incident(self._sql, check)) is not None
            for line in self._incident(one)
        ]

    def _lasting(self, one: Interval) -> Iterator[Line]:
        """Say what rules over states make of a state, and when."""
        line = line_of(self._configuration, one.check)
        for rule in rules(self._configuration):
            if line is not None and rule.measurement == STATE and rule.field == one.state and rule.covers(line):
                yield "rule", f"{rule.id}: {told(rule)}"

    def _check(self, target: Target, one: Interval) -> Iterator[Line]:
        reason = f" ({one.reason})" if one.reason else ""
        yield "state", f"{one.check} is {one.state} since {self._at(one.start_ns)}{reason}"
        find = records.open_incident if one.state in _QUIET else records.covering
        covering = find(self._sql, one.check)
        lasting = [*self._lasting(one)]
        yield from lasting
        if one.state in _QUIET and covering is None:
            yield "told", "nobody before the rule's time is over" if lasting else _QUIET[one.state]
            return
        if one.state is State.UNREACHABLE and one.cause is not None:
            yield "cause", f"it is hidden behind {one.cause}: people hear of that, with this among what is affected"
        for work in self._maintenance(target):
            yield "maintenance", f"{work}: nobody is told before it ends"
        if covering is None:
            yield "told", "no incident is open about it"
            return
        yield from self._incident(covering)

    def _incident(self, one: Incident) -> Iterator[Line]:
        name = in_language(one.subject.name, self._configuration.language) or str(one.check)
        over = f"over since {self._at(one.ended_ns or one.resolved_ns)}" if not one.open else "open"
        yield "incident", f"#{one.number} {name} ({one.check}) since {self._at(one.since_ns)}, {over}"
        if one.merged_into is not None:
            yield "merged", f"it goes on in #{one.merged_into}: people hear of that"
            above = records.root(self._sql, one.number)
            if above is not None and above.number != one.number:
                yield from self._incident(above)
            return
        if is_rule(one.check):
            yield from self._by_rule(one)
        yield from self._how_bad(one)
        messages = records.deliveries(self._sql, one.number)
        for message in messages:
            yield "told", self._message(message)
        if not messages:
            yield "told", self._untold(one)
        yield from self._held(one)
        yield from self._ways(one)

    def _by_rule(self, one: Incident) -> Iterator[Line]:
        """Say what the rule is that found it, and what was found."""
        name = one.check.probe.split(":")[1]
        rule = next((rule for rule in rules(self._configuration) if rule.id == name), None)
        yield "rule", f"{name}: {told(rule) if rule else 'no longer in the configuration'}"
        yield "found", one.reason

    def _how_bad(self, one: Incident) -> Iterator[Line]:
        if one.impact is None:
            return
        level, figure = severity(one.impact, handling.policy(self._configuration).severities)
        if one.severity.rank > level.rank and is_rule(one.check):
            figure = f"rule {one.check.probe.split(':')[1]}"
        yield "severity", f"{one.severity}" + (f", because of {figure.replace('_', ' ')}" if figure else "")

    def _message(self, one: Delivery) -> str:
        where = f"{one.step}: {one.contact} by {one.channel}" + (f" {one.address}" if one.address else "")
        tries = f"{one.attempts} {'try' if one.attempts == 1 else 'tries'}"
        error = f": {one.error}" if one.error else ""
        match one.state:
            case "sent":
                return f"{where}, sent {self._at(one.done_ns)}"
            case "failed":
                return f"{where}, failed for good {self._at(one.done_ns)} after {tries}{error}"
            case "waiting" if one.attempts:
                return f"{where}, {tries} failed, again {self._at(one.next_ns)}{error}"
        return f"{where}, {one.state}"

    def _untold(self, one: Incident) -> str:
        if one.pending and one.open:
            return "nobody yet: a first message waits a moment for what else fails (alerting.incidents.hold)"
        if not one.open and one.told_ns is None:
            return "nobody: it was over before the first message was due"
        return "nobody: see below who would be"

    def _held(self, one: Incident) -> Iterator[Line]:
        """Say what holds messages back now."""
        if not one.open:
            return
        members = records.members(self._sql, one.number)
        if one.acknowledged(self._now_ns):
            forever = one.acknowledged_until_ns is None or one.acknowledged_until_ns >= records.FOREVER_NS
            until = "" if forever else f" until {self._at(one.acknowledged_until_ns)}"
            yield "held", f"acknowledged by {one.acknowledged_by}{until}: nobody further is told"
        rows = silences(self._sql, self._now_ns)
        until_ns = silent_until_ns(self._configuration, rows, concerned(one, members), self._now_ns)
        if until_ns is not None:
            yield "held", f"silent until {self._at(until_ns)}: haidang silence list says by whom and why"
        for timer in timers(self._sql, one.number):
            done, all_ = timer.progress.done, len(timer.plan.rungs)
            if not timer.plan.route or done >= all_:
                continue
            due = "held up" if timer.progress.began_ns == PAUSED else f"next {self._at(timer.progress.due_ns)}"
            yield "escalation", f"route {timer.plan.route}: {done} of {all_} steps told, {due}"
        if one.again_ns is not None and not one.pending:
            yield "reminder", f"due {self._at(one.again_ns)}"

    def _ways(self, one: Incident) -> Iterator[Line]:
        """Say who hears of it by the configuration, and why routes are taken or not."""
        everybody = self._world.recipients(one.check)
        for reader in everybody:
            yield (
                "everything",
                f"{reader.contact} hears of this by {reader.channel} (alerting.to, or the target's notify)",
            )
        at_ns = one.told_ns or self._now_ns
        known = facts(self._configuration, one, records.members(self._sql, one.number), at_ns)
        clockwork = Clockwork(self._configuration.timezone, dates(self._configuration.alerting.holidays))
        open_ways = True
        taken = False
        for route in routes(self._configuration):
            why = misfit(route, known, clockwork) if open_ways else "a route before it was taken"
            steps = _steps(route)
            yield "route", f"{route.plan.route}: " + (f"not taken, {why}" if why else f"taken: {steps}")
            taken = taken or not why
            open_ways = open_ways and (bool(why) or route.further)
        if not everybody and not taken:
            yield "nobody", "alerting.to names nobody who can be reached, and no route is taken"

    def _maintenance(self, target: Target) -> Iterator[str]:
        for work in AccountsReader(self._sql).maintenance():
            if covers(self._configuration.inventory, work.kind, work.name, target):
                for start_ns, end_ns in occurrences(work, self._now_ns, self._now_ns + 1):
                    if start_ns <= self._now_ns < end_ns:
                        what = f"{work.number} of {work.kind} {work.name}"
                        yield f"maintenance {what} until {self._at(end_ns)} ({work.reason})"

    def _at(self, at_ns: int | None) -> str:
        return local(at_ns, self._configuration.timezone) or "?"


def _steps(route: Route) -> str:
    """Say whom a route tells, and when."""
    plan = route.plan
    if plan.digest is not None:
        return f"in the daily list at {plan.digest // 60:02}:{plan.digest % 60:02} to {', '.join(plan.rungs[0].to)}"
    return "; ".join(f"after {rung.after_s:g} s {', '.join(rung.to)}" for rung in plan.rungs)
