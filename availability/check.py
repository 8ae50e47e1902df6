"""One check's memory, and what may be said of a check that fails for certain."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from availability.delay import DelayTest
from availability.flapping import Flapping
from availability.loss import LossTest
from availability.rule import Rule
from haidang.model import CheckId, State

FAILED = frozenset({State.DOWN, State.UNREACHABLE})
WORKING = frozenset({State.UP, State.DEGRADED})
_TIMES = (
    "answered_ns", "asked_ns", "bad_since_ns", "certain_ns", "changed_ns", "failed_since_ns", "good_ns",
    "good_since_ns", "lost_ns", "pending_since_ns", "released_ns", "sample_ns", "turning_ns", "warned_ns",
)  # fmt: skip


class Check:
    """One check's memory. Times are UTC nanoseconds; 0 means never."""

    __slots__ = (
        "answered_ns", "asked_ns", "bad_count", "bad_since_ns", "before_unknown", "certain_ns", "changed_ns",
        "children", "delay", "failed_since_ns", "flapping", "good_count", "good_ns", "good_since_ns", "id", "loss",
        "lost_ns", "needs", "no_route", "parents", "pending_since_ns", "reason", "released_ns", "risks", "rule",
        "sample_ns", "state", "troubles", "turning_ns", "urgent", "waiting", "warned_ns", "warning",
    )  # fmt: skip

    def __init__(self, check: CheckId, rule: Rule) -> None:
        self.id = check
        self.rule = rule
        self.state: State | None = None
        self.before_unknown: State | None = None
        self.parents: tuple[Check, ...] = ()  # any of them suffices
        self.needs: tuple[Check, ...] = ()  # each of them is needed
        self.children: list[Check] = []
        self.waiting: dict[CheckId, Check] = {}  # children whose verdict waits for this one
        self.risks: tuple[CheckId, ...] = ()  # what it shares with others
        self.bad_count = self.bad_since_ns = 0
        self.good_count = self.good_since_ns = 0
        self.sample_ns = 0  # newest certain sample
        self.answered_ns = 0  # newest good one
        self.good_ns = 0  # newest good one that was not alone
        self.lost_ns = 0  # newest failed one
        self.certain_ns = 0  # when a certain sample last came in, to notice silence
        self.changed_ns = 0  # where the present state begins
        self.failed_since_ns = 0  # true start of the confirmed failure
        self.released_ns = 0  # when the parent that hid it came back
        self.asked_ns = 0  # a child needs a sample later than this
        self.pending_since_ns = 0  # failing for certain, waiting for the parents' verdict
        self.reason = ""
        self.no_route = False  # the newest observation says so
        self.urgent = False
        self.warning = ""  # what the probe itself warns of
        self.warned_ns = 0  # since when it does, or no longer does
        self.turning_ns = 0  # the first that says otherwise, waiting for a second
        self.loss = LossTest()
        self.delay = DelayTest()
        self.flapping = Flapping()
        self.troubles: tuple[str, ...] = ()  # the kinds of what makes it degraded

    @property
    def failed(self) -> bool:
        """Confirmed as failed, also when we have been blind since."""
        return self.state in FAILED or (self.state is State.UNKNOWN and self.before_unknown in FAILED)

    @property
    def failing(self) -> bool:
        """In a failing run, confirmed or not."""
        return self.bad_count > 0 or self.failed

    @property
    def failing_since_ns(self) -> int:
        """The first failed sample of what fails now, 0 when nothing does."""
        return self.failed_since_ns if self.failed else self.bad_since_ns

    @property
    def above(self) -> tuple[Check, ...]:
        """All that it hangs on."""
        return self.parents + self.needs

    def away_above(self, away: Callable[[Check], bool]) -> bool:
        """Whether it cannot be reached when what it hangs on is away."""
        return any(map(away, self.needs)) or (bool(self.parents) and all(map(away, self.parents)))

    @property
    def unsteady(self) -> bool:
        """Whether it, or what it hangs on, flaps: then shorter runs confirm."""
        return self.flapping.active or any(parent.unsteady for parent in self.above)

    def flapping_above(self) -> CheckId | None:
        """Return the highest check it hangs on that flaps."""
        for parent in self.above:
            if parent.unsteady:
                return parent.flapping_above() or parent.id
        return None

    @property
    def cut_off(self) -> bool:
        """Whether this machine has no route to it, or to what it hangs on."""
        return self.no_route or self.away_above(lambda parent: parent.cut_off)

    def recall(self, at_ns: int, *, ok: bool) -> None:
        """Take in a sample older than the newest: a slow burst that ends after faster ones tells where a run began."""
        if ok and self.good_count and self.lost_ns < at_ns < self.good_since_ns:
            self.good_since_ns = at_ns
        elif not ok and self.bad_count and self.answered_ns < at_ns < self.bad_since_ns:
            self.bad_since_ns = at_ns

    def forget_runs(self) -> None:
        """Drop the runs of good and failed samples: nothing is proven by what lies before a gap."""
        self.bad_count = self.bad_since_ns = self.good_count = self.good_since_ns = 0

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        for name in _TIMES:
            value = getattr(self, name)
            if value:
                setattr(self, name, value + delta_ns)
        self.loss.shift(delta_ns)
        self.delay.shift(delta_ns)
        self.flapping.shift(delta_ns)


class Verdict(Enum):
    """What the dependencies say of a check that fails for certain."""

    OWN_FAULT = auto()
    HIDDEN = auto()
    WAIT = auto()


Judge = Callable[[Check, int], tuple[Verdict, CheckId | None]]
"""Asked about a failing check and the time; tells the verdict and, for a hidden one, the root of the failure."""
