"""The periods an objective is kept over: calendar months, quarters and years, rolling windows, service hours.

A calendar period is the calendar's in a time zone, whatever its length: 28 to 31 days, an hour more or less where the
clocks change. Within it only the service hours count, when there are any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from availability.spans import Span, Spans, intersection, merged

_YEAR = r"(19[7-9]|2[0-9]{2})[0-9]"
_LAST = re.compile(r"([1-9][0-9]{0,3})d")


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of the calendar as UTC nanoseconds; the end is exclusive.

    Parameters:
        name: ``2026-11``, ``2026-Q4``, ``2026``, or ``30d`` for the 30 days up to now.
        start_ns, end_ns: its bounds.
    """

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of service on some days of the week.

    Parameters:
        days: 0 for Monday to 6 for Sunday.
        start, end: seconds after midnight on the wall clock, at most 86,400; the end is exclusive.
    """

    days: frozenset[int]
    start: int
    end: int


def month_at(at_ns: int, zone: ZoneInfo) -> Period:
    """Return the calendar month that contains a time, in a time zone."""
    local = datetime.fromtimestamp(at_ns // 10**9, zone)
    return month_named(f"{local.year:04d}-{local.month:02d}", zone)


def quarter_at(at_ns: int, zone: ZoneInfo) -> Period:
    """Return the calendar quarter that contains a time, in a time zone."""
    local = datetime.fromtimestamp(at_ns // 10**9, zone)
    return quarter_named(f"{local.year:04d}-Q{(local.month + 2) // 3}", zone)


def year_at(at_ns: int, zone: ZoneInfo) -> Period:
    """Return the calendar year that contains a time, in a time zone."""
    return year_named(f"{datetime.fromtimestamp(at_ns // 10**9, zone).year:04d}", zone)


def month_named(name: str, zone: ZoneInfo) -> Period:
    """Return the calendar month ``YYYY-MM`` in a time zone.

    Raises:
        ValueError: the name is not a month.
    """
    if not re.fullmatch(rf"{_YEAR}-(0[1-9]|1[0-2])", name):
        raise ValueError(f'"{name}" is not a month; write it as YYYY-MM, for example 2026-11')
    return _months(name, int(name[:4]), int(name[5:]), 1, zone)


def quarter_named(name: str, zone: ZoneInfo) -> Period:
    """Return the calendar quarter ``YYYY-Qn`` in a time zone.

    Raises:
        ValueError: the name is not a quarter.
    """
    if not re.fullmatch(rf"{_YEAR}-Q[1-4]", name):
        raise ValueError(f'"{name}" is not a quarter; write it as YYYY-Qn, for example 2026-Q4')
    return _months(name, int(name[:4]), 3 * int(name[6]) - 2, 3, zone)


def year_named(name: str, zone: ZoneInfo) -> Period:
    """Return the calendar year ``YYYY`` in a time zone.

    Raises:
        ValueError: the name is not a year.
    """
    if not re.fullmatch(_YEAR, name):
        raise ValueError(f'"{name}" is not a year; write it as YYYY, for example 2026')
    return _months(name, int(name), 1, 12, zone)


def last_days(name: str, now_ns: int) -> Period:
    """Return the rolling window ``Nd``: the N times 24 hours that end now.

    Raises:
        ValueError: the name is not a number of days.
    """
    match = _LAST.fullmatch(name)
    if match is None:
        raise ValueError(f'"{name}" is not a number of days; write it as Nd, for example 30d')
    return Period(name, now_ns - int(match[1]) * 86_400 * 10**9, now_ns)


def service_time(period: Period, hours: Iterable[Hours], zone: ZoneInfo) -> Spans:
    """Return the time of a period in which service is owed; all of it when no hours are named.

    Hours follow the wall clock: on the night the clocks change they begin and end when the clock on the wall says so.
    """
    whole: Spans = merged([(period.start_ns, period.end_ns)])
    named = tuple(hours)
    if not named or not whole:
        return whole
    first = datetime.fromtimestamp(period.start_ns // 10**9, zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(period.end_ns // 10**9, zone).date() + timedelta(days=1)
    found: list[Span] = []
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        found += [
            (_at(day, one.start, zone), _at(day, one.end, zone)) for one in named if day.weekday() in one.days
        ]  # fmt: skip
    return intersection(whole, merged(found))


def _at(day: date, seconds: int, zone: ZoneInfo) -> int:
    at = datetime.combine(day, time(), zone) + timedelta(seconds=seconds)  # arithmetic on the wall clock
    return round(at.timestamp()) * 10**9


def _months(name: str, year: int, month: int, count: int, zone: ZoneInfo) -> Period:
    over, last = divmod(month - 1 + count, 12)
    start, end = datetime(year, month, 1, tzinfo=zone), datetime(year + over, last + 1, 1, tzinfo=zone)
    return Period(name, round(start.timestamp()) * 10**9, round(end.timestamp()) * 10**9)
