"""Flapping: so many changes in a window of time that they are one condition, with another threshold for its end."""

from __future__ import annotations

from collections import deque

_MOST = 64
"""Changes remembered: more than any sensible threshold."""


class Flapping:
    """One check's changes between up and down.

    What is too short to be confirmed by itself (thirty seconds, each two minutes) is remembered as *brief* and counts
    as one change, not as two; once the check flaps, what was remembered is certain as well and can be written down.
    """

    __slots__ = ("_briefs", "_changes", "_hidden", "active")

    def __init__(self) -> None:
        self.active = False
        self._changes: deque[int] = deque(maxlen=_MOST)
        self._briefs: deque[tuple[int, int]] = deque(maxlen=_MOST)
        self._hidden: deque[tuple[int, int]] = deque(maxlen=_MOST)

    def changed(self, at_ns: int, changes: int, window_s: float) -> bool:
        """Count one change; tell whether the check begins to flap with it.

        Parameters:
            at_ns: its true time, UTC nanoseconds.
            changes, window_s: so many in so many seconds are flapping.
        """
        self._changes.append(at_ns)
        if self.active or self._left(at_ns, window_s) < changes:
            return False
        self.active = True
        return True

    def brief(self, start_ns: int, end_ns: int, changes: int, window_s: float) -> bool:
        """Remember a stretch that was too short to be confirmed; tell whether the check begins to flap with it."""
        self._briefs.append((start_ns, end_ns))
        return self.changed(end_ns, changes, window_s)

    def take_briefs(self, since_ns: int) -> list[tuple[int, int]]:
        """Hand out, once, the brief stretches that lie after a time."""
        found = [one for one in self._briefs if one[0] > since_ns]
        self._briefs.clear()
        return found

    def hidden(self, start_ns: int, end_ns: int, window_s: float) -> None:
        """Remember a stretch in which what it hangs on was away too: that one may prove to flap."""
        while self._hidden and end_ns - self._hidden[0][1] > window_s * 1e9:
            self._hidden.popleft()
        self._hidden.append((start_ns, end_ns))

    def take_hidden(self, since_ns: int) -> list[tuple[int, int]]:
        """Hand out, once, the hidden stretches that lie after a time."""
        found = [one for one in self._hidden if one[0] > since_ns]
        self._hidden.clear()
        return found

    def calmed(self, now_ns: int, changes: int, window_s: float) -> bool:
        """Tell whether flapping is over."""
        if not self.active or self._left(now_ns, window_s) > changes // 4:
            return False
        self.active = False
        return True

    def shift(self, delta_ns: int) -> None:
        """Follow a step of the wall clock."""
        self._changes = deque((at + delta_ns for at in self._changes), maxlen=_MOST)
        self._briefs, self._hidden = (
            deque(((start + delta_ns, end + delta_ns) for start, end in spans), maxlen=_MOST)
            for spans in (self._briefs, self._hidden)
        )

    def _left(self, now_ns: int, window_s: float) -> int:
        while self._changes and now_ns - self._changes[0] > window_s * 1e9:
            self._changes.popleft()
        while self._briefs and now_ns - self._briefs[0][1] > window_s * 1e9:
            self._briefs.popleft()
        return len(self._changes)
