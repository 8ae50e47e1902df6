"""What state each check is in: failures are confirmed by samples spread over time, recoveries by a stable stretch.

Pure logic: no sockets, no clock, no storage. Feed it observations and the time; it returns the transitions that are
now certain, each with its true start. What a failure *is because of* is `availability.dependencies`' business.

One check's life::

    unknown --good sample--> up --failing run confirmed--> down | unreachable --stable good run--> up
       ^___________________ any of them, when we are blind ________________________|
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

from haidang.model import CheckId, Observation, State, Status, Transition

_FAILED = frozenset({State.DOWN, State.UNREACHABLE})
_TIMES = (
    "asked_ns", "bad_since_ns", "certain_ns", "failed_since_ns", "good_ns", "good_since_ns", "pending_since_ns",
    "released_ns", "sample_ns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """When a failure counts as confirmed and a recovery as stable.

    Parameters:
        failures: consecutive failed samples needed, and
        span_s: seconds they must be spread over; both, so that one moment's loss is no outage.
        clear_samples, clear_span_s: the same for good samples after an outage; lost ones in between do not count
            against it unless they are as many in a row as make a failure: a lossy line is up.
        stale_s: seconds without any certain sample after which the state is unknown.
        settle_s: after its parent is back, how long a hidden check may take to come back itself (a site that boots)
            before it counts as failed on its own.
    """

    failures: int = 5
    span_s: float = 40.0
    clear_samples: int = 3
    clear_span_s: float = 30.0
    stale_s: float = 60.0
    settle_s: float = 300.0


class Check:
    """One check's memory. Times are UTC nanoseconds; 0 means never."""

    __slots__ = (
        "asked_ns", "bad_count", "bad_since_ns", "before_unknown", "certain_ns", "children", "failed_since_ns",
        "good_count", "good_ns", "good_since_ns", "id", "parents", "pending_since_ns", "reason", "released_ns", "rule",
        "sample_ns", "state", "urgent",
    )  # fmt: skip

    def __init__(self, check: CheckId, rule: Rule) -> None:
        self.id = check
        self.rule = rule
        self.state: State | None = None
        self.before_unknown: State | None = None
        self.parents: tuple[Check, ...] = ()
        self.children: list[Check] = []
        self.bad_count = self.bad_since_ns = 0
        self.good_count = self.good_since_ns = 0
        self.sample_ns = 0  # newest certain sample
        self.good_ns = 0  # newest good one
        self.certain_ns = 0  # when a certain sample last came in, to notice silence
        self.failed_since_ns = 0  # true start of the confirmed failure
        self.released_ns = 0  # when the parent that hid it came back
        self.asked_ns = 0  # a child needs a sample later than this
        self.pending_since_ns = 0  # failing for certain, waiting for the parents' verdict
        self.reason = ""
        self.urgent = False

    @property
    def failed(self) -> bool:
        """Confirmed as failed, also when we have been blind since."""
        return self.state in _FAILED or (self.state is State.UNKNOWN and self.before_unknown in _FAILED)

    @property
    def failing(self) -> bool:
        """In a failing run, confirmed or not."""
        return self.bad_count > 0 or self.failed


class Verdict(Enum):
    """What the dependencies say of a check that fails for certain."""

    OWN_FAULT = auto()
    HIDDEN = auto()
    WAIT = auto()


Judge = Callable[[Check, int], tuple[Verdict, CheckId | None]]
"""Asked about a failing check and the time; tells the verdict and, for a hidden one, the root of the failure."""


