"""The report's charts as SVG, in black, white, hatching and words: for every printer and every eye.

Each returns ``None``, or no picture, where there is nothing to show: an empty chart is never printed.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from xml.sax.saxutils import escape

from reports.model import Cause, Day, OutageRow, Promised, Report
from reports.words import Words

WIDTH = 660
LABEL = 200
FONT = "Liberation Serif, Times New Roman, Tinos, serif"
MOST_LINES = 20
"""Lines shown on the timeline."""
_CELL = 14.5
_Draw = Callable[[Promised, Words, float], list[str]]
_PATTERNS = (
    '<pattern id="few" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M0 6L6 0" stroke="#000" '
    'stroke-width="0.7"/></pattern><pattern id="some" width="3.5" height="3.5" patternUnits="userSpaceOnUse">'
    '<path d="M0 3.5L3.5 0M0 0L3.5 3.5" stroke="#000" stroke-width="0.7"/></pattern>'
)


def calendar(report: Report, words: Words) -> str | None:
    """Draw a row of days for each objective: how much of each was down, or unknown."""
    rows = [row for row in report.promised if any(day.counted_s > 0 for day in row.days)]
    if not rows:
        return None
    out, y = [f"<defs>{_PATTERNS}</defs>"], 16.0
    out += [
        _text(LABEL + (number + 0.5) * _CELL, 11, str(number + 1), size=8.5, anchor="middle")
        for number in range(len(rows[0].days))
    ]
    for row in rows:
        lines = _lines(_called(row, words))
        for place, line in enumerate(lines):
            out.append(_text(LABEL - 6, y + 11 + 11 * place - 5 * (len(lines) - 1), line, anchor="end"))
        out += [_day(LABEL + number * _CELL, y, day) for number, day in enumerate(row.days)]
        y += max(_CELL + 4, 11 * len(lines) + 6)
    return _svg(y + 2, out)


def _day(x: float, y: float, day: Day) -> str:
    share = day.down_s / day.counted_s if day.counted_s > 0 else 0
    if day.counted_s <= 0:
        return _box(x, y, "#fff", dashed=True)
    fill = "#fff" if share <= 0 else "url(#few)" if share < 0.01 else "url(#some)" if share < 0.1 else "#000"
    dot = (
        f'<circle cx="{x + 7:.1f}" cy="{y + 7:.1f}" r="2.2" fill="#fff" stroke="#000" stroke-width="0.8"/>'
        if day.unknown_s > 0.01 * day.counted_s else ""
    )  # fmt: skip
    return _box(x, y, fill) + dot


def _box(x: float, y: float, fill: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="2 2"' if dashed else ""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{_CELL - 1.5}" height="{_CELL - 1.5}" fill="{fill}" stroke="#000" '
        f'stroke-width="0.6"{dash}/>'
    )


def timeline(report: Report, words: Words) -> str | None:
    """Draw when lines were down: a row each, those with most downtime."""
    by: dict[str, list[OutageRow]] = {}
    for one in report.outages:
        by.setdefault(words.name(one.circuit), []).append(one)
    if not by:
        return None
    longest = sorted(by, key=lambda name: (-sum(one.down_s + one.excluded_s for one in by[name]), name))[:MOST_LINES]
    span_s = (report.end - report.start).total_seconds()
    scale = (WIDTH - LABEL - 4) / span_s
    count = round(span_s / 86_400)
    y = 16.0
    out = [
        _text(LABEL + (number + 0.5) * 86_400 * scale, 11, str(number + 1), size=8.5, anchor="middle")
        for number in range(0, count, 2)
    ]
    height = 16 + sum(max(16, 11 * len(_lines(name)) + 5) for name in longest)
    for number in range(count + 1):
        x = LABEL + number * 86_400 * scale
        out.append(f'<path d="M{x:.1f} 14V{height:.1f}" stroke="#bbb" stroke-width="0.4"/>')
    for name in longest:
        lines = _lines(name)
        step = max(16, 11 * len(lines) + 5)
        for place, line in enumerate(lines):
            out.append(_text(LABEL - 6, y + 11 + 11 * place, line, anchor="end"))
        for one in by[name]:
            begin = max(0.0, (one.start - report.start).total_seconds())
            end = ((one.end or report.until) - report.start).total_seconds()
            wide = max(1.4, (end - begin) * scale)
            out.append(
                f'<rect x="{LABEL + begin * scale:.1f}" y="{y + 2:.1f}" width="{wide:.1f}" height="{step - 5:.1f}" '
                'fill="#000"/>'
            )
        y += step
        out.append(f'<path d="M{LABEL} {y - 1:.1f}H{WIDTH - 4}" stroke="#bbb" stroke-width="0.4"/>')
    return _svg(y + 3, out)


def lines_down(report: Report) -> int:
    """Return how many lines were down at all."""
    return len({one.circuit["vi"] for one in report.outages})


def pareto(causes: Sequence[Cause], words: Words) -> str | None:
    """Draw downtime by cause, the longest first, with the running share."""
    total = sum(one.down_s for one in causes)
    if total <= 0:
        return None
    out, y, running = [], 6.0, 0.0
    right = WIDTH - 250
    for one in causes:
        running += one.down_s
        wide = max(1.0, (right - LABEL) * one.down_s / causes[0].down_s)
        out.append(_text(LABEL - 6, y + 12, words.known("causes", one.cause), anchor="end", size=11))
        out.append(f'<rect x="{LABEL}" y="{y:.1f}" width="{wide:.1f}" height="15" fill="#555"/>')
        said = (
            f"{words.duration(one.down_s)} · {words.percent(100 * one.down_s / total, 1)} · "
            f"Σ {words.percent(100 * running / total, 1)}"
        )
        out.append(_text(LABEL + wide + 6, y + 12, said, size=11))
        y += 22
    return _svg(y, out)


def burn(report: Report, words: Words) -> list[str]:
    """Draw the downtime of each objective as it added up, against what the month allows."""
    rows = [row for row in report.promised if row.numbers.budget_s and any(day.counted_s > 0 for day in row.days)]
    return _panels(rows, words, 108, _burn)


def _burn(row: Promised, words: Words, wide: float) -> list[str]:
    budget = row.numbers.budget_s or 1.0
    counted = [number for number, day in enumerate(row.days) if day.counted_s > 0]
    at, sums = 0.0, [(counted[0], 0.0)]
    for number in range(counted[0], counted[-1] + 1):
        at += row.days[number].down_s
        sums.append((number + 1, at))
    top = max(budget, at) * 1.12
    high, base, left = 62.0, 92.0, 4.0
    step = (wide - 140) / len(row.days)
    path = " ".join(f"{left + number * step:.1f},{base - high * value / top:.1f}" for number, value in sums)
    level = base - high * budget / top
    end = base - high * at / top
    if abs(end - level) < 11:
        level_text, end_text = (level - 3, end + 9) if level < end else (level + 9, end - 3)
    else:
        level_text, end_text = level + 3, end + 3
    x = wide - 134
    return [
        f'<path d="M{left} {base}H{wide - 136:.1f}" stroke="#000" stroke-width="0.7"/>',
        f'<path d="M{left} {level:.1f}H{wide - 136:.1f}" stroke="#000" stroke-width="1" stroke-dasharray="5 3"/>',
        f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="1.8"/>',
        _text(x, level_text, words.say("charts.burn_budget", budget=words.duration(budget)), size=9),
        _text(x, end_text, words.say("charts.burn_used", used=words.duration(at)), size=9),
        _text(left, base + 10, "1", size=8.5), _text(wide - 140, base + 10, str(len(row.days)), size=8.5, anchor="end"),
    ]  # fmt: skip


def trend(report: Report, words: Words) -> list[str]:
    """Draw each objective's availability over the months, with its bounds."""
    rows = [row for row in report.promised if sum(month.availability_percent is not None for month in row.trend) > 1]
    return _panels(rows, words, 118, _trend)


