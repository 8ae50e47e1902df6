"""The books of availability: the configuration's promises against the ledger, with all that people added to it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace

from availability import spans
from availability.maintenance import covers, excluded
from availability.objectives import Figures, measured, scope
from availability.periods import Period, service_time
from availability.promises import Promise, formula_of
from availability.spans import Spans
from availability.systems import Formula, Member, Rule, Weight, grouped, together
from availability.timeline import Correction, Timeline, excused, from_ticket, of_check
from collectors.plan import primary
from config import Configuration, Inventory, Target
from haidang.model import CheckId, Interval
from storage.accounts import AccountsReader
from storage.ledger import LedgerReader


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

    def watched_ns(self, check: CheckId) -> int | None:
        """Return since when a check is watched; ``None`` when that is not on record."""
        return self._accounts.watched_ns(check)

    def intervals(self, check: CheckId, start_ns: int, end_ns: int) -> list[Interval]:
        """Return what the ledger knows of a check in a period; what runs ends where knowledge ends."""
        return [
            one if one.end_ns is not None else replace(one, end_ns=max(one.start_ns, self._known_ns))
            for one in self._ledger.between(check, start_ns, end_ns)
        ]

    def of_target(self, target: Target, period: Period, promise: Promise) -> Account:
        """Return how one target stands."""
        timeline, watched_ns = self._timeline(target, period, promise)
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
        inventory = self._configuration.inventory
        targets = [one for one in inventory.targets.values() if covers(inventory, promise.kind, promise.name, one)]
        if promise.kind == "target" and targets:
            return self.of_target(targets[0], period, promise)
        formula = formula_of(inventory.systems.get(promise.name) if promise.kind == "system" else None)
        parts: list[tuple[Target, Timeline]] = []
        out: Spans | None = None
        for target in targets:
            timeline, _ = self._timeline(target, period, promise)
            own = self._excluded(target, period, promise)
            out = own if out is None else spans.intersection(out, own)
            if timeline:
                parts.append((target, excused(timeline, own)))
        if not parts:
            return None
        members = grouped((*_member(inventory, target, formula), timeline) for target, timeline in parts)
        service = service_time(period, promise.hours, self._configuration.timezone)
        accounts = [
            self._account(promise, period, formula, group, service, out or ())
            for group in ([[one] for one in members] if formula.rule is Rule.WORST_SITE else [members])
        ]
        worst = min(accounts, key=lambda one: _rank(one.figures))
        return replace(worst, formula=formula.words(len(members)), members=len(members))

    def _account(
        self, promise: Promise, period: Period, formula: Formula, members: Sequence[Member], service: Spans, out: Spans
    ) -> Account:
        by_site = formula.rule is Rule.WORST_SITE
        timeline = members[0].timeline if by_site else together(formula, members)
        counts = scope(period, service, out, timeline[0].start_ns if timeline else None)
        found = measured(timeline, counts, self._now_ns, promise.percent or None, promise.fixed_s)
        return Account(found, "", len(members), members[0].name if by_site else None, timeline, counts.counted)

    def _timeline(self, target: Target, period: Period, promise: Promise) -> tuple[Timeline, int | None]:
        check = primary(target)
        until = max(period.start_ns, min(period.end_ns, self._now_ns))
        watched_ns = self._accounts.watched_ns(check)
        start_ns = max(period.start_ns, watched_ns or period.start_ns)
        corrections = [
            Correction(one.start_ns, one.end_ns, one.state) for one in self._accounts.corrections(check)
        ]  # fmt: skip
        timeline = of_check(self.intervals(check, start_ns, until), start_ns, until, corrections)
        if promise.from_ticket:
            timeline = from_ticket(timeline, self._accounts.tickets(target.id))
        return timeline, watched_ns

    def _excluded(self, target: Target, period: Period, promise: Promise) -> Spans:
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
    if weighted or formula.rule is Rule.WORST_SITE:
        site = inventory.sites.get(target.site or "")
        people = float(site.people or 0) if site else 0.0
        return target.site or target.id, people if formula.weight is Weight.PEOPLE else 1.0
    return target.id, 1.0


def _rank(figures: Figures) -> tuple[float, float]:
    """Order sites from the worst: by availability, then by what may be hidden in unknown time."""
    best = figures.availability_percent
    return (101.0 if best is None else best), figures.lowest_percent if figures.lowest_percent is not None else 101.0
