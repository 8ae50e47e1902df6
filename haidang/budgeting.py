"""Reckons what was promised as a measurement, so that rules can warn before it is lost.

The measurement is ``budget``, with the tags ``kind``, ``name`` and ``objective``, and ``target`` for a single target:

=================  ========================================================================================
``clock_s``        seconds until the objective is lost if what is down stays down; `NEVER_S`: not in this period
``burn``           the fastest of the pairs of windows that wake somebody, 1 where it is told, 0 below
``slow_burn``      the same of the pair that waits for the morning
``miss_percent``   how likely it is that the objective is missed; left out while there is too little history
``left_percent``   of the budget; below 0 when it is overdrawn
=================  ========================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import closing

from availability.books import Books
from availability.burn import Burn
from collectors.losses import BadShare
from collectors.points import series
from config import Configuration
from haidang.foretelling import Foretelling, Foretold
from haidang.model import FieldValue, Point
from haidang.ruling import BUDGET, rules
from storage.database import open_reader

NEVER_S = 366 * 86_400.0


def wanted(configuration: Configuration) -> tuple[bool, bool]:
    """Tell whether rules are about budgets at all, and whether about those of single targets."""
    about = [rule for rule in rules(configuration) if rule.measurement == BUDGET]
    kinds = [dict(rule.where).get("kind", "*") for rule in about]
    return bool(about), any(kind in ("*", "target") for kind in kinds)


def reckoned(configuration: Configuration, losses: Mapping[str, BadShare], now_ns: int) -> list[Point]:
    """Reckon every budget, through a connection of its own, as a thread beside the daemon's loop needs it.

    Parameters:
        configuration: what was promised, and the rules.
        losses: what targets lose, where it is known.
        now_ns: UTC nanoseconds.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
        foretelling = Foretelling(configuration, Books(configuration, sql, now_ns, now_ns), now_ns, losses=losses)
        found = [*foretelling.promises(), *(foretelling.targets() if wanted(configuration)[1] else ())]
    return [point_of(one, now_ns) for one in found]


def point_of(one: Foretold, now_ns: int) -> Point:
    """Make the point of one promise."""
    figures = one.figures
    fields: dict[str, FieldValue] = {
        "clock_s": NEVER_S if one.lost_at_ns is None else round(max(0.0, (one.lost_at_ns - now_ns) / 1e9), 3),
        "burn": _fastest(burn for burn in (*one.burning, *one.lossy) if burn.pair.pages),
        "slow_burn": _fastest(burn for burn in (*one.burning, *one.lossy) if not burn.pair.pages),
    }
    if one.miss is not None:
        fields["miss_percent"] = round(100 * one.miss, 2)
    if figures.budget_s and figures.budget_left_s is not None:
        fields["left_percent"] = round(100 * figures.budget_left_s / figures.budget_s, 2)
    promise = one.promise
    tags = {"kind": promise.kind, "name": promise.name, "objective": promise.id}
    return Point(series(BUDGET, {**tags, "target": promise.name} if promise.kind == "target" else tags), now_ns, fields)


def _fastest(burns: Iterable[Burn]) -> float:
    return round(max((min(one.long_rate, one.short_rate) / one.pair.rate for one in burns), default=0.0), 3)
