"""What a reader must know beside the figures: nothing measured, half a month, what came, went, changed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from availability.books import Books
from availability.objectives import measured, scope
from availability.periods import Period
from availability.spans import merged
from availability.timeline import of_check
from config import Inventory, Target
from haidang.model import CheckId
from reports.model import IncidentRow, Note, OutageRow, Promised, SiteRow, TargetRow
from reports.parts import Label, at
from storage.snapshots import Snapshot

INCIDENTS_START, INCIDENTS_END, INCIDENTS_STILL = "incidents_start", "incidents_end", "incidents_still"
INCIDENTS = frozenset({INCIDENTS_START, INCIDENTS_END, INCIDENTS_STILL})
"""Sentences about incidents that are no line's outage."""
WHOLE_PERCENT = 99.9
"""Coverage below which it is said."""
_SOON_S = 3600
"""Sites that were first watched within this after the first of all came with it."""
_EACH = 3
"""Objectives whose coverage is told one by one; of more in one sentence."""
_MOST = 20
"""Sentences of one kind; the rest is counted."""


def of_period(
    promised: Sequence[Promised], targets: Sequence[TargetRow], sites: Sequence[SiteRow],
    outages: Sequence[OutageRow], incidents: Sequence[IncidentRow], period: Period, until_ns: int,
) -> list[Note]:  # fmt: skip
    """Return what the figures themselves show."""
    found = []
    if until_ns < period.end_ns:
        found.append(Note(key="partial", gaps={"until": _iso(at(until_ns))}))
    known = [row for row in targets if row.numbers.up_s + row.numbers.down_s > 0]
    if not known:
        found.append(Note(key="nothing", gaps={}))
    began = min((row.watched_since for row in targets if row.watched_since), default=None)
    start, until = at(period.start_ns), at(until_ns)
    if began and start < began < until:
        found.append(Note(key="began", gaps={"at": _iso(began)}))
    found += _added(targets, sites, max(began or start, start), until)
    blind = [
        row for row in promised if (row.numbers.coverage_percent or 0) < WHOLE_PERCENT and row.numbers.elapsed_s > 0
    ]
    found += _blind(blind)
    for key, lines in (
        ("over_start", [row.circuit for row in outages if row.began_before]),
        ("over_end", [row.circuit for row in outages if row.end is None and until_ns >= period.end_ns]),
        ("still", [row.circuit for row in outages if row.end is None and until_ns < period.end_ns]),
    ):
        if lines:
            found.append(_named(key, lines))
    told = {row.incident for row in outages}
    others = [row for row in incidents if row.number not in told]
    end_key = INCIDENTS_END if until_ns >= period.end_ns else INCIDENTS_STILL
    for key, names in (
        (INCIDENTS_START, [row.name for row in others if row.start < start]),
        (end_key, [row.name for row in others if row.end is None]),
    ):
        if names:
            found.append(_named(key, names))
    return found


def _blind(rows: Sequence[Promised]) -> list[Note]:
    """Tell of each what was measured; of many in one sentence: a daemon that was stopped is so for all of them."""
    shares = {row.id: f"{row.numbers.coverage_percent or 0:.6f}" for row in rows}
    if len(rows) <= _EACH:
        return [Note(key="coverage", gaps={"percent": shares[row.id]}, labels={"name": row.name}) for row in rows]
    said = _named("coverage_many", [row.name for row in rows])
    low, high = min(shares.values(), key=float), max(shares.values(), key=float)
    return [said.model_copy(update={"gaps": {**said.gaps, "low": low, "high": high}})]


def _named(key: str, names: Sequence[Label]) -> Note:
    first = {language: ", ".join(one[language] for one in names[:5]) for language in ("vi", "en")}
    return Note(key=key, gaps={"count": str(len(names))}, labels={"names": first})


def _added(targets: Sequence[TargetRow], sites: Sequence[SiteRow], began: datetime, until: datetime) -> list[Note]:
    first: dict[str, datetime] = {}
    for row in targets:
        if row.site and row.watched_since:
            name = row.site["vi"]
            first[name] = min(first.get(name, row.watched_since), row.watched_since)
    late = [
        (when, site.name)
        for site in sites
        if (when := first.get(site.name["vi"])) and began.timestamp() + _SOON_S < when.timestamp() < until.timestamp()
    ]
    return _limited("added", [({"at": _iso(when)}, name) for when, name in sorted(late, key=lambda one: one[0])])


