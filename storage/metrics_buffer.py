"""What both stores stand on: a bounded buffer, its way to disk, and one thread that alone uses the database file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import structlog

from haidang.model import Point
from storage.database import Database, DatabaseError
from storage.metrics_model import StoreError

logger = structlog.get_logger(__name__)

T = TypeVar("T")
_RETRY_MAX_S = 30.0
_AGAIN_S = 300.0


class Buffer:
    """Points in memory, oldest first, at most ``limit``; what does not fit is counted as refused."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._points: list[Point] = []
        self._taken: list[Point] = []
        self.refused = 0
        self.wake = asyncio.Event()

    def __len__(self) -> int:
        return len(self._points) + len(self._taken)

    def add(self, points: Sequence[Point]) -> None:
        """Append what fits."""
        room = self._limit - len(self._points) - len(self._taken)
        if len(points) > room:
            self.refused += len(points) - room
            points = points[:room]
        self._points += points
        if len(self._points) * 4 > self._limit:
            self.wake.set()

    def take(self, limit: int) -> Sequence[Point]:
        """Hand out the oldest points; they stay counted until `done` or `give_back`."""
        self._taken, self._points = self._points[:limit], self._points[limit:]
        self.wake.clear()
        return self._taken

    def done(self) -> None:
        """Forget what was taken: it is on disk."""
        self._taken = []

    def give_back(self) -> None:
        """Put what was taken back in front: the disk refused it."""
        self._points = self._taken + self._points
        self._taken = []

    def oldest_ns(self) -> int | None:
        """Time of the point that waits longest."""
        for points in (self._taken, self._points):
            if points:
                return points[0].time_ns
        return None


class Intake:
    """Carries the buffer to disk: commits in a rhythm, keeps what the disk refuses, says what is wrong.

    Parameters:
        buffer: what is to be carried.
        commit: puts points on disk and counts so many refused ones with them; raises `StoreError` when it cannot.
        every_s: pause between two commits, seconds.
        most: points in one commit.
    """

    def __init__(
        self, buffer: Buffer, commit: Callable[[Sequence[Point], int], Awaitable[None]], every_s: float, most: int
    ) -> None:
        self._buffer = buffer
        self._commit = commit
        self._every_s = every_s
        self._most = most
        self._refused_kept = 0
        self._told_s = 0.0
        self._flushing: asyncio.Task[bool] | None = None
        self.last_error = ""

    @property
    def refused(self) -> int:
        """Points refused that are not counted on disk yet."""
        return self._buffer.refused - self._refused_kept

    async def run(self) -> None:
        """Flush until cancelled."""
        pause_s = self._every_s
        while True:
            with suppress(TimeoutError):  # not wait_for: before Python 3.12 it can swallow a cancellation
                async with asyncio.timeout(pause_s):
                    await self._buffer.wake.wait()
            if await self.flush():
                pause_s = self._every_s
            else:
                pause_s = min(max(pause_s, 0.5) * 2, _RETRY_MAX_S)
                await asyncio.sleep(pause_s)

    async def flush(self) -> bool:
        """Put what is buffered on disk, at most one commit's worth; ``False`` when the disk refused.

        The commit goes on when the caller is cancelled; the next flush waits for it.
        """
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        return await asyncio.shield(self._flushing)

    async def drain(self, deadline_s: float) -> None:
        """Put everything on disk, as far as the deadline allows. Who only read has nothing, and no file is touched."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while (len(self._buffer) or self._buffer.refused > self._refused_kept) and await self.flush():
                    pass
        if len(self._buffer):
            logger.error("points are lost, the disk did not take them in time", points=len(self._buffer))

    async def _flush(self) -> bool:
        points = self._buffer.take(self._most)
        refused = self._buffer.refused
        try:
            await self._commit(points, refused - self._refused_kept)
        except StoreError as error:
            self._buffer.give_back()
            self.complain(str(error))
            return False
        except Exception:  # noqa: BLE001 a point that no code foresaw must not stop all the others for ever
            logger.exception("points cannot be written and are given up", points=len(points))
            self._buffer.refused += len(points)
        else:
            self._refused_kept = refused
            if self.last_error:
                logger.info("points are written again")
            self.last_error = ""
        self._buffer.done()
        return True

    def complain(self, words: str) -> None:
        """Say what is wrong: once, and again every `_AGAIN_S` while it lasts."""
        now_s = asyncio.get_running_loop().time()
        if words != self.last_error or now_s - self._told_s >= _AGAIN_S:
            self._told_s = now_s
            logger.error("metrics cannot be written, kept in memory", error=words, buffered=len(self._buffer))
        self.last_error = words


class Worker:
    """Runs functions on a database file in one thread, one at a time; opens the file when first needed.

    After an error the file is closed and opened anew at the next call, so a disk that was full or away heals by itself.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._database: Database | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"haidang-{schema}")

    @property
    def is_open(self) -> bool:
        """Whether the file is open: it has been needed."""
        return self._database is not None

    async def do(self, work: Callable[[Database], T]) -> T:
        """Run ``work`` in the thread.

        Raises:
            StoreError: the file cannot be used; nothing that ``work`` began in a transaction has happened.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, work)

    def _do(self, work: Callable[[Database], T]) -> T:
        try:
            if self._database is None:
                self._database = Database(self.path, self._schema, cross_thread=True)
            return work(self._database)
        except DatabaseError as error:
            raise StoreError(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            self._shut()
            raise StoreError(f"{self.path}: cannot be written ({error}); check free space and the disk") from error

    def _shut(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            with suppress(sqlite3.Error):
                database.close()

    async def close(self, deadline_s: float) -> None:
        """Close the file after the work that is under way; give up waiting after ``deadline_s`` seconds."""
        future = asyncio.get_running_loop().run_in_executor(self._thread, self._shut)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.shield(future)
        self._thread.shutdown(wait=False)


def count(database: Database, **added: int) -> None:
    """Add to the file's counters, inside the caller's transaction."""
    for name, number in added.items():
        if number:
            database.connection.execute(
                "INSERT INTO counter (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + ?",
                (name, number, number),
            )


def counters(connection: sqlite3.Connection) -> dict[str, int]:
    """Read the file's counters."""
    return dict(connection.execute("SELECT name, value FROM counter"))
