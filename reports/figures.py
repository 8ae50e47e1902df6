"""The figures of a month: one pure function from configuration, ledger and clock to a frozen report.

A month that is over is reported as of its end: what the ledger learnt later about later times changes nothing, only
corrections, exclusions and tickets that were entered since do.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from availability import spans
from availability.books import Account, Books
from availability.maintenance import covers
from availability.periods import Period, month_named
from availability.promises import Promise, formula_of, promises
from availability.systems import Formula, Rule
from availability.timeline import Timeline, added_up, within
from config import Configuration, Target
from config.schema.things import Circuit
from reports import gather, notes, snapshot, story
from reports.gather import labelled, name_of
from reports.model import (
    FORMULA_VERSION,
    CarrierRow,
    CircuitRow,
    Day,
    Letterhead,
    LoadRow,
    Month,
    Numbers,
    OutageRow,
    Promised,
    Report,
    Seal,
    SiteRow,
    TargetRow,
    at,
)
from reports.records import Records
from reports.seal import sealed
from storage import snapshots
from storage.accounts import AccountsReader

MONTHS = 13
"""Of the trend, the reported one included: the same month of the year before is in it."""

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is."""


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
        loads: of the lines, see `reports.load`.
        outlook: by objective, what the forecaster says of the next month.
    """

    month: str
    now_ns: int
    known_ns: int
    kind: str = ""
    name: str = ""
    loads: Sequence[LoadRow] = ()
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
        self._until_ns = as_of(asked.month, self._zone, asked.now_ns)
        self._known_ns = min(asked.known_ns, self._until_ns)
        self._books = Books(configuration, sql, self._until_ns, self._known_ns)
        self._records = Records(sql, self._until_ns)
        self._works = AccountsReader(sql).maintenance()
        self._targets = {
            name: target for name, target in self._inventory.targets.items()
            if not asked.kind or covers(self._inventory, asked.kind, asked.name, target)
        }  # fmt: skip
        self._promises = [
            one for one in promises(configuration)
            if one.period == "month"
            and (not asked.kind or (one.kind, one.name.casefold()) == (asked.kind, asked.name.casefold()))
        ]  # fmt: skip

    def report(self) -> Report:
        period, configuration = self._period, self._configuration
        kept = snapshots.in_force(self._sql, period.start_ns, max(self._asked.now_ns, period.end_ns))
        removed = notes.removed(kept, self._inventory, self._books, period, self._until_ns)
        accounts = {target.id: self._account(target, number) for number, target in enumerate(self._targets.values())}
        targets = [self._target(target, accounts[target.id]) for target in self._targets.values()]
        pairs = [(target, accounts[target.id]) for target in self._targets.values()]
        causes = gather.causes(pairs, self._records, period, self._until_ns)
        sites = self._sites({row.id: row for row in targets})
        circuits, outages = self._circuits()
        carriers = self._carriers(circuits)
        promised = self._promised()
        incidents = [
            one for one in self._records.incidents(period.start_ns, period.end_ns)
            if not self._asked.kind or one.check.target in self._targets or one.hidden & self._targets.keys()
        ]  # fmt: skip
        loads = [row for row in self._asked.loads if not self._asked.kind or row.target in self._targets]
        following = month_named(_next(self._asked.month), self._zone)
        self._progress("seal", 0, 1)
        seal = Seal(
            inputs=self._records.digest(
                month_named(_before(self._asked.month, MONTHS - 1), self._zone).start_ns, self._known_ns,
                (
                    [(replace(one, hidden=frozenset()), sorted(one.hidden)) for one in incidents],
                    [row.model_dump_json() for row in loads], sorted(self._asked.outlook.items()),
                ),
            ),
            configuration=snapshots.digest(snapshot.described(configuration)),
        )  # fmt: skip
        report = Report(
            formula_version=FORMULA_VERSION, month=self._asked.month, timezone=str(self._zone),
            start=at(period.start_ns), end=at(period.end_ns), until=at(self._until_ns),
            complete=self._until_ns >= period.end_ns,
            about=f"{self._asked.kind} {self._asked.name}".strip(), letterhead=self._letterhead(),
            notes=(
                *notes.of_period(promised, targets, sites, outages, period, self._until_ns), *removed,
                *notes.objectives(kept, promised),
            ),
            promised=tuple(promised), sites=tuple(sites), circuits=tuple(circuits), carriers=tuple(carriers),
            outages=tuple(outages), incident_sums=gather.incident_sums(incidents, period),
            incidents=tuple(gather.incident_rows(incidents, self._inventory)), causes=tuple(causes),
            exclusions=tuple(gather.exclusions(configuration, self._works, self._records, period, self._targets)),
            loads=tuple(loads), targets=tuple(targets),
            planned=tuple(gather.planned(self._inventory, self._works, following, self._targets)), seal=seal,
        )  # fmt: skip
        return sealed(report.model_copy(update={"story": story.told(report)}))

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

    def _circuits(self) -> tuple[list[CircuitRow], list[OutageRow]]:
        on: dict[str, list[Target]] = defaultdict(list)
        for target in self._targets.values():
            if target.circuit:
                on[target.circuit].append(target)
        early = Period("", self._period.start_ns - gather.LOOK_BACK_NS, self._period.end_ns)
        found, outages = [], []
        accounts = {}
        for name, targets in on.items():
            promise = self._of_circuit(self._inventory.circuits[name], "measured")
            [accounts[name]] = self._books.of_targets(targets, promise, [self._period], Formula())
        for number, (name, targets) in enumerate(on.items()):
            self._progress("circuits", number, len(on))
            circuit, account = self._inventory.circuits[name], accounts[name]
            if account is None:
                continue
            found.append(self._circuit(circuit, targets, account))
        for name, targets in on.items():
            account = accounts[name]
            if account is None or (not account.figures.outages and not account.figures.excluded_s):
                continue
            line = self._inventory.circuits[name]
            [raw] = self._books.of_targets(targets, Promise("", "circuit", name, 0, exclude=()), [early], Formula())
            if raw is not None:
                outages += gather.outages(
                    self._inventory, line, targets, account, raw.timeline, self._records, self._period, self._until_ns
                )
        return found, sorted(outages, key=lambda one: (one.carrier, one.start, one.circuit["vi"]))

    def _circuit(self, circuit: Circuit, targets: Sequence[Target], account: Account) -> CircuitRow:
        agreed = self._of_circuit(circuit, "contractual")
        contractual = None
        if agreed.percent:
            [contractual] = self._books.of_targets(targets, agreed, [self._period], Formula())
        numbers = Numbers.of(account.figures)
        owed = Numbers.of(contractual.figures) if contractual else None
        return CircuitRow(
            id=circuit.id, name=labelled(circuit.label), carrier=circuit.carrier or "", contract=circuit.contract or "",
            a=self._site_name(circuit.a), b=self._site_name(circuit.b), mbps=circuit.mbps, measured=numbers,
            contractual=owed, formula=agreed.formula() if owed else self._of_circuit(circuit, "measured").formula(),
            credit_percent=self._credit(circuit, (owed or numbers).highest_percent),
        )  # fmt: skip

    def _of_circuit(self, circuit: Circuit, view: str) -> Promise:
        """Return what was promised of a line: by an objective about it, else about its carrier, else its system's."""
        for kind, name in (("circuit", circuit.id), ("carrier", (circuit.carrier or "").casefold())):
            for one in promises(self._configuration):
                same = one.name.casefold() if kind == "carrier" else one.name
                if (one.kind, same, one.view, one.period) == (kind, name, view, "month") and name:
                    return replace(one, kind="circuit", name=circuit.id)
        system = self._inventory.systems.get(circuit.system or "") if view == "measured" else None
        return Promise("", "circuit", circuit.id, (system.objective or 0) if system else 0, view=view)

    def _credit(self, circuit: Circuit, best_percent: float | None) -> float | None:
        steps = [
            one for one in self._configuration.reports.credits
            if one.carrier is None or one.carrier.casefold() == (circuit.carrier or "").casefold()
        ]  # fmt: skip
        if not steps or best_percent is None:
            return None
        return max((one.percent for one in steps if best_percent < one.below), default=0.0)

    def _carriers(self, circuits: Iterable[CircuitRow]) -> list[CarrierRow]:
        by: dict[str, list[CircuitRow]] = defaultdict(list)
        for row in circuits:
            by[row.carrier].append(row)
        found = []
        for name, rows in sorted(by.items()):
            up, down, unknown = (
                sum(getattr(row.measured, part) for row in rows) for part in ("up_s", "down_s", "unknown_s")
            )
            elapsed = up + down + unknown
            worst = min(rows, key=_worst_line)
            contract = next(
                (one for one in self._promised_of("carrier", name) if one.view == "contractual"), None
            )  # fmt: skip
            account = self._books.of_promise(contract, self._period) if contract else None
            found.append(
                CarrierRow(
                    name=name, circuits=len(rows), measured_percent=_share(up, up + down),
                    lowest_percent=_share(up, elapsed), highest_percent=_share(up + unknown, elapsed),
                    down_s=round(down, 6), unknown_s=round(unknown, 6),
                    outages=sum(row.measured.outages for row in rows),
                    missed=sum((row.contractual or row.measured).verdict == "missed" for row in rows),
                    credited=sum(bool(row.credit_percent) for row in rows), worst=worst.name,
                    worst_percent=worst.measured.availability_percent,
                    contractual=Numbers.of(account.figures) if account else None,
                    formula=contract.formula() if contract else "",
                )
            )  # fmt: skip
        return found

    def _promised_of(self, kind: str, name: str) -> list[Promise]:
        return [
            one for one in promises(self._configuration)
            if one.kind == kind and one.name.casefold() == name.casefold() and one.period == "month"
        ]  # fmt: skip

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
                    view=promise.view, formula=promise.formula(),
                    members_formula=account.formula or formula_of(system).words(account.members),
                    members=account.members, worst=None if worst is None else self._site_name(worst) or
                    name_of(inventory, "target", worst), numbers=Numbers.of(account.figures),
                    trend=tuple(_month(period, one) for period, one in zip(months, accounts, strict=True)),
                    days=tuple(self._days(account)), miss_next=chance.miss if chance else None,
                    pooled=chance.pooled if chance else 0,
                )
            )  # fmt: skip
        return found

    def _days(self, account: Account) -> Iterable[Day]:
        return days(account.timeline, account.counted, self._period, self._zone)

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
    first = datetime.fromtimestamp(period.start_ns // 10**9, zone)
    found = []
    for number in range(1, 32):
        try:
            begin = first.replace(day=number)
        except ValueError:
            break
        start = round(begin.timestamp()) * 10**9
        try:
            end = round(begin.replace(day=number + 1).timestamp()) * 10**9
        except ValueError:
            end = period.end_ns
        part = within(timeline, start, end)
        inside = spans.intersection(counted, ((start, end),))
        sums = added_up(part, inside)
        found.append(
            Day(
                day=f"{begin:%Y-%m-%d}", counted_s=round((sums.up_ns + sums.down_ns + sums.unknown_ns) / 1e9, 3),
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


def _worst_line(row: CircuitRow) -> tuple[float, float]:
    best, low = row.measured.availability_percent, row.measured.lowest_percent
    return (101.0 if best is None else best), (101.0 if low is None else low)


def _share(good: float, whole: float) -> float | None:
    return round(100 * good / whole, 6) if whole > 0 else None


def _before(month: str, back: int) -> str:
    number = int(month[:4]) * 12 + int(month[5:]) - 1 - back
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _next(month: str) -> str:
    return _before(month, -1)
