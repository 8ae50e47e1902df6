"""Whose fault a failure is: a check is hidden when all its parents, or one of what it needs, have failed.

Else the fault is its own.

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
        check: it and what it hangs on, as the health engine remembers them.
        now_ns: UTC nanoseconds.

    Returns:
        the verdict and, when it is hidden, the highest failed check above it.
    """
    groups = [(need,) for need in check.needs] + ([check.parents] if check.parents else [])
    verdicts = [_behind(check, group) for group in groups]
    hiding = [
        last_to_fail(group) for group, verdict in zip(groups, verdicts, strict=True) if verdict is Verdict.HIDDEN
    ]  # fmt: skip
    if hiding:
        return Verdict.HIDDEN, root_of(min(hiding, key=lambda parent: (parent.failed_since_ns, parent.id)))
    if Verdict.WAIT in verdicts and now_ns - check.pending_since_ns < PATIENCE_NS:
        return Verdict.WAIT, None
    return Verdict.OWN_FAULT, None


def _behind(check: Check, parents: Sequence[Check]) -> Verdict:
    """Give the verdict as far as some alternatives go: all of them must have failed to hide a check."""
    verdict = Verdict.HIDDEN
    for parent in parents:
        if parent.failed:
            continue
        if parent.bad_count == 0 and (parent.state not in WORKING or parent.sample_ns > check.pending_since_ns):
            return Verdict.OWN_FAULT
        verdict = Verdict.WAIT
    if verdict is Verdict.HIDDEN and check.good_ns > last_to_fail(parents).failed_since_ns + LIVED_ON_NS:
        return Verdict.OWN_FAULT  # it was reached while all of them were away: it does not need them
    return verdict


def last_to_fail(parents: Sequence[Check]) -> Check:
    """Return the parent whose failure took the last way: until then another one still led there."""
    return max(parents, key=lambda parent: (parent.failed_since_ns, parent.id))


def root_of(check: Check) -> CheckId:
    """Follow the failed parents up to the one whose own parents are not the reason."""
    seen = {check.id}
    while check.state is State.UNREACHABLE:
        above = [parent for parent in check.above if parent.id not in seen and parent.failing]
        if not above:
            break
        check = last_to_fail(above)
        seen.add(check.id)
    return check.id
