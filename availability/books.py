"""The books of availability: the configuration's promises against the ledger, with all that people added to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from availability import spans
from availability.maintenance import covers, excluded
from availability.objectives import Figures, measured, scope
from availability.periods import Period, service_time
from availability.promises import Promise, formula_of
from availability.spans import Spans
from availability.systems import Formula, Member, Rule, Weight, grouped, together
from availability.tenures import Tenure, spoken, tenures
from availability.timeline import Correction, Timeline, excused, from_ticket, of_check, within
from config import Configuration, Inventory, Target
from haidang.model import CheckId, Interval
from storage.accounts import AccountsReader, CorrectionRow
from storage.ledger import LedgerReader

TICKET_NS = 92 * 86_400 * 10**9
"""How long before a period an outage that still ran in it may have begun for its ticket to be found."""

AT_A_TIME = 500
"""Targets that are read in one question: 2,000 take two thirds of the time of one for each."""


@dataclass(frozen=True, slots=True)
class Account:
    """How a promise stands in a period.

    Parameters:
        figures: the sums.
        formula: how the members make the whole, in words.
        members: how many there are.
        worst: the site the figures are of, where the formula is the worst site.
        timeline: what the sums were made of, for what follows from them (burn rates, the running outage).
        counted: the time of the period that counts.
    """

    figures: Figures
    formula: str
    members: int
    worst: str | None
    timeline: Timeline
    counted: Spans


class Books:
    """Reads the ledger for figures.

    Parameters:
        configuration: what was promised, and what there is.
        sql: any connection to ``haidang.db``.
        now_ns: UTC nanoseconds.
        known_ns: where knowledge ends: now while the daemon runs, else its last sign of life.
    """

    def __init__(self, configuration: Configuration, sql: sqlite3.Connection, now_ns: int, known_ns: int) -> None:
        self._configuration = configuration
        self._ledger = LedgerReader(sql)
        self._accounts = AccountsReader(sql)
        self._now_ns = now_ns
        self._known_ns = known_ns
        self._works = self._accounts.maintenance()
        self._held: dict[CheckId, tuple[Tenure, ...]] = {}
        self._kept: dict[tuple[str, bool], tuple[Timeline, int | None]] = {}
        self._kept_of = (0, 0)

    def tenures(self, primary: CheckId) -> tuple[Tenure, ...]:
        """Return which check spoke when for the target that this one speaks for now."""
        if primary not in self._held:
            self._learn([primary])
        return self._held[primary]

    def _learn(self, primaries: Sequence[CheckId]) -> None:
        names = [one.target for one in primaries]
        spoke, watched = self._accounts.spoke(names), self._accounts.watched(names)
        for one in primaries:
            self._held[one] = tenures(one, spoke.get(one.target, ()), watched.get(one.target, {}))

    def watched_ns(self, primary: CheckId) -> int | None:
        """Return since when a target is watched; ``None`` when that is not on record."""
        return self.tenures(primary)[0].start_ns

    def intervals(self, primary: CheckId, start_ns: int, end_ns: int) -> list[Interval]:
        """Return what the ledger knows of a target in a period; what runs ends where knowledge ends."""
        return self._known(spoken(self.tenures(primary), self._ledger.between, start_ns, end_ns))

    def _known(self, intervals: Iterable[Interval]) -> list[Interval]:
        return [
            one if one.end_ns is not None else _ended(one, max(one.start_ns, self._known_ns)) for one in intervals
        ]  # fmt: skip

    def of_target(self, target: Target, period: Period, promise: Promise) -> Account:
        """Return how one target stands."""
        [(timeline, watched_ns)] = self._timelines([target], period, promise)
        counts = scope(
            period, service_time(period, promise.hours, self._configuration.timezone),
            self._excluded(target, period, promise), watched_ns,
        )  # fmt: skip
        found = measured(timeline, counts, self._now_ns, promise.percent or None, promise.fixed_s)
        return Account(found, "", 1, None, timeline, counts.counted)

    def of_promise(self, promise: Promise, period: Period) -> Account | None:
        """Return how a promise stands; ``None`` when it is about nothing that is watched.

        A member's downtime in excluded maintenance is excused; time in which every member has it is taken out of the
        period. A member counts from when it was first watched.
        """
        return self.of_promise_over(promise, [period])[0]

    def of_promise_over(self, promise: Promise, periods: Sequence[Period]) -> list[Account | None]:
        """Return how a promise stood in each of some periods, reading the ledger once; see `of_promise`."""
        inventory = self._configuration.inventory
        targets = [one for one in inventory.targets.values() if covers(inventory, promise.kind, promise.name, one)]
        if promise.kind == "target" and targets:
            return [self.of_target(targets[0], period, promise) for period in periods]
        formula = formula_of(inventory.systems.get(promise.name) if promise.kind == "system" else None)
        return self.of_targets(targets, promise, periods, formula)

    def of_targets(
        self, targets: Sequence[Target], promise: Promise, periods: Sequence[Period], formula: Formula
    ) -> list[Account | None]:
        """Return how some targets stood together in each of some periods, see `of_promise`.

        Parameters:
            targets: the members, or what members are made of.
            promise: hours, exclusions, clock, percent; what it is about is not looked at.
            periods: in any order.
            formula: how the members make the whole.
        """
        inventory = self._configuration.inventory
        hull = Period("", min(one.start_ns for one in periods), max(one.end_ns for one in periods))
        parts: list[tuple[Target, Timeline]] = []
        out: Spans | None = None
        for target, (timeline, _) in zip(targets, self._timelines(targets, hull, promise), strict=True):
            own = self._excluded(target, hull, promise)
            out = own if out is None else spans.intersection(out, own)
            if timeline:
                parts.append((target, excused(timeline, own) if own else timeline))
        if not parts:
            return [None] * len(periods)
        members = grouped((*_member(inventory, target, formula), timeline) for target, timeline in parts)
        by_site = formula.rule is Rule.WORST_SITE
        groups = [[one] for one in members] if by_site else [members]
        wholes = [(group, group[0].timeline if by_site else together(formula, group)) for group in groups]
        return [self._worst(promise, period, formula, wholes, out or ()) for period in periods]

    def _worst(
        self, promise: Promise, period: Period, formula: Formula, wholes: Sequence[tuple[Sequence[Member], Timeline]],
        out: Spans,
    ) -> Account | None:  # fmt: skip
        """Return the account of the whole, or of the worst of the wholes; ``None`` when none was watched then."""
        service = service_time(period, promise.hours, self._configuration.timezone)
        by_site = formula.rule is Rule.WORST_SITE
        accounts = []
        count = 0
        for members, timeline in wholes:
            there = sum(member.timeline[0].start_ns < period.end_ns for member in members)
            count += there
            if there:
                counts = scope(period, service, out, timeline[0].start_ns)
                part = within(timeline, period.start_ns, period.end_ns)
                found = measured(part, counts, self._now_ns, promise.percent or None, promise.fixed_s)
                name = members[0].name if by_site else None
                accounts.append(Account(found, "", len(members), name, part, counts.counted))
        if not accounts:
            return None
        worst = min(accounts, key=lambda one: _rank(one.figures))
        return replace(worst, formula=formula.words(count), members=count)

    def _timelines(
        self, targets: Sequence[Target], period: Period, promise: Promise
    ) -> list[tuple[Timeline, int | None]]:
        """Return targets' timelines and since when each is watched. What was read last is kept: many ask for it."""
        if (period.start_ns, period.end_ns) != self._kept_of:
            self._kept_of = (period.start_ns, period.end_ns)
            self._kept.clear()
        wanted = {one.id: one for one in targets if (one.id, promise.from_ticket) not in self._kept}
        missing = list(wanted.values())
        for at in range(0, len(missing), AT_A_TIME):
            self._read(missing[at : at + AT_A_TIME], period, from_tickets=promise.from_ticket)
        return [self._kept[one.id, promise.from_ticket] for one in targets]

    def _read(self, targets: Sequence[Target], period: Period, *, from_tickets: bool) -> None:
        primaries = [(one.id, one.primary) for one in targets]
        self._learn([one for _, one in primaries if one not in self._held])
        until = max(period.start_ns, min(period.end_ns, self._now_ns))
        begins: dict[str, tuple[int, int]] = {}
        speakers: dict[str, set[str]] = {}
        for name, primary in primaries:
            held = self._held[primary]
            watched_ns = held[0].start_ns
            start_ns = max(period.start_ns, watched_ns or period.start_ns)
            # The ticket of an outage that began before the period was opened before it, too.
            from_ns = max(start_ns - TICKET_NS, watched_ns or 0) if from_tickets else start_ns
            begins[name] = start_ns, from_ns
            for one in held:
                speakers.setdefault(one.check.probe, set()).add(name)
        first = min(from_ns for _, from_ns in begins.values())
        corrections = self._accounts.corrections(name for name, _ in primaries)
        said = {probe: self._ledger.all_between(probe, names, first, until) for probe, names in speakers.items()}
        for name, primary in primaries:
            start_ns, from_ns = begins[name]
            held = self._held[primary]
            intervals = self._known(spoken(held, _lookup(said), from_ns, until))
            timeline = of_check(intervals, from_ns, until, _of(held, corrections.get(name, ())))
            if from_tickets:
                timeline = within(from_ticket(timeline, self._accounts.tickets(name)), start_ns, until)
            self._kept[name, from_tickets] = timeline, held[0].start_ns

    def _excluded(self, target: Target, period: Period, promise: Promise) -> Spans:
        if not self._works:
            return ()
        inventory = self._configuration.inventory
        works = [work for work in self._works if covers(inventory, work.kind, work.name, target)]
        return excluded(works, period.start_ns, period.end_ns, promise.exclude)


