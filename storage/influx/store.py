"""The remote store at work: points become lines in the spool (its commit accepts them), which goes out in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import structlog

from haidang.clock import Clock
from haidang.model import Point
from storage import spool
from storage.database import Database
from storage.influx import reading
from storage.influx.delivery import Delivery
from storage.influx.flavour import detect
from storage.influx.lines import LineBuilder
from storage.influx.transport import Transport, Unreachable
from storage.metrics_buffer import Buffer, Intake, Worker
from storage.metrics_canary import Canary
from storage.metrics_model import Curve, InfluxSettings, Query, StoreError, StoreStatus

logger = structlog.get_logger(__name__)

_MOST_AT_ONCE = 20_000
_MOST_BATCH_BYTES = 4 << 20


class InfluxStore:
    """A `MetricStore` on a server, behind ``spool.db``.

    Parameters:
        settings: see `InfluxSettings`.
        clock: stamps canaries and dead letters.
    """

    def __init__(self, settings: InfluxSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._buffer = Buffer(settings.max_buffered)
        self._worker = Worker(settings.spool, "spool")
        self._lines = LineBuilder(text_fields=settings.flavour != "victoriametrics")
        self._transport = Transport(settings)
        self._delivery = Delivery(
            settings, clock, self._transport.write, partial(detect, self._transport),
            partial(reading.create_database, self._transport, settings),
        )  # fmt: skip
        self._canary = Canary(self, clock, settings.canary_s)
        self._spool = spool.SpoolState(0, 0, None, {})
        self._settled = 0  # batches up to this number are stored, even if their deletion could not be committed
        self._unsettled: list[tuple[spool.Batch, Sequence[spool.DeadLetter]]] = []
        self._intake = Intake(self._buffer, self._commit, settings.flush_s, _MOST_AT_ONCE)
        self._spooled = asyncio.Event()

    def add(self, points: Sequence[Point]) -> None:
        """See `MetricStore.add`."""
        self._buffer.add(points)

    async def run(self) -> None:
        """See `MetricStore.run`."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._intake.run())
            tasks.create_task(self._keep_sending())
            tasks.create_task(self._canary.run())

    async def tidy(self) -> None:
        """See `MetricStore.tidy`; a remote store keeps house itself."""

    async def close(self, deadline_s: float) -> None:
        """See `MetricStore.close`. What is not sent by then waits in the spool for the next start."""
        await self._intake.drain(deadline_s * 0.5)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s * 0.2):
                # Who only read leaves the daemon's spool to the daemon, and makes none.
                while self._worker.is_open and await self._send_next():
                    pass
        await self._transport.close(deadline_s * 0.1)
        await self._worker.close(deadline_s * 0.2)

    def status(self) -> StoreStatus:
        """See `MetricStore.status`."""
        counted = self._spool.counters
        return StoreStatus(
            kind=self._delivery.flavour or "influx",
            buffered=len(self._buffer),
            spooled=self._spool.points,
            written=counted.get("written", 0),
            rejected=counted.get("rejected", 0),
            refused=counted.get("refused", 0) + self._intake.refused,
            skipped_fields=self._lines.skipped,
            oldest_unsent_ns=self._spool.oldest_ns if self._spool.oldest_ns is not None else self._buffer.oldest_ns(),
            last_canary_ns=self._canary.last_ns or counted.get("canary"),
            last_error=self._intake.last_error or self._delivery.last_error,
        )

    async def read(self, query: Query) -> list[Curve]:
        """See `MetricStore.read`."""
        try:
            flavour = self._delivery.flavour or await detect(self._transport)
            return await reading.read(self._transport, self._settings, flavour, query)
        except Unreachable as error:
            raise StoreError(str(error)) from error

    async def flush(self) -> bool:
        """See `Intake.flush`; here the disk is the spool's."""
        return await self._intake.flush()

    async def _commit(self, points: Sequence[Point], refused: int) -> None:
        self._lines.text_fields = self._delivery.flavour != "victoriametrics"
        self._spool = await self._worker.do(partial(self._accept, points, refused))
        if points:
            self._spooled.set()

    def _accept(self, points: Sequence[Point], refused: int, database: Database) -> spool.SpoolState:
        groups: list[tuple[list[bytes], int]] = []
        lines: list[bytes] = []
        oldest = size = 0
        for index, point in enumerate(points):
            if index % 500 == 0:
                time.sleep(0)  # let the event loop have the interpreter
            line = self._lines.line(point)
            if line is None:
                continue
            if not lines or len(lines) >= self._settings.batch_lines or size > _MOST_BATCH_BYTES:
                lines, oldest, size = [], point.time_ns, 0
                groups.append((lines, oldest))
            lines.append(line)
            size += len(line)
            if point.time_ns < oldest:
                oldest = point.time_ns
                groups[-1] = (lines, oldest)
        if groups or refused:
            spool.append(database, groups, self._settings.spool_max_bytes, refused)
        return spool.state(database.connection)

    async def _send_next(self) -> bool:
        """Carry the oldest batch to the store; ``False`` when the spool is empty or cannot be used."""
        try:
            await self._settle()
            batch = await self._worker.do(lambda database: spool.next_batch(database, self._settled))
            if batch is None:
                return False
            dead = await self._delivery.deliver(batch.lines)
            self._settled = batch.number
            self._unsettled.append((batch, dead))
            await self._settle()
        except StoreError as error:
            self._intake.complain(str(error))
            return False
        return True

    async def _settle(self) -> None:
        """Delete what is stored from the spool; a full disk keeps it in the file, but it is not sent again."""
        while self._unsettled:
            batch, dead = self._unsettled[0]
            self._spool = await self._worker.do(partial(self._settle_one, batch, dead))
            self._unsettled.pop(0)

    def _settle_one(self, batch: spool.Batch, dead: Sequence[spool.DeadLetter], database: Database) -> spool.SpoolState:
        kept = self._settings.dead_letters
        spool.settle(database, batch, dead, self._clock.utc_ns(), kept, self._canary.last_ns)
        return spool.state(database.connection)

    async def _keep_sending(self) -> None:
        while True:
            self._spooled.clear()
            try:
                while await self._send_next():
                    pass
            except Exception:  # noqa: BLE001 a fault in sending must not stop the spool for ever; the batch stays
                logger.exception("a batch could not be sent, tried again")
                await asyncio.sleep(self._settings.retry_s)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(self._settings.flush_s, 1.0) * 5):
                    await self._spooled.wait()
