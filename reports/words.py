"""The words of a report in one language, and how its times, numbers and durations are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from haidang.catalogue import Sentences
from reports.parts import Label


class Words(Sentences):
    """One language.

    Parameters:
        language: ``vi`` or ``en``.
        zone: the time zone people read times in.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        super().__init__("reports", language)
        self.zone = zone

    def name(self, label: Label | None) -> str:
        """Return a name in this language."""
        return "" if label is None else label[self.language]

    def time(self, when: datetime | None) -> str:
        """Write a moment in full: ``23/11/2026 03:12:05``."""
        return "" if when is None else when.astimezone(self.zone).strftime("%d/%m/%Y %H:%M:%S")

    def short(self, when: datetime | None) -> str:
        """Write a moment of the month for a narrow column: ``23/11 03:12:05``."""
        return "" if when is None else when.astimezone(self.zone).strftime("%d/%m %H:%M:%S")

    def percent(self, value: float | None, digits: int = 3) -> str:
        """Write a percentage, cut and not rounded: 99.9996 never becomes 100."""
        if value is None:
            return "–"
        scale = 10**digits
        return f"{self._number(math.floor(value * scale + 1e-6) / scale, digits)}%"

    def number(self, value: float | None, digits: int = 0) -> str:
        """Write a number."""
        return "–" if value is None else self._number(value, digits)

    def duration(self, seconds: float | None) -> str:
        """Write a duration exactly to the second: ``2 ngày 03:04:05``, ``00:23:12``."""
        if seconds is None:
            return "–"
        sign, whole = ("−" if seconds <= -0.5 else ""), abs(round(seconds))
        days, rest = divmod(whole, 86400)
        clock = f"{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
        return f"{sign}{self.say('days' if days > 1 else 'day', n=days)} {clock}" if days else f"{sign}{clock}"

    def spoken(self, seconds: float) -> str:
        """Write a duration for a sentence, by its two largest units."""
        left, parts = abs(round(seconds)), []
        for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
            count, left = divmod(left, size)
            parts.append((unit, count))
        while len(parts) > 1 and parts[0][1] == 0:
            parts.pop(0)
        return " ".join(
            self.say(f"units.{unit}{'' if count == 1 else 's'}", n=count)
            for place, (unit, count) in enumerate(parts[:2])
            if count or place == 0
        )

    def month(self, name: str) -> str:
        """Write ``2026-11`` as ``11/2026``; months 1 and 2 keep their nought, as the norm wants it of all."""
        return f"{name[5:]}/{name[:4]}"

    def period(self, name: str) -> str:
        """Write the name of a period: ``2026-Q4`` is quarter IV in Vietnamese, ``90d`` are 90 days."""
        if name.endswith("d"):
            return self.say("days", n=name[:-1])
        year, _, part = name.partition("-")
        if part.startswith("Q"):
            number = int(part[1:])
            return self.say(
                "quarter", n=number if self.language == "en" else ("I", "II", "III", "IV")[number - 1], year=year
            )
        return self.month(name) if part else self.say("year", year=year)

    def _number(self, value: float, digits: int) -> str:
        text = f"{value:,.{digits}f}"
        return text if self.language == "en" else text.translate(str.maketrans(",.", ".,"))


def plain(language: str) -> Callable[..., str]:
    """Return what says texts of a language in which no time is written."""
    return Words(language, ZoneInfo("UTC")).say


def plain_list(language: str, key: str) -> list[str]:
    """Return a list of words by its dotted key."""
    return [str(one) for one in Sentences("reports", language).at(key)]
