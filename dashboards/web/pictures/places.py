"""The map of sites: drawn from the configuration's coordinates, or blocks by the site above where there are none."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from dashboards.web.pictures.svg import element, joined, points
from haidang.model import State

WIDE, HIGH = 1000.0, 1000.0
EDGE = 60.0
BAD = frozenset({State.DOWN, State.UNREACHABLE})
_SIZES = (19.0, 13.0, 7.5)
"""By depth: the centre, what hangs on it, everything below."""


@dataclass(frozen=True, slots=True)
class Place:
    """A site on the map.

    Parameters:
        id, name: the site's.
        parent: the site above.
        latitude, longitude: degrees; ``None`` where nobody said.
        state: see `dashboards.web.model.board.SiteNow`.
        words: what is said of it, e.g. ``Lục Ngạn: 3 of 40 not well``.
        targets: how many stand there.
    """

    id: str
    name: str
    parent: str | None
    latitude: float | None
    longitude: float | None
    state: State
    words: str
    targets: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture, and whether it is wider than high by much."""

    svg: Markup
    wide: bool


def draw(places: Sequence[Place], title: str, link: str = "/site/") -> Drawing:
    """Draw the map; each place leads to ``link`` and its id."""
    placed = [one for one in places if one.latitude is not None and one.longitude is not None]
    if len(placed) >= 2 and len(placed) * 2 >= len(places):
        return _geographic(placed, title, link)
    return _blocks(places, title, link)


def _geographic(places: Sequence[Place], title: str, link: str) -> Drawing:
    at = _project(places)
    depth = depths(places)
    hull = _hull(list(at.values()))
    land = element("polygon", points=points(hull), class_="soil") if len(hull) > 2 else Markup("")
    lines = [
        element("line", x1=at[one.parent][0], y1=at[one.parent][1], x2=at[one.id][0], y2=at[one.id][1],
                class_=f"tie {one.state if one.state in BAD else ''}".strip())
        for one in places if one.parent in at
    ]  # fmt: skip
    order = sorted(places, key=lambda one: (one.state in BAD, one.state is State.DEGRADED, -depth[one.id]))
    origins = origins_of(places)
    marks = [_mark(one, *at[one.id], _SIZES[min(depth[one.id], 2)], link, halo=one.id in origins) for one in order]
    bottom = max(y for _, y in at.values()) + EDGE
    labels = _labels(places, at, depth, bottom)
    svg = element(
        "svg", element("title", title), land, joined(lines), joined(marks), joined(labels),
        view_box=f"0 0 {WIDE:.0f} {bottom:.0f}", class_="map", role="group",
    )  # fmt: skip
    return Drawing(svg, wide=bottom < 0.75 * WIDE)


def _project(places: Sequence[Place]) -> dict[str, tuple[float, float]]:
    """Put degrees on paper: plate carrée at the middle latitude, which a province is small enough for."""
    latitudes = [one.latitude or 0.0 for one in places]
    longitudes = [one.longitude or 0.0 for one in places]
    middle = math.cos(math.radians((min(latitudes) + max(latitudes)) / 2)) or 1e-6
    wide, high = (max(longitudes) - min(longitudes)) * middle, max(latitudes) - min(latitudes)
    scale = min((WIDE - 2 * EDGE) / (wide or 1e-9), (HIGH - 2 * EDGE) / (high or 1e-9))
    left, top = (WIDE - wide * scale) / 2, EDGE
    return {
        one.id: (
            left + ((one.longitude or 0.0) - min(longitudes)) * middle * scale,
            top + (max(latitudes) - (one.latitude or 0.0)) * scale,
        )
        for one in places
    }


def origins_of(places: Sequence[Place]) -> frozenset[str]:
    """Return the lost sites that hang on one that is there: what hangs on a lost one needs no name of its own."""
    lost = {one.id for one in places if one.state in BAD}
    return frozenset(one.id for one in places if one.id in lost and one.parent not in lost)


def depths(places: Sequence[Place]) -> dict[str, int]:
    """Return how many sites each one hangs under; a ring of parents ends where it closes."""
    above: Mapping[str, str | None] = {one.id: one.parent for one in places}
    found: dict[str, int] = {}
    for one in places:
        seen: set[str] = set()
        name: str | None = one.parent
        while name is not None and name in above and name not in seen:
            seen.add(name)
            name = above[name]
        found[one.id] = len(seen)
    return found


