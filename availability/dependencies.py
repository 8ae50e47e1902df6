"""Whose fault a failure is: a check whose every parent has failed is hidden behind them, else the fault is its own.

The verdict does not depend on the order in which the failures are seen: it waits until each parent has been sampled
after the child's first failure, and while a parent is itself failing but not yet confirmed.
"""

from __future__ import annotations

from collections.abc import Sequence

from availability.check import WORKING, Check, Verdict
from haidang.model import CheckId, State

PATIENCE_NS = 60_000_000_000
"""How long a verdict may wait for the parents; then it is given on what is known: late is worse than one too many."""

LIVED_ON_NS = 30_000_000_000
"""A good sample this much later than the start of a parent's failure proves that the parent does not hide the check."""


def judge(check: Check, now_ns: int) -> tuple[Verdict, CheckId | None]:
    """Give the verdict on a check that fails for certain.

    Parameters:
        check: it and its parents, as the health engine remembers them.
        now_ns: UTC nanoseconds.

    Returns:
        the verdict and, when it is hidden, the highest failed check above it.
    """
    waiting = False
    for parent in check.parents:
        if parent.failed:
            if check.good_ns > parent.failed_since_ns + LIVED_ON_NS:
                return Verdict.OWN_FAULT, None  # it was reached while that parent was away: it does not need it
        elif parent.bad_count > 0 or (parent.state in WORKING and parent.sample_ns <= check.pending_since_ns):
            waiting = True
        else:
            return Verdict.OWN_FAULT, None
    if waiting:
        patient = now_ns - check.pending_since_ns < PATIENCE_NS
        return (Verdict.WAIT, None) if patient else (Verdict.OWN_FAULT, None)
    if not check.parents:
        return Verdict.OWN_FAULT, None
    return Verdict.HIDDEN, root_of(last_to_fail(check.parents))


def last_to_fail(parents: Sequence[Check]) -> Check:
    """Return the parent whose failure took the last way: until then another one still led there."""
    return max(parents, key=lambda parent: (parent.failed_since_ns, parent.id))


def root_of(check: Check) -> CheckId:
    """Follow the failed parents up to the one whose own parents are not the reason."""
    seen = {check.id}
    while check.state is State.UNREACHABLE:
        above = [parent for parent in check.parents if parent.id not in seen and parent.failing]
        if not above:
            break
        check = last_to_fail(above)
        seen.add(check.id)
    return check.id
