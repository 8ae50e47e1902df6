"""Whether a line loses too much: a sequential test over single samples, with another threshold for getting well.

A cumulative sum of the log-likelihood ratio of *too much* against *usual* loss (E. S. Page, "Continuous Inspection
Schemes", Biometrika 1954; the ratio is that of A. Wald's sequential test, 1945). It decides as early as the evidence
allows: 20 % loss in about a minute and a half, 10 % in three to four.
"""

from __future__ import annotations

import math

_USUAL = 0.2
"""The usual loss is this share of the loss that is too much."""
_ENTER = 12.0
_LEAVE = 6.0
_APART_NS = 1_500_000_000
"""Samples closer than this count once: a suspect is probed fast just when it fails, which would weigh losses double."""


class LossTest:
    """One check's test.

    A run of losses counts as one: losses come in bursts (E. N. Gilbert, "Capacity of a Burst-Noise Channel", 1960),
    and single bursts are the business of the confirmation of failures.
    """

    __slots__ = ("_at_ns", "_losses", "_lost", "_maybe_ns", "_samples", "_score", "lossy", "percent", "since_ns")

    def __init__(self) -> None:
        self.lossy = False
        self.since_ns = 0  # where it became as it is, 0 while it never changed
        self.percent = 0.0  # the loss from there to the decision
        self._at_ns = 0
        self._maybe_ns = 0  # where the evidence for the other verdict begins
        self._lost = False
        self._score = 0.0
        self._losses = self._samples = 0

    def take(self, at_ns: int, *, ok: bool, percent: float) -> None:
        """Take one sample in.

        Parameters:
            at_ns: when it was sent, UTC nanoseconds, in order.
            ok: whether it was answered.
            percent: the loss that is too much; 0 switches the test off.
        """
        if percent <= 0:
            self.reset()
            return
        if at_ns - self._at_ns < _APART_NS:
            return
        self._at_ns = at_ns
        self._losses += not ok
        self._samples += 1
        if not ok and self._lost:
            return
        self._lost = not ok
        bad, usual = percent / 100, percent / 100 * _USUAL
        step = math.log((1 - bad) / (1 - usual)) if ok else math.log(bad / usual)
        if self._score == 0:
            self._maybe_ns, self._losses, self._samples = at_ns, int(not ok), 1
        self._score = max(0.0, self._score + (-step if self.lossy else step))
        if self._score > (_LEAVE if self.lossy else _ENTER):
            self.lossy = not self.lossy
            self.since_ns, self.percent = self._maybe_ns, 100 * self._losses / self._samples
            self._score = 0.0

    def reset(self) -> None:
        """Begin anew: after an outage the line may be another one."""
        self.lossy = self._lost = False
        self._score = 0.0

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        self.since_ns += delta_ns if self.since_ns else 0
        self._at_ns += delta_ns
        self._maybe_ns += delta_ns
