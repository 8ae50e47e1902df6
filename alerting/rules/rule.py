"""A rule over measurements, and what is remembered of one series under it."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from fnmatch import translate

from haidang.model import Series

NS = 10**9
SHORTEST_GAP_NS = 300 * NS
"""A pause up to this, or of a few of a series' usual ones, proves nothing; after a longer one it begins anew."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When a measurement is an incident.

    Parameters:
        id: its name.
        measurement, field: of which points which value.
        where: (tag, pattern) that a series must have; ``*`` stands for any characters.
        above, below: bad beyond; exactly one of these and ``absent_s``.
        absent_s: bad when a series that came before has not come for so long.
        clear: good again only at or within this; ``None``: the threshold.
        for_s, clear_for_s: how long it must be bad, and good, without a value that says otherwise.
        targets: only series of these have it; ``None``: any.
    """

    id: str
    measurement: str
    field: str
    where: tuple[tuple[str, str], ...] = ()
    above: float | None = None
    below: float | None = None
    absent_s: float | None = None
    clear: float | None = None
    for_s: float = 0.0
    clear_for_s: float = 0.0
    targets: frozenset[str] | None = None
    _patterns: tuple[tuple[str, re.Pattern[str]], ...] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        patterns = tuple((tag, re.compile(translate(pattern.replace("[", "[[]")))) for tag, pattern in self.where)
        object.__setattr__(self, "_patterns", patterns)

    def covers(self, series: Series) -> bool:
        """Tell whether it is about a series."""
        if series.measurement != self.measurement:
            return False
        tags = dict(series.tags)
        if self.targets is not None and tags.get("target") not in self.targets:
            return False
        return all(tag in tags and pattern.fullmatch(tags[tag]) for tag, pattern in self._patterns)

    def bad(self, value: float) -> bool:
        """Whether a value is beyond the threshold."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below

    def good(self, value: float) -> bool:
        """Whether a value is well within it again: hysteresis lies between good and bad."""
        if self.above is not None:
            return value <= (self.above if self.clear is None else self.clear)
        return self.below is None or value >= (self.below if self.clear is None else self.clear)


GONE_NS = 900 * NS
"""What fires is given up after so long without a value, or five times its usual pause when that is longer."""
GONE_UNKNOWN_NS = 26 * 3600 * NS
"""The same of a series of which nobody knows how often it comes: some are measured once a day."""

_BLIND_NS = 60 * NS
"""While its target fails it is looked so often whether that is over."""


class Watch:
    """What is remembered of one series under one rule. Times are UTC nanoseconds; 0 means never."""

    __slots__ = ("bad_ns", "blind", "blind_ns", "firing", "good_ns", "last_ns", "pause_ns", "rule", "series")

    def __init__(self, rule: Rule, series: Series) -> None:
        self.rule = rule
        self.series = series
        self.firing = False
        self.bad_ns = self.good_ns = self.last_ns = self.pause_ns = self.blind_ns = 0
        self.blind = False

    def step(self, value: float, at_ns: int) -> int | None:
        """Take a value in; return the true start of what begins or ends with it, ``None`` when nothing does."""
        if at_ns <= self.last_ns:
            return None
        rule = self.rule
        pause_ns = at_ns - self.last_ns if self.last_ns else 0
        if pause_ns > max(SHORTEST_GAP_NS, 3 * self.pause_ns):
            self.bad_ns = self.good_ns = 0  # nothing is proven by what lay before a gap
        self.last_ns, self.pause_ns = at_ns, pause_ns
        if rule.absent_s is not None:
            return at_ns if self.firing else None
        if not self.firing:
            if not rule.bad(value):
                self.bad_ns = 0
                return None
            self.bad_ns = self.bad_ns or at_ns
            return self.bad_ns if at_ns - self.bad_ns >= rule.for_s * NS else None
        if not rule.good(value):
            self.good_ns = 0
            return None
        self.good_ns = self.good_ns or at_ns
        return self.good_ns if at_ns - self.good_ns >= rule.clear_for_s * NS else None

    def gone(self, now_ns: int) -> bool:
        """Tell whether the values of what fires have stopped for so long that nobody knows whether it still holds."""
        if not self.firing or self.rule.absent_s is not None or not self.last_ns:
            return False
        usual_ns = max(GONE_NS, 5 * self.pause_ns) if self.pause_ns else GONE_UNKNOWN_NS
        least_ns = _BLIND_NS if self.blind else max(usual_ns, round(self.rule.clear_for_s * NS))
        return now_ns - max(self.last_ns, self.blind_ns) >= least_ns

    def excused(self, now_ns: int, *, blind: bool) -> bool:
        """Tell whether that is no wonder: its target fails, or was back only just now and has time to be measured."""
        excused = blind or self.blind
        self.blind, self.blind_ns = blind, now_ns
        return excused

    def clock_stepped(self, by_ns: int) -> None:
        """Move its times with the wall clock."""
        for name in ("bad_ns", "blind_ns", "good_ns", "last_ns"):
            if getattr(self, name):
                setattr(self, name, getattr(self, name) + by_ns)

    def turn(self) -> None:
        """Take what `step` said as a fact."""
        self.firing = not self.firing
        self.bad_ns = self.good_ns = 0
