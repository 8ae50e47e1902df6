"""When a disk will be full, by a straight line through how it filled lately."""

from __future__ import annotations

from collections import deque

DAY_S = 86_400.0
EVERY_S = 300.0
"""One sample is kept in this time: a day is `MOST` of them."""
MOST = 288
LEAST_SPAN_S = 3600.0
FAR_DAYS = 3650.0


class Filling:
    """Samples of one disk, a day at most; they begin anew with the process."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=MOST)

    def days_until_full(self, now_s: float, used: int, free: int) -> float | None:
        """Take a sample, and say when nothing will be free.

        Parameters:
            now_s: of a clock that only goes forward, seconds.
            used: bytes.
            free: bytes that are left to ordinary users.

        Returns:
            days, `FAR_DAYS` at most and while it does not fill, so that whoever compares it sees a disk recover;
            ``None`` while there is no hour of samples yet.
        """
        samples = self._samples
        if not samples or now_s - samples[-1][0] >= EVERY_S:
            samples.append((now_s, float(used)))
        if samples[-1][0] - samples[0][0] < LEAST_SPAN_S:
            return None
        rate = slope(samples)
        return min(free / rate / DAY_S, FAR_DAYS) if rate > 0 else FAR_DAYS


def slope(samples: deque[tuple[float, float]]) -> float:
    """Return the rise of the least squares' line through points (x, y), y by x; 0 for one place alone."""
    middle_x = sum(x for x, _ in samples) / len(samples)
    middle_y = sum(y for _, y in samples) / len(samples)
    spread = sum((x - middle_x) ** 2 for x, _ in samples)
    return sum((x - middle_x) * (y - middle_y) for x, y in samples) / spread if spread else 0.0
