"""Time, injected: nothing else in the project reads a clock for a decision or sleeps by itself.

Wall clocks jump (an NTP step, a wrong RTC, an operator): durations and cadences are measured on the monotonic clock,
facts are stamped in UTC.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the rooms ask for the time."""

    def utc_ns(self) -> int:
        """The wall clock: UTC nanoseconds since 1970. May jump in both directions."""
        ...

    def monotonic_ns(self) -> int:
        """Nanoseconds that never go back, from an arbitrary origin. Only differences mean something."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def utc_ns(self) -> int:
        """See `Clock.utc_ns`."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """See `Clock.monotonic_ns`."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until it is told to move: for tests, replays and the lab's compressed time.

    Parameters:
        utc_ns: where the wall clock starts, UTC nanoseconds since 1970.
    """

    def __init__(self, utc_ns: int = 1_700_000_000_000_000_000) -> None:
        self._utc_ns = utc_ns
        self._monotonic_ns = 1_000_000_000

    def utc_ns(self) -> int:
        """See `Clock.utc_ns`."""
        return self._utc_ns

    def monotonic_ns(self) -> int:
        """See `Clock.monotonic_ns`."""
        return self._monotonic_ns

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks.

        Raises:
            ValueError: for a negative duration; the monotonic clock never goes back.
        """
        if seconds < 0:
            raise ValueError(f"time passes forward only, not by {seconds} s; to move the wall clock use step()")
        ns = round(seconds * 1e9)
        self._utc_ns += ns
        self._monotonic_ns += ns

    def step(self, seconds: float) -> None:
        """Move only the wall clock, as an NTP step or an operator does."""
        self._utc_ns += round(seconds * 1e9)
