"""Rules of repetition (RFC 5545 §3.3.10, RRULE), of the kind that maintenance needs, on the clock on the wall.

What would have to be searched for ever is refused: rules finer than a day, and what has several times a day.
A new rule is held to more (`check`) than one that is kept since before.
"""

from __future__ import annotations

import calendar
import itertools
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo

from dateutil.rrule import rrulestr

_KEYS = frozenset(
    {"FREQ", "INTERVAL", "UNTIL", "COUNT", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "WKST"}
)
_PART = re.compile(r"[A-Z]{3,10}=[A-Z0-9,+-]{1,100}")
_UNTIL = {8: "%Y%m%d", 15: "%Y%m%dT%H%M%S", 16: "%Y%m%dT%H%M%SZ"}
_LIMITS = {"DAILY": ("BYMONTH", "BYMONTHDAY", "BYDAY"), "WEEKLY": ("BYMONTH",), "MONTHLY": ("BYMONTH",)}
"""What only leaves out days of a rule. The library looks at the end only when a day is one, and would search for one
that never comes (30 February) day by day up to the year 9999: so these are looked at here."""
_REFUSED = {"DAILY": {"BYWEEKNO", "BYSETPOS"}, "WEEKLY": {"BYWEEKNO", "BYMONTHDAY"}}
_ALLOWED = {
    "BYMONTH": re.compile(r"0?[1-9]|1[0-2]"), "BYMONTHDAY": re.compile(r"[+-]?(0?[1-9]|[12][0-9]|3[01])"),
}  # fmt: skip
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


def check(rule: str) -> None:
    """Check a rule of repetition.

    Raises:
        ValueError: it is none that can be used; says which can.
    """
    parts = _parts(rule)
    useless = ", ".join(sorted(parts.keys() & _REFUSED.get(parts["FREQ"], set())))
    if useless:
        raise ValueError(f"{useless} says nothing in a rule with FREQ={parts['FREQ']}")
    for key, allowed in _ALLOWED.items():
        if key in parts and not all(map(allowed.fullmatch, parts[key].split(","))):
            raise ValueError(f"{key}={parts[key]} cannot be used in a rule: see RFC 5545 §3.3.10")
    if parts["FREQ"] == "DAILY" and not set(parts.get("BYDAY", "MO").split(",")) <= set(_WEEKDAYS):
        raise ValueError(f"BYDAY={parts['BYDAY']}: a rule with FREQ=DAILY can have {', '.join(_WEEKDAYS)}")
    if parts["FREQ"] == "WEEKLY" and {"BYMONTH", "BYSETPOS"} <= parts.keys():
        raise ValueError("a rule with FREQ=WEEKLY can have BYMONTH or BYSETPOS, not both")
    _starts(rule, datetime(2000, 1, 1), datetime(2000, 1, 1), datetime(2000, 2, 1), UTC)  # noqa: DTZ001 on the wall


def starts(rule: str, first_ns: int, after_ns: int, before_ns: int, zone: tzinfo) -> list[int]:
    """Return when the occurrences begin, UTC nanoseconds in order.

    The time of day is the first one's by the clock on the wall: work at two in the morning stays there when the clocks
    change.

    Parameters:
        rule: e.g. ``FREQ=MONTHLY;BYDAY=2SA``. UNTIL is on the wall clock, or in UTC where it ends with Z; COUNT counts
            the first occurrence.
        first_ns: the first occurrence.
        after_ns, before_ns: only those that begin in between.
        zone: whose wall clock.
    """
    first = _wall(first_ns, zone)
    begin = max(first, _wall(max(0, after_ns), zone) - timedelta(days=1))
    found = _starts(rule, first, begin, _wall(max(0, before_ns), zone) + timedelta(days=1), zone)
    times = (round(one.replace(tzinfo=zone).timestamp()) * 10**9 for one in found)
    return [at_ns for at_ns in times if after_ns <= at_ns < before_ns]


