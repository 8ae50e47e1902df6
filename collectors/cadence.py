"""The wheel that drives the probes: every job at its own cadence, phases spread, on the monotonic clock.

A step of the wall clock neither stops nor bursts it. A job's phase comes from its name, so that a restart keeps it and
targets are spread evenly without anybody planning it. A slot that cannot be kept (this process was stalled) is skipped
and counted, never caught up with in a burst.
"""

from __future__ import annotations

import asyncio
import bisect
import heapq
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from haidang.clock import Clock

logger = structlog.get_logger(__name__)

FIRST_ROUND_NS = 5_000_000_000
"""A new job runs for the first time within this, so that nobody waits a minute for a first reading."""
TICK_NS = 10_000_000
"""Slots lie on this grid of the monotonic clock, so that one wake-up serves many targets."""


LATENESS_NS = tuple(ms * 1_000_000 for ms in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000))
"""Bounds of the histogram of how late slots were started."""


@dataclass(slots=True)
class Lag:
    """How late slots were started, since the last time it was read."""

    runs: int = 0
    total_ns: int = 0
    worst_ns: int = 0
    skipped: int = 0


class _Job:
    __slots__ = ("due_ns", "first", "hurried_ns", "name", "period_ns", "phase_ns", "run", "steady_ns")

    def __init__(self, name: str, period_ns: int, run: Callable[[int], None]) -> None:
        self.name = name
        self.period_ns = self.steady_ns = period_ns
        self.phase_ns = (zlib.crc32(name.encode()) * period_ns >> 32) // TICK_NS * TICK_NS
        self.run = run
        self.due_ns = 0
        self.first = True  # it has not run yet
        self.hurried_ns = 0  # since when it runs faster


class Cadence:
    """Runs jobs at their cadence.

    Parameters:
        clock: monotonic for the cadence, UTC for the slots' names.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._jobs: dict[str, _Job] = {}
        self._heap: list[tuple[int, int, _Job]] = []
        self._sequence = 0
        self._changed = asyncio.Event()
        self._lag = Lag()
        self.lateness = [0] * (len(LATENESS_NS) + 1)
        """Slots since the start by how late they were, see `LATENESS_NS`; the last is beyond."""
        self.late_ns = 0
        """All their lateness together."""
        self._worst_ns = 0

    def add(self, name: str, period_s: float, run: Callable[[int], None]) -> None:
        """Run a job from now on, or change the cadence and the function of one with the same name.

        Parameters:
            name: identifies it and sets its phase.
            period_s: seconds between slots.
            run: started with the slot's UTC nanoseconds; must return at once (it starts work, it does not do it).
        """
        period_ns = max(1, round(period_s * 1e9 / TICK_NS)) * TICK_NS
        known = self._jobs.get(name)
        if known is not None:
            known.run = run
            if known.steady_ns == period_ns:
                return
        job = self._jobs[name] = _Job(name, period_ns, run)
        now = self._clock.monotonic_ns()
        self._push(job, now + min(job.phase_ns, job.phase_ns * FIRST_ROUND_NS // period_ns))

    def remove(self, name: str) -> None:
        """Stop running a job."""
        self._jobs.pop(name, None)

    def hurry(self, name: str, period_s: float | None) -> None:
        """Run a job faster for a while, beginning at once, or (``None``) at its own cadence again."""
        job = self._jobs.get(name)
        if job is None:
            return
        now = self._clock.monotonic_ns()
        hurried = job.period_ns != job.steady_ns
        job.first = False
        if period_s is not None:
            job.hurried_ns = job.hurried_ns if hurried else now
            job.period_ns = max(1, round(period_s * 1e9 / TICK_NS)) * TICK_NS
            self._push(job, now)
        elif hurried:
            job.period_ns = job.steady_ns
            self._push(job, max(now, self._in_phase(job, job.hurried_ns)))  # what it missed meanwhile it does now

    @property
    def lag(self) -> Lag:
        """The lag since it was last taken."""
        return self._lag

    def take_lag(self) -> Lag:
        """Return the lag since the last call and begin anew."""
        lag, self._lag = self._lag, Lag()
        return lag

    def take_worst_ms(self) -> float:
        """Return how late the latest start was since the last call, and begin anew; apart from `take_lag`."""
        worst_ns, self._worst_ns = self._worst_ns, 0
        return worst_ns / 1e6

    def __len__(self) -> int:
        return len(self._jobs)

    async def run(self) -> None:
        """Drive the jobs until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            wait = self.turn()
            self._changed.clear()  # what the turn itself planned is in its answer
            alarm = None if wait is None else loop.call_later(wait, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                if alarm is not None:
                    alarm.cancel()

    def turn(self) -> float | None:
        """Start everything that was due when it was called; what has become due meanwhile is the next turn's.

        Returns:
            seconds until the next job is due, ``None`` when there is none.
        """
        heap = self._heap
        now = self._clock.monotonic_ns()
        while heap and heap[0][0] <= now:
            due, _, job = heapq.heappop(heap)
            if self._jobs.get(job.name) is not job or job.due_ns != due:
                continue  # removed, or rescheduled meanwhile
            late = max(0, now - due)
            skipped = late // job.period_ns
            lag = self._lag
            lag.runs += 1
            lag.total_ns += late
            lag.skipped += skipped
            lag.worst_ns = max(lag.worst_ns, late)
            self.lateness[bisect.bisect_left(LATENESS_NS, late)] += 1
            self.late_ns += late
            self._worst_ns = max(self._worst_ns, late)
            if job.period_ns == job.steady_ns:
                self._push(job, self._next_steady(job, max(now, due)))
            else:
                self._push(job, due + (skipped + 1) * job.period_ns)
            try:
                job.run(self._clock.utc_ns() - late)
            except Exception:  # noqa: BLE001 one job's fault must not stop the others' cadence
                logger.exception("job failed", job=job.name)
        return max(0.0, (heap[0][0] - self._clock.monotonic_ns()) / 1e9) if heap else None

    def _next_steady(self, job: _Job, after: int) -> int:
        """Find the slot that follows a round."""
        due = self._in_phase(job, after)
        on_phase = (job.due_ns - job.phase_ns) % job.steady_ns == 0
        if job.first and not on_phase and due - after < job.steady_ns // 2:
            due += job.steady_ns  # the first round, soon after the start, has only just run
        job.first = False
        return due

    @staticmethod
    def _in_phase(job: _Job, after: int) -> int:
        """Find the job's next slot in its own phase after a time."""
        return (after - job.phase_ns) // job.steady_ns * job.steady_ns + job.steady_ns + job.phase_ns

    def _push(self, job: _Job, due: int) -> None:
        job.due_ns = due = -(-due // TICK_NS) * TICK_NS
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, job))
        self._changed.set()
