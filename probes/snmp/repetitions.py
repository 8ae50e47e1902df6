"""How many rows an agent is asked for at once."""

from __future__ import annotations

LADDER = (25, 10, 5, 1)
CLIMB_AFTER = 100  # answers, before the next larger step is tried again


class Repetitions:
    """How many rows this agent is asked for at once: fewer after tooBig or silence, remembered, more again in time."""

    def __init__(self) -> None:
        self._rung = 0
        self._top = 0
        self._good = 0

    @property
    def count(self) -> int:
        """Rows to ask for."""
        return LADDER[self._rung]

    def fewer(self, *, for_good: bool) -> bool:
        """Step down.

        Parameters:
            for_good: the agent said tooBig; silence can also be a lost packet.

        Returns:
            False when there is nothing below.
        """
        if self._rung == len(LADDER) - 1:
            return False
        self._rung += 1
        self._good = 0
        if for_good:
            self._top = self._rung
        return True

    def mark(self) -> int:
        """Name the step we are on, for `restore`."""
        return self._rung

    def restore(self, mark: int) -> None:
        """Go back to a step: fewer rows did not help, the agent is silent for another reason."""
        self._rung = max(mark, self._top)

    def good(self) -> None:
        """Note an answer; after many the next larger step is tried again, up to what was ever too big."""
        if self._rung > self._top:
            self._good += 1
            if self._good >= CLIMB_AFTER:
                self._rung -= 1
                self._good = 0
