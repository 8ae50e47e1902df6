"""Statements of availability as plain data: targets, systems and promises over a period, each with its formula."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from availability.books import Account, Books
from availability.objectives import Figures
from availability.periods import Period, last_days, month_named, quarter_named, year_named
from availability.promises import Promise, promises
from config import Configuration
from haidang.foretelling import Foretold
from haidang.show import utc
from storage.ledger import LedgerReader

FORMULA = "A = up / (up + down); unknown time is in neither; bounds count all of it as down or as up"


@dataclass(frozen=True, slots=True)
class Asked:
    """A period that was asked for; ``kind`` as promises name it."""

    kind: str
    period: Period


def named(kind: str, name: str, zone: ZoneInfo, now_ns: int) -> Asked:
    """Return a period by its name.

    Parameters:
        kind: ``month``, ``quarter``, ``year`` or ``last``.
        name: e.g. ``2026-11``, ``2026-Q4``, ``2026``, ``30d``.
        zone: of the calendar.
        now_ns: where a rolling period ends.

    Raises:
        ValueError: the name is none of such a period.
    """
    match kind:
        case "month":
            return Asked(kind, month_named(name, zone))
        case "quarter":
            return Asked(kind, quarter_named(name, zone))
        case "year":
            return Asked(kind, year_named(name, zone))
        case _:
            return Asked(name, last_days(name, now_ns))


def books(configuration: Configuration, sql: sqlite3.Connection, now_ns: int, *, running: bool) -> Books:
    """Open the books.

    Parameters:
        running: whether the daemon runs; when it does not, what it left open is known up to its last sign of life
            and unknown after that.
    """
    return Books(configuration, sql, now_ns, now_ns if running else LedgerReader(sql).alive_ns())


def availability(
    configuration: Configuration,
    sql: sqlite3.Connection,
    asked: Asked,
    now_ns: int,
    *,
    running: bool,
    system: str | None = None,
) -> dict[str, Any]:
    """Tell how available everything was in a period: targets by their primary check, systems, promises.

    Parameters:
        asked: the period.
        running: see `books`.
        system: only this one, its targets and what was promised of it.
    """
    period = asked.period
    opened = books(configuration, sql, now_ns, running=running)
    inventory, language = configuration.inventory, configuration.language
    month = asked.kind == "month"
    targets = []
    for target in inventory.targets.values():
        if system is not None and target.system != system:
            continue
        owner = inventory.systems.get(target.system or "")
        percent = owner.objective if owner and month else None
        account = opened.of_target(target, period, Promise("", "target", target.id, percent or 0))
        check = target.primary
        targets.append(
            {
                "target": target.id, "name": target.label(language), "site": target.site, "system": target.system,
                "check": str(check), "watched_since": utc(opened.watched_ns(check)),
                "checks_before": [
                    {"check": str(one.check), "until": utc(one.end_ns)} for one in opened.tenures(check)[:-1]
                ],
                **told(account.figures),
            }
        )  # fmt: skip
    systems = []
    for one in inventory.systems.values():
        if system is None or one.id == system:
            found = opened.of_promise(Promise(one.id, "system", one.id, 0), period)
            systems.append({"system": one.id, "name": one.label(language), **_account(found)})
    kept = [
        _kept(configuration, promise, opened.of_promise(promise, period), period)
        for promise in promises(configuration)
        if promise.period == asked.kind and (system is None or (promise.kind, promise.name) == ("system", system))
    ]
    return {
        "period": period.name, "month": period.name if month else None, "timezone": str(configuration.timezone),
        "from": utc(period.start_ns), "until": utc(min(period.end_ns, max(now_ns, period.start_ns))),
        "complete": now_ns >= period.end_ns, "formula": FORMULA, "targets": targets, "systems": systems,
        "objectives": kept,
    }  # fmt: skip


def standing(
    configuration: Configuration, sql: sqlite3.Connection, asked: Asked, now_ns: int, *, running: bool,
    kind: str, name: str,
) -> dict[str, Any]:  # fmt: skip
    """Tell how available one thing was in a period, with the promises about it that are kept over such a period.

    Parameters:
        asked: the period.
        running: see `books`.
        kind, name: a target, site, circuit, carrier or system, as maintenance names it.
    """
    opened = books(configuration, sql, now_ns, running=running)
    period = asked.period
    own = configuration.inventory.systems.get(name) if kind == "system" else None
    percent = own.objective or 0 if own and asked.kind == "month" else 0
    kept = [
        _kept(configuration, promise, opened.of_promise(promise, period), period)
        for promise in promises(configuration)
        if (promise.kind, promise.name.casefold(), promise.period) == (kind, name.casefold(), asked.kind)
    ]
    return {
        "kind": kind, "name": name, "period": period.name, "from": utc(period.start_ns),
        "until": utc(min(period.end_ns, max(now_ns, period.start_ns))), "complete": now_ns >= period.end_ns,
        "formula": FORMULA, **_account(opened.of_promise(Promise("", kind, name, percent), period)),
        "objectives": kept,
    }  # fmt: skip


def foretold(configuration: Configuration, one: Foretold) -> dict[str, Any]:
    """Write a promise's outlook for programs."""
    return {
        "name": promised(configuration, one),
        "objective": one.promise.id, "about": f"{one.promise.kind} {one.promise.name}", "period": one.period.name,
        "miss": one.miss, "pooled_outages": one.pooled,
        "history": "enough" if one.miss is not None else "too little history", "running_s": one.down_s,
        "lost_at": utc(one.lost_at_ns),
        **{
            name: [
                {
                    "window": burn.pair.name, "rate": round(burn.long_rate, 2), "short_rate": round(burn.short_rate, 2),
                    "allowed": burn.pair.rate, "pages": burn.pair.pages,
                }
                for burn in rates
            ]
            for name, rates in (("burning", one.burning), ("burning_loss", one.lossy))
        },
        **told(one.figures),
    }  # fmt: skip


