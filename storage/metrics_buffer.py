"""What both stores stand on: a bounded buffer in front, and one thread that alone uses the database file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from haidang.model import Point
from storage.database import Database, DatabaseError
from storage.metrics_model import StoreError

T = TypeVar("T")


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


class Worker:
    """Runs functions on a database file in one thread, one at a time; opens the file when first needed.

    After an error the file is closed and opened anew at the next call, so a disk that was full or away heals by itself.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._schema = schema
        self._database: Database | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"haidang-{schema}")

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
