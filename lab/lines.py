"""Lines: named links of the lab whose delay, loss, rate and outages can be set while packets flow."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Literal, get_args

from lab.impairments import Bottleneck, IndependentLoss, Jitter, Loss, PacketBurstLoss, TimedBurstLoss

Distribution = Literal["normal", "uniform", "pareto"]
LONGEST_MS = 60_000.0
_CERTAIN = 4.0
"""A delay of so many times its deviation is, but for 3 packets in 100,000, never cut off at nothing."""


class Answer(StrEnum):
    """What the router before a broken line tells the sender."""

    SILENT = "silent"
    NET = "net-unreachable"
    HOST = "host-unreachable"
    PROHIBITED = "prohibited"


@dataclass(frozen=True, slots=True)
class Conditions:
    """How a line treats packets, in the numbers a contract and a ping use: those of the **round trip** over it.

    Half of the delay lies in each direction; the loss, duplication and reordering of each direction are such that a
    round trip sees the given percentage. Along a path delays add up and losses multiply.

    Parameters:
        delay_ms: round-trip delay.
        jitter_ms: standard deviation of the round-trip delay. Packets closer together than the jitter may overtake
            each other, as with netem; a delay never gets below 0, so keep it some times the jitter.
        distribution, correlation: of the jitter, see `lab.impairments.Jitter`.
        loss_percent: of round trips, 0 to 100.
        burst_packets: mean number of packets lost in a row (Gilbert–Elliott per packet); 0 for independent loss.
        burst_s: mean length of a bad time in which all packets are lost (Gilbert–Elliott in time); 0 for none.
        duplicate_percent: round trips answered twice.
        reorder_percent: packets that skip the delay of a direction and so overtake those before them.
        rate_mbit: capacity of each direction, Mbit/s at IP level; 0 for no limit.
        bucket_bytes, queue_ms: the limit's token bucket and longest wait.
    """

    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    distribution: Distribution = "normal"
    correlation: float = 0.0
    loss_percent: float = 0.0
    burst_packets: float = 0.0
    burst_s: float = 0.0
    duplicate_percent: float = 0.0
    reorder_percent: float = 0.0
    rate_mbit: float = 0.0
    bucket_bytes: int = 3000
    queue_ms: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what no line can do.

        Raises:
            ValueError: names the number and its range.
        """
        highest = {
            "delay_ms": LONGEST_MS, "jitter_ms": LONGEST_MS, "correlation": 0.999, "loss_percent": 100.0,
            "burst_packets": 1e6, "burst_s": 1e6, "duplicate_percent": 100.0, "reorder_percent": 100.0,
            "rate_mbit": 1e6, "bucket_bytes": 1e9, "queue_ms": LONGEST_MS,
        }  # fmt: skip
        for name, most in highest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
                raise ValueError(f"{name} must be a number from 0 to {most:g}, not {value!r}")
        if self.distribution not in get_args(Distribution):
            raise ValueError(f"distribution must be normal, uniform or pareto, not {self.distribution!r}")
        if self.burst_packets and self.burst_s:
            raise ValueError("a burst is measured in packets or in seconds: set burst_packets or burst_s, not both")
        if 0 < self.burst_packets < 1:
            raise ValueError(f"burst_packets must be at least 1 (or 0 for independent loss), not {self.burst_packets}")
        share = each_way(self.loss_percent)
        if share < 1 and self.burst_packets and share > self.burst_packets / (1 + self.burst_packets):
            raise ValueError(
                f"{self.loss_percent:g} % loss cannot come in bursts of {self.burst_packets:g} packets only"
            )


def each_way(percent: float) -> float:
    """Return the share that each of two directions must have so that a round trip sees ``percent``."""
    return 1 - math.sqrt(1 - percent / 100)


@dataclass(frozen=True, slots=True)
class Steady:
    """What directions add to a packet that none of them loses, holds up, doubles or lets overtake: normal delays.

    Means, variances and covariances of independent normal delays add up, so that many directions are one of these.

    Parameters:
        delay_ns: mean.
        variance, covariance: of the delay, and with that of the packet before, square nanoseconds.
    """

    delay_ns: int = 0
    variance: float = 0.0
    covariance: float = 0.0

    def __add__(self, other: Steady) -> Steady:
        return Steady(
            self.delay_ns + other.delay_ns, self.variance + other.variance, self.covariance + other.covariance
        )


def summed(ways: Iterable[Direction]) -> Steady | None:
    """Add directions up; ``None`` when one of them does more than delay."""
    total = Steady()
    for way in ways:
        if way.steady is None:
            return None
        total += way.steady
    return total


