"""When maintenance is, whom it covers, and what of it does not count."""

from __future__ import annotations

import dataclasses
import itertools
import time
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from availability import recurrence
from availability.maintenance import covers, excluded, occurrences
from availability.spans import after, difference, intersection, merged, total
from config import load
from storage.accounts import Maintenance

S = 10**9
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()) * S


def work(start: str, end: str, rule: str = "", created: str = "2026-01-01T00:00", **changes: object) -> Maintenance:
    made = Maintenance(
        1, "site", "north", at(start), at(end), rule, "Europe/Berlin", 1, "power", "an", at(created)
    )  # fmt: skip
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def test_work_that_repeats_stays_at_its_time_of_day_when_the_clocks_change() -> None:
    weekly = work("2026-03-22T02:30", "2026-03-22T04:00", "FREQ=WEEKLY;BYDAY=SU")
    found = occurrences(weekly, at("2026-03-01T00:00"), at("2026-04-10T00:00"))
    local = [datetime.fromtimestamp(start / S, BERLIN) for start, _ in found]
    assert [f"{one:%d %H:%M}" for one in local] == [
        "22 02:30",
        "29 03:30",
        "05 02:30",
    ]  # 02:30 is not there on the 29th
    assert {end - start for start, end in found} == {5400 * S}


def test_every_second_saturday_comes_once_a_month_and_ends_with_its_rule() -> None:
    monthly = work("2026-01-10T01:00", "2026-01-10T03:00", "FREQ=MONTHLY;BYDAY=2SA;UNTIL=20260414")
    found = occurrences(monthly, 0, at("2030-01-01T00:00"))
    assert [datetime.fromtimestamp(start / S, BERLIN).day for start, _ in found] == [10, 14, 14, 11]


def test_an_occurrence_that_began_before_the_period_and_reaches_into_it_is_found() -> None:
    daily = work("2026-01-01T23:00", "2026-01-02T01:00", "FREQ=DAILY")
    found = occurrences(daily, at("2026-02-01T00:30"), at("2026-02-01T00:31"))
    assert found == [(at("2026-01-31T23:00"), at("2026-02-01T01:00"))]


def test_what_is_called_off_is_cut_there_and_what_never_was_is_gone() -> None:
    once = work("2026-05-01T00:00", "2026-05-01T04:00")
    cut = dataclasses.replace(once, cancelled_from_ns=at("2026-05-01T01:00"))
    assert occurrences(cut, 0, 2**62) == [(at("2026-05-01T00:00"), at("2026-05-01T01:00"))]
    assert occurrences(dataclasses.replace(once, cancelled_from_ns=0), 0, 2**62) == []


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY", "FREQ=HOURLY", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=3;UNTIL=20260101",
        "FREQ=DAILY;BYHOUR=1,2", "FREQ=DAILY;INTERVAL=0", "",
        "RRULE:FREQ=DAILY", "FREQ=DAILY\nRDATE:20260101", "FREQ=WEEKLY;BYDAY=XX", "FREQ=DAILY;UNTIL=soon",
        "FREQ=WEEKLY;BYMONTH=13", "FREQ=DAILY;BYMONTHDAY=32", "FREQ=DAILY;BYDAY=2MO", "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=DAILY;UNTIL=99999999", "FREQ=DAILY;FREQ=WEEKLY", "FREQ=DAILY;" + "A" * 600,
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_used_is_refused_in_words(rule: str) -> None:
    with pytest.raises(ValueError, match=r"FREQ|rule|INTERVAL|COUNT|BY"):
        recurrence.check(rule)


def test_a_rule_that_counts_counts_from_the_first_one() -> None:
    thrice = work("2026-01-05T22:00", "2026-01-05T23:00", "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=3")
    found = occurrences(thrice, 0, at("2030-01-01T00:00"))
    assert [datetime.fromtimestamp(start / S, BERLIN).day for start, _ in found] == [5, 8, 12]
    assert occurrences(thrice, at("2026-01-09T00:00"), at("2026-02-01T00:00")) == found[2:]


def test_an_end_in_utc_is_that_moment_whatever_the_wall_shows() -> None:
    ends = work("2026-01-05T00:30", "2026-01-05T01:00", "FREQ=DAILY;UNTIL=20260106T233000Z")
    found = occurrences(ends, 0, at("2030-01-01T00:00"))
    assert [datetime.fromtimestamp(start / S, BERLIN).day for start, _ in found] == [5, 6, 7], (
        "00:30 in Berlin is 23:30"
    )


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=31;UNTIL=99991231", "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
        "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30", "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6"
    ],
)  # fmt: skip
def test_a_rule_that_never_comes_true_is_not_searched_for_ever(rule: str) -> None:
    never = work("2026-01-01T00:00", "2026-01-01T01:00", rule)
    began = time.process_time()
    assert occurrences(never, at("2026-01-01T00:00"), at("2026-12-31T00:00")) == []
    assert time.process_time() - began < 4, "up to the year 9999 it takes ten seconds"


