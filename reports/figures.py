"""The figures of a month: one pure function from configuration, ledger and clock to a frozen report.

A month that is over is reported as of its end: what the ledger learnt later about later times changes nothing, only
corrections, exclusions and tickets that were entered since do.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from availability import spans
from availability.books import Account, Books
from availability.maintenance import covers
from availability.periods import Period, month_named
from availability.promises import Promise, formula_of, promises
from availability.systems import Formula, Rule
from availability.timeline import Timeline, added_up, within
from config import Configuration, Target
from reports import annexes, gather, notes, snapshot, story, wording
from reports.equipment import Equipment
from reports.gather import labelled, name_of
from reports.lines import Lines, Progress
from reports.model import FORMULA_VERSION, Day, Letterhead, Longer, Month, Promised, Report, Seal, SiteRow, TargetRow
from reports.parts import Numbers, Part, at
from reports.records import Incident, Records
from reports.seal import sealed
from storage import snapshots
from storage.accounts import AccountsReader

MONTHS = 13
"""Of the trend, the reported one included: the same month of the year before is in it."""


@dataclass(frozen=True, slots=True)
class Chance:
    """The probability that an objective is missed next; ``None`` with too little history."""

    miss: float | None
    pooled: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a report is asked of.

    Parameters:
        month: ``YYYY-MM`` in the configuration's time zone.
        now_ns: UTC nanoseconds.
        known_ns: where knowledge ends: now while the daemon runs, else its last sign of life.
        kind, name: ``system``, ``carrier`` or ``site`` to narrow it to one; empty: everything.
        equipment: what was measured beside the ledger, see `reports.equipment`.
        outlook: by objective, what the forecaster says of the next month.
    """

    month: str
    now_ns: int
    known_ns: int
    kind: str = ""
    name: str = ""
    equipment: Equipment = field(default_factory=Equipment)
    outlook: Mapping[str, Chance] = field(default_factory=dict)


def as_of(month: str, zone: ZoneInfo, now_ns: int) -> int:
    """Return where a month's report stops looking: at its end, or now while it runs."""
    period = month_named(month, zone)
    return min(max(now_ns, period.start_ns), period.end_ns)


def build(
    configuration: Configuration, sql: sqlite3.Connection, asked: Asked, progress: Progress = lambda *_: None
) -> Report:
    """Make the report of a month, sealed, revision 1.

    Parameters:
        configuration: what is watched and promised.
        sql: any connection to ``haidang.db``.
        asked: month, clock, and what comes from elsewhere.
        progress: told how far it is.

    Raises:
        ValueError: the month is not one.
    """
    return _Building(configuration, sql, asked, progress).report()


