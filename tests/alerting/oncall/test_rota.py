"""Who is on duty, against a model that walks through the year minute by minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.oncall.rota import Hours, Layer, Override, Rota, gaps, moment, on_duty, shifts, within

VIETNAM, BERLIN, NEW_YORK, LORD_HOWE = map(
    ZoneInfo, ("Asia/Ho_Chi_Minh", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
)
MINUTE = 60 * 10**9
WEEK = frozenset(range(7))


def walk(rota: Rota, overrides: list[Override], start: datetime, minutes: int) -> list[str | None]:
    """Say who is on duty in each minute: people are handed the pager one after the other, nothing is computed."""
    start_ns = round(start.timestamp()) * 10**9
    duty: list[str | None] = [None] * minutes

    def index(wall: datetime) -> int:
        return (round(wall.replace(tzinfo=rota.zone).timestamp()) * 10**9 - start_ns) // MINUTE

    def mark(span: list[str | None], begin: int, end: int, person: str | None) -> None:
        for minute in range(max(0, begin), min(minutes, end)):
            span[minute] = person

    for layer in reversed(rota.layers):
        holder: list[str | None] = [None] * minutes
        wall, turn = layer.first, 0
        while index(wall) < minutes:
            mark(holder, index(wall), index(wall + layer.turn), layer.people[turn % len(layer.people)])
            wall, turn = wall + layer.turn, turn + 1
        works = [not layer.hours and layer.holidays == "any"] * minutes
        if layer.hours or layer.holidays != "any":
            day = start.astimezone(rota.zone).date() - timedelta(days=2)
            while index(datetime.combine(day, datetime.min.time())) < minutes:
                if layer.holidays == "any" or (day in rota.holidays) == (layer.holidays == "only"):
                    for hours in layer.hours or (Hours(WEEK, 0, 1440),):
                        if day.weekday() in hours.days:
                            midnight = datetime.combine(day, datetime.min.time())
                            begin = index(midnight + timedelta(minutes=hours.start))
                            end = index(midnight + timedelta(minutes=hours.end))
                            for minute in range(max(0, begin), min(minutes, end)):
                                works[minute] = True
                day += timedelta(days=1)
        over = index(layer.last) if layer.last else minutes
        for minute in range(min(minutes, max(0, over))):
            if works[minute] and holder[minute] is not None:
                duty[minute] = holder[minute]
    for one in sorted((one for one in overrides if one.rota == rota.id), key=lambda override: override.number):
        mark(duty, -((start_ns - one.start_ns) // MINUTE), -((start_ns - one.end_ns) // MINUTE), one.person)
    return duty


def spread(rota: Rota, overrides: list[Override], start: datetime, minutes: int) -> list[str | None]:
    """Say the same from the shifts."""
    start_ns = round(start.timestamp()) * 10**9
    end_ns = start_ns + minutes * MINUTE
    found = shifts(rota, overrides, start_ns, end_ns)
    assert found[0].start_ns == start_ns
    assert found[-1].end_ns == end_ns
    assert all(one.end_ns == next_.start_ns and one.start_ns < one.end_ns for one, next_ in pairwise(found))
    return [one.person for one in found for _ in range((one.end_ns - one.start_ns) // MINUTE)]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def year_rota(zone: ZoneInfo) -> Rota:
    tet = frozenset(date(2026, 2, 14) + timedelta(days=number) for number in range(9))
    return Rota(
        "duty", zone,
        (
            Layer(("tet-1", "tet-2"), at("2026-01-01 08:00"), timedelta(hours=12), holidays="only"),
            Layer(
                ("day-1", "day-2", "day-3"), at("2026-01-05 07:30"), timedelta(days=1),
                hours=(Hours(frozenset(range(5)), 450, 1020),), holidays="except",
            ),
            Layer(("an", "binh", "chi"), at("2025-12-29 02:30"), timedelta(days=7), last=at("2026-12-01 08:00")),
            Layer(("dung",), at("2026-12-01 20:00"), timedelta(hours=36)),
        ), tet | {date(2026, 4, 30), date(2026, 5, 1), date(2026, 9, 2), date(2026, 3, 29), date(2026, 10, 25)},
    )  # fmt: skip


@pytest.mark.parametrize("zone", [VIETNAM, BERLIN], ids=["vietnam", "berlin"])
def test_a_year_with_holidays_hand_overs_and_overrides_is_as_the_model_walks_it(zone: ZoneInfo) -> None:
    rota, start = year_rota(zone), datetime(2026, 1, 1, tzinfo=UTC)
    start_ns = round(start.timestamp()) * 10**9
    overrides = [
        Override(n, "duty", f"stand-in-{n}", start_ns + n * 9_001 * MINUTE, start_ns + (n * 9_001 + 2_000) * MINUTE)
        for n in range(1, 50)
    ] + [Override(99, "other", "nobody", start_ns, start_ns + 10**9 * MINUTE)]
    minutes = 365 * 1440
    expected = walk(rota, overrides, start, minutes)
    assert spread(rota, overrides, start, minutes) == expected
    for minute in range(0, minutes, 997):
        assert on_duty(rota, overrides, start_ns + minute * MINUTE)[0] == expected[minute]
    assert None in expected
    empty = sum(one.end_ns - one.start_ns for one in gaps(rota, overrides, start_ns, start_ns + minutes * MINUTE))
    assert empty // MINUTE == expected.count(None)


walls = st.datetimes(at("2026-03-01 00:00"), at("2026-04-20 00:00")).map(
    lambda wall: wall.replace(second=0, microsecond=0)
)
hours = st.builds(
    lambda days, ends: Hours(frozenset(days), min(ends), max(ends)),
    st.sets(st.integers(0, 6), min_size=1), st.sets(st.integers(0, 1440), min_size=2, max_size=2),
)  # fmt: skip
layers = st.builds(
    Layer, st.lists(st.sampled_from(["an", "binh", "chi"]), min_size=1, max_size=3).map(tuple), walls,
    st.integers(1, 200).map(lambda count: timedelta(hours=count)), st.none() | walls,
    st.lists(hours, max_size=2).map(tuple), st.sampled_from(["any", "only", "except"]),
)  # fmt: skip
rotas = st.builds(
    Rota, st.just("duty"), st.sampled_from([VIETNAM, BERLIN, NEW_YORK, LORD_HOWE]),
    st.lists(layers, min_size=1, max_size=3).map(tuple),
    st.frozensets(st.dates(date(2026, 3, 1), date(2026, 4, 20)), max_size=8),
)  # fmt: skip
stand_ins = st.lists(
    st.builds(
        lambda number, begin, length: (number, begin, begin + length), st.integers(1, 1000), st.integers(-5000, 30_000),
        st.integers(1, 5000),
    ), max_size=4, unique_by=lambda one: one[0],
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(rotas, stand_ins)
def test_any_rota_across_a_change_of_clocks_is_as_the_model_walks_it(
    rota: Rota, standing_in: list[tuple[int, int, int]]
) -> None:
    start, minutes = datetime(2026, 3, 5, tzinfo=UTC), 34 * 1440  # New York 8 March, Berlin 29 March, Lord Howe 5 April
    start_ns = round(start.timestamp()) * 10**9
    overrides = [
        Override(number, "duty", f"stand-in-{number}", start_ns + begin * MINUTE, start_ns + end * MINUTE)
        for number, begin, end in standing_in
    ]
    assert spread(rota, overrides, start, minutes) == walk(rota, overrides, start, minutes)


def test_a_hand_over_in_the_hour_that_comes_twice_happens_once() -> None:
    rota = Rota("duty", BERLIN, (Layer(("an", "binh"), at("2026-10-24 02:30"), timedelta(days=1)),))
    night = moment(at("2026-10-25 00:00"), BERLIN)
    found = shifts(rota, [], night, night + 6 * 60 * MINUTE)
    assert [(one.person, (one.end_ns - one.start_ns) // MINUTE) for one in found] == [("an", 150), ("binh", 210)]


def test_a_hand_over_in_the_hour_that_is_skipped_happens_an_hour_later_on_the_wall() -> None:
    rota = Rota("duty", BERLIN, (Layer(("an", "binh"), at("2026-03-28 02:30"), timedelta(days=1)),))
    handed_over = moment(at("2026-03-29 03:30"), BERLIN)
    assert on_duty(rota, [], handed_over - 1)[0] == "an"
    assert on_duty(rota, [], handed_over)[0] == "binh"


def test_before_the_first_hand_over_nobody_is_on_duty() -> None:
    rota = Rota("duty", VIETNAM, (Layer(("an",), at("2026-03-28 08:00"), timedelta(days=1)),))
    first = moment(at("2026-03-28 08:00"), VIETNAM)
    assert on_duty(rota, [], first - 1) == (None, "")
    assert on_duty(rota, [], first) == ("an", "layer 1")


def test_of_two_overrides_the_later_written_counts() -> None:
    rota = Rota("duty", VIETNAM, (Layer(("an",), at("2026-01-01 08:00"), timedelta(days=1)),))
    overrides = [Override(2, "duty", "chi", 0, 2**62), Override(1, "duty", "binh", 0, 2**62)]
    assert on_duty(rota, overrides, 10**18) == ("chi", "override 2")


def test_hours_up_to_midnight_hold_to_the_last_moment_of_the_day() -> None:
    night = (Hours(frozenset({4}), 22 * 60, 1440),)
    friday = moment(at("2026-03-27 23:59"), VIETNAM)
    assert within(night, friday, VIETNAM)
    assert not within(night, friday + MINUTE, VIETNAM)
    assert within((), friday, VIETNAM)
