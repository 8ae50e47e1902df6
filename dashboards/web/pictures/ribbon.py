"""The ribbon: a check's states over a period, each stretch of time in its colour and pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from dashboards.web.pictures.svg import element, joined, percent
from haidang.model import Interval, State

WIDE, HIGH = 100.0, 34.0
"""Across in percent of whatever room there is, the other way in pixels: words keep their size on a telephone."""
THINNEST = 0.25
"""A short outage must still be seen."""
_OVER = (State.UP, State.UNKNOWN, State.MAINTENANCE, State.DEGRADED, State.UNREACHABLE, State.DOWN)
"""What is drawn later lies on top: a thin outage is not hidden under what follows it."""


def draw(
    intervals: Iterable[Interval], start_ns: int, end_ns: int, now_ns: int, ticks: Sequence[tuple[int, str]],
    tell: Callable[[Interval], str], title: str,
) -> Markup:  # fmt: skip
    """Draw states.

    Parameters:
        intervals: in order; the running one ends now.
        start_ns, end_ns: what the ribbon covers.
        ticks: moments and what is written at them.
        tell: says of a stretch what a pointer over it shows.
    """

    def x(at_ns: int) -> float:
        return (at_ns - start_ns) / max(1, end_ns - start_ns) * WIDE

    parts = []
    for one in intervals:
        left, right = x(max(one.start_ns, start_ns)), x(min(one.end_ns or now_ns, end_ns, now_ns))
        if right > left or one.state in (State.DOWN, State.UNREACHABLE):
            wide = percent(max(right - left, THINNEST))
            bar = element("rect", element("title", tell(one)), x=percent(left), y=0, width=wide, height=HIGH,
                          class_=f"span {one.state}")  # fmt: skip
            parts.append((_OVER.index(one.state), bar))
    shown = [(percent(x(at)), word) for at, word in ticks if x(at) < WIDE - 2.5]
    minor = 5 if len(shown) > 12 else 2
    marks = [
        joined((element("line", x1=at, x2=at, y1=0, y2=HIGH + 4, class_="tick"),
                element("text", word, x=at, dx=4, y=HIGH + 17, class_="axis minor" if number % minor else "axis")))
        for number, (at, word) in enumerate(shown)
    ]  # fmt: skip
    here = percent(x(now_ns))
    now = element("line", x1=here, x2=here, y1=0, y2=HIGH + 2, class_="now") if now_ns < end_ns else ""
    bars = joined(bar for _, bar in sorted(parts, key=lambda part: part[0]))
    ground = element("rect", x=0, y=0, width="100%", height=HIGH, class_="empty")
    return element(
        "svg", element("title", title), ground, bars, now, joined(marks), class_="ribbon", role="img"
    )  # fmt: skip
