"""A prober in simulated time: checks pinged at their cadence and, while suspect, each second, as the daemon does it.

Drives the real `HealthEngine` with bursts spread over each cadence that become known when their last echo is answered
or given up. What is reachable when is a function; no sockets, no waiting.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Mapping, Sequence

from availability.dependencies import judge
from availability.health import HealthEngine
from availability.rule import Rule
from haidang.model import CheckId, Observation, Sample, Status, Transition

S = 1_000_000_000
START_NS = 1_700_000_000 * S
TIMEOUT_S = 2.0
FAST_S = 1.0
ECHOES = 5

Answers = Callable[[CheckId, float], bool]
"""Asked for each echo, in the order of sending per check: does this check answer what is sent at this second?"""


class Prober:
    """Pings checks and keeps what becomes certain.

    Parameters:
        cadences: seconds between the bursts of each check, and
        phases: when its first one is sent, in seconds.
        parents: who hangs on whom.
        answers: the truth.
        rule: how all are judged.
        needs: what a check cannot do without, beside its parents.
    """

    def __init__(
        self, cadences: Mapping[CheckId, float], phases: Mapping[CheckId, float],
        parents: Mapping[CheckId, tuple[CheckId, ...]], answers: Answers, rule: Rule,
        needs: Mapping[CheckId, tuple[CheckId, ...]] | None = None,
    ) -> None:  # fmt: skip
        self.engine = HealthEngine(judge, self._hurry)
        self.transitions: list[Transition] = []
        self.now_s = 0.0
        self._cadences = cadences
        self._answers = answers
        self._fast: dict[CheckId, int] = {}
        self._plan: list[tuple[float, int, CheckId, int | Observation]] = []
        self._order = itertools.count()
        self._turn = 0
        for check, cadence_s in cadences.items():
            self.engine.watch(check, rule)
            self._at(phases.get(check, 0.0) % cadence_s, check, 0)
        self.engine.connect(dict(parents), needs)
        self._generation = dict.fromkeys(cadences, 0)

    def run(self, until_s: float) -> None:
        """Let time pass up to a second."""
        tick_s = self.now_s
        while self._plan and self._plan[0][0] <= until_s:
            at_s, _, check, what = heapq.heappop(self._plan)
            while tick_s <= at_s:
                self._keep(self.engine.tick(START_NS + round(tick_s * S)))
                tick_s += 1
            self.now_s = at_s
            if isinstance(what, Observation):
                self._keep(self.engine.observe(what, START_NS + round(at_s * S)))
            elif what == self._generation[check]:
                self._send(check, at_s)
        self.now_s = until_s
        self._keep(self.engine.tick(START_NS + round(until_s * S)))

    def _send(self, check: CheckId, at_s: float) -> None:
        fast = check in self._fast
        cadence_s = FAST_S if fast else self._cadences[check]
        count = 1 if fast else ECHOES
        times = [at_s + number * cadence_s / count for number in range(count)]
        answered = [self._answers(check, sent_s) for sent_s in times]
        known_s = max(
            sent_s + (0.02 if ok else TIMEOUT_S) for sent_s, ok in zip(times, answered, strict=True)
        )  # fmt: skip
        samples = tuple(
            Sample(START_NS + round(sent_s * S), ok) for sent_s, ok in zip(times, answered, strict=True)
        )  # fmt: skip
        status = Status.UP if any(answered) else Status.DOWN
        reason = "" if any(answered) else "no reply"
        seen = Observation(check.target, check.probe, samples[0].at_ns, status, reason, {}, 1.0, samples)
        heapq.heappush(self._plan, (known_s, next(self._order), check, seen))
        self._at(at_s + cadence_s, check, self._generation[check])

    def _hurry(self, check: CheckId, fast: bool) -> None:
        self._generation[check] += 1
        if fast:
            self._fast[check] = 1
            self._at(self.now_s, check, self._generation[check])
        else:
            self._fast.pop(check, None)
            cadence_s = self._cadences[check]
            self._at((self.now_s // cadence_s + 1) * cadence_s, check, self._generation[check])

    def _at(self, at_s: float, check: CheckId, generation: int) -> None:
        heapq.heappush(self._plan, (at_s, next(self._order), check, generation))

    def _keep(self, transitions: Sequence[Transition]) -> None:
        self.transitions += transitions
