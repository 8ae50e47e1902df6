"""Work that follows the calendar (hours, days, months), as opposed to the probes' monotonic cadence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from zoneinfo import ZoneInfo

import structlog
from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

logger = structlog.get_logger(__name__)

LATEST_S = 3600
"""A job that could not start at its time still starts within this; APScheduler's own default of 1 s drops it."""


class Calendar:
    """Runs jobs at times of day, in a time zone.

    Parameters:
        zone: whose clock the times are on.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._scheduler = AsyncIOScheduler(timezone=zone)

    def add(self, name: str, work: Callable[[], Awaitable[None]], **when: int | str) -> None:
        """Run something again and again; never twice at once, and once when several times were missed.

        What had the same name before is replaced.

        Parameters:
            name: for the log.
            work: what to do; a failure is logged and does not end the series.
            when: fields of a crontab line, e.g. ``hour=3, minute=10``.
        """

        async def guarded() -> None:
            try:
                await work()
            except Exception:  # noqa: BLE001 the job's top: this time failed, the next may not
                logger.exception("calendar work failed", work=name)

        self._scheduler.add_job(
            guarded, CronTrigger(timezone=self._zone, **when), id=name, name=name, coalesce=True,
            misfire_grace_time=LATEST_S, max_instances=1, replace_existing=True,
        )  # fmt: skip

    def jobs(self) -> list[Job]:
        """Return what is planned."""
        return list(self._scheduler.get_jobs())

    def start(self) -> None:
        """Begin; call it on the running loop."""
        self._scheduler.start()

    def clock_stepped(self) -> None:
        """Plan every job anew: its next time was planned by a clock that has been moved."""
        for job in self._scheduler.get_jobs():
            job.reschedule(job.trigger)

    def close(self) -> None:
        """Stop; jobs under way are left to be cancelled with the loop."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
