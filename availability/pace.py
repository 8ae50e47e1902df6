"""Which checks are probed fast: suspects, those that recover or flap, and those that a verdict waits for."""

from __future__ import annotations

from collections.abc import Callable

from availability.check import Check
from haidang.model import CheckId, State


class Pace:
    """Tells the cadence.

    Parameters:
        hurry: called with a check and True when it should be probed fast, False when its normal cadence does again.
    """

    def __init__(self, hurry: Callable[[CheckId, bool], None]) -> None:
        self._hurry = hurry

    def ask(self, check: Check, since_ns: int) -> None:
        """Have a check probed at once unless a sample later than ``since_ns`` is known."""
        if check.sample_ns <= since_ns:
            check.asked_ns = since_ns
            self.set(check)

    def ask_above(self, check: Check, since_ns: int) -> None:
        """Have everything a check hangs on probed at once: the verdict needs the highest of what failed."""
        waiting, seen = list(check.above), {check.id}
        while waiting:
            parent = waiting.pop()
            if parent.id in seen or parent.asked_ns >= since_ns:
                continue  # whoever asked it has asked those above it
            seen.add(parent.id)
            self.ask(parent, since_ns)
            waiting += parent.above

    def set(self, check: Check) -> None:
        """Say so when a check is to be probed at another pace from now on."""
        urgent = (
            check.flapping.active
            or (check.bad_count > 0 and not check.failed)
            or (check.good_count > 0 and check.failed)
            or (check.bad_count > 0 and check.state is State.UNREACHABLE and not any(p.failing for p in check.above))
            or check.asked_ns >= check.sample_ns > 0
        )
        if urgent != check.urgent:
            check.urgent = urgent
            self._hurry(check.id, urgent)
