"""Holding back whoever guesses passwords: each failure after the first few doubles the time until the next try."""

from __future__ import annotations

from collections import OrderedDict

from haidang.clock import Clock

FREE = 5
"""Failures that cost nothing but the try."""
LONGEST_S = 900.0
MOST = 10_000
"""Accounts and addresses that are remembered; those quiet for longest are forgotten first."""


class Backoff:
    """Remembers failures by account and by address.

    Parameters:
        clock: monotonic time is used.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self.refused = 0
        """Tries that were turned away without a look at the password."""
        self.wrong = 0
        """Tries that were looked at and led to nothing: passwords, codes, what came back from a provider."""

    def wait_s(self, *keys: str) -> float:
        """Return how long the next try has to wait; 0 when it may be made.

        Parameters:
            keys: what it is counted by, e.g. ``user:an`` and ``from:192.0.2.7``.
        """
        wait = max((self._wait_s(key) for key in keys), default=0.0)
        if wait > 0:
            self.refused += 1
        return wait

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        now_ns = self._clock.monotonic_ns()
        for key in keys:
            count, _ = self._failed.pop(key, (0, 0))
            self._failed[key] = (count + 1, now_ns)
        while len(self._failed) > MOST:
            self._failed.popitem(last=False)

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        for key in keys:
            self._failed.pop(key, None)

    def _wait_s(self, key: str) -> float:
        count, at_ns = self._failed.get(key, (0, 0))
        if count < FREE:
            return 0.0
        pause_s = min(LONGEST_S, 2.0 ** (count - FREE))
        return max(0.0, pause_s - (self._clock.monotonic_ns() - at_ns) / 1e9)
