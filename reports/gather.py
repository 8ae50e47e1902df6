"""Parts of the report that are read and sorted rather than worked out: outages, incidents, exclusions, planned work."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import get_args

from availability import spans
from availability.books import Account, Books
from availability.maintenance import covers, is_retroactive, occurrences
from availability.periods import Period
from availability.timeline import Timeline, added_up, within
from config import Configuration, Inventory, Target
from config.schema.things import Circuit, Risk
from haidang.model import CheckId, State
from reports.model import Cause, ExclusionRow, IncidentRow, IncidentSums, OutageRow, Spread, WorkRow
from reports.parts import Label, at
from reports.records import Incident, Records, Stretch
from storage.accounts import Maintenance

LANGUAGES = ("vi", "en")
RISKS = frozenset(get_args(Risk.model_fields["kind"].annotation))
LOOK_BACK_NS = 92 * 86_400 * 10**9
"""How far before the period the start of an outage that ran at its start is looked for."""


def labelled(named: Callable[[str], str]) -> Label:
    """Return a name in every language."""
    return {language: named(language) for language in LANGUAGES}


def name_of(inventory: Inventory, kind: str, name: str) -> Label:
    """Return how something is called; a carrier, or what is not there any more, by its id."""
    things: Mapping[str, Mapping[str, object]] = {
        "target": inventory.targets, "site": inventory.sites, "circuit": inventory.circuits,
        "system": inventory.systems,
    }  # fmt: skip
    if kind == "carrier":
        spelled = (one.carrier for one in inventory.circuits.values() if one.carrier)
        name = next((one for one in spelled if one.casefold() == name.casefold()), name)
    found = things.get(kind, {}).get(name)
    label = getattr(found, "label", None)
    return labelled(label) if label else dict.fromkeys(LANGUAGES, name)


def cause_of(state: State, cause: CheckId | None) -> str:
    """Say what kind of cause downtime was put down to."""
    if cause is not None and cause.probe in RISKS:
        return cause.probe
    return "upstream" if state is State.UNREACHABLE else "own"


def cause_name(inventory: Inventory, cause: CheckId | None) -> Label:
    """Return what a cause is called."""
    known = cause and (inventory.targets.get(cause.target) or inventory.risks.get(cause.target))
    return labelled(known.label) if known else dict.fromkeys(LANGUAGES, cause.target if cause else "")


def outages(
    inventory: Inventory, circuit: Circuit, targets: Sequence[Target], account: Account, raw: Timeline,
    books: Books, records: Records, period: Period, until_ns: int,
) -> list[OutageRow]:  # fmt: skip
    """Return the outages of one line in a period.

    Parameters:
        targets: those on the line.
        account: the line's in the period.
        raw: the line's timeline from `LOOK_BACK_NS` before the period, nothing excused.
        until_ns: where knowledge ends.
    """
    found = []
    downtime = sorted(
        (
            one for target in targets
            for one in records.downtime(books.tenures(target.primary), period.start_ns, period.end_ns)
        ),
        key=lambda one: one.start_ns,
    )  # fmt: skip
    tickets = sorted(one for target in targets for one in records.tickets(target.id))
    for start, end in _stretches(raw):
        if end <= period.start_ns:
            continue
        mine = ((max(start, period.start_ns), end),)
        whole_ns = added_up(within(raw, *mine[0]), mine).down_ns
        counted_ns = added_up(account.timeline, spans.intersection(account.counted, mine)).down_ns
        if whole_ns <= 0:
            continue
        first = _first(downtime, start, end)
        cause = first.cause if first else None
        found.append(
            OutageRow(
                carrier=circuit.carrier or "", circuit=labelled(circuit.label), start=at(start),
                end=None if end >= until_ns else at(end), began_before=start < period.start_ns,
                down_s=round(counted_ns / 1e9, 3), excluded_s=round((whole_ns - counted_ns) / 1e9, 3),
                cause=cause_of(first.state, cause) if first else "own",
                cause_name=cause_name(inventory, cause), owner=first.owner if first else "",
                reason=first.reason if first else "", evidence=_evidence(first),
                incident=first.incident if first else None,
                ticket=", ".join(reference for at_ns, reference in tickets if start <= at_ns < end),
            )
        )  # fmt: skip
    return found


def _stretches(timeline: Timeline) -> list[tuple[int, int]]:
    """Return each outage from its first downtime to its last; only time known to be up separates two."""
    found: list[tuple[int, int]] = []
    running = False
    for piece in timeline:
        if piece.high < 1:
            begin = found.pop()[0] if running else piece.start_ns
            found.append((begin, piece.end_ns))
            running = True
        elif piece.low >= 1:
            running = False
    return found


def _first(downtime: Iterable[Stretch], start: int, end: int) -> Stretch | None:
    return next((one for one in downtime if one.start_ns < end and (one.end_ns is None or one.end_ns > start)), None)


def _evidence(stretch: Stretch | None) -> str:
    if stretch is None:
        return ""
    return ", ".join(f"{name} {value}" for name, value in sorted(stretch.evidence.items()))[:200]


def causes(
    targets: Iterable[tuple[Target, Account]], books: Books, records: Records, period: Period, until_ns: int
) -> list[Cause]:  # fmt: skip
    """Add downtime of targets up by what it was put down to, the longest first."""
    sums: dict[str, tuple[int, int]] = {}
    for target, account in targets:
        if account.figures.down_s <= 0:
            continue
        for one in records.downtime(books.tenures(target.primary), period.start_ns, period.end_ns):
            lasted = spans.total(spans.intersection(account.counted, ((one.start_ns, one.end_ns or until_ns),)))
            key = cause_of(one.state, one.cause)
            count, total = sums.get(key, (0, 0))
            sums[key] = (count + (lasted > 0), total + lasted)
    made = [Cause(cause=key, outages=count, down_s=round(total / 1e9, 3)) for key, (count, total) in sums.items()]
    return sorted((one for one in made if one.down_s > 0), key=lambda one: (-one.down_s, one.cause))


def incident_rows(incidents: Iterable[Incident], inventory: Inventory) -> list[IncidentRow]:
    """Return one row for each incident."""
    rows = []
    for one in incidents:
        cause = one.check.probe if one.check.probe in RISKS else "own"
        name = one.name or {}
        fallback = name.get("vi") or name.get("en") or one.check.target
        rows.append(
            IncidentRow(
                number=one.number, name={language: name.get(language) or fallback for language in LANGUAGES},
                site={language: one.site.get(language) or one.site.get("vi") or "" for language in LANGUAGES},
                check=str(one.check), cause=cause, reason=one.reason, start=at(one.started_ns),
                end=None if one.ended_ns is None else at(one.ended_ns),
                detection_s=round((one.opened_ns - one.started_ns) / 1e9, 3),
                acknowledged_s=None if one.acknowledged_ns is None
                else round(max(0, one.acknowledged_ns - one.opened_ns) / 1e9, 3),
                duration_s=None if one.ended_ns is None else round((one.ended_ns - one.started_ns) / 1e9, 3),
                hidden=len(one.hidden & inventory.targets.keys()) or len(one.hidden),
            )
        )  # fmt: skip
    return rows


def incident_sums(incidents: Sequence[Incident], period: Period) -> IncidentSums:
    """Add up the incidents that began in the period."""
    mine = [one for one in incidents if one.started_ns >= period.start_ns]
    starts = [one.started_ns for one in mine]
    return IncidentSums(
        count=len(mine), open=sum(one.ended_ns is None for one in mine),
        detection=spread((one.opened_ns - one.started_ns) / 1e9 for one in mine),
        acknowledgement=spread(
            max(0, one.acknowledged_ns - one.opened_ns) / 1e9 for one in mine if one.acknowledged_ns is not None
        ),
        restoration=spread((one.ended_ns - one.started_ns) / 1e9 for one in mine if one.ended_ns is not None),
        between=spread((later - earlier) / 1e9 for earlier, later in itertools.pairwise(starts)),
    )  # fmt: skip


def spread(durations: Iterable[float]) -> Spread:
    """Say how durations are spread; percentiles by nearest rank, so that each is one that happened."""
    known = sorted(round(one, 3) for one in durations)
    if not known:
        return Spread(n=0, median_s=None, p90_s=None, max_s=None, mean_s=None)
    median, p90 = (known[max(0, math.ceil(share * len(known)) - 1)] for share in (0.5, 0.9))
    mean = round(sum(known) / len(known), 3)
    return Spread(n=len(known), median_s=median, p90_s=p90, max_s=known[-1], mean_s=mean)


def exclusions(
    configuration: Configuration, works: Iterable[Maintenance], books: Books, records: Records, period: Period,
    selected: Collection[str],
) -> list[ExclusionRow]:  # fmt: skip
    """Return what was taken out of the period, or put right in it, with who and why."""
    inventory = configuration.inventory
    rows = []
    for work in works:
        if not any(covers(inventory, work.kind, work.name, inventory.targets[name]) for name in selected):
            continue
        for start, end in occurrences(work, period.start_ns, period.end_ns):
            kind = "counted" if not work.excluded else "retroactive" if is_retroactive(work, start) else "planned"
            first, last = max(start, period.start_ns), min(end, period.end_ns)
            rows.append(
                ExclusionRow(
                    kind=kind, about=f"{work.kind} {work.name}", name=name_of(inventory, work.kind, work.name),
                    start=at(first), end=at(last), length_s=(last - first) / 1e9,
                    author=work.author, reason=work.reason,
                    written=at(work.created_ns), state="",
                )
            )  # fmt: skip
    for one in records.corrections(period.start_ns, period.end_ns):
        if one.check.target not in selected:
            continue
        held = books.tenures(inventory.targets[one.check.target].primary)
        if any(tenure.check == one.check for tenure in held):
            start, end = max(one.start_ns, period.start_ns), min(one.end_ns, period.end_ns)
            rows.append(
                ExclusionRow(
                    kind="correction", about=f"target {one.check.target}",
                    name=name_of(inventory, "target", one.check.target), start=at(start), end=at(end),
                    length_s=(end - start) / 1e9, author=one.author, reason=one.reason, written=at(one.created_ns),
                    state=one.state.value,
                )
            )  # fmt: skip
    return sorted(rows, key=lambda one: (one.start, one.about))


def planned(
    inventory: Inventory, works: Iterable[Maintenance], period: Period, selected: Collection[str]
) -> list[WorkRow]:  # fmt: skip
    """Return the maintenance of the next month."""
    rows = [
        WorkRow(
            about=f"{work.kind} {work.name}", name=name_of(inventory, work.kind, work.name), start=at(start),
            end=at(end), excluded=bool(work.excluded), author=work.author, reason=work.reason,
        )
        for work in works
        if any(covers(inventory, work.kind, work.name, inventory.targets[name]) for name in selected)
        for start, end in occurrences(work, period.start_ns, period.end_ns)
    ]  # fmt: skip
    return sorted(rows, key=lambda one: (one.start, one.about))
