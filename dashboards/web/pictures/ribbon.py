"""The ribbon: a check's states over a period, each stretch of time in its colour and pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from markupsafe import Markup

from dashboards.web.pictures.svg import element, joined
from haidang.model import Interval, State

WIDE, HIGH = 1200.0, 34.0
THINNEST = 2.0
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
            bar = element("rect", element("title", tell(one)), x=left, y=0, width=max(right - left, THINNEST),
                          height=HIGH, class_=f"span {one.state}")  # fmt: skip
            parts.append((_OVER.index(one.state), bar))
    marks = [
        joined((element("line", x1=x(at), x2=x(at), y1=0, y2=HIGH + 4, class_="tick"),
                element("text", word, x=x(at) + 4, y=HIGH + 18, class_="axis")))
        for at, word in ticks if x(at) < WIDE - 30
    ]  # fmt: skip
    now = element("line", x1=x(now_ns), x2=x(now_ns), y1=-2, y2=HIGH + 2, class_="now") if now_ns < end_ns else ""
    bars = joined(bar for _, bar in sorted(parts, key=lambda part: part[0]))
    return element(
        "svg", element("title", title), element("rect", x=0, y=0, width=WIDE, height=HIGH, class_="empty"), bars, now,
        joined(marks), view_box=f"0 -3 {WIDE:.0f} {HIGH + 26:.0f}", class_="ribbon", role="img",
    )  # fmt: skip
