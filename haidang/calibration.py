"""Forecasts that were kept, held against what came: of months that were given 20 % one in five should be missed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from availability.books import Books
from availability.objectives import Verdict
from availability.periods import Period, month_named, quarter_named, year_named
from availability.promises import Promise, promises
from config import Configuration
from storage.accounts import ForecastRow

BINS = 10


@dataclass(frozen=True, slots=True)
class Tenth:
    """All forecasts between two tenths: how likely they said it was on average, how often it came, how many."""

    said: float
    came: float
    count: int


def held(
    configuration: Configuration, books: Books, rows: Iterable[ForecastRow], now_ns: int
) -> Iterator[tuple[float, bool]]:  # fmt: skip
    """Yield what was foretold and whether it came, of periods that are over and decided.

    Left out is what cannot be judged: the objective is gone, nobody knows how it ended, or the period has no end.
    """
    known = {(promise.id, promise.name): promise for promise in promises(configuration)}
    came: dict[tuple[str, str, str], bool | None] = {}
    for row in rows:
        key = (row.objective, row.target, row.period)
        if key not in came:
            period = _period(row.period, configuration.timezone)
            promise = known.get(key[:2]) or _of_target(configuration, row)
            over = period is not None and period.end_ns <= now_ns
            account = books.of_promise(promise, period) if promise and period and over else None
            verdict = account.figures.verdict if account else None
            came[key] = {Verdict.MISSED: True, Verdict.MET: False}.get(verdict) if verdict else None
        outcome = came[key]
        if outcome is not None:
            yield row.miss, outcome


def tenths(pairs: Iterable[tuple[float, bool]]) -> list[Tenth]:
    """Sort forecasts into tenths; those without any are left out."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for pair in pairs:
        found.setdefault(min(BINS - 1, int(pair[0] * BINS)), []).append(pair)
    return [
        Tenth(sum(said for said, _ in of) / len(of), sum(came for _, came in of) / len(of), len(of))
        for _, of in sorted(found.items())
    ]


def error(found: Iterable[Tenth]) -> float:
    """Return the expected calibration error: how far off the tenths are, weighted by how often they are said."""
    all_of = list(found)
    count = sum(one.count for one in all_of)
    return sum(abs(one.said - one.came) * one.count for one in all_of) / count if count else 0.0


def _period(name: str, zone: ZoneInfo) -> Period | None:
    if re.fullmatch(r"\d{4}-\d\d", name):
        return month_named(name, zone)
    if re.fullmatch(r"\d{4}-Q\d", name):
        return quarter_named(name, zone)
    return year_named(name, zone) if re.fullmatch(r"\d{4}", name) else None


def _of_target(configuration: Configuration, row: ForecastRow) -> Promise | None:
    system = configuration.inventory.systems.get(row.objective)
    if system is None or system.objective is None or row.target not in configuration.inventory.targets:
        return None
    return Promise(system.id, "target", row.target, system.objective)