class _Building:
    def __init__(self, configuration: Configuration, sql: sqlite3.Connection, asked: Asked, progress: Progress) -> None:
        self._configuration, self._sql, self._asked, self._progress = configuration, sql, asked, progress
        self._inventory = configuration.inventory
        self._zone = configuration.timezone
        self._period = month_named(asked.month, self._zone)
        self._trend_ns = month_named(_before(asked.month, MONTHS - 1), self._zone).start_ns
        self._until_ns = as_of(asked.month, self._zone, asked.now_ns)
        self._known_ns = min(asked.known_ns, self._until_ns)
        self._books = Books(configuration, sql, self._until_ns, self._known_ns)
        self._records = Records(sql, self._until_ns)
        self._works = AccountsReader(sql).maintenance()
        self._targets = {
            name: target for name, target in self._inventory.targets.items()
            if not asked.kind or covers(self._inventory, asked.kind, asked.name, target)
        }  # fmt: skip
        mine = [
            one for one in promises(configuration)
            if not asked.kind or (one.kind, one.name.casefold()) == (asked.kind, asked.name.casefold())
        ]  # fmt: skip
        self._promises = [one for one in mine if one.period == "month"]
        self._longer = [one for one in mine if one.period != "month"]

    def report(self) -> Report:
        period, configuration = self._period, self._configuration
        kept = snapshots.in_force(self._sql, period.start_ns, max(self._asked.now_ns, period.end_ns))
        removed = notes.removed(kept, self._inventory, self._books, period, self._until_ns)
        accounts = {target.id: self._account(target, number) for number, target in enumerate(self._targets.values())}
        targets = [self._target(target, accounts[target.id]) for target in self._targets.values()]
        pairs = [(target, accounts[target.id]) for target in self._targets.values()]
        causes = gather.causes(pairs, self._books, self._records, period, self._until_ns)
        sites = self._sites({row.id: row for row in targets})
        lines = Lines(configuration, self._books, self._records, period, self._until_ns)
        circuits, outages = lines.circuits(self._targets.values(), self._progress)
        carriers = lines.carriers(circuits)
        promised = self._promised()
        incidents = [
            one for one in self._records.incidents(period.start_ns, period.end_ns)
            if not self._asked.kind or one.check.target in self._targets or one.hidden & self._targets.keys()
        ]  # fmt: skip
        rows = gather.incident_rows(incidents, self._inventory)
        measured = self._measured(targets)
        following = month_named(_before(self._asked.month, -1), self._zone)
        self._progress("seal", 0, 1)
        report = Report(
            formula_version=FORMULA_VERSION, month=self._asked.month, timezone=str(self._zone),
            start=at(period.start_ns), end=at(period.end_ns), until=at(self._until_ns),
            complete=self._until_ns >= period.end_ns,
            about=f"{self._asked.kind} {self._asked.name}".strip(), letterhead=self._letterhead(),
            notes=(
                *notes.of_period(promised, targets, sites, outages, rows, period, self._until_ns), *removed,
                *notes.objectives(kept, promised),
                *notes.judged_anew(self._targets.values(), self._books, self._trend_ns, self._until_ns),
            ),
            promised=tuple(promised), longer=tuple(self._of_longer()),
            sites=tuple(sites), circuits=tuple(circuits), carriers=tuple(carriers),
            outages=tuple(outages), incident_sums=gather.incident_sums(incidents, period),
            incidents=tuple(rows), causes=tuple(causes),
            exclusions=tuple(gather.exclusions(
                configuration, self._works, self._books, self._records, period, self._targets
            )),
            **measured, targets=tuple(targets),
            planned=tuple(gather.planned(self._inventory, self._works, following, self._targets)),
            seal=self._seal(incidents, measured),
        )  # fmt: skip
        return sealed(report.model_copy(update={"story": story.told(report)}))

    def _measured(self, targets: Iterable[TargetRow]) -> dict[str, Any]:
        """Return the parts that were measured beside the ledger, of what the report is about."""
        had, mine = self._asked.equipment, self._targets
        return {
            "loads": tuple(row for row in had.loads if not self._asked.kind or row.target in mine),
            "readings": tuple(row for row in had.readings if row.id in mine),
            "certificates": tuple(row for row in had.certificates if row.id in mine),
            "rooms": tuple(annexes.rooms(targets, had)),
            "connections": tuple(annexes.connections(self._configuration, mine.values(), had)),
        }

    def _seal(self, incidents: Iterable[Incident], measured: Mapping[str, Iterable[Part]]) -> Seal:
        """Sum up what the figures are made of."""
        longer = (one.period_at(self._until_ns, self._zone).start_ns for one in self._longer)
        more = (
            [(replace(one, hidden=frozenset()), sorted(one.hidden)) for one in incidents],
            [row.model_dump_json() for rows in measured.values() for row in rows],
            sorted(self._asked.outlook.items()),
        )
        return Seal(
            inputs=self._records.digest(min([self._trend_ns, *longer]), self._known_ns, more),
            configuration=snapshots.digest(snapshot.described(self._configuration)),
        )

    def _account(self, target: Target, number: int) -> Account:
        if number % 100 == 0:
            self._progress("targets", number, len(self._targets))
        system = self._inventory.systems.get(target.system or "")
        percent = system.objective if system else None
        return self._books.of_target(target, self._period, Promise("", "target", target.id, percent or 0))

    def _target(self, target: Target, account: Account) -> TargetRow:
        watched_ns = self._books.watched_ns(target.primary)
        return TargetRow(
            id=target.id, name=labelled(target.label), site=self._site_name(target.site), system=target.system or "",
            role=target.role, watched_since=None if watched_ns is None else at(watched_ns),
            numbers=Numbers.of(account.figures),
        )  # fmt: skip

    def _sites(self, rows: Mapping[str, TargetRow]) -> list[SiteRow]:
        mine: dict[str, list[Target]] = defaultdict(list)
        for target in self._targets.values():
            if target.site:
                mine[target.site].append(target)
        found = []
        for number, (name, targets) in enumerate(mine.items()):
            self._progress("sites", number, len(mine))
            promise = Promise("", "site", name, 0)
            [whole] = self._books.of_targets(targets, promise, [self._period], Formula())
            [reached] = self._books.of_targets(targets, promise, [self._period], Formula(Rule.ANY))
            if whole is None or reached is None:
                continue
            site = self._inventory.sites[name]
            worst = min((rows[target.id] for target in targets), key=_worst)
            found.append(
                SiteRow(
                    id=name, name=labelled(site.label), level=site.level, parent=self._site_name(site.parent),
                    targets=whole.members, numbers=Numbers.of(whole.figures),
                    cut_off_s=round(reached.figures.down_s, 6),
                    cut_offs=reached.figures.outages, worst=worst.name,
                    worst_percent=worst.numbers.availability_percent,
                )
            )  # fmt: skip
        return found

    def _promised(self) -> list[Promised]:
        """Hold every promise of a month against the ledger; a system without an objective is shown all the same."""
        about = {(one.kind, one.name) for one in self._promises}
        plain = [
            Promise(one.id, "system", one.id, 0) for one in self._inventory.systems.values()
            if ("system", one.id) not in about and self._asked.kind in ("", "system")
            and self._asked.name in ("", one.id)
        ]  # fmt: skip
        wanted = [*self._promises, *plain]
        months = [month_named(_before(self._asked.month, back), self._zone) for back in range(MONTHS - 1, -1, -1)]
        found = []
        for number, promise in enumerate(sorted(wanted, key=lambda one: one.kind != "system")):
            self._progress("objectives", number, len(wanted))
            accounts = self._books.of_promise_over(promise, months)
            account = accounts[-1]
            if account is None:
                continue
            inventory = self._inventory
            named = inventory.objectives.get(promise.id) or inventory.systems.get(promise.id)
            system = inventory.systems.get(promise.name) if promise.kind == "system" else None
            chance = self._asked.outlook.get(promise.id)
            worst = account.worst
            found.append(
                Promised(
                    id=promise.id, about=f"{promise.kind} {promise.name}",
                    name=name_of(inventory, promise.kind, promise.name),
                    objective_name=labelled(named.label) if named else dict.fromkeys(gather.LANGUAGES, promise.id),
                    view=promise.view, formula=wording.promised(promise),
                    members_formula=wording.members(formula_of(system), account.members),
                    members=account.members, worst=None if worst is None else self._site_name(worst) or
                    name_of(inventory, "target", worst), numbers=Numbers.of(account.figures),
                    trend=tuple(_month(period, one) for period, one in zip(months, accounts, strict=True)),
                    days=tuple(days(account.timeline, account.counted, self._period, self._zone)),
                    miss_next=chance.miss if chance else None,
                    pooled=chance.pooled if chance else 0,
                )
            )  # fmt: skip
        return found

    def _of_longer(self) -> Iterator[Longer]:
        """Hold every promise of a quarter, a year or so many days against the ledger, as of the end of the month."""
        inventory = self._inventory
        for number, promise in enumerate(self._longer):
            self._progress("other periods", number, len(self._longer))
            # A rolling period ends where it is asked for; a quarter or year is the one in which the month's end lies.
            at_ns = self._until_ns if promise.period.endswith("d") else self._until_ns - 1
            period = promise.period_at(max(at_ns, self._period.start_ns), self._zone)
            account = self._books.of_promise(promise, period)
            if account is None:
                continue
            named = inventory.objectives.get(promise.id)
            system = inventory.systems.get(promise.name) if promise.kind == "system" else None
            yield Longer(
                id=promise.id, about=f"{promise.kind} {promise.name}",
                name=name_of(inventory, promise.kind, promise.name),
                objective_name=labelled(named.label) if named else dict.fromkeys(gather.LANGUAGES, promise.id),
                period=period.name, start=at(period.start_ns), end=at(period.end_ns), view=promise.view,
                formula=wording.promised(promise), members_formula=wording.members(formula_of(system), account.members),
                numbers=Numbers.of(account.figures),
            )  # fmt: skip

    def _site_name(self, site: str | None) -> dict[str, str] | None:
        known = self._inventory.sites.get(site or "")
        return labelled(known.label) if known else None

    def _letterhead(self) -> Letterhead:
        head = self._configuration.reports
        return Letterhead(
            superior=labelled(head.superior.language) if head.superior else None,
            agency=labelled(head.agency.language) if head.agency else None, symbol=head.symbol, place=head.place,
            signer=labelled(head.signer.language) if head.signer else None,
            recipients=tuple(labelled(one.language) for one in head.recipients),
        )  # fmt: skip


