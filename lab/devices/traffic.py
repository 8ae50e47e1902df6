"""Traffic as the integral of a rate: any time can be asked, in any order, and the counters fit together.

The rate follows a weekly pattern, known in closed form. The noise bends time instead of adding to the rate: a counter
shows what the smooth pattern would show a little earlier or later. As long as the bend is not too steep, counters never
go back, noise is in proportion to the traffic, and a month's sum has no drift. All of it is integer arithmetic: exact
for decades, the same on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

HOUR_MS = 3_600_000
WEEK_HOURS = 168
_MONDAY_MS = 4 * 24 * HOUR_MS  # 1970 began on a Thursday
_VIETNAM_HOURS = 7  # UTC+7 without daylight saving

_LATTICE = 4096
_FINE_MS = 60_000
_COARSE = 15  # in fine steps
_COARSE_MS = _COARSE * _FINE_MS
_FINE_BEND_MS, _COARSE_BEND_MS = 9_000, 225_000
STEEPEST = 0.8  # the sum of both slopes, 2 * bend / step: under 1, or counters would go back


def _lattice(seed: int, bend_ms: int) -> tuple[int, ...]:
    rng = random.Random(seed)
    return tuple(rng.randint(-bend_ms, bend_ms) for _ in range(_LATTICE))


_FINE = _lattice(1, _FINE_BEND_MS)
_ROUGH = _lattice(2, _COARSE_BEND_MS)


@dataclass(frozen=True)
class Pattern:
    """A week of traffic.

    Parameters:
        hours: the rate at the full hours, per mille of the peak; 168 of them from Monday 0:00 local time,
            straight lines between.
        utc_offset_h: local time's distance from UTC, hours.

    Raises:
        ValueError: not 168 numbers from 0 to 1000.
    """

    hours: tuple[int, ...]
    utc_offset_h: int = _VIETNAM_HOURS
    _sums: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.hours) != WEEK_HOURS or not all(0 <= hour <= 1000 for hour in self.hours):
            raise ValueError(f"a week has {WEEK_HOURS} hours with 0 to 1000 per mille of the peak each")
        around = (*self.hours, self.hours[0])
        # always whole: half an hour has a whole number of milliseconds
        sums = accumulate((HOUR_MS * (one + other) // 2 for one, other in pairwise(around)), initial=0)
        object.__setattr__(self, "_sums", tuple(sums))

    @classmethod
    def week(cls, workday: Sequence[int], weekend: Sequence[int]) -> Pattern:
        """Make a pattern of five working days and a weekend, 24 numbers each."""
        return cls((*workday,) * 5 + (*weekend,) * 2)

    def integral(self, at_ms: int) -> int:
        """Sum up the traffic from the Monday of 1970 until a time, in per mille of the peak × ms."""
        weeks, rest = divmod(at_ms + self.utc_offset_h * HOUR_MS - _MONDAY_MS, WEEK_HOURS * HOUR_MS)
        hour, into = divmod(rest, HOUR_MS)
        hours, sums = self.hours, self._sums
        here = hours[hour]
        slope = hours[hour + 1 if hour < WEEK_HOURS - 1 else 0] - here
        return weeks * sums[WEEK_HOURS] + sums[hour] + (2 * HOUR_MS * here + slope * into) * into // (2 * HOUR_MS)

    def level(self, at_ms: int) -> int:
        """Tell the rate at a time, in per mille of the peak."""
        hour, into = divmod((at_ms + self.utc_offset_h * HOUR_MS - _MONDAY_MS) % (WEEK_HOURS * HOUR_MS), HOUR_MS)
        here = self.hours[hour]
        return here + (self.hours[(hour + 1) % WEEK_HOURS] - here) * into // HOUR_MS


def _bend(at_ms: int, phase: int, strength: int) -> int:
    """Bend a time by the noise: one division at the end, so that rounding cannot make it go back."""
    fine, into = divmod(at_ms, _FINE_MS)
    coarse, far = divmod(at_ms, _COARSE_MS)
    place, other = (fine + phase) % _LATTICE, (coarse + phase * 7) % _LATTICE
    small = _FINE[place] * (_FINE_MS - into) + _FINE[place - _LATTICE + 1] * into
    large = _ROUGH[other] * (_COARSE_MS - far) + _ROUGH[other - _LATTICE + 1] * far
    return at_ms + (small * _COARSE + large) * strength // (1000 * _COARSE_MS)


def noise(at_ms: int, phase: int) -> float:
    """Give a number from -1 to 1 that wanders over minutes: for temperatures, loads and the like."""
    step, into = divmod(at_ms, _COARSE_MS)
    place = (step + phase) % _LATTICE
    return (_ROUGH[place] * (_COARSE_MS - into) + _ROUGH[place - _LATTICE + 1] * into) / (_COARSE_BEND_MS * _COARSE_MS)


class Flow:
    """A byte counter that runs.

    Parameters:
        pattern: its week.
        phase: which part of the noise; two flows of a seed differ by it.
        peak_bps: bits per second where the pattern says 1000; 0 stands still.
        ceiling_bps: the line's speed; the noise never makes more of the peak than this.
        now_ms: since when.
    """

    __slots__ = ("_ceiling", "_origin", "_peak", "_strength", "pattern", "phase")

    def __init__(self, pattern: Pattern, phase: int, peak_bps: int, ceiling_bps: int, now_ms: int) -> None:
        self.pattern = pattern
        self.phase = phase
        self._ceiling = ceiling_bps
        self._origin = 0
        self._peak = 0
        self._strength = 0
        self.run(peak_bps, now_ms)

    def octets(self, now_ms: int) -> int:
        """Read the counter: bytes since it began, never wrapped."""
        return self._origin + self._raw(now_ms)

    def run(self, peak_bps: int, now_ms: int) -> None:
        """Go on from here at another peak, 0 to stand still."""
        reached = self.octets(now_ms)
        peak_bps = max(0, min(peak_bps, self._ceiling))
        self._peak = peak_bps // 8
        if self._peak:
            headroom = (self._ceiling / peak_bps - 1) / STEEPEST
            self._strength = int(1000 * min(1.0, headroom))
        self._origin = reached - self._raw(now_ms)

    def clear(self, now_ms: int) -> None:
        """Begin at 0 again."""
        self._origin = -self._raw(now_ms)

    def _raw(self, now_ms: int) -> int:
        if not self._peak:
            return 0
        return self.pattern.integral(_bend(now_ms, self.phase, self._strength)) * self._peak // 1_000_000


# per mille of the peak at 0:00, 1:00 … 23:00
_OFFICE_DAY = (
    60, 50, 50, 50, 50, 60, 120, 420, 850, 980, 1000, 800,
    450, 600, 940, 1000, 880, 520, 260, 200, 180, 150, 110, 80,
)  # fmt: skip
_OFFICE_REST = (
    50, 40, 40, 40, 40, 50, 60, 90, 140, 160, 160, 140,
    120, 120, 130, 130, 120, 120, 130, 140, 130, 110, 80, 60,
)  # fmt: skip
_NIGHT = (
    900, 1000, 1000, 800, 400, 200, 150, 180, 260, 300, 300, 260,
    220, 240, 300, 300, 260, 200, 150, 130, 130, 200, 450, 700,
)  # fmt: skip

OFFICE = Pattern.week(_OFFICE_DAY, _OFFICE_REST)
STEADY = Pattern.week((1000,) * 24, (1000,) * 24)
BACKUP = Pattern.week(_NIGHT, _NIGHT)
MEETINGS = Pattern.week(
    (10,) * 7 + (60, 800, 1000, 1000, 500, 40, 300, 900, 900, 600, 60) + (10,) * 6, (10,) * 24
)  # fmt: skip