def removed(
    kept: Sequence[Snapshot], inventory: Inventory, books: Books, period: Period, until_ns: int
) -> list[Note]:  # fmt: skip
    """Tell of sites that were watched in the period and are not any more, with their figures until then."""
    gone: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for before, after in itertools.pairwise(kept):
        for site in before.document["sites"].keys() - after.document["sites"].keys():
            if after.at_ns < until_ns and site not in inventory.sites:
                gone[site] = (after.at_ns, before.document)
    rows = []
    for site, (at_ns, document) in sorted(gone.items(), key=lambda one: (one[1][0], one[0])):
        until = min(at_ns, until_ns)
        worst: float | None = None
        for name, target in document["targets"].items():
            if target["site"] != site:
                continue
            check = CheckId(name, target["check"])
            watched = max(period.start_ns, books.watched_ns(check) or period.start_ns)
            timeline = of_check(books.intervals(check, watched, until), watched, until)
            counts = scope(period, merged([(watched, until)]))
            percent = measured(timeline, counts, until).availability_percent
            if percent is not None:
                worst = percent if worst is None else min(worst, percent)
        gaps = {"at": _iso(at(at_ns)), "percent": "" if worst is None else f"{worst:.6f}"}
        rows.append((gaps, _label(document["sites"][site].get("name"), site)))
    return _limited("removed", rows)


def judged_anew(targets: Iterable[Target], books: Books, start_ns: int, until_ns: int) -> list[Note]:
    """Tell of targets that are judged by another check from some moment on, as far back as the figures go."""
    found: dict[tuple[int, str, str], list[Label]] = {}
    for target in targets:
        for before, after in itertools.pairwise(books.tenures(target.primary)):
            if start_ns < before.end_ns < until_ns:
                key = (before.end_ns, before.check.probe, after.check.probe)
                found.setdefault(key, []).append({language: target.label(language) for language in ("vi", "en")})
    notes = []
    for (at_ns, before_probe, after_probe), names in sorted(found.items())[-_MOST:]:
        plain = _named("judged_anew", names)
        gaps = {"at": _iso(at(at_ns)), "old": _probe(before_probe), "new": _probe(after_probe)}
        notes.append(plain.model_copy(update={"gaps": {**plain.gaps, **gaps}}))
    return notes


def _probe(kind: str) -> str:
    return "ping" if kind == "icmp" else kind.upper()


def objectives(kept: Sequence[Snapshot], promised: Sequence[Promised]) -> list[Note]:
    """Tell of objectives that became others, with what the old one would say."""
    found = []
    for before, after in itertools.pairwise(kept):
        for section, key in (("systems", "objective"), ("objectives", "percent")):
            for name, now in after.document[section].items():
                old = before.document[section].get(name, {}).get(key)
                mine = next((row for row in promised if row.id == name), None)
                if old is None or now.get(key) is None or old == now[key] or mine is None:
                    continue
                length_s = mine.numbers.period_s
                kept_then = mine.numbers.down_s <= (100 - old) / 100 * length_s
                found.append(
                    Note(
                        key="objective_met" if kept_then else "objective_missed",
                        gaps={"before": f"{old:.6f}", "after": f"{now[key]:.6f}", "at": _iso(at(after.at_ns))},
                        labels={"name": mine.objective_name},
                    )
                )  # fmt: skip
    return found


def _limited(key: str, rows: Sequence[tuple[dict[str, str], Label]]) -> list[Note]:
    found = [Note(key=key, gaps=gaps, labels={"name": name}) for gaps, name in rows[:_MOST]]
    if len(rows) > _MOST:
        found.append(Note(key=f"{key}_more", gaps={"count": str(len(rows) - _MOST)}))
    return found


def _label(name: Mapping[str, str] | None, fallback: str) -> Label:
    known = name or {}
    either = known.get("vi") or known.get("en") or fallback
    return {language: known.get(language) or either for language in ("vi", "en")}


def _iso(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