def _mark(place: Place, x: float, y: float, size: float, link: str, *, halo: bool = False) -> Markup:
    """Draw one site: round when it is well, square when lost, a triangle when something of it is not well."""
    state = place.state
    if state in BAD:
        size = max(size, 14.0) if halo else size
        shape = element("rect", x=x - size, y=y - size, width=2 * size, height=2 * size, rx=2)
        cross = element(
            "path",
            d=f"M{x - size / 2:.1f} {y - size / 2:.1f}L{x + size / 2:.1f} {y + size / 2:.1f}"
            f"M{x + size / 2:.1f} {y - size / 2:.1f}L{x - size / 2:.1f} {y + size / 2:.1f}",
            class_="sign",
        )
        around = element("circle", cx=x, cy=y, r=size * 2.4, class_="halo") if halo else ""
        shape = joined((around, shape, cross))
    elif state is State.DEGRADED:
        size = max(size, 10.0)
        corners = [(x, y - 1.2 * size), (x + 1.1 * size, y + 0.8 * size), (x - 1.1 * size, y + 0.8 * size)]
        shape = element("polygon", points=points(corners))
    else:
        shape = element("circle", cx=x, cy=y, r=size)
    inner = element("g", element("title", place.words), shape, class_=f"place {state}")
    return element("a", inner, href=f"{link}{place.id}", aria_label=place.words)


def _labels(
    places: Sequence[Place], at: Mapping[str, tuple[float, float]], depth: Mapping[str, int], bottom: float
) -> list[Markup]:  # fmt: skip
    """Name what is not well, then what is high up, as far as there is room."""
    origins = origins_of(places)
    order = sorted(places, key=lambda one: (one.id not in origins, depth[one.id], one.state is not State.DEGRADED))
    taken: list[tuple[float, float, float, float]] = []
    found = []
    for one in order:
        if depth[one.id] > 1 and one.id not in origins:
            continue
        x, y = at[one.id]
        size = 30.0 if depth[one.id] <= 1 else 24.0
        wide = 0.56 * size * len(one.name)
        for dy, anchor, dx in ((44, "middle", 0), (-26, "middle", 0), (9, "start", 26), (9, "end", -26)):
            left = x + dx - {"middle": wide / 2, "start": 0, "end": wide}[anchor]
            box = (left, y + dy - size, left + wide, y + dy + 4)
            inside = box[0] > 4 and box[2] < WIDE - 4 and box[1] > 4 and box[3] < bottom - 4
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append(
                    element(
                        "text",
                        one.name,
                        x=x + dx,
                        y=y + dy,
                        text_anchor=anchor,
                        class_=f"label d{min(depth[one.id], 2)} {one.state}",
                    )
                )
                break
    return found


def _overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _hull(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the convex hull (Andrew's monotone chain)."""
    ordered = sorted(set(spots))
    if len(ordered) < 3:
        return ordered

    def half(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        out: list[tuple[float, float]] = []
        for spot in line:
            while len(out) >= 2 and _turn(out[-2], out[-1], spot) <= 0:
                out.pop()
            out.append(spot)
        return out[:-1]

    return half(ordered) + half(ordered[::-1])


def _turn(one: tuple[float, float], two: tuple[float, float], three: tuple[float, float]) -> float:
    return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])


def _blocks(places: Sequence[Place], title: str, link: str) -> Drawing:
    """Draw every site as a mark in the block of what it hangs on; as many columns as fill the sheet best."""
    if not places:
        return Drawing(Markup(""), wide=False)
    columns = max(1, round(math.sqrt(len(places) * WIDE / HIGH)))
    rows = math.ceil(len(places) / columns)
    cell = min((WIDE - 2 * EDGE) / columns, (HIGH - 2 * EDGE) / rows, 130.0)
    left, top = (WIDE - columns * cell) / 2, (HIGH - rows * cell) / 2
    marks, labels = [], []
    groups = {one.id: place for place, one in enumerate(places)}
    ordered = sorted(places, key=lambda one: (groups.get(one.parent or one.id, -1), one.parent is not None))
    for number, one in enumerate(ordered):
        x, y = left + (number % columns + 0.5) * cell, top + (number // columns + 0.42) * cell
        marks.append(_mark(one, x, y, min(cell * 0.26, 24.0), link))
        if cell >= 70:
            room = int(cell / 10.5)
            name = one.name if len(one.name) <= room else one.name[: room - 1] + "…"
            labels.append(
                element("text", name, x=x, y=y + cell * 0.46, text_anchor="middle", class_=f"label d2 {one.state}")
            )
    svg = element(
        "svg",
        element("title", title),
        joined(marks),
        joined(labels),
        view_box=f"0 0 {WIDE:.0f} {HIGH:.0f}",
        class_="map",
        role="group",
    )
    return Drawing(svg, wide=False)
