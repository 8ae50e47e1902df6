"""Pictures of measurements over time: the smoke of round-trip times (after SmokePing), and plain lines with areas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from dashboards.web.pictures.svg import element, joined, percent, points, round_steps

WIDE, HIGH = 1000.0, 220.0
"""Of what is drawn: across stretched to whatever room there is, but for words; the other way a unit is a pixel."""
BOTTOM, TOP = 24.0, 18.0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a picture.

    Parameters:
        name: of its class in the style sheet, and what the legend calls it.
        values: by time, UTC nanoseconds.
        area: whether the room under it is filled.
    """

    name: str
    values: Mapping[int, float]
    area: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A level drawn across a picture.

    Parameters:
        name: of its class in the style sheet: ``capacity``, ``limit``, ``in``, ``out``.
        level: where.
        words: what is written at it.
        place: where along the line, so that levels close to each other stay readable: ``start``, ``middle``, ``end``.
    """

    name: str
    level: float
    words: str
    place: Literal["start", "middle", "end"] = "end"

    def draw(self, scale: Callable[[float], float]) -> list[Markup]:
        """Draw it."""
        y = scale(self.level)
        x, shift = {"start": ("0%", 6), "middle": ("50%", 0), "end": ("100%", -6)}[self.place]
        words = element(
            "text", self.words, x=x, y=y - 5 if y > TOP + 14 else y + 15, dx=shift, text_anchor=self.place,
            class_=f"axis strong of-{self.name}",
        )  # fmt: skip
        return [element("line", x1="0%", x2="100%", y1=y, y2=y, class_=f"mark {self.name}"), words]


@dataclass(frozen=True, slots=True)
class Frame:
    """What a picture covers.

    Parameters:
        start_ns, end_ns: of time.
        step_s: distance of two values; a gap of more than three is a gap in the picture.
        ticks: moments and what is written at them.
        title: what it shows, for who cannot see it.
    """

    start_ns: int
    end_ns: int
    step_s: float
    ticks: Sequence[tuple[int, str]]
    title: str

    def x(self, at_ns: int) -> float:
        """Return where a time is, of `WIDE`."""
        return (at_ns - self.start_ns) / max(1, self.end_ns - self.start_ns) * WIDE

    def share(self, at_ns: int) -> str:
        """Return where a time is, as a percentage."""
        return percent(100 * self.x(at_ns) / WIDE)

    def runs(self, times: Sequence[int]) -> list[list[int]]:
        """Break times up where there is a gap."""
        out: list[list[int]] = []
        for at in times:
            if not out or at - out[-1][-1] > 3.2 * max(self.step_s, 1) * 1e9:
                out.append([])
            out[-1].append(at)
        return out


def smoke(
    frame: Frame, low: Mapping[int, float], median: Mapping[int, float], high: Mapping[int, float],
    most: Mapping[int, float], loss: Mapping[int, float], unit: Callable[[float], str],
) -> Markup:  # fmt: skip
    """Draw round-trip times: from fastest to slowest, darker up to the 95th percentile, the median; losses on top.

    Parameters:
        low, median, high, most: fastest, median, 95th percentile, slowest, milliseconds by time.
        loss: percent of lost packets by time.
    """
    ranked = sorted(most.values())
    # One echo of a minute must not press the picture flat: the axis covers 99 % of the slowest, the rest is cut off.
    top = max(ranked[int(len(ranked) * 0.99)] if ranked else 0.0, max(median.values(), default=0.0)) * 1.08
    scale, grid = _axis(top, unit)
    shapes = [_band(frame, run, low, most, scale, "smoke") for run in frame.runs(sorted(set(low) & set(most)))]
    shapes += [_band(frame, run, low, high, scale, "smoke dense") for run in frame.runs(sorted(set(low) & set(high)))]
    over: list[Markup] = []
    for run in frame.runs(sorted(median)):
        (shapes if len(run) > 1 else over).append(_path(frame, run, median, scale, "median"))
    width = percent(max(0.2, 100 * frame.step_s * 1e9 / max(1, frame.end_ns - frame.start_ns)))
    for at, lost in loss.items():
        if lost > 0:
            kind = "all" if lost >= 99.5 else "much" if lost >= 20 else "some"
            height = 4 + 10 * min(1.0, lost / 100)
            bar = element("rect", element("title", f"{lost:.0f} %"), x=frame.share(at), y=TOP - height - 1, width=width,
                          height=height, class_=f"loss {kind}")  # fmt: skip
            over.append(bar)
    return _sheet(frame, grid, shapes, over)


def lines(
    frame: Frame, drawn: Sequence[Line], unit: Callable[[float], str], marks: Sequence[Mark] = (), *, most: float = 0.0
) -> Markup:
    """Draw lines.

    Parameters:
        marks: levels to show across: a contracted capacity, a percentile.
        most: where the axis ends; 0: a little above what is drawn.
    """
    top = max(
        [*(value for line in drawn for value in line.values.values()), *(mark.level for mark in marks)], default=0.0
    )
    scale, grid = _axis(top * 1.05, unit, most)
    shapes: list[Markup] = []
    over: list[Markup] = []
    for line in drawn:
        for run in frame.runs(sorted(line.values)):
            if line.area and len(run) > 1:
                shapes.append(_band(frame, run, dict.fromkeys(run, 0.0), line.values, scale, f"area {line.name}"))
            (shapes if len(run) > 1 else over).append(_path(frame, run, line.values, scale, f"line {line.name}"))
    for mark in marks:
        over += mark.draw(scale)
    return _sheet(frame, grid, shapes, over)


def dots(
    sent_ns: Sequence[int], rtts_ms: Mapping[int, float], unit: Callable[[float], str], seconds: Callable[[float], str],
    title: str,
) -> Markup:  # fmt: skip
    """Draw each echo of a burst: a dot for its round trip, a bar at the top where none came back.

    Parameters:
        sent_ns: when they were sent, at least two, in order.
        rtts_ms: of those that were answered.
        unit, seconds: write the numbers of the axes.
    """
    last_s = max(0.1, (sent_ns[-1] - sent_ns[0]) / 1e9) * 1.02
    ticks = [(sent_ns[0] + round(at * 1e9), seconds(at)) for at in round_steps(last_s, 4) if at <= last_s]
    frame = Frame(sent_ns[0], sent_ns[0] + round(last_s * 1e9), 1, ticks, title)
    scale, grid = _axis(max(rtts_ms.get(at, 0.0) for at in sent_ns) * 1.08, unit)
    over = [
        element("circle", cx=frame.share(at), cy=scale(rtts_ms[at]), r=2.6, class_="echo") if at in rtts_ms
        else element("rect", x=frame.share(at), y=2, width=3, height=TOP - 4, class_="loss all")
        for at in sent_ns
    ]  # fmt: skip
    return _sheet(frame, grid, (), over)


Grid = list[tuple[float, str]]
"""Heights and what is written at them."""


def _axis(top: float, unit: Callable[[float], str], most: float = 0.0) -> tuple[Callable[[float], float], Grid]:
    steps = [step for step in round_steps(most or top, 5 if most else 4) if not most or step <= most]
    highest = most or steps[-1]

    def scale(value: float) -> float:
        return HIGH - BOTTOM - max(0.0, min(value, highest)) / highest * (HIGH - BOTTOM - TOP)

    return scale, [(scale(step), unit(step)) for step in steps]


def _band(
    frame: Frame, run: Sequence[int], low: Mapping[int, float], high: Mapping[int, float],
    scale: Callable[[float], float], kind: str,
) -> Markup:  # fmt: skip
    upper = [(frame.x(at), scale(high[at])) for at in run]
    lower = [(frame.x(at), scale(low[at])) for at in reversed(run)]
    if len(run) == 1:
        x, y = upper[0]
        return element("rect", x=x - 1, y=y, width=2, height=max(1.0, lower[0][1] - y), class_=kind)
    return element("polygon", points=points([*upper, *lower]), class_=kind)


def _path(
    frame: Frame, run: Sequence[int], values: Mapping[int, float], scale: Callable[[float], float], kind: str
) -> Markup:
    if len(run) == 1:
        return element("circle", cx=frame.share(run[0]), cy=scale(values[run[0]]), r=2, class_=kind)
    return element("polyline", points=points((frame.x(at), scale(values[at])) for at in run), class_=kind)


def _sheet(frame: Frame, grid: Grid, shapes: Sequence[Markup], over: Sequence[Markup]) -> Markup:
    """Put a picture together; the style sheet leaves room for the words on the left."""
    levels = [element("text", words, x=-8, y=y + 4, text_anchor="end", class_="axis") for y, words in grid]
    rules = [element("line", x1="0%", x2="100%", y1=y, y2=y, class_="grid") for y, _ in grid]
    ticks = [
        joined((element("line", x1=frame.share(at), x2=frame.share(at), y1=TOP, y2=HIGH - BOTTOM, class_="grid"),
                element("text", words, x=frame.share(at), y=HIGH - 6, text_anchor="middle",
                        class_="axis minor" if number % 2 else "axis")))
        for number, (at, words) in enumerate(frame.ticks)
    ]  # fmt: skip
    stretched = element(
        "svg", joined(shapes), width="100%", height=HIGH, view_box=f"0 0 {WIDE:.0f} {HIGH:.0f}", aspect="none",
        class_="data",
    )  # fmt: skip
    return element(
        "svg", element("title", frame.title), joined(levels), joined(rules), joined(ticks), stretched, joined(over),
        class_="curves", role="img",
    )  # fmt: skip
