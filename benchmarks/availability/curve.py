"""The trade-off of confirmation as a picture: false downs against detection delay, one point a span."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 24, 44, 60
GOAL_FALSE, GOAL_DELAY_S = 0.1, 60.0


def draw(rows: Sequence[Mapping[str, float]], burst_s: float) -> str:
    """Return an SVG; false downs on a logarithmic axis, what is below 0.01 at its foot.

    Parameters:
        rows: ``span_s``, ``false_downs`` per site-month, ``p95_s`` of each point.
        burst_s: mean length of the bursts, for the title.
    """
    shortest, longest = 20.0, 70.0
    least, most = -2, 3

    def x(delay_s: float) -> float:
        return LEFT + (delay_s - shortest) / (longest - shortest) * (WIDTH - LEFT - RIGHT)

    def y(false: float) -> float:
        decades = (math.log10(max(false, 10.0**least)) - least) / (most - least)
        return HEIGHT - BOTTOM - decades * (HEIGHT - TOP - BOTTOM)

    foot = HEIGHT - BOTTOM
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
            'font-family="sans-serif" font-size="13">'
        ),
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        (
            f'<text x="{LEFT}" y="24" font-size="15">False downs against detection delay: '
            f"1 % loss in bursts of {burst_s:g} s on average</text>"
        ),
        (
            f'<rect x="{LEFT}" y="{y(GOAL_FALSE):.1f}" width="{x(GOAL_DELAY_S) - LEFT:.1f}" '
            f'height="{foot - y(GOAL_FALSE):.1f}" fill="#d7f0dd"/>'
        ),
        f'<text x="{LEFT + 8}" y="{foot - 10}" fill="#1b6e3c">wanted: at most 0.1 a month, within 60 s</text>',
    ]
    for decade in range(least, most + 1):
        at = y(10.0**decade)
        label = f"{10.0**decade:g}"
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" stroke="#dddddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for delay_s in range(int(shortest), int(longest) + 1, 10):
        at = x(delay_s)
        parts.append(f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{foot}" y2="{foot + 5}" stroke="#333333"/>')
        parts.append(f'<text x="{at:.1f}" y="{foot + 20}" text-anchor="middle">{delay_s}</text>')
    way = " ".join(f"{x(row['p95_s']):.1f},{y(row['false_downs']):.1f}" for row in rows)
    parts.append(f'<polyline points="{way}" fill="none" stroke="#1f5fa8" stroke-width="2"/>')
    for row in rows:
        at_x, at_y = x(row["p95_s"]), y(row["false_downs"])
        parts.append(f'<circle cx="{at_x:.1f}" cy="{at_y:.1f}" r="4" fill="#1f5fa8"/>')
        parts.append(f'<text x="{at_x + 8:.1f}" y="{at_y - 6:.1f}">span {row["span_s"]:.0f} s</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts += [
        (
            f'<text x="{middle:.0f}" y="{HEIGHT - 14}" text-anchor="middle">'
            "seconds from the cut to the verdict (p95)</text>"
        ),
        (
            f'<text transform="translate(22 {(TOP + foot) / 2:.0f}) rotate(-90)" text-anchor="middle">'
            "false downs per site and month</text>"
        ),
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{foot}" y2="{foot}" stroke="#333333"/>',
        f'<line x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{foot}" stroke="#333333"/>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
