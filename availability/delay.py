"""Whether a line is slow: quantiles of its round-trip times against a limit, or against what is usual on it.

Quantiles and not means, because delays are skewed and a single burst behind a backup proves nothing (RFC 2681 §4).
It becomes slow when three quarters of two minutes' bursts are above the limit, and is well again when three quarters
are below four fifths of it.
"""

from __future__ import annotations

from array import array
from statistics import median

RECENT = 12
BLOCK = 30
BLOCKS = 288
LEARNT = 12
"""Blocks (of five minutes at the usual cadence) before it is known what is usual on a line."""


class DelayTest:
    """One check's test.

    What is usual is the median of a day's five-minute medians: a delay that stays for longer than half a day becomes
    the usual one, as after a line was moved to another route. Configure a limit where that is not wanted.
    """

    __slots__ = ("_block", "_over", "_recent", "_under", "_usual", "limit_ms", "since_ns", "slow", "usual_ms")

    def __init__(self) -> None:
        self.slow = False
        self.since_ns = 0
        self.limit_ms = 0.0
        self.usual_ms: float | None = None
        self._recent = array("f")
        self._block = array("f")
        self._usual = array("f")
        self._over = self._under = 0  # since when bursts have been above, below the limit

    def take(self, at_ns: int, rtt_ms: float, limit_ms: float | None) -> None:
        """Take one burst in.

        Parameters:
            at_ns: when it was, UTC nanoseconds.
            rtt_ms: its median.
            limit_ms: what is too slow; ``None``: twice the usual and 10 ms more.
        """
        self._learn(rtt_ms)
        self._recent.append(rtt_ms)
        if len(self._recent) > RECENT:
            self._recent.pop(0)
        if limit_ms is None:
            if self.usual_ms is None:
                return
            limit_ms = 2 * self.usual_ms + 10
        self.limit_ms = limit_ms
        self._over = (self._over or at_ns) if rtt_ms > limit_ms else 0 if not self.slow and self._calm() else self._over
        self._under = (self._under or at_ns) if rtt_ms < 0.8 * limit_ms else 0
        if len(self._recent) < RECENT:
            return
        ordered = sorted(self._recent)
        if not self.slow and ordered[RECENT // 4] > limit_ms:
            self.slow, self.since_ns = True, self._over or at_ns
        elif self.slow and ordered[-1 - RECENT // 4] < 0.8 * limit_ms:
            self.slow, self.since_ns, self._over = False, self._under or at_ns, 0

    @property
    def rtt_ms(self) -> float:
        """The median of the last bursts, for a person to read."""
        return median(self._recent) if self._recent else 0.0

    def reset(self) -> None:
        """Begin anew; what is usual is kept."""
        self.slow = False
        self._over = self._under = 0
        del self._recent[:]

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        self.since_ns += delta_ns if self.since_ns else 0
        self._over += delta_ns if self._over else 0
        self._under += delta_ns if self._under else 0

    def _calm(self) -> bool:
        """Whether most of the last bursts were below the limit: what was above it before was something else."""
        return sum(rtt > self.limit_ms for rtt in self._recent) < RECENT // 4

    def _learn(self, rtt_ms: float) -> None:
        self._block.append(rtt_ms)
        if len(self._block) == BLOCK:
            self._usual.append(median(self._block))
            del self._block[:]
            if len(self._usual) > BLOCKS:
                self._usual.pop(0)
            if len(self._usual) >= LEARNT:
                self.usual_ms = median(self._usual)