def promised(configuration: Configuration, one: Foretold) -> str:
    """Name what was promised."""
    inventory, promise = configuration.inventory, one.promise
    if promise.kind == "target" and promise.id not in inventory.objectives:
        return inventory.targets[one.target].label(configuration.language)
    named = inventory.objectives.get(promise.id) or inventory.systems.get(promise.id)
    return named.label(configuration.language) if named else promise.id


def told(figures: Figures) -> dict[str, Any]:
    """Write figures for programs; percentages and seconds, ``null`` for what is not known."""
    return {
        "availability_percent": _rounded(figures.availability_percent),
        "lowest_percent": _rounded(figures.lowest_percent), "highest_percent": _rounded(figures.highest_percent),
        "reachable_percent": _rounded(figures.reachable_percent),
        "coverage_percent": _rounded(figures.coverage_percent), "period_s": round(figures.period_s, 3),
        "elapsed_s": round(figures.elapsed_s, 3), "up_s": round(figures.up_s, 3), "down_s": round(figures.down_s, 3),
        "unknown_s": round(figures.unknown_s, 3), "excluded_s": round(figures.excluded_s, 3),
        "outages": figures.outages, "objective_percent": figures.objective_percent,
        "budget_s": _rounded(figures.budget_s), "budget_left_s": _rounded(figures.budget_left_s),
        "accrued_budget_s": _rounded(figures.accrued_s), "accrued_budget_left_s": _rounded(figures.accrued_left_s),
        "verdict": figures.verdict.value if figures.verdict else None,
        "lost": figures.budget_left_s is not None and figures.budget_left_s < 0,
    }  # fmt: skip


def _account(account: Account | None) -> dict[str, Any]:
    if account is None:
        return {"members": 0, "members_formula": "nothing that was watched", "worst_site": None}
    return {
        "members": account.members, "members_formula": account.formula or "the target itself",
        "worst_site": account.worst, **told(account.figures),
    }  # fmt: skip


def _kept(configuration: Configuration, promise: Promise, account: Account | None, period: Period) -> dict[str, Any]:
    inventory = configuration.inventory
    named = inventory.objectives.get(promise.id) or inventory.systems.get(promise.id)
    return {
        "objective": promise.id, "name": named.label(configuration.language) if named else promise.id,
        "about": f"{promise.kind} {promise.name}", "period": period.name, "view": promise.view,
        "formula": promise.formula(), **_account(account),
    }  # fmt: skip


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
