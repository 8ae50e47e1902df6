"""The lab's time."""

from __future__ import annotations

from haidang.clock import Clock


class Timeline:
    """UTC as the simulated world sees it: it began when the clock said so and passes as the monotonic clock does.

    An operator who steps the machine's clock (a scenario of its own) must not make counters jump or UPS batteries
    drain in the lab.

    Parameters:
        clock: whose time passes.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began_ns = clock.utc_ns() - clock.monotonic_ns()

    def now_ns(self) -> int:
        """Tell the time, UTC nanoseconds since 1970; it never goes back."""
        return self._began_ns + self._clock.monotonic_ns()