class HealthEngine:
    """Holds every check and turns observations into transitions.

    Parameters:
        judge: the dependencies' verdict, see `availability.dependencies.judge`.
        hurry: called with a check and True when it should be probed fast (suspect, recovering, or needed for a
            child's verdict), and with False when the normal cadence does again.
    """

    def __init__(self, judge: Judge, hurry: Callable[[CheckId, bool], None]) -> None:
        self._judge = judge
        self._hurry = hurry
        self._checks: dict[CheckId, Check] = {}
        self._pending: dict[CheckId, Check] = {}

    def watch(self, check: CheckId, rule: Rule, last_known: State | None = None) -> None:
        """Begin to watch a check, or change the rule of a watched one; its memory stays.

        Parameters:
            check: its id.
            rule: how it is confirmed.
            last_known: the state before the daemon stopped: an outage that was confirmed before goes on with the
                first failed sample and is not confirmed a second time.
        """
        known = self._checks.get(check)
        if known is not None:
            known.rule = rule
            return
        known = self._checks[check] = Check(check, rule)
        if last_known is not None:
            known.state = State.UNKNOWN
            known.before_unknown = last_known

    def connect(self, parents: dict[CheckId, tuple[CheckId, ...]]) -> None:
        """Set who depends on whom. Parents that are not watched are left out."""
        for check in self._checks.values():
            check.children = []
        for check in self._checks.values():
            check.parents = tuple(
                self._checks[parent] for parent in parents.get(check.id, ()) if parent in self._checks
            )  # fmt: skip
            for parent in check.parents:
                parent.children.append(check)

    def forget(self, checks: Iterable[CheckId]) -> None:
        """Stop watching; call `connect` afterwards."""
        for check in checks:
            self._checks.pop(check, None)
            self._pending.pop(check, None)

    def state(self, check: CheckId) -> State | None:
        """Return the confirmed state; ``None`` before the first verdict."""
        known = self._checks.get(check)
        return known.state if known else None

    def suspects(self) -> int:
        """Count the checks that fail but are not confirmed yet."""
        return sum(1 for check in self._checks.values() if check.bad_count and not check.failed)

    def observe(self, observation: Observation, now_ns: int) -> list[Transition]:
        """Take one observation in.

        Parameters:
            observation: what a probe found; samples older than the newest one known are passed over (a slow burst
                that ends after faster samples has nothing to add).
            now_ns: UTC nanoseconds.

        Returns:
            transitions that are now certain, of this check and of those that waited for it; usually none.
        """
        check = self._checks.get(CheckId(observation.target, observation.probe))
        if check is None:
            return []
        out: list[Transition] = []
        check.reason = observation.reason
        if not observation.samples:
            if observation.status is Status.UNKNOWN:
                self._not_seen(check, observation, now_ns, out)
            self._pace(check)
            return out
        check.certain_ns = now_ns
        for sample in observation.samples:
            at_ns = min(sample.at_ns, now_ns)  # a sample from the future is the clock's error
            if at_ns <= check.sample_ns:
                continue
            check.sample_ns = at_ns
            if sample.ok:
                self._good(check, at_ns, now_ns, out)
            else:
                self._bad(check, at_ns, now_ns, out)
        self._pace(check)
        for child in tuple(check.children):
            if child.pending_since_ns:
                self._decide(child, now_ns, out)
        return out

    def tick(self, now_ns: int) -> list[Transition]:
        """Notice silence and verdicts that have waited long enough. Call it every few seconds."""
        out: list[Transition] = []
        for check in tuple(self._pending.values()):
            self._decide(check, now_ns, out)
        for check in self._checks.values():
            if check.state in (None, State.UNKNOWN) or not check.certain_ns:
                continue
            if now_ns - check.certain_ns > check.rule.stale_s * 1e9:
                self._blind(check, check.sample_ns, now_ns, check.reason or "no measurement any more", out)
        return out

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock, so that spans measured across it stay true."""
        for check in self._checks.values():
            for name in _TIMES:
                value = getattr(check, name)
                if value:
                    setattr(check, name, value + delta_ns)

    def _good(self, check: Check, at_ns: int, now_ns: int, out: list[Transition]) -> None:
        check.bad_count = check.bad_since_ns = 0
        self._settle(check)
        check.good_ns = at_ns
        check.good_count += 1
        if check.good_count == 1:
            check.good_since_ns = at_ns
        if check.state is State.UP:
            return
        if check.failed:
            rule = check.rule
            span = at_ns - check.good_since_ns
            if check.good_count < rule.clear_samples or span < rule.clear_span_s * 1e9:
                return
        self._change(check, State.UP, check.good_since_ns, now_ns, "", None, out)

    def _bad(self, check: Check, at_ns: int, now_ns: int, out: list[Transition]) -> None:
        check.bad_count += 1
        if check.bad_count == 1:
            check.bad_since_ns = at_ns
        if not check.failed or check.bad_count >= check.rule.failures:
            check.good_count = check.good_since_ns = 0
        if check.state is State.DOWN:
            return
        if check.bad_count == 2:
            for parent in check.parents:
                self._ask(parent, check.bad_since_ns)
        if check.state is State.UNKNOWN and check.before_unknown is State.DOWN:
            self._change(check, State.DOWN, check.bad_since_ns, now_ns, check.reason, None, out)
            return
        span = at_ns - check.bad_since_ns
        if check.bad_count >= check.rule.failures and span >= check.rule.span_s * 1e9:
            if not check.pending_since_ns:
                check.pending_since_ns = now_ns
                self._pending[check.id] = check
                for parent in check.parents:
                    self._ask(parent, now_ns)
            self._decide(check, now_ns, out)

    def _decide(self, check: Check, now_ns: int, out: list[Transition]) -> None:
        """Ask the dependencies about a check that fails for certain."""
        verdict, cause = self._judge(check, now_ns)
        if verdict is Verdict.WAIT:
            return
        since = check.bad_since_ns
        if verdict is Verdict.HIDDEN:
            self._settle(check)
            if check.state is not State.UNREACHABLE:
                self._change(check, State.UNREACHABLE, since, now_ns, check.reason, cause, out)
            return
        if check.state is State.UNREACHABLE and now_ns - check.released_ns < check.rule.settle_s * 1e9:
            return
        self._settle(check)
        self._change(check, State.DOWN, since, now_ns, check.reason, None, out)

    def _not_seen(self, check: Check, observation: Observation, now_ns: int, out: list[Transition]) -> None:
        """Take an observation that says nothing certain: nothing yet known stays unknown, what is known grows old."""
        if check.state is None:
            self._blind(check, observation.slot_ns, now_ns, observation.reason, out)
        elif check.state is State.UNKNOWN:
            check.bad_count = check.bad_since_ns = check.good_count = check.good_since_ns = 0

    def _blind(self, check: Check, at_ns: int, now_ns: int, reason: str, out: list[Transition]) -> None:
        check.before_unknown = check.state
        check.bad_count = check.bad_since_ns = check.good_count = check.good_since_ns = 0
        self._settle(check)
        self._change(check, State.UNKNOWN, at_ns, now_ns, reason, None, out)

    def _change(
        self, check: Check, state: State, at_ns: int, now_ns: int, reason: str, cause: CheckId | None,
        out: list[Transition],
    ) -> None:  # fmt: skip
        evidence: dict[str, float | int | str | bool] = {}
        if state in _FAILED:
            evidence = {"failures": check.bad_count, "span_s": (check.sample_ns - at_ns) / 1e9}
        elif state is State.UP and check.state in _FAILED:
            evidence = {"successes": check.good_count, "span_s": (check.sample_ns - at_ns) / 1e9}
        if state in _FAILED and evidence["failures"] != 1:
            reason = f"{reason} ({evidence['failures']} tries in {evidence['span_s']:.0f} s)".lstrip()
        out.append(Transition(check.id, state, check.state, at_ns, now_ns, reason, cause, evidence))
        check.state = state
        if state in _FAILED:
            check.failed_since_ns = at_ns
        if state is State.UP:
            check.before_unknown = None
            for child in check.children:
                if child.state is State.UNREACHABLE:
                    child.released_ns = now_ns
                    # Hidden until its own fresh sample: what failed while the parent was away proves nothing now.
                    child.bad_count = child.bad_since_ns = 0
                    self._ask(child, now_ns)
        self._pace(check)

    def _settle(self, check: Check) -> None:
        check.pending_since_ns = 0
        self._pending.pop(check.id, None)

    def _ask(self, check: Check, since_ns: int) -> None:
        """Have a check probed at once unless a sample later than ``since_ns`` is known."""
        if check.sample_ns <= since_ns:
            check.asked_ns = since_ns
            self._pace(check)

    def _pace(self, check: Check) -> None:
        urgent = (
            (check.bad_count > 0 and not check.failed)
            or (check.good_count > 0 and check.failed)
            or (check.bad_count > 0 and check.state is State.UNREACHABLE and not any(p.failing for p in check.parents))
            or check.asked_ns >= check.sample_ns > 0
        )
        if urgent != check.urgent:
            check.urgent = urgent
            self._hurry(check.id, urgent)
