"""What a scenario does beside the province: to the mail server and to the daemon's clock, simulated or real."""

from __future__ import annotations

import math

from haidang.clock import ManualClock
from haidang.rehearsal import Postbox
from lab.process import Lab

GREYLIST_S = 300.0


class WallClock:
    """How the daemon's wall clock was moved, so that its records can be put right; by default not at all.

    Parameters:
        clock: simulated time.
    """

    def __init__(self, clock: ManualClock | None = None) -> None:
        self._clock = clock
        self._offset_ns = 0 if clock is None else clock.utc_ns() - clock.monotonic_ns()
        self._steps: list[tuple[float, int]] = [(0, 0)]

    def step(self, seconds: float) -> None:
        """Move it."""
        if self._clock is None:
            raise ValueError("the clock of this machine is not the lab's to move")
        self._clock.step(seconds)
        moved_ns = self._steps[-1][1] + round(seconds * 1e9)
        self._steps.append((self._clock.monotonic_ns() + self._offset_ns, moved_ns))

    def true_ns(self, at_ns: int) -> int:
        """Tell what time it truly was when the daemon's clock showed ``at_ns``."""
        ends = [since_ns for since_ns, _ in self._steps[1:]]
        for (since_ns, moved_ns), until_ns in zip(self._steps, [*ends, math.inf], strict=True):
            if since_ns <= at_ns - moved_ns < until_ns:
                return at_ns - moved_ns
        return at_ns - self._steps[-1][1]


class SimulatedStage:
    """See `lab.scenario.Stage`.

    Parameters:
        clock: simulated time.
        postbox: takes the mail.

    Attributes:
        wall: what was done to the clock.
    """

    def __init__(self, clock: ManualClock, postbox: Postbox) -> None:
        self.wall = WallClock(clock)
        self._postbox = postbox

    def mail(self, state: str) -> None:
        """See `lab.scenario.Stage.mail`."""
        self._postbox.away = state == "away"
        self._postbox.greylist_s = GREYLIST_S if state == "greylist" else 0.0

    def step_clock(self, seconds: float) -> None:
        """See `lab.scenario.Stage.step_clock`."""
        self.wall.step(seconds)


class LiveStage:
    """See `lab.scenario.Stage`.

    Parameters:
        lab: whose mail servers are meant: all of them.
    """

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def mail(self, state: str) -> None:
        """See `lab.scenario.Stage.mail`."""
        faults: dict[str, dict[str, object]] = {"away": {"away": True}, "greylist": {"greylist_s": GREYLIST_S}}
        for offer in self._lab.running.province.offers({"smtp"}):
            self._lab.services.behave(offer.address, offer.port, **faults.get(state, {}))

    def step_clock(self, seconds: float) -> None:
        """See `lab.scenario.Stage.step_clock`."""
        WallClock().step(seconds)
