"""What a line does to packets, one effect per class: jitter, loss, a narrow place.

Everything here is pure: a random generator and times go in, so the same seed and the same packets give the same fate.
"""

from __future__ import annotations

import math
from random import Random
from typing import Protocol

PARETO_SHAPE = (
    5.0  # heavy enough for rare long delays, light enough (fourth moment finite) for a spread one can measure
)
_PARETO_MEAN = PARETO_SHAPE / (PARETO_SHAPE - 1)
_PARETO_SD = math.sqrt(PARETO_SHAPE / (PARETO_SHAPE - 2)) / (PARETO_SHAPE - 1)
_ROOT_3 = math.sqrt(3)
_HOUR_NS = 3_600 * 10**9


class Loss(Protocol):
    """Decides, packet by packet, what is lost."""

    def lost(self, at_ns: int) -> bool:
        """Tell the fate of the packet that comes at ``at_ns`` (monotonic)."""
        ...


class IndependentLoss:
    """Each packet is lost with the same probability, whatever became of the one before.

    Parameters:
        share: 0 to 1.
    """

    def __init__(self, rng: Random, share: float) -> None:
        self._random = rng.random
        self._share = share

    def lost(self, at_ns: int) -> bool:  # noqa: ARG002 time plays no part
        """See `Loss.lost`."""
        return self._random() < self._share


class PacketBurstLoss:
    """Gilbert–Elliott loss that moves on with each packet: all is lost in the bad state, nothing in the good one.

    Parameters:
        share: long-run share of packets lost, 0 to 1 and at most ``burst / (1 + burst)``.
        burst: mean number of packets lost in a row, at least 1.

    Source: E. N. Gilbert, "Capacity of a burst-noise channel", Bell Syst. Tech. J. 39 (1960); E. O. Elliott, ibid. 42
    (1963).
    """

    def __init__(self, rng: Random, share: float, burst: float) -> None:
        self._random = rng.random
        self._leave = 1 / burst
        self._enter = self._leave * share / (1 - share)
        self._bad = rng.random() < share

    def lost(self, at_ns: int) -> bool:  # noqa: ARG002 this chain counts packets, not seconds
        """See `Loss.lost`."""
        bad = self._bad
        if self._random() < (self._leave if bad else self._enter):
            self._bad = not bad
        return bad


class TimedBurstLoss:
    """Gilbert–Elliott loss whose states last for seconds: what a probe every few seconds can notice as a burst.

    When the line is bad is drawn hour by hour and from nothing but the seed and the hour, not packet by packet: one
    packet more or less does not make another line of it, so a drill that is played again meets the same bad times.

    Parameters:
        seed: of the bad times.
        share: long-run share of the time in which everything is lost, 0 to 1 (both excluded).
        burst_s: mean length of a bad time, seconds.
    """

    def __init__(self, seed: str, share: float, burst_s: float) -> None:
        self._seed = seed
        self._share = share
        self._ends = 1 / (burst_s * 1e9 * (1 - share) / share), 1 / (burst_s * 1e9)  # of good and of bad times, per ns
        self._hour = -1
        self._random = Random()
        self._bad = False
        self._until_ns = 0.0

    def lost(self, at_ns: int) -> bool:
        """See `Loss.lost`."""
        hour = at_ns // _HOUR_NS
        if hour != self._hour:
            self._hour, self._random = hour, Random(f"{self._seed}/{hour}")
            self._bad = self._random.random() < self._share
            self._until_ns = hour * _HOUR_NS + self._random.expovariate(self._ends[self._bad])
        while self._until_ns <= at_ns:
            self._bad = not self._bad
            self._until_ns += self._random.expovariate(self._ends[self._bad])
        return self._bad


class Jitter:
    """Deviations of the delay, with mean 0 and a given standard deviation.

    Consecutive deviations hang together through a normal AR(1) sequence, mapped to the wished distribution. For
    ``normal`` the correlation is exact, for ``uniform`` within 0.02; ``pareto``'s comes out up to 0.1 lower.

    Parameters:
        spread_ns: standard deviation, nanoseconds.
        distribution: ``normal``, ``uniform`` or ``pareto`` (shape 5: many packets a little early, few much too late).
        correlation: of consecutive packets, 0 up to but not 1.
    """

    def __init__(self, rng: Random, spread_ns: float, distribution: str, correlation: float) -> None:
        self._gauss = rng.gauss
        self._spread = spread_ns
        self._distribution = distribution
        self._keep = correlation
        self._fresh = math.sqrt(1 - correlation * correlation)
        self._last = rng.gauss(0, 1)

    def draw(self) -> float:
        """Return the next packet's deviation, nanoseconds."""
        normal = self._last = self._keep * self._last + self._fresh * self._gauss(0, 1)
        if self._distribution == "normal":
            return normal * self._spread
        above = math.erfc(normal / math.sqrt(2)) / 2  # how much of the distribution lies above
        if self._distribution == "uniform":
            return _ROOT_3 * (1 - 2 * above) * self._spread
        pareto = math.pow(max(above, 1e-300), -1 / PARETO_SHAPE)
        return (pareto - _PARETO_MEAN) / _PARETO_SD * self._spread


class Bottleneck:
    """A token bucket with a queue behind it: passes so many bits per second, delays the rest, drops what is over.

    Parameters:
        bits_per_s: long-run rate.
        bucket_bytes: what may pass at once after a quiet time.
        queue_ns: the longest wait; a packet that would have to wait longer is dropped.
    """

    def __init__(self, bits_per_s: float, bucket_bytes: int, queue_ns: int) -> None:
        self._ns_per_byte = 8e9 / bits_per_s
        self._credit_ns = bucket_bytes * self._ns_per_byte
        self._queue_ns = queue_ns
        self._busy_until = -math.inf

    def wait(self, at_ns: int, size: int) -> int:
        """Return how long a packet of ``size`` bytes waits, nanoseconds; -1 when the queue is full."""
        done = max(self._busy_until, at_ns) + size * self._ns_per_byte
        wait = done - at_ns - self._credit_ns
        if wait > self._queue_ns:
            return -1
        self._busy_until = done
        return max(0, round(wait))