def weights(configuration: Configuration, system: str) -> list[float]:
    """Return what each member of a weighted system weighs."""
    inventory = configuration.inventory
    formula = formula_of(inventory.systems[system])
    return [_member(inventory, target, formula)[1] for target in inventory.targets.values() if target.system == system]


def _member(inventory: Inventory, target: Target, formula: Formula) -> tuple[str, float]:
    """Return the member a target belongs to, and that member's weight."""
    weighted = formula.rule is Rule.WEIGHTED
    if weighted and formula.weight is Weight.CAPACITY:
        circuit = inventory.circuits.get(target.circuit or "")
        return target.circuit or target.id, (circuit.mbps or 0.0) if circuit else 0.0
    if (weighted and formula.weight is not Weight.TARGETS) or formula.rule is Rule.WORST_SITE:
        site = inventory.sites.get(target.site or "")
        people = float(site.people or 0) if site else 0.0
        return target.site or target.id, people if formula.weight is Weight.PEOPLE else 1.0
    return target.id, 1.0


def _lookup(said: Mapping[str, Mapping[str, list[Interval]]]) -> Callable[[CheckId, int, int], list[Interval]]:
    """Answer from what was read of many targets, whatever the time asked for: what is outside it counts for nothing."""
    return lambda check, *_: said[check.probe].get(check.target, [])


def _of(held: Iterable[Tenure], rows: Iterable[CorrectionRow]) -> list[Correction]:
    """Return the corrections of the checks that ever spoke for a target."""
    probes = {one.check.probe for one in held}
    return [Correction(one.start_ns, one.end_ns, one.state) for one in rows if one.check.probe in probes]


def _ended(one: Interval, end_ns: int) -> Interval:
    """Let an interval end; `dataclasses.replace` takes five times as long, and there are thousands."""
    return Interval(one.check, one.state, one.start_ns, end_ns, one.reason, one.cause, one.owner, one.incident)


def _rank(figures: Figures) -> tuple[float, float]:
    """Order sites from the worst: by availability, then by what may be hidden in unknown time."""
    best = figures.availability_percent
    return (101.0 if best is None else best), figures.lowest_percent if figures.lowest_percent is not None else 101.0
