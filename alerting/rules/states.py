"""Rules over states: what a check is in for too long; pure logic.

A state holds until the next one, so nothing has to come for time to count. *Unknown* proves nothing: what fires goes on
while nobody can see (the daemon was away, the probe could not be made), and what had begun begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alerting.rules.engine import Change
from alerting.rules.rule import NS, Rule
from haidang.model import CheckId, Series, State

STATE = "state"
"""The measurement that a rule over states is written with; its field is the state, or ``flapping``."""
FLAPPING = "flapping"


@dataclass(slots=True)
class _Standing:
    """Whether a rule's state holds for a check, since when (UTC nanoseconds), and because of what."""

    check: CheckId
    holds: bool
    since_ns: int
    firing: bool
    cause: CheckId | None = None


class StateEngine:
    """Remembers the checks that are in a state some rule is about.

    Parameters:
        fired_before: asked when a check is first seen: whether a rule was firing for it before this run began.
    """

    def __init__(self, fired_before: Callable[[Rule, Series], bool] = lambda _rule, _series: False) -> None:
        self._fired_before = fired_before
        self._rules: tuple[Rule, ...] = ()
        self._known: set[Series] = set()
        self._standing: dict[tuple[Rule, Series], _Standing] = {}

    def use(self, rules: Sequence[Rule], kept: Callable[[CheckId], bool] = lambda _: True) -> None:
        """Go by these rules from now on, of the rules given those over states; forget checks that are not kept."""
        self._rules = tuple(rule for rule in rules if rule.measurement == STATE)
        self._known.clear()
        self._standing = {
            key: one for key, one in self._standing.items() if key[0] in self._rules and kept(one.check)
        }  # fmt: skip

    @property
    def idle(self) -> bool:
        """Whether there is no rule."""
        return not self._rules

    def take(
        self, check: CheckId, line: Series, state: State, at_ns: int, *, flapping: bool = False,
        cause: CheckId | None = None,
    ) -> None:  # fmt: skip
        """Take in what a check has become.

        Parameters:
            check, line: which, and the tags that rules choose it by.
            state: what it is in, ``flapping`` on top of it.
            at_ns: since when.
            cause: what is behind it.
        """
        first = line not in self._known
        self._known.add(line)
        for rule in self._rules:
            holds = flapping if rule.field == FLAPPING else state.value == rule.field
            key = rule, line
            one = self._standing.get(key)
            if one is None:
                if not rule.covers(line):
                    continue
                firing = first and self._fired_before(rule, line)
                if not holds and not firing:
                    continue
                one = self._standing[key] = _Standing(check, holds or state is State.UNKNOWN, at_ns, firing)
            elif one.firing and state is State.UNKNOWN and not holds:
                continue
            elif one.holds != holds:
                one.holds, one.since_ns = holds, at_ns
            if holds:
                one.cause = cause

    def clock_stepped(self, by_ns: int) -> None:
        """Move every time with the wall clock: how long a state lasts is a length of time."""
        for one in self._standing.values():
            one.since_ns += by_ns

    def tick(self, now_ns: int) -> list[Change]:
        """Let time pass: return what begins or ends. Call it every second."""
        changes: list[Change] = []
        for (rule, line), one in list(self._standing.items()):
            lasting_ns = now_ns - one.since_ns
            if one.holds != one.firing and lasting_ns >= (rule.for_s if one.holds else rule.clear_for_s) * NS:
                one.firing = one.holds
                changes.append(Change(rule, line, one.firing, one.since_ns, None, self._behind(rule, one)))
            if not one.holds and not one.firing:
                del self._standing[rule, line]
        return changes

    @staticmethod
    def _behind(rule: Rule, one: _Standing) -> CheckId | None:
        """Return whose incident tells of it already: the check's own when it fails, that of the way it has lost."""
        if rule.field in (State.DOWN, FLAPPING):
            return one.cause or one.check
        return one.cause
