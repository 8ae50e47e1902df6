"""How good the forecast is: simulated years, a forecast for every target on days 1, 5, 10, 15, 20 and 25 of each month.

Compared with two others on the same months: climatology (the share of the class's months so far that was missed) and
linear extrapolation (it is missed if the downtime so far, drawn on, is more than the budget). Only months that are not
decided yet are scored. Writes the reliability diagram as SVG when a file is named.

Usage: python benchmarks/availability/forecast.py [--targets N] [--months N] [--seeds N] [--svg FILE]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from availability.forecast import DAY_S, Forecaster, Outage, Record
from benchmarks.availability.fleet import Class, Fleet, History, Storm

ORIGINS = (1, 5, 10, 15, 20, 25)
MONTH_S = 30 * DAY_S
LEARN_MONTHS = 4
OBJECTIVE = 99.9
BUDGET_S = (100 - OBJECTIVE) / 100 * MONTH_S
BINS = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """One forecast and what came: probabilities of a miss, and whether it was one."""

    day: int
    miss: float
    climatology: float
    linear: float
    missed: bool


def fleet(targets: int) -> Fleet:
    """Make a fleet of lines, a third of them on one carrier whose storms strike twice a year and more."""
    lines = Class("line", targets, outages_per_month=0.9)
    struck = tuple(f"line-{number}" for number in range(1, targets + 1, 3))
    return Fleet((lines,), (Storm("carrier", struck, per_year=3.0, share=0.6),))


def scores(history: History, months: int, draws: int) -> Iterator[Scored]:
    """Foretell every month of a history from its days of origin, and say what came."""
    groups = {name: frozenset(members) for name, members in history.groups.items()}
    every = [
        Outage(one.target, one.start_s, one.end_s, one.group) for of in history.outages.values() for one in of
    ]  # fmt: skip
    every.sort(key=lambda one: one.start_s)
    missed_before = seen_before = 0
    for month in range(months):
        start_s = month * MONTH_S
        down = {name: history.down_s(name, start_s, start_s + MONTH_S) for name in history.outages}
        if month >= LEARN_MONTHS:
            climatology = missed_before / seen_before
            for day in ORIGINS:
                yield from _from_day(history, every, groups, start_s, day, down, climatology, draws)
        missed_before += sum(spent > BUDGET_S for spent in down.values())
        seen_before += len(down)


def _from_day(
    history: History, every: Sequence[Outage], groups: dict[str, frozenset[str]], start_s: float, day: int,
    down: dict[str, float], climatology: float, draws: int,
) -> Iterator[Scored]:  # fmt: skip
    now_s = start_s + day * DAY_S
    known = [
        Outage(one.target, one.start_s, one.end_s if one.end_s is not None and one.end_s <= now_s else None, one.group)
        for one in every
        if one.start_s <= now_s
    ]
    forecaster = Forecaster(Record(now_s, known, dict.fromkeys(history.outages, now_s), groups), seed=day)
    running = {one.target: now_s - one.start_s for one in known if one.end_s is None}
    for name, spent in down.items():
        so_far = history.down_s(name, start_s, now_s)
        left_s, ahead_s = BUDGET_S - so_far, start_s + MONTH_S - now_s
        if left_s < 0 or left_s >= ahead_s:
            continue  # decided: nobody needs a forecast
        miss = forecaster.miss(name, left_s, ahead_s, running.get(name), draws)
        linear = float(so_far / (day * DAY_S) * MONTH_S > BUDGET_S)
        yield Scored(day, miss, climatology, linear, spent > BUDGET_S)


def brier(pairs: Sequence[tuple[float, bool]]) -> float:
    """Return the Brier score (Brier 1950): the mean squared error of probabilities."""
    return sum((miss - came) ** 2 for miss, came in pairs) / len(pairs)


def reliability(found: Sequence[Scored]) -> list[tuple[float, float, int]]:
    """Return mean forecast, share that came and number of forecasts of each tenth that has any."""
    tenths: dict[int, list[Scored]] = {}
    for one in found:
        tenths.setdefault(min(BINS - 1, int(one.miss * BINS)), []).append(one)
    return [
        (sum(one.miss for one in of) / len(of), sum(one.missed for one in of) / len(of), len(of))
        for _, of in sorted(tenths.items())
    ]


def calibration_error(found: Sequence[Scored]) -> float:
    """Return the expected calibration error: how far off the tenths are, weighted by how often they are said."""
    return sum(abs(said - came) * number for said, came, number in reliability(found)) / len(found)


def skill(found: Sequence[Scored], linear: bool = False) -> float:
    """Return the Brier skill over climatology, of the forecast or of linear extrapolation."""
    base = brier([(one.climatology, one.missed) for one in found])
    return 1 - brier([(one.linear if linear else one.miss, one.missed) for one in found]) / base


def diagram(found: Sequence[Scored]) -> str:
    """Draw the reliability diagram as SVG: what was said against what came, the area of a dot by how often."""
    rows = reliability(found)
    most = max(number for _, _, number in rows)
    grid = "".join(
        f'<path d="M60 {340 - 30 * n}H360M{60 + 30 * n} 40V340" stroke="#ddd"/>'
        f'<text x="52" y="{344 - 30 * n}" text-anchor="end">{n / 10:.1f}</text>'
        f'<text x="{60 + 30 * n}" y="358" text-anchor="middle">{n / 10:.1f}</text>'
        for n in range(0, 11, 2)
    )
    dots = "".join(
        f'<circle cx="{60 + 300 * said:.1f}" cy="{340 - 300 * came:.1f}" r="{3 + 9 * (number / most) ** 0.5:.1f}" '
        f'fill="#06c" fill-opacity="0.7"/>'
        for said, came, number in rows
    )
    words = f"{len(found)} forecasts, calibration error {calibration_error(found):.3f}, skill {skill(found):.2f}"
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" font-family="sans-serif" font-size="11">'
        f'<rect width="400" height="400" fill="#fff"/>{grid}<path d="M60 340L360 40" stroke="#888"/>{dots}'
        f'<text x="210" y="24" text-anchor="middle">{words}</text>'
        '<text x="210" y="382" text-anchor="middle">P(miss) that was foretold</text>'
        '<text x="16" y="190" text-anchor="middle" transform="rotate(-90 16 190)">share that was missed</text></svg>\n'
    )


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", type=int, default=200)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--svg", type=Path)
    words = parser.parse_args()
    began = time.perf_counter()
    found = [
        one
        for seed in range(words.seeds)
        for one in scores(fleet(words.targets).live(words.months * 30, seed), words.months, words.draws)
    ]
    took = time.perf_counter() - began
    print(f"{len(found)} forecasts of undecided months in {took:.0f} s ({1e3 * took / len(found):.1f} ms each)")
    for day in (0, *ORIGINS):
        of = [one for one in found if day in (0, one.day)]
        misses = sum(one.missed for one in of) / len(of)
        print(
            f"day {day or 'all':>3}: {len(of):6} forecasts, {misses:6.1%} missed, calibration error "
            f"{calibration_error(of):.3f}, skill {skill(of):+.3f}, linear extrapolation {skill(of, linear=True):+.3f}"
        )
    for said, came, number in reliability(found):
        print(f"said {said:.2f}: came {came:.2f} ({number})")
    if words.svg:
        words.svg.write_text(diagram(found), encoding="utf-8")


if __name__ == "__main__":
    main()