def _starts(rule: str, first: datetime, begin: datetime, end: datetime, zone: tzinfo) -> list[datetime]:
    parts = _parts(rule)
    until = parts.get("UNTIL", "")
    try:
        if until:
            last = datetime.strptime(until, _UNTIL.get(len(until), ""))  # noqa: DTZ007 the clock on the wall
            # A day alone means that whole day.
            last = last.replace(hour=23, minute=59, second=59) if len(until) == 8 else last
            if until.endswith("Z"):
                last = last.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
            end = min(end, last)
        limits = {key: parts[key] for key in _LIMITS.get(parts["FREQ"], ()) if key in parts}
        ours = {"UNTIL", "COUNT", *limits}
        text = ";".join(f"{key}={value}" for key, value in parts.items() if key not in ours)
        every = rrulestr(text, dtstart=_near(parts, first, begin)).replace(until=end)
        found = (one for one in every if _within(one, limits)) if limits else every
        counted = itertools.islice(found, int(parts["COUNT"])) if "COUNT" in parts else found
        return [one for one in counted if begin <= one <= end]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError) as error:
        raise ValueError(f'"{rule}" cannot be used as a rule: {error}; for example FREQ=MONTHLY;BYDAY=2SA') from error


def _near(parts: Mapping[str, str], first: datetime, begin: datetime) -> datetime:
    """Return a beginning shortly before what is asked for: years of a daily series need not be gone through."""
    days = {"DAILY": 1, "WEEKLY": 7}.get(parts["FREQ"], 0) * int(parts.get("INTERVAL", "1"))
    if not days or "COUNT" in parts:
        return first
    return first + timedelta(days=days * max(0, (begin - first).days // days - 1))


def _within(day: datetime, limits: Mapping[str, str]) -> bool:
    """Tell whether a day is one of those that a rule allows (RFC 5545 §3.3.10, the table of what BYxxx limits)."""
    long = calendar.monthrange(day.year, day.month)[1]
    here = {
        "BYMONTH": {f"{day.month}"}, "BYMONTHDAY": {f"{day.day}", f"{day.day - long - 1}"},
        "BYDAY": {_WEEKDAYS[day.weekday()]},
    }  # fmt: skip
    return all(
        not here[key].isdisjoint(one if key == "BYDAY" else f"{int(one)}" for one in value.split(","))
        for key, value in limits.items()
    )


def _parts(rule: str) -> Mapping[str, str]:
    words = rule.split(";")
    if len(rule) > 500 or not all(map(_PART.fullmatch, words)):
        raise ValueError(f'"{rule[:60]}" is not an RRULE of RFC 5545; for example FREQ=MONTHLY;BYDAY=2SA')
    parts = dict(word.split("=", 1) for word in words)
    unknown = parts.keys() - _KEYS
    if unknown or len(parts) < len(words):
        odd = ", ".join(sorted(unknown)) or "a key given twice"
        raise ValueError(f"{odd} cannot be used in a rule here: {', '.join(sorted(_KEYS))} can")
    if parts.get("FREQ") not in ("DAILY", "WEEKLY", "MONTHLY", "YEARLY"):
        raise ValueError(f'"{rule}" needs FREQ=DAILY, WEEKLY, MONTHLY or YEARLY')
    for key in ("INTERVAL", "COUNT"):
        if not re.fullmatch(r"[1-9][0-9]{0,3}", parts.get(key, "1")):
            raise ValueError(f"{key}={parts[key]}: 1 to 9999 is allowed")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("a rule has an end by UNTIL or by COUNT, not by both")
    return parts


def _wall(at_ns: int, zone: tzinfo) -> datetime:
    """Write a time as the clock on the wall shows it; rules of repetition follow that and know no time zone."""
    return min(datetime.fromtimestamp(at_ns // 10**9, UTC), _LAST).astimezone(zone).replace(tzinfo=None)
