"""The gate before a way out: so many messages a minute, none while the other side asks to wait or seems dead.

The breaker opens after `FAILURES` failures in a row that say the way itself is dead (not that one message was refused),
for `SHUT_S`, doubling up to `LONGEST_SHUT_S`. Then one message goes as a try: if it gets through, all go again.
"""

from __future__ import annotations

FAILURES = 3
SHUT_S = 30.0
LONGEST_SHUT_S = 300.0
LONGEST_HOLD_S = 3600.0
"""However long the other side asks to wait, it is asked again after an hour."""
_NS = 10**9


class Gate:
    """Of one channel or one server; times are monotonic nanoseconds.

    Parameters:
        most_per_minute: messages; so many may go at once after a quiet minute. ``None``: no limit.
    """

    def __init__(self, most_per_minute: int | None = None) -> None:
        self._most = most_per_minute
        self._tokens = float(most_per_minute or 0)
        self._counted_ns: int | None = None
        self._failures = 0
        self._shut_s = SHUT_S
        self._shut_until_ns: int | None = None
        self._held_until_ns = 0
        self._trying = False

    @property
    def dead(self) -> bool:
        """Whether the breaker is open, or only a try goes through it."""
        return self._shut_until_ns is not None

    def free(self, now_ns: int) -> int:
        """Return how many messages may go now."""
        if now_ns < self._held_until_ns or (self._shut_until_ns is not None and now_ns < self._shut_until_ns):
            return 0
        self._refill(now_ns)
        free = 1_000_000 if self._most is None else int(self._tokens + 1e-6)
        if self.dead:
            return 0 if self._trying else min(1, free)
        return free

    def take(self, now_ns: int) -> None:
        """Note that a message goes."""
        self._refill(now_ns)
        self._tokens -= 1
        self._trying = self.dead

    def opens_ns(self, now_ns: int) -> int | None:
        """Return when to look again; ``None``: it is open, or what is under way will tell."""
        if self.free(now_ns) or self._trying:
            return None
        times = [self._held_until_ns, self._shut_until_ns or 0]
        if self._most is not None and self._tokens < 1:
            times.append(now_ns + round((1 - self._tokens) * 60 * _NS / self._most) + 1)
        return max(times)

    def passed(self) -> bool:
        """Note that a message was taken, or refused by an other side that lives; tell whether that ends a failure."""
        mended, self._trying = self.dead, False
        self._failures, self._shut_s, self._shut_until_ns = 0, SHUT_S, None
        return mended

    def failed(self, now_ns: int) -> None:
        """Note that the way seems dead."""
        self._failures += 1
        if self._trying or (self._failures >= FAILURES and not self.dead):
            if self._trying:
                self._shut_s = min(LONGEST_SHUT_S, 2 * self._shut_s)
            self._shut_until_ns = now_ns + round(self._shut_s * _NS)
        self._trying = False

    def undecided(self) -> None:
        """Note that a try ended and says nothing of the way."""
        self._trying = False

    def hold(self, now_ns: int, seconds: float) -> None:
        """Wait as the other side asks (RFC 9110 §10.2.3, Retry-After)."""
        until_ns = now_ns + round(min(LONGEST_HOLD_S, max(0.0, seconds)) * _NS)
        self._held_until_ns = max(self._held_until_ns, until_ns)

    def _refill(self, now_ns: int) -> None:
        if self._most is not None and self._counted_ns is not None:
            self._tokens = min(self._most, self._tokens + (now_ns - self._counted_ns) / (60 * _NS) * self._most)
        self._counted_ns = now_ns
