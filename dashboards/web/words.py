"""The words of the pages in a language, and how times, durations and numbers are written in it."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from ruamel.yaml import YAML

from alerting.catalogue import Catalogue
from alerting.world import Words as Names
from alerting.world import in_language
from haidang.catalogue import LANGUAGES, Sentences
from haidang.reasons import told

__all__ = ["LANGUAGES", "Words", "words"]


class Words(Sentences):
    """One language.

    Parameters:
        language: ``vi`` or ``en``.
        zone: the time zone people read times in.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        super().__init__("dashboards.web", language)
        self._mail = Catalogue(language, zone)
        self.zone = zone

    def __call__(self, key: str, **gaps: object) -> str:
        """See `Sentences.say`: templates call it all the time."""
        return self.say(key, **gaps)

    def day(self, number: int) -> str:
        """Return a day of the week, short; 0 is Monday."""
        return str(self.at("calendar.days")[number])

    def name(self, names: Names, otherwise: str = "") -> str:
        """Return a name in this language."""
        return in_language(names, self.language) or otherwise

    def local(self, at_ns: int) -> datetime:
        """Return a moment on the wall clock."""
        return datetime.fromtimestamp(at_ns // 10**9, self.zone)

    def time(self, at_ns: int) -> str:
        """Write a moment in full: ``23/11/2026 03:12:05``."""
        return self._mail.time(at_ns)

    def hour(self, at_ns: int) -> str:
        """Write the time of day: ``03:12:05``."""
        return f"{self.local(at_ns):%H:%M:%S}"

    def moment(self, at_ns: int, now_ns: int) -> str:
        """Write a moment as short as it is clear: the hour for today, the day with it for earlier ones."""
        at, now = self.local(at_ns), self.local(now_ns)
        if at.date() == now.date():
            return f"{at:%H:%M}"
        return f"{at:%H:%M %d/%m}" if at.year == now.year else f"{at:%d/%m/%Y}"

    def duration(self, seconds: float) -> str:
        """Write a duration by its two largest units: ``12 phút 5 giây``."""
        return self._mail.duration(seconds)

    def about(self, seconds: float) -> str:
        """Write a duration that need not be exact by its two largest units, seconds only below a minute."""
        return self._mail.duration(seconds if seconds < 60 else seconds // 60 * 60)

    def percent(self, value: float | None, digits: int = 3) -> str:
        """Write a percentage, cut and not rounded: 99.9996 never becomes 100."""
        return "–" if value is None else self._mail.percent(value, digits)

    def number(self, value: float, digits: int = 1) -> str:
        """Write a number, with the language's decimal mark and spaces between thousands."""
        text = f"{value:,.{digits}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        return text.replace(",", "\u202f").replace(".", self._mail.say("decimal_mark"))

    def reason(self, text: str) -> str:
        """Write what a probe, a rule or the ledger says in this language, as far as its words are known here."""
        if self.language == "en" or not text:
            return text
        state, _, rest = text.partition(": ")
        if state in self.data["states"]:
            return f"{self.known('states', state)}: {self.reason(rest)}" if rest else self.known("states", state)
        found = "; ".join(map(_reason, text.split("; ")))
        return found if found != text else told(text, self.language)

    def ms(self, value: float) -> str:
        """Write milliseconds: ``0,84 ms``."""
        return f"{self.number(value, 2 if value < 1 else 1)} ms"

    def bits(self, bps: float) -> str:
        """Write a rate: ``12,4 Mbit/s``."""
        for size, unit in ((1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
            if bps >= size:
                return f"{self.number(bps / size)} {unit}"
        return f"{self.number(bps, 0)} bit/s"


@lru_cache(maxsize=1)
def _pieces() -> tuple[tuple[re.Pattern[str], str], ...]:
    file = resources.files("dashboards.web") / "catalogues" / "reasons.vi.yaml"
    rows = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    return tuple((re.compile(pattern), said) for pattern, said in rows)


@lru_cache(maxsize=2000)
def _reason(text: str) -> str:
    for pattern, said in _pieces():
        text = pattern.sub(said, text)
    return text


@lru_cache(maxsize=8)
def words(language: str, zone: ZoneInfo) -> Words:
    """Return the words of a language; read once."""
    return Words(language, zone)