DAILY = st.fixed_dictionaries(
    {},
    optional={
        "INTERVAL": st.integers(1, 6).map(str), "COUNT": st.integers(1, 20).map(str),
        "BYMONTH": st.lists(st.integers(1, 12).map(str), min_size=1, max_size=4).map(",".join),
        "BYMONTHDAY": st.lists(st.integers(1, 28).map(str) | st.just("-1"), min_size=1, max_size=9).map(",".join),
        "BYDAY": st.lists(st.sampled_from(["MO", "WE", "SU"]), min_size=1, max_size=3).map(",".join),
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(DAILY, st.integers(0, 700))
def test_a_weekly_series_of_years_is_the_same_wherever_one_begins_to_look(parts: dict[str, str], skip: int) -> None:
    rule = ";".join(
        ["FREQ=WEEKLY", *(f"{key}={value}" for key, value in parts.items() if key in ("INTERVAL", "BYDAY"))]
    )
    first = datetime.fromisoformat("2026-03-02T06:00")
    begin, end = first + timedelta(days=5 * skip), first + timedelta(days=5 * skip + 400)
    theirs = rrulestr(rule, dtstart=first).between(begin, end - timedelta(seconds=1), inc=True)
    ours = recurrence.starts(rule, at(str(first)), at(str(begin)), at(str(end)), BERLIN)
    assert ours == [at(str(one)) for one in theirs]


@settings(max_examples=60, deadline=None)
@given(DAILY, st.integers(0, 700))
def test_days_left_out_here_are_those_that_the_library_leaves_out(parts: dict[str, str], skip: int) -> None:
    rule = ";".join(["FREQ=DAILY", *(f"{key}={value}" for key, value in parts.items())])
    first = datetime.fromisoformat("2026-03-02T06:00")
    begin, end = first + timedelta(days=skip), first + timedelta(days=skip + 400)
    theirs = itertools.takewhile(lambda one: one < end, rrulestr(f"{rule};BYHOUR=6", dtstart=first))
    ours = recurrence.starts(rule, at(str(first)), at(str(begin)), at(str(end)), BERLIN)
    assert ours == [at(str(one)) for one in theirs if one >= begin]


def test_overlaps_count_once_and_only_what_was_agreed() -> None:
    planned = work("2026-05-01T00:00", "2026-05-01T04:00")
    late = work("2026-05-01T03:00", "2026-05-01T05:00", created="2026-05-02T00:00")
    counted = work("2026-05-01T06:00", "2026-05-01T07:00", excluded=0)
    period = at("2026-05-01T01:00"), at("2026-06-01T00:00")
    both = excluded([planned, late, counted], *period, ("planned", "retroactive"))
    assert both == ((at("2026-05-01T01:00"), at("2026-05-01T05:00")),)
    assert total(excluded([planned, late, counted], *period, ("retroactive",))) == 2 * 3600 * S
    assert excluded([planned, late, counted], *period, ()) == ()


def test_maintenance_covers_what_it_is_on(tmp_path: Path) -> None:
    (tmp_path / "haidang.yaml").write_text(
        "haidang: 1\nsystems: [{id: wan}]\nsites: [{id: north}, {id: hill, parent: north}, {id: south}]\n"
        "circuits: [{id: line, carrier: Viettel, system: wan}]\ntargets:\n"
        "  - {id: a, address: 192.0.2.1, site: hill, circuit: line}\n  - {id: b, address: 192.0.2.2, site: south}\n",
        encoding="utf-8",
    )
    inventory = load(tmp_path / "haidang.yaml").inventory
    for kind, name in (
        ("target", "a"), ("site", "north"), ("site", "hill"), ("circuit", "line"), ("carrier", "VIETTEL"),
        ("system", "wan"),
    ):  # fmt: skip
        found = [one.id for one in inventory.targets.values() if covers(inventory, kind, name, one)]
        assert found == ["a"], kind


_SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8).map(merged)


@given(_SPANS, _SPANS, st.integers(0, 70))
def test_sets_of_time_are_sets_of_seconds(
    left: tuple[tuple[int, int], ...], right: tuple[tuple[int, int], ...], n: int
) -> None:
    def seconds(spans: tuple[tuple[int, int], ...]) -> set[int]:
        return {second for start, end in spans for second in range(start, end)}

    for found, wanted in (
        (intersection(left, right), seconds(left) & seconds(right)),
        (difference(left, right), seconds(left) - seconds(right)),
        (merged((*left, *right)), seconds(left) | seconds(right)),
    ):
        assert seconds(found) == wanted
        assert merged(found) == found, "as few spans as can be, none empty"
        assert total(found) == len(wanted)
    in_order = sorted(seconds(left))
    assert after(left, n) == (in_order[n] if n < len(in_order) else None)


def test_a_night_over_midnight_and_a_month_end_is_found_from_both_sides() -> None:
    night = work("2026-10-31T22:00", "2026-11-01T06:00")
    november = at("2026-11-01T00:00")
    assert total(excluded([night], november - 30 * 86400 * S, november, ("planned",))) == 2 * 3600 * S
    assert total(excluded([night], november, november + 30 * 86400 * S, ("planned",))) == 6 * 3600 * S
    assert timedelta(hours=8) == timedelta(seconds=(night.end_ns - night.start_ns) / S)
