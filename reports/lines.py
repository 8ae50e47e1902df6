"""Leased lines and their carriers: measured, by contract, outage by outage, and what is credited."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from availability.books import Account, Books
from availability.periods import Period
from availability.promises import Promise, promises
from availability.systems import Formula
from config import Configuration, Inventory, Target
from config.schema.things import Circuit
from reports import gather, wording
from reports.gather import labelled
from reports.model import CarrierRow, CircuitRow, OutageRow
from reports.parts import Label, Numbers
from reports.records import Records

Progress = Callable[[str, int, int], None]
"""Told the stage, how much of it is done, and how much there is."""


class Lines:
    """Works the lines of a period out.

    Parameters:
        configuration: the lines, what was promised of them, and the table of credits.
        books, records: the ledger.
        until_ns: where knowledge ends.
    """

    def __init__(
        self, configuration: Configuration, books: Books, records: Records, period: Period, until_ns: int
    ) -> None:
        self._configuration, self._inventory = configuration, configuration.inventory
        self._books, self._records, self._period, self._until_ns = books, records, period, until_ns
        self._promises: dict[tuple[str, str, str], Promise] = {}
        for one in promises(configuration):
            if one.period == "month":
                self._promises.setdefault((one.kind, one.name.casefold(), one.view), one)

    def circuits(self, targets: Iterable[Target], progress: Progress) -> tuple[list[CircuitRow], list[OutageRow]]:
        """Return the lines that targets are on, and their outages."""
        on: dict[str, list[Target]] = defaultdict(list)
        for target in targets:
            if target.circuit:
                on[target.circuit].append(target)
        early = Period("", self._period.start_ns - gather.LOOK_BACK_NS, self._period.end_ns)
        found, outages = [], []
        accounts = {}
        for name, ends in on.items():
            promise = self._of_circuit(self._inventory.circuits[name], "measured")
            [accounts[name]] = self._books.of_targets(ends, promise, [self._period], Formula())
        for number, (name, ends) in enumerate(on.items()):
            progress("circuits", number, len(on))
            circuit, account = self._inventory.circuits[name], accounts[name]
            if account is None:
                continue
            found.append(self._circuit(circuit, ends, account))
        for name, ends in on.items():
            account = accounts[name]
            if account is None or (not account.figures.outages and not account.figures.excluded_s):
                continue
            line = self._inventory.circuits[name]
            [raw] = self._books.of_targets(ends, Promise("", "circuit", name, 0, exclude=()), [early], Formula())
            if raw is not None:
                outages += gather.outages(
                    self._inventory,
                    line,
                    ends,
                    account,
                    raw.timeline,
                    self._books,
                    self._records,
                    self._period,
                    self._until_ns,
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
            a=_site(self._inventory, circuit.a), b=_site(self._inventory, circuit.b), mbps=circuit.mbps,
            measured=numbers,
            contractual=owed, formula=wording.promised(agreed if owed else self._of_circuit(circuit, "measured")),
            credit_percent=self._credit(circuit, (owed or numbers).highest_percent),
        )  # fmt: skip

    def _of_circuit(self, circuit: Circuit, view: str) -> Promise:
        """Return what was promised of a line: by an objective about it, else about its carrier, else its system's."""
        for about in (("circuit", circuit.id, view), ("carrier", (circuit.carrier or "").casefold(), view)):
            if about in self._promises:
                return replace(self._promises[about], kind="circuit", name=circuit.id)
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

    def carriers(self, circuits: Iterable[CircuitRow]) -> list[CarrierRow]:
        """Add lines up by carrier."""
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
            contract = self._promises.get(("carrier", name.casefold(), "contractual"))
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
                    formula=wording.promised(contract) if contract else None,
                )
            )  # fmt: skip
        return found


def _site(inventory: Inventory, site: str | None) -> Label | None:
    known = inventory.sites.get(site or "")
    return labelled(known.label) if known else None


def _worst_line(row: CircuitRow) -> tuple[float, float]:
    best, low = row.measured.availability_percent, row.measured.lowest_percent
    return (101.0 if best is None else best), (101.0 if low is None else low)


def _share(good: float, whole: float) -> float | None:
    return round(100 * good / whole, 6) if whole > 0 else None
