"""Rules of repetition (RFC 5545 §3.3.10, RRULE), of the kind that maintenance needs, on the clock on the wall.

What would have to be searched for ever is refused: rules finer than a day, and what has several times a day.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

_KEYS = frozenset(
    {"FREQ", "INTERVAL", "UNTIL", "COUNT", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "BYWEEKNO", "WKST"}
)
_PART = re.compile(r"[A-Z]{3,10}=[A-Z0-9,+-]{1,100}")
_UNTIL = {8: "%Y%m%d", 15: "%Y%m%dT%H%M%S", 16: "%Y%m%dT%H%M%SZ"}
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


def check(rule: str) -> None:
    """Check a rule of repetition.

    Raises:
        ValueError: it is none that can be used; says which can.
    """
    _starts(rule, datetime(2000, 1, 1), datetime(2000, 1, 1), datetime(2000, 2, 1), UTC)  # noqa: DTZ001 on the wall


def starts(rule: str, first_ns: int, after_ns: int, before_ns: int, zone: ZoneInfo) -> list[int]:
    """Return when the occurrences begin, UTC nanoseconds in order.

    The time of day is the first one's by the clock on the wall: work at two in the morning stays there when the clocks
    change.

    Parameters:
        rule: e.g. ``FREQ=MONTHLY;BYDAY=2SA``.
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
            if until.endswith("Z"):  # as it has to be where the first one has a time zone (RFC 5545 §3.3.10)
                last = last.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
            # A day alone means that whole day.
            last = last.replace(hour=23, minute=59, second=59) if len(until) == 8 else last
            end = min(end, last)
        text = ";".join(f"{key}={value}" for key, value in parts.items() if key not in ("UNTIL", "COUNT"))
        # Without an end, a rule that never comes true would be searched up to the year 9999.
        found = rrulestr(text, dtstart=first).replace(until=end)
        if "COUNT" in parts:
            return [at for at in islice(found, int(parts["COUNT"])) if at >= begin]
        return found.between(begin, end, inc=True)  # type: ignore[no-any-return]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError) as error:
        raise ValueError(f'"{rule}" cannot be used as a rule: {error}; for example FREQ=MONTHLY;BYDAY=2SA') from error


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
    if not re.fullmatch(r"[1-9][0-9]{0,3}", parts.get("INTERVAL", "1")):
        raise ValueError(f"INTERVAL={parts['INTERVAL']}: 1 to 9999 is allowed")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", parts.get("COUNT", "1")):
        raise ValueError(f"COUNT={parts['COUNT']}: a rule comes 1 to 9999 times")
    if {"COUNT", "UNTIL"} <= parts.keys():
        raise ValueError(f'"{rule}" has both COUNT and UNTIL: a rule ends by one of them')
    return parts


def _wall(at_ns: int, zone: ZoneInfo) -> datetime:
    """Write a time as the clock on the wall shows it; rules of repetition follow that and know no time zone."""
    return min(datetime.fromtimestamp(at_ns // 10**9, UTC), _LAST).astimezone(zone).replace(tzinfo=None)