def _trend(row: Promised, words: Words, wide: float) -> list[str]:
    known = [month for month in row.trend if month.availability_percent is not None]
    goal = row.numbers.objective_percent
    lows = [value for month in known for value in (month.lowest_percent, goal) if value is not None]
    floor = max(0.0, 100 - (100 - min(lows)) * 1.1) if min(lows) < 100 else 99.9
    high, base, left = 66.0, 94.0, 46.0
    step = (wide - left - 16) / max(1, len(row.trend) - 1)

    def y(percent: float) -> float:
        return base - high * (percent - floor) / (100 - floor)

    out = [
        (
            f'<path d="M{left - 6} {base}H{wide - 6:.1f}M{left - 6} {base - high}V{base}" stroke="#000" '
            'stroke-width="0.7" fill="none"/>'
        ),
        _text(left - 9, base - high + 3, words.percent(100, 0), size=8.5, anchor="end"),
        _text(left - 9, base + 3, words.percent(floor, 2), size=8.5, anchor="end"),
    ]
    if goal is not None:
        out.append(
            f'<path d="M{left - 6} {y(goal):.1f}H{wide - 6:.1f}" stroke="#000" stroke-width="0.9" '
            'stroke-dasharray="5 3"/>'
        )
    for number, month in enumerate(row.trend):
        x = left + number * step
        if number % 3 == 0:
            out.append(_text(x, base + 11, words.month(month.month), size=8.5, anchor="middle"))
        if month.availability_percent is None:
            continue
        low, top = y(month.lowest_percent or 0), y(month.highest_percent or 0)
        out.append(f'<path d="M{x:.1f} {low:.1f}V{top:.1f}" stroke="#000" stroke-width="1"/>')
        out.append(_mark(x, y(month.availability_percent), month.verdict))
    return out


