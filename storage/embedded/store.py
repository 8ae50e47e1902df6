"""The embedded store at work: commits what is buffered every second, packs and tidies in small steps between."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog

from haidang.clock import Clock
from haidang.model import Point
from storage.database import Database
from storage.embedded.compaction import DAY_NS, HourCompaction, drop_old, due_hours, raw_from_day, roll_days
from storage.embedded.journal import MOST, JournalWriter
from storage.embedded.reading import read
from storage.metrics_buffer import Buffer, Worker, count, counters
from storage.metrics_canary import Canary
from storage.metrics_model import SECOND_NS, Curve, EmbeddedSettings, Query, StoreError, StoreStatus

logger = structlog.get_logger(__name__)

_TIDY_EVERY_NS = 60 * SECOND_NS
_RETRY_MAX_S = 30.0
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
        self._totals: dict[str, int] = {}
        self._refused_kept = 0
        self._retained_day = -1
        self._last_error = ""
        self._flushing: asyncio.Task[bool] | None = None

    def add(self, points: Sequence[Point]) -> None:
        """See `MetricStore.add`."""
        self._buffer.add(points)

    async def run(self) -> None:
        """See `MetricStore.run`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_flushing())
            tasks.create_task(self._keep_tidy())
            tasks.create_task(self._canary.run())

    async def close(self, deadline_s: float) -> None:
        """See `MetricStore.close`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s * 0.8):
                while await self.flush() and len(self._buffer):
                    pass
        if len(self._buffer):
            logger.error("points are lost, the disk did not take them in time", points=len(self._buffer))
        await self._worker.close(deadline_s * 0.2)

    def status(self) -> StoreStatus:
        """See `MetricStore.status`."""
        return StoreStatus(
            kind="embedded",
            buffered=len(self._buffer),
            written=self._totals.get("written", 0),
            rejected=self._totals.get("rejected", 0),
            refused=self._totals.get("refused", 0) + self._buffer.refused - self._refused_kept,
            skipped_fields=self._journal.skipped,
            oldest_unsent_ns=self._buffer.oldest_ns(),
            last_canary_ns=self._canary.last_ns or self._totals.get("canary"),
            last_error=self._last_error,
        )

    async def read(self, query: Query) -> list[Curve]:
        """See `MetricStore.read`."""
        async with self._readers:
            return await asyncio.to_thread(read, self._settings.path, query)

    async def flush(self) -> bool:
        """Commit what is buffered, at most 20,000 points; ``False`` when the disk refused.

        The commit goes on when the caller is cancelled; the next flush waits for it.
        """
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await asyncio.shield(self._flushing)

    async def _flush(self) -> bool:
        points = self._buffer.take(MOST)
        refused = self._buffer.refused
        try:
            self._totals = await self._worker.do(partial(self._commit, points, refused - self._refused_kept))
        except StoreError as error:
            self._journal.forget()
            self._buffer.give_back()
            self._complain(str(error))
            return False
        except Exception:  # noqa: BLE001 a point that no code foresaw must not stop all the others for ever
            logger.exception("points cannot be written and are given up", points=len(points))
            self._journal.forget()
            self._buffer.refused += len(points)
        else:
            self._refused_kept = refused
            if self._last_error:
                logger.info("metrics are written again", file=str(self._settings.path))
            self._last_error = ""
        self._buffer.done()
        return True

    def _commit(self, points: Sequence[Point], refused: int, database: Database) -> dict[str, int]:
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

    def _complain(self, words: str) -> None:
        if words != self._last_error:
            logger.error("metrics cannot be written, kept in memory", error=words, buffered=len(self._buffer))
        self._last_error = words

    async def _keep_flushing(self) -> None:
        pause_s = self._settings.flush_s
        while True:
            with suppress(TimeoutError):  # not wait_for: before Python 3.12 it can swallow a cancellation
                async with asyncio.timeout(pause_s):
                    await self._buffer.wake.wait()
            fine = await self.flush()
            pause_s = self._settings.flush_s if fine else min(max(pause_s, 0.5) * 2, _RETRY_MAX_S)
            if not fine:
                self._buffer.wake.clear()
                await asyncio.sleep(pause_s)

    async def _keep_tidy(self) -> None:
        steady = _SteadyClock(self._clock)
        due_ns = 0
        while True:
            mono_ns = self._clock.monotonic_ns()
            if mono_ns >= due_ns:
                due_ns = mono_ns + _TIDY_EVERY_NS
                try:
                    await self._tidy(steady)
                except StoreError as error:
                    self._complain(str(error))
                except Exception:  # noqa: BLE001 a fault in packing must not stop the writing
                    logger.exception("the metrics file could not be tidied, tried again in a minute")
            await asyncio.sleep(1)

    async def _tidy(self, steady: _SteadyClock) -> None:
        now_ns = self._clock.utc_ns()
        await self.compact(now_ns)
        if steady.for_an_hour() and now_ns // DAY_NS != self._retained_day:
            await self.retain(now_ns)
            self._retained_day = now_ns // DAY_NS

    async def compact(self, now_ns: int) -> None:
        """Pack the hours that are over, make the buckets of the days that are over; in steps of some milliseconds.

        Raises:
            StoreError: the file cannot be used; call again later, nothing is lost.
        """
        for hour in await self._worker.do(lambda database: due_hours(database, now_ns)):
            work = await self._worker.do(lambda database, hour=hour: HourCompaction(database, hour))  # type: ignore[misc]
            while await self._worker.do(work.step):
                pass
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
        if abs(drift_ns) > _TIDY_EVERY_NS:
            self._since = now
        self._last = now
        return now[1] - self._since[1] >= 3600 * SECOND_NS
