"""The words of a language: sentences with named gaps, hints by probe and reason, how times and numbers are written."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from haidang.catalogue import LANGUAGES, Sentences

__all__ = ["LANGUAGES", "Catalogue"]


class Catalogue(Sentences):
    """One language.

    Parameters:
        language: ``vi`` or ``en``; any other gets English.
        zone: the time zone people read times in.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        super().__init__("alerting", language)
        self._zone = zone
        self._phrases = [(re.compile(one["of"]), one["say"]) for one in self.data["phrases"]]

    def level(self, level: str) -> str:
        """Return an administrative level as people call it; one that the language has no word for as it is."""
        return self.known("levels", level)

    def of_probe(self, probe: str, key: str) -> str:
        """Return how a probe's check is called (``check``), its failure shouted (``down``) or told (``sentence``)."""
        probes = self.data["probes"]
        return str(probes.get(probe.partition(":")[0], probes["other"])[key])

    def hints(self, probe: str, reason: str, gaps: Mapping[str, str]) -> list[str]:
        """Return what to look at next: the first block of the probe whose words occur in the reason.

        A hint that speaks of something not known (a gap whose value is empty) is left out.
        """
        blocks: Sequence[Mapping[str, Any]] = self.data["hints"].get(
            probe.partition(":")[0], self.data["hints"]["other"]
        )
        for block in blocks:
            words = block.get("when")
            if words is None or any(word in reason.lower() for word in words):
                return [str(hint).format(**gaps) for hint in block["say"] if _fillable(str(hint), gaps)][:4]
        return []

    def phrase(self, text: str) -> str:
        """Put what probes and evidence say, which is English, into the language as far as its phrases are known."""
        for phrase in self._phrases:
            text = phrase[0].sub(phrase[1], text)
        return text

    def time(self, at_ns: int) -> str:
        """Write a moment in full: ``23/11/2026 03:12:05``."""
        return self._local(at_ns).strftime("%d/%m/%Y %H:%M:%S")

    def minute(self, at_ns: int) -> str:
        """Write a moment for a subject line: ``03:12 23/11``."""
        return self._local(at_ns).strftime("%H:%M %d/%m")

    def month(self, at_ns: int) -> str:
        """Write the month of a moment: ``11/2026``."""
        return self._local(at_ns).strftime("%m/%Y")

    def clock(self, at_ns: int) -> Mapping[str, str]:
        """Return the gaps ``hour`` (``14:32``) and ``day`` (``23/11``) of a moment."""
        local = self._local(at_ns)
        return {"hour": local.strftime("%H:%M"), "day": local.strftime("%d/%m")}

    def duration(self, seconds: float) -> str:
        """Write a duration by its two largest units: ``12 phút 5 giây``."""
        left = max(0, round(seconds))
        parts = []
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

    def count(self, number: int) -> str:
        """Write a number with its thousands marked: ``63.000``, ``63,000``."""
        return f"{number:,}".replace(",", "." if self.say("decimal_mark") == "," else ",")

    def percent(self, value: float, digits: int = 3) -> str:
        """Write a percentage, cut and not rounded: 99.9996 never becomes 100."""
        scale = 10**digits
        text = f"{math.floor(value * scale + 1e-6) / scale:.{digits}f}"
        if digits:  # without a fraction the noughts at the end are the number's own: 100, 20
            text = text.rstrip("0").rstrip(".")
        return f"{text.replace('.', self.say('decimal_mark'))}%"

    def _local(self, at_ns: int) -> datetime:
        return datetime.fromtimestamp(at_ns // 10**9, self._zone)


def _fillable(hint: str, gaps: Mapping[str, str]) -> bool:
    return not any(f"{{{name}}}" in hint and not value for name, value in gaps.items())