def _mark(x: float, y: float, verdict: str | None) -> str:
    if verdict == "missed":
        return (
            f'<rect x="{x - 3.2:.1f}" y="{y - 3.2:.1f}" width="6.4" height="6.4" fill="#fff" stroke="#000" '
            'stroke-width="1.4"/>'
        )
    if verdict in ("undecided", "open"):
        return (
            f'<path d="M{x:.1f} {y - 4.4:.1f}l4.4 4.4l-4.4 4.4l-4.4 -4.4z" fill="#fff" stroke="#000" '
            'stroke-width="1.2"/>'
        )
    fill = "#000" if verdict == "met" else "#fff"
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{fill}" stroke="#000"/>'


def _panels(rows: Sequence[Promised], words: Words, high: float, draw: _Draw) -> list[str]:
    """Draw one panel for each objective, two beside each other; each pair is a picture, so that pages break between."""
    wide = WIDTH / 2 - 10
    found = []
    for pair in range(0, len(rows), 2):
        out = []
        for place, row in enumerate(rows[pair : pair + 2]):
            [title, *more] = textwrap.wrap(_called(row, words), 54)
            out.append(f'<g transform="translate({place * WIDTH / 2:.1f} 0)">')
            out.append(_text(0, 11, title + ("…" if more else ""), size=10.5, bold=True))
            out += draw(row, words, wide)
            out.append("</g>")
        found.append(_svg(high + 14, out))
    return found


def _called(row: Promised, words: Words) -> str:
    return words.name(row.name) if row.about.startswith("system ") else words.name(row.objective_name)


def _lines(name: str) -> list[str]:
    """Break a name for the margin; a third line is cut."""
    lines = textwrap.wrap(name, 36) or [""]
    return lines if len(lines) <= 2 else [lines[0], f"{lines[1][:35]}…"]


def _text(x: float, y: float, text: str, *, size: float = 10, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'


def _svg(height: float, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="{WIDTH}" '
        f'height="{height:.0f}" font-family="{FONT}" fill="#000">{"".join(parts)}</svg>'
    )
