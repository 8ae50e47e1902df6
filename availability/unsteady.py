"""Which checks flap: what is too short to be confirmed is remembered, and written down when it comes too often."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from availability.check import WORKING, Check
from availability.pace import Pace
from haidang.model import CheckId, FieldValue, State, Transition

Say = Callable[
    [Check, State, int, int, str, CheckId | None, Mapping[str, FieldValue], list[Transition]], None
]  # fmt: skip
"""Puts a change on record: check, state, true time, now, reason, cause, evidence, where the transition goes."""


class Unsteady:
    """Looks after the checks that flap.

    Parameters:
        say: puts a change on record.
        pace: what flaps is probed fast.
    """

    def __init__(self, say: Say, pace: Pace) -> None:
        self._say = say
        self._pace = pace
        self._flapping: dict[CheckId, Check] = {}

    def forget(self, check: CheckId) -> None:
        """Look after it no longer."""
        self._flapping.pop(check, None)

    def changed(self, check: Check, at_ns: int) -> None:
        """Count a confirmed change between up and down; enough of them are flapping."""
        rule = check.rule
        if check.flapping.changed(at_ns, rule.flap_changes, rule.flap_window_s):
            self._flapping[check.id] = check

    def tick(self, now_ns: int, out: list[Transition]) -> None:
        """Notice what flaps no longer."""
        for check in tuple(self._flapping.values()):
            self._calm(check, now_ns, out)

    def brief(
        self, check: Check, count: int, start_ns: int, end_ns: int, now_ns: int, out: list[Transition]
    ) -> None:  # fmt: skip
        """Remember a stretch in the other state that ended before it was confirmed; enough of them are flapping."""
        rule, flapping = check.rule, check.flapping
        if count < rule.failures or end_ns - start_ns < rule.brief_s * 1e9 or check.state is None:
            return
        if check.away_above(lambda parent: parent.lost_ns >= start_ns):
            if check.state in WORKING:  # what it hangs on was away: perhaps that one flaps
                flapping.hidden(start_ns, end_ns, rule.flap_window_s)
                self._follow(check, now_ns, out)
            return
        if not flapping.brief(start_ns, end_ns, rule.flap_changes, rule.flap_window_s):
            return
        self._flapping[check.id] = check
        usual = check.state
        other = State.UP if usual is State.DOWN else State.DOWN
        for began_ns, ended_ns in flapping.take_briefs(check.changed_ns):
            words = "" if other is State.UP else f"{check.reason or 'no reply'} for {(ended_ns - began_ns) / 1e9:.0f} s"
            self._say(check, other, began_ns, now_ns, words, None, {}, out)
            self._say(check, usual, ended_ns, now_ns, check.reason if usual is State.DOWN else "", None, {}, out)
        for child in check.children:
            self._follow(child, now_ns, out)

    def _follow(self, check: Check, now_ns: int, out: list[Transition]) -> None:
        """Write down the stretches in which a check was hidden behind something that proves to flap."""
        cause = check.flapping_above()
        if cause is None or check.state not in WORKING:
            return
        usual = check.state
        for began_ns, ended_ns in check.flapping.take_hidden(check.changed_ns):
            words = f"no reply for {(ended_ns - began_ns) / 1e9:.0f} s"
            self._say(check, State.UNREACHABLE, began_ns, now_ns, words, cause, {}, out)
            self._say(check, usual, ended_ns, now_ns, "", None, {}, out)
        for child in check.children:
            self._follow(child, now_ns, out)

    def _calm(self, check: Check, now_ns: int, out: list[Transition]) -> None:
        rule = check.rule
        if check.flapping.calmed(now_ns, rule.flap_changes, rule.flap_window_s):
            del self._flapping[check.id]
            if check.state is not None:
                reason = f"no longer flapping, {check.state}" + (f": {check.reason}" if check.reason else "")
                self._say(check, check.state, now_ns, now_ns, reason, None, {}, out)
            self._pace.set(check)
