"""What the ledger's disk refuses, told once, again at intervals, and when it is over.

A dozen parts write into the ledger and try again each second: the log of a day with a full disk must still be readable.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import structlog

from haidang.clock import Clock

logger = structlog.get_logger(__name__)

AGAIN_NS = 300 * 10**9
QUIET_NS = 5 * 10**9
"""On a disk that is all but full small writes go in between: it is over when none was refused for so long."""


class Refusals:
    """Hears how each transaction ended: `Database.outcome`.

    Parameters:
        path: the database.
        clock: the time.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._began_ns = self._refused_ns = 0
        self._told_ns: int | None = None
        self.error = ""
        """Why nothing can be written now; empty when all is well."""

    def note(self, error: sqlite3.Error | None) -> None:
        """Take in that a transaction is on disk, or why not."""
        if error is None and not self.error:
            return
        now_ns = self._clock.monotonic_ns()
        if error is not None:
            if not self.error:
                self._began_ns = now_ns
            self._refused_ns, self.error = now_ns, str(error)
            if self._told_ns is None or now_ns - self._told_ns >= AGAIN_NS:
                self._told_ns = now_ns
                logger.error(
                    "the ledger cannot be written, what becomes certain is kept in memory", error=self.error,
                    since_s=round((now_ns - self._began_ns) / 1e9),
                    cure=f"check free space and rights of {self._path}",
                )  # fmt: skip
        elif now_ns - self._refused_ns >= QUIET_NS:
            self.error, self._told_ns = "", None
            logger.info("the ledger is written again", after_s=round((now_ns - self._began_ns) / 1e9))
