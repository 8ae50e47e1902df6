"""Pictures: well-formed whatever the names, and true to what they show."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.web.pictures import places, ribbon
from dashboards.web.pictures.curves import Frame, Line, Mark, lines, smoke
from dashboards.web.pictures.places import Place, depths, origins_of
from dashboards.web.pictures.svg import round_steps
from haidang.model import CheckId, Interval, State

S = 10**9
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=30)
DEGREES = st.one_of(st.none(), st.floats(-90, 90))


@st.composite
def sites(draw: st.DrawFn) -> list[Place]:
    count = draw(st.integers(0, 12))
    return [
        Place(
            f"s{number}", draw(TEXT), draw(st.sampled_from([None, "s0", "s1", f"s{number}", "nowhere"])), draw(DEGREES),
            draw(DEGREES), draw(st.sampled_from(list(State))), draw(TEXT), draw(st.integers(0, 9)),
        )
        for number in range(count)
    ]  # fmt: skip


@settings(deadline=None, max_examples=50)
@given(sites())
def test_every_map_is_well_formed_and_links_each_site_once(found: list[Place]) -> None:
    drawing = places.draw(found, "<script>alert(1)</script>")
    if not found:
        return
    root = ElementTree.fromstring(drawing.svg)
    links = [one.get("href") for one in root.iter("a")]
    assert len(links) == len(set(links))
    assert not list(root.iter("script"))


@settings(deadline=None, max_examples=50)
@given(sites())
def test_depths_and_origins_are_what_a_slow_walk_finds(found: list[Place]) -> None:
    by_id = {one.id: one for one in found}
    for one in found:
        seen: list[str] = []
        name = one.parent
        while name in by_id and name not in seen:
            seen.append(name)
            name = by_id[name].parent
        assert depths(found)[one.id] == len(seen)
        lost = one.state in places.BAD
        above = by_id.get(one.parent or "")
        assert (one.id in origins_of(found)) == (lost and not (above is not None and above.state in places.BAD))


def test_a_short_outage_is_seen_on_a_ribbon_of_a_month_and_lies_on_top() -> None:
    check = CheckId("a", "icmp")
    day = 86_400 * S
    spans = [
        Interval(check, State.UP, 0, 15 * day, ""), Interval(check, State.DOWN, 15 * day, 15 * day + S, "no <reply>"),
        Interval(check, State.UP, 15 * day + S, None, ""),
    ]  # fmt: skip
    svg = ribbon.draw(spans, 0, 30 * day, 20 * day, [(0, "01")], lambda one: one.reason, "month")
    bars = [one for one in ElementTree.fromstring(svg).iter("rect") if "span" in (one.get("class") or "")]
    assert bars[-1].get("class") == "span down"
    left, wide = ([float((bar.get(key) or "").removesuffix("%")) for bar in bars] for key in ("x", "width"))
    assert wide[-1] >= ribbon.THINNEST
    assert max(map(sum, zip(left, wide, strict=True))) <= ribbon.WIDE * 20 / 30 + 1


@given(st.floats(1e-6, 1e15))
def test_axes_cover_what_they_show_with_few_round_steps(most: float) -> None:
    steps = round_steps(most)
    assert steps[0] == 0
    assert steps[-1] >= most * 0.999
    assert 2 <= len(steps) <= 6


def test_what_is_next_to_nothing_has_an_axis_too() -> None:
    assert round_steps(5e-324) == round_steps(0.0) == [0.0, 1.0]


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.integers(0, 3600).map(lambda at: at * S), st.floats(0, 1e6), max_size=30), TEXT)
def test_curves_are_well_formed_and_break_where_nothing_was_measured(values: dict[int, float], title: str) -> None:
    frame = Frame(0, 3600 * S, 10, [(0, "00:00")], title)
    svg = smoke(frame, values, values, values, values, dict.fromkeys(values, 20.0), lambda value: f"{value:.0f} ms")
    root = ElementTree.fromstring(svg)
    assert len([one for one in root.iter("rect") if (one.get("class") or "").startswith("loss")]) == len(values)
    runs = frame.runs(sorted(values))
    assert sum(map(len, runs)) == len(values)
    assert all(later - before <= 32 * S for run in runs for before, later in itertools.pairwise(run))
    ElementTree.fromstring(lines(frame, [Line("in", values, area=True)], str, [Mark("capacity", 5.0, "<90 %>")]))
