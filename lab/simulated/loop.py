"""An event loop in simulated time: where a real one would sleep until the next timer, this one moves the clock."""

from __future__ import annotations

import asyncio
import math
import selectors

from haidang.clock import ManualClock


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Everything that waits on the loop (timers, `asyncio.timeout`, `asyncio.sleep`) waits in the clock's time.

    Simulated time passes only while nothing is ready to run. Real sockets and threads still work, but the time they
    take is not simulated: keep them out of what is to be measured.

    Parameters:
        clock: is moved.
        speed: at most so many times as fast as real time.
    """

    def __init__(self, clock: ManualClock, speed: float = math.inf) -> None:
        self._manual = clock
        super().__init__(_Selector(clock, speed))

    def time(self) -> float:
        """Tell the loop's time: the clock's monotonic one, seconds."""
        return self._manual.monotonic_ns() / 1e9


class _Selector(selectors.EpollSelector):
    """Looks at real descriptors without waiting, and lets simulated time pass instead."""

    def __init__(self, clock: ManualClock, speed: float) -> None:
        super().__init__()
        self._clock = clock
        self._speed = speed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(max(0.0, timeout) / self._speed)
        if not ready and timeout > 0:
            # One nanosecond more than asked for: a float of seconds must not end before the timer it was made from.
            self._clock.advance(timeout + 1e-9)
        return ready
