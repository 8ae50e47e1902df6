"""Moments that a picture or a page names: midnights of a month, ticks of an axis."""

from __future__ import annotations

from datetime import datetime, timedelta

from availability.periods import Period
from dashboards.web.words import Words

HOUR_NS = 3600 * 10**9


def midnights(period: Period, words: Words) -> list[int]:
    """Return where each day of a period begins on the wall clock, and where the last one ends."""
    at = words.local(period.start_ns)
    found = []
    while (at_ns := round(at.timestamp()) * 10**9) < period.end_ns:
        found.append(at_ns)
        at = datetime.combine(at.date() + timedelta(days=1), at.time(), words.zone)
    return [*found, period.end_ns]


def days(start_ns: int, end_ns: int, words: Words, every: int = 1) -> list[tuple[int, str]]:
    """Return ticks at midnights: the day of the month."""
    ticks = [(at, f"{words.local(at):%d}") for at in midnights(Period("", _midnight(start_ns, words), end_ns), words)]
    return [tick for tick in ticks if start_ns <= tick[0] < end_ns][::every]


def hours(start_ns: int, end_ns: int, words: Words, every: int) -> list[tuple[int, str]]:
    """Return ticks at full hours of the wall clock that ``every`` divides."""
    at = words.local(start_ns).replace(minute=0, second=0) + timedelta(hours=1)
    found = []
    while (at_ns := round(at.timestamp()) * 10**9) < end_ns:
        if at.hour % every == 0:
            found.append((at_ns, f"{at:%H:%M}"))
        at += timedelta(hours=1)
    return found


def moment(words: Words, text: str) -> int:
    """Read what a browser's date and time field sends, on the wall clock of the configuration.

    Raises:
        ValueError: it is none; the words say what one is.
    """
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None and 1970 < at.year < 2200:
            return round(at.replace(tzinfo=words.zone).timestamp()) * 10**9
    except ValueError:
        pass
    raise ValueError(words("maintenance.bad_time"))


def _midnight(at_ns: int, words: Words) -> int:
    return round(words.local(at_ns).replace(hour=0, minute=0, second=0).timestamp()) * 10**9
