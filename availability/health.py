"""What state each check is in: failures are confirmed by samples spread over time, recoveries by a stable stretch.

Pure logic: no sockets, no clock, no storage. Feed it observations and the time; it returns the transitions that are
now certain, each with its true start. What a failure *is because of* is the business of `availability.dependencies`
(parents) and `availability.risks` (what checks share); what is worse than well, of `availability.degradation`.

One check's life::

    unknown --good sample--> up <--> degraded --failing run confirmed--> down | unreachable --stable good run--> up
       ^___________________________ any of them, when we are blind ____________________________|

Flapping lies on top of the states: they go on, confirmed by shorter runs, and their transitions say so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from availability.check import FAILED, WORKING, Check, Judge, Verdict
from availability.degradation import measure, troubles, well_since_ns
from availability.pace import Pace
from availability.risks import FEWEST, OWN_ROUTE, RiskGroup, SharedRisks
from availability.rule import Rule
from availability.silence import Silence
from availability.unsteady import Unsteady
from haidang.model import CheckId, FieldValue, Observation, State, Status, Transition


class HealthEngine:
    """Holds every check and turns observations into transitions.

    Parameters:
        judge: the dependencies' verdict, see `availability.dependencies.judge`.
        hurry: called with a check and True when it should be probed fast (suspect, recovering, or needed for a
            child's verdict), and with False when the normal cadence does again.
    """

    def __init__(self, judge: Judge, hurry: Callable[[CheckId, bool], None]) -> None:
        self._judge = judge
        self._pace = Pace(hurry)
        self._checks: dict[CheckId, Check] = {}
        self._pending: dict[CheckId, Check] = {}
        self._unsteady = Unsteady(self._say, self._pace)
        self._silence = Silence(self._checks.get)
        self._risks = SharedRisks()

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
        self._silence.watch(check)
        if last_known is not None:
            known.state = State.UNKNOWN
            known.before_unknown = last_known

    def connect(
        self, parents: Mapping[CheckId, tuple[CheckId, ...]], needs: Mapping[CheckId, tuple[CheckId, ...]] | None = None
    ) -> None:
        """Set who depends on whom. What is not watched is left out.

        Parameters:
            parents: of each check; any of them suffices.
            needs: of each check; every single one is needed.
        """
        for check in self._checks.values():
            check.children = []
            check.waiting = {}
        for check in self._checks.values():
            check.parents = self._watched(parents.get(check.id, ()))
            check.needs = self._watched((needs or {}).get(check.id, ()))
            for parent in check.above:
                parent.children.append(check)
                if check.pending_since_ns:
                    parent.waiting[check.id] = check

    def _watched(self, names: Sequence[CheckId]) -> tuple[Check, ...]:
        return tuple(self._checks[name] for name in names if name in self._checks)

    def share(self, groups: Mapping[CheckId, Sequence[CheckId]], down: Sequence[CheckId] = ()) -> None:
        """Set which checks share a risk; call it after `connect`. Members that are not watched are left out.

        Parameters:
            groups: each group's id (its name, and what it is for a probe: ``carrier``) and its members.
            down: groups that were down before the daemon stopped.
        """
        for check in self._checks.values():
            check.risks = ()
        self._risks.use(
            [
                RiskGroup(group, [self._checks[name] for name in members if name in self._checks])
                for group, members in groups.items()
            ],
            down,
        )

    def forget(self, checks: Iterable[CheckId]) -> None:
        """Stop watching; call `connect` and `share` afterwards."""
        for check in checks:
            self._checks.pop(check, None)
            self._pending.pop(check, None)
            self._unsteady.forget(check)

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
            observation: what a probe found; samples older than the newest one known only tell where a run began.
            now_ns: UTC nanoseconds.

        Returns:
            transitions that are now certain, of this check and of those that waited for it; usually none.
        """
        check = self._checks.get(CheckId(observation.target, observation.probe))
        if check is None:
            return []
        out: list[Transition] = []
        check.reason = observation.reason
        if check.no_route and not observation.no_route:
            check.forget_runs()  # nothing is backdated over the time we were cut off
            out += self._risks.back(check, now_ns, now_ns, (OWN_ROUTE,))
        check.no_route = observation.no_route
        if not observation.samples:
            if observation.status is Status.UNKNOWN:
                self._not_seen(check, observation, now_ns, out)
            self._pace.set(check)
            return out
        check.certain_ns = now_ns
        fresh = observation.samples[-1].at_ns > check.sample_ns
        for sample in observation.samples:
            at_ns = min(sample.at_ns, now_ns)  # a sample from the future is the clock's error
            if at_ns <= check.sample_ns:
                check.recall(at_ns, ok=sample.ok)
                continue
            check.sample_ns = at_ns
            if sample.ok:
                self._good(check, at_ns, now_ns, out)
            else:
                self._bad(check, at_ns, now_ns, out)
        if fresh and check.state in WORKING:
            measure(check, observation)
            self._weigh(check, now_ns, out)
        self._pace.set(check)
        for child in tuple(check.waiting.values()):
            self._decide(child, now_ns, out)
        return out

    def tick(self, now_ns: int) -> list[Transition]:
        """Notice silence, verdicts that have waited long enough and the end of flapping. Call it every few seconds."""
        out: list[Transition] = []
        for check in tuple(self._pending.values()):
            self._decide(check, now_ns, out)
        self._unsteady.tick(now_ns, out)
        for check in self._silence.due(now_ns):
            self._blind(check, check.sample_ns, now_ns, check.reason or "no measurement any more", out)
        out += self._risks.tick(now_ns)
        return out

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock, so that spans measured across it stay true."""
        for check in self._checks.values():
            check.shift(delta_ns)
        self._risks.shift(delta_ns)
        self._silence.shift(delta_ns)

    def _good(self, check: Check, at_ns: int, now_ns: int, out: list[Transition]) -> None:
        if check.bad_count and check.state in WORKING:
            self._unsteady.brief(check, check.bad_count, check.bad_since_ns, at_ns, now_ns, out)
        check.bad_count = check.bad_since_ns = 0
        self._settle(check)
        check.answered_ns = at_ns
        check.good_count += 1
        if check.good_count == 1:
            check.good_since_ns = at_ns
        else:
            check.good_ns = at_ns
        if check.state in WORKING:
            return
        if check.failed:
            rule = check.rule
            clear_s = min(rule.clear_span_s, rule.brief_s) if check.unsteady else rule.clear_span_s
            if check.good_count < rule.clear_samples or at_ns - check.good_since_ns < clear_s * 1e9:
                return
        self._change(check, State.UP, check.good_since_ns, now_ns, "", None, out)

    def _bad(self, check: Check, at_ns: int, now_ns: int, out: list[Transition]) -> None:
        rule = check.rule
        check.lost_ns = at_ns
        check.bad_count += 1
        if check.bad_count == 1:
            check.bad_since_ns = at_ns
        if not check.failed or check.bad_count >= rule.failures:
            if check.good_count and check.state is State.DOWN:
                self._unsteady.brief(check, check.good_count, check.good_since_ns, check.bad_since_ns, now_ns, out)
            check.good_count = check.good_since_ns = 0
        if check.state is State.DOWN:
            return
        if check.bad_count == 2:
            self._pace.ask_above(check, check.bad_since_ns)
        if check.state is State.UNKNOWN and check.before_unknown is State.DOWN:
            self._change(check, State.DOWN, check.bad_since_ns, now_ns, check.reason, None, out)
            return
        span_s = min(rule.span_s, rule.brief_s) if check.unsteady else rule.span_s
        if check.bad_count >= rule.failures and at_ns - check.bad_since_ns >= span_s * 1e9:
            if not check.pending_since_ns:
                check.pending_since_ns = now_ns
                self._pending[check.id] = check
                for parent in check.above:
                    parent.waiting[check.id] = check
                    self._pace.ask(parent, now_ns)
            self._decide(check, now_ns, out)

    def _weigh(self, check: Check, now_ns: int, out: list[Transition]) -> None:
        """Make an answering check degraded or well, by what is wrong with it."""
        found = troubles(check)
        kinds = tuple(one.kind for one in found)
        if check.state is State.UP and found:
            since_ns = max(check.changed_ns, min(one.since_ns for one in found))
        elif check.state is State.DEGRADED and not found:
            since_ns = well_since_ns(check)
        elif kinds != check.troubles:
            since_ns = now_ns
        else:
            return
        check.troubles = kinds
        state = State.DEGRADED if found else State.UP
        cause = next((one.cause for one in found if one.cause), None)
        self._say(check, state, min(since_ns, now_ns), now_ns, "; ".join(one.words for one in found), cause, {}, out)

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
        shared, of_group = self._risks.explain(check, now_ns)
        out += of_group
        if shared == OWN_ROUTE or (check.cut_off and self._risks.down(OWN_ROUTE)):
            if check.state is not State.UNKNOWN:
                check.before_unknown = check.state
                self._change(check, State.UNKNOWN, since, now_ns, check.reason, OWN_ROUTE, out)
            check.forget_runs()
            return
        out += self._risks.back(check, now_ns, now_ns, (OWN_ROUTE,))
        reason = check.reason
        if shared is None and (others := self._risks.together(check)) >= FEWEST - 1:
            reason = f"{reason}; unsure: {others} others failed within a minute, nothing known explains them all"
        self._change(check, State.DOWN, since, now_ns, reason, shared, out)

    def _not_seen(self, check: Check, observation: Observation, now_ns: int, out: list[Transition]) -> None:
        """Take an observation that says nothing certain: nothing yet known stays unknown, what is known grows old."""
        if check.state is None:
            self._blind(check, observation.slot_ns, now_ns, observation.reason, out)
        elif check.state is State.UNKNOWN:
            check.forget_runs()

    def _blind(self, check: Check, at_ns: int, now_ns: int, reason: str, out: list[Transition]) -> None:
        check.before_unknown = check.state
        check.forget_runs()
        self._settle(check)
        self._change(check, State.UNKNOWN, at_ns, now_ns, reason, None, out)

    def _change(
        self, check: Check, state: State, at_ns: int, now_ns: int, reason: str, cause: CheckId | None,
        out: list[Transition],
    ) -> None:  # fmt: skip
        evidence: dict[str, FieldValue] = {}
        previous = check.state
        if state in FAILED:
            span_s = (check.sample_ns - at_ns) / 1e9
            evidence = {"failures": check.bad_count, "span_s": span_s}
            if check.good_ns:
                evidence["last_good_ns"] = check.good_ns
            if check.bad_count != 1:
                reason = f"{reason} ({check.bad_count} tries in {span_s:.0f} s)".lstrip()
            check.failed_since_ns = at_ns
            check.loss.reset()
            check.delay.reset()
        elif state is State.UP and previous in FAILED:
            evidence = {"successes": check.good_count, "span_s": (check.sample_ns - at_ns) / 1e9}
        if (previous in WORKING and state is State.DOWN) or (previous is State.DOWN and state is State.UP):
            self._unsteady.changed(check, at_ns)
        check.troubles = ()
        self._say(check, state, at_ns, now_ns, reason, cause, evidence, out)
        if state is State.UP:
            check.before_unknown = None
            out += self._risks.back(check, at_ns, now_ns)
        for child in check.children:
            if state is State.UP and child.state is State.UNREACHABLE:
                child.released_ns = now_ns
                # Hidden until its own fresh sample: what failed while the parent was away proves nothing now.
                child.bad_count = child.bad_since_ns = 0
                self._pace.ask(child, now_ns)
            elif child.state in WORKING and len(child.parents) > 1:
                self._weigh(child, now_ns, out)
        self._pace.set(check)

    def _say(
        self, check: Check, state: State, at_ns: int, now_ns: int, reason: str, cause: CheckId | None,
        evidence: Mapping[str, FieldValue], out: list[Transition],
    ) -> None:  # fmt: skip
        """Put a change on record."""
        at_ns = max(at_ns, check.changed_ns) if check.state is not None else at_ns
        flapping = check.flapping.active
        if flapping:
            evidence = {**evidence, "flapping": True}
        out.append(Transition(check.id, state, check.state, at_ns, now_ns, reason, cause, evidence, flapping))
        check.state, check.changed_ns = state, at_ns

    def _settle(self, check: Check) -> None:
        if check.pending_since_ns:
            check.pending_since_ns = 0
            del self._pending[check.id]
            for parent in check.above:
                parent.waiting.pop(check.id, None)
