"""The embedded store at work: commits what is buffered every second, packs and tidies in small steps between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import structlog

from haidang.clock import Clock
from haidang.model import Point
from storage.database import Database
from storage.embedded.compaction import DAY_NS, HourCompaction, drop_old, due_hours, raw_from_day, roll_days
from storage.embedded.journal import MOST, JournalWriter
from storage.embedded.reading import Directories, read
from storage.metrics_buffer import Buffer, Intake, Worker, count, counters
from storage.metrics_canary import Canary
from storage.metrics_model import SECOND_NS, Curve, EmbeddedSettings, Query, StoreError, StoreStatus

logger = structlog.get_logger(__name__)

_STEP_NS = 60 * SECOND_NS
_READERS = 4


class EmbeddedStore:
    """A `MetricStore` in one SQLite file.

    Parameters:
        settings: see `EmbeddedSettings`.
        clock: says when an hour is over and what is too old.
    """

    def __init__(self, settings: EmbeddedSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._buffer = Buffer(settings.max_buffered)
        self._worker = Worker(settings.path, "metrics")
        self._journal = JournalWriter()
        self._canary = Canary(self, clock, settings.canary_s)
        self._readers = asyncio.Semaphore(_READERS)
        self._directories = Directories()
        self._totals: dict[str, int] = {}
        self._retained_day = -1
        self._steady = _SteadyClock(clock)
        self._intake = Intake(self._buffer, self._commit, settings.flush_s, MOST)

    def add(self, points: Sequence[Point]) -> None:
        """See `MetricStore.add`."""
        self._buffer.add(points)

    async def run(self) -> None:
        """See `MetricStore.run`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.run())
            tasks.create_task(self._canary.run())

    async def close(self, deadline_s: float) -> None:
        """See `MetricStore.close`."""
        await self._intake.drain(deadline_s * 0.8)
        await self._worker.close(deadline_s * 0.2)

    def status(self) -> StoreStatus:
        """See `MetricStore.status`."""
        return StoreStatus(
            kind="embedded",
            buffered=len(self._buffer),
            written=self._totals.get("written", 0),
            rejected=self._totals.get("rejected", 0),
            refused=self._totals.get("refused", 0) + self._intake.refused,
            skipped_fields=self._journal.skipped,
            oldest_unsent_ns=self._buffer.oldest_ns(),
            last_canary_ns=self._canary.last_ns or self._totals.get("canary"),
            last_error=self._intake.last_error,
        )

    async def read(self, query: Query) -> list[Curve]:
        """See `MetricStore.read`."""
        async with self._readers:
            return await asyncio.to_thread(read, self._settings.path, query, self._directories)

    async def flush(self) -> bool:
        """See `Intake.flush`."""
        return await self._intake.flush()

    async def _commit(self, points: Sequence[Point], refused: int) -> None:
        try:
            self._totals = await self._worker.do(partial(self._write, points, refused))
        except BaseException:
            self._journal.forget()  # numbers of series that were undone with the transaction
            raise

    def _write(self, points: Sequence[Point], refused: int, database: Database) -> dict[str, int]:
        oldest_day = raw_from_day(self._clock.utc_ns(), self._settings.raw_days) + 1
        if points or refused:
            with database.transaction():
                written, late = self._journal.write(database, points, max(oldest_day, 0) * 24)
                count(database, written=written, rejected=late, refused=refused)
                if self._canary.last_ns:
                    database.connection.execute(
                        "INSERT OR REPLACE INTO counter (name, value) VALUES ('canary', ?)", (self._canary.last_ns,)
                    )
        return counters(database.connection)

    async def tidy(self) -> None:
        """See `MetricStore.tidy`."""
        now_ns = self._clock.utc_ns()
        try:
            await self.compact(now_ns)
            if self._steady.for_an_hour() and now_ns // DAY_NS != self._retained_day:
                await self.retain(now_ns)
                self._retained_day = now_ns // DAY_NS
        except StoreError as error:
            self._intake.complain(str(error))

    async def compact(self, now_ns: int) -> None:
        """Pack the hours that are over, make the buckets of the days that are over; in steps of some milliseconds.

        Raises:
            StoreError: the file cannot be used; call again later, nothing is lost.
        """
        for hour in await self._worker.do(lambda database: due_hours(database, now_ns)):
            work = await self._worker.do(lambda database, hour=hour: HourCompaction(database, hour))  # type: ignore[misc]
            while await self._worker.do(work.step):
                pass
            self._directories.forget()
        while await self._worker.do(lambda database: roll_days(database, now_ns)):
            pass

    async def retain(self, now_ns: int) -> None:
        """Drop what is older than the settings say.

        Raises:
            StoreError: as `compact`.
        """
        kept = self._settings
        steps = await self._worker.do(
            lambda database: drop_old(database, now_ns, kept.raw_days, kept.five_minute_days, kept.hourly_days)
        )
        while await self._worker.do(lambda _: next(steps, 0) is None):
            pass


class _SteadyClock:
    """Trusts the wall clock once it has gone with the monotonic one for an hour.

    A machine that starts with a clock years ahead must not delete its history before the time service corrects it.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = self._last = self._now()

    def _now(self) -> tuple[int, int]:
        return self._clock.utc_ns(), self._clock.monotonic_ns()

    def for_an_hour(self) -> bool:
        """Ask at each tidying; a step of more than a minute starts the hour anew."""
        now = self._now()
        drift_ns = (now[0] - self._last[0]) - (now[1] - self._last[1])
        if abs(drift_ns) > _STEP_NS:
            self._since = now
        self._last = now
        return now[1] - self._since[1] >= 3600 * SECOND_NS