def days(timeline: Timeline, counted: Sequence[tuple[int, int]], period: Period, zone: ZoneInfo) -> list[Day]:
    """Return how each day of a month was, the days to come with nothing in them."""
    found = []
    begin = datetime.fromtimestamp(period.start_ns // 10**9, zone)
    while (start := round(begin.timestamp()) * 10**9) < period.end_ns:
        day, begin = begin, begin + timedelta(days=1)  # on the wall clock
        end = round(begin.timestamp()) * 10**9
        part = within(timeline, start, end)
        inside = spans.intersection(counted, ((start, end),))
        sums = added_up(part, inside)
        found.append(
            Day(
                day=f"{day:%Y-%m-%d}", counted_s=round((sums.up_ns + sums.down_ns + sums.unknown_ns) / 1e9, 3),
                down_s=round(sums.down_ns / 1e9, 3), unknown_s=round(sums.unknown_ns / 1e9, 3),
            )
        )  # fmt: skip
    return found


def _month(period: Period, account: Account | None) -> Month:
    if account is None or account.figures.elapsed_s <= 0:
        return Month(
            month=period.name, availability_percent=None, lowest_percent=None, highest_percent=None, down_s=0,
            verdict=None,
        )  # fmt: skip
    numbers = Numbers.of(account.figures)
    return Month(month=period.name, **{name: getattr(numbers, name) for name in Month.model_fields if name != "month"})


def _worst(row: TargetRow) -> tuple[float, float]:
    best, low = row.numbers.availability_percent, row.numbers.lowest_percent
    return (101.0 if best is None else best), (101.0 if low is None else low)


def _before(month: str, back: int) -> str:
    """Return the month so many before; a negative number counts forward."""
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - back
    return f"{number // 12:04d}-{number % 12 + 1:02d}"