class Direction:
    """One direction of a line.

    Parameters:
        seed: what its random numbers grow from; give each direction its own.

    Attributes:
        idle: it does nothing to packets, so that a path may leave it out.
        steady: what it does can be added up with others', see `Steady`; ``None`` when it cannot.
    """

    __slots__ = (
        "_bottleneck", "_delay_ns", "_duplicate", "_jitter", "_loss", "_random", "_reorder", "_seed", "idle", "steady",
    )  # fmt: skip

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._random: Random | None = None  # 2.5 kB each: made when the first effect needs one
        self.idle = True
        self.steady: Steady | None = None
        self._loss: Loss | None = None
        self._jitter: Jitter | None = None
        self._bottleneck: Bottleneck | None = None
        self._delay_ns = 0
        self._duplicate = self._reorder = 0.0

    def set(self, wanted: Conditions) -> None:
        """Treat packets like this from now on."""
        rng = self._random = self._random or Random(self._seed)
        share = each_way(wanted.loss_percent)
        self._delay_ns = round(wanted.delay_ms * 1e6 / 2)
        self._loss = None
        if share >= 1 or (share and not wanted.burst_packets and not wanted.burst_s):
            self._loss = IndependentLoss(rng, share)
        elif share and wanted.burst_packets:
            self._loss = PacketBurstLoss(rng, share, wanted.burst_packets)
        elif share:
            self._loss = TimedBurstLoss(f"{self._seed}/spells", share, wanted.burst_s)
        self._jitter = None
        if wanted.jitter_ms:
            spread_ns = wanted.jitter_ms * 1e6 / math.sqrt(2)  # variances of the two directions add up
            self._jitter = Jitter(rng, spread_ns, wanted.distribution, wanted.correlation)
        self._bottleneck = None
        if wanted.rate_mbit:
            self._bottleneck = Bottleneck(wanted.rate_mbit * 1e6, wanted.bucket_bytes, round(wanted.queue_ms * 1e6))
        self._duplicate = each_way(wanted.duplicate_percent)
        self._reorder = each_way(wanted.reorder_percent)
        self.idle = not (
            self._delay_ns or self._loss or self._jitter or self._bottleneck or self._duplicate or self._reorder
        )
        self.steady = None
        spread_ns = wanted.jitter_ms * 1e6 / math.sqrt(2)
        if (
            not (self._loss or self._bottleneck or self._duplicate or self._reorder)
            and (wanted.distribution == "normal" or not spread_ns)
            and self._delay_ns >= _CERTAIN * spread_ns
        ):
            self.steady = Steady(self._delay_ns, spread_ns * spread_ns, spread_ns * spread_ns * wanted.correlation)

    def cross(self, at_ns: int, size: int) -> tuple[int, ...]:
        """Return when a packet of ``size`` bytes that enters at ``at_ns`` comes out: never, once, or twice."""
        if self._loss is not None and self._loss.lost(at_ns):
            return ()
        out_ns = at_ns
        if self._bottleneck is not None:
            wait = self._bottleneck.wait(at_ns, size)
            if wait < 0:
                return ()
            out_ns += wait
        if self._reorder and self._draw() < self._reorder:
            delay = 0
        elif self._jitter is not None:
            delay = max(0, self._delay_ns + round(self._jitter.draw()))
        else:
            delay = self._delay_ns
        if self._duplicate and self._draw() < self._duplicate:
            return out_ns + delay, out_ns + delay
        return (out_ns + delay,)

    def _draw(self) -> float:
        assert self._random is not None  # noqa: S101 set() made it before any effect was there
        return self._random.random()


class Line:
    """A link between two places.

    Parameters:
        name: how operators and scenarios call it.
        seed: of its random numbers.
        on_change: called after each change of `outage` (True) or of the conditions (False), so that routes follow.

    Attributes:
        outage: nothing passes.
        answer: what the router before the break tells senders meanwhile.
        forth, back: its two directions, away from and towards the centre.
    """

    __slots__ = ("_on_change", "answer", "back", "conditions", "forth", "name", "outage")

    def __init__(
        self, name: str, seed: str = "0", conditions: Conditions | None = None,
        on_change: Callable[[Line, bool], None] | None = None,
    ) -> None:  # fmt: skip
        self.name = name
        self.outage = False
        self.answer = Answer.SILENT
        self.forth = Direction(f"{seed}/{name}/forth")
        self.back = Direction(f"{seed}/{name}/back")
        self._on_change = on_change
        self.conditions = Conditions()
        if conditions is not None and conditions != self.conditions:
            self._apply(conditions)

    def cut(self, answer: Answer = Answer.SILENT) -> None:
        """Let nothing pass; what already is on its way still arrives."""
        changed = not self.outage
        self.outage, self.answer = True, Answer(answer)
        self._tell(outage=changed)

    def mend(self) -> None:
        """End the outage; the conditions stay as they are."""
        if self.outage:
            self.outage = False
            self._tell(outage=True)

    def set(self, **changes: object) -> Conditions:
        """Change some of the conditions, e.g. ``line.set(delay_ms=20, jitter_ms=2, loss_percent=5)``.

        Raises:
            ValueError: an unknown name or a number out of range; nothing is changed then.
        """
        known = {field.name for field in dataclasses.fields(Conditions)}
        unknown = sorted(changes.keys() - known)
        if unknown:
            raise ValueError(f"a line has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
        self._apply(dataclasses.replace(self.conditions, **changes))  # type: ignore[arg-type]  # checked there
        self._tell(outage=False)
        return self.conditions

    def reset(self) -> None:
        """Give back a perfect line: no outage, no delay, no loss."""
        self._apply(Conditions())
        self._tell(outage=False)
        self.mend()

    @property
    def perfect(self) -> bool:
        """Nothing is set on it."""
        return not self.outage and self.conditions == Conditions()

    def describe(self) -> dict[str, object]:
        """Return the outage, and the conditions that differ from a perfect line's."""
        perfect = dataclasses.asdict(Conditions())
        found = dataclasses.asdict(self.conditions).items()
        return {"outage": self.outage} | {name: value for name, value in found if value != perfect[name]}

    def _apply(self, conditions: Conditions) -> None:
        self.conditions = conditions
        self.forth.set(conditions)
        self.back.set(conditions)

    def _tell(self, *, outage: bool) -> None:
        if self._on_change is not None:
            self._on_change(self, outage)
