"""What the daemon does by the calendar: tidying, forecasts, the load of lines, the month's report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from apscheduler.job import Job

from alerting.outbox import Outbox
from collectors import load
from collectors.losses import losses
from config import Configuration
from haidang import budgeting, reporting
from haidang.calendar import Calendar
from haidang.clock import Clock
from haidang.foretelling import rows_now
from haidang.model import Point
from probes.threads import in_thread
from storage.accounts import ForecastRow
from storage.database import Database
from storage.metrics import MetricStore, StoreError

logger = structlog.get_logger(__name__)

RECKON_PAUSE = 20
"""So many times as long as reckoning took, the next one is not begun: it has a twentieth of a core at most."""


class Almanac:
    """Plans the work and does it.

    Parameters:
        path: the configuration file, for the report's own process.
        configuration: what it says; exchanged on a reload.
        clock: the time.
        database, store: where things are.
        outbox: takes the report's letters.
        told: called when letters wait.
        keep: takes the day's forecasts.
        took: is given measurements as they are made.
        tidy_events: forgets old events.
    """

    def __init__(
        self, path: Path, configuration: Configuration, clock: Clock, database: Database, store: MetricStore,
        outbox: Outbox, told: Callable[[], None], keep: Callable[[Sequence[ForecastRow]], None],
        took: Callable[[Sequence[Point]], None], tidy_events: Callable[[], None],
    ) -> None:  # fmt: skip
        self._path = path
        self._configuration = configuration
        self._clock = clock
        self._database = database
        self._store = store
        self._outbox = outbox
        self._told = told
        self._keep = keep
        self._took = took
        self._tidy_events = tidy_events
        self._reckon_ns = 0
        self._calendar = Calendar(configuration.timezone)
        self._calendar.add("tidy the metric store", store.tidy, minute="*", second=7)
        self._calendar.add("tidy the events", self._tidy, hour="*", minute=41)
        self._calendar.add("foretell", self._foretell, hour=5, minute=40)
        self._calendar.add("reckon the budgets", self._reckon, minute="*", second=37)
        self._calendar.add("measure the circuits' load", self._measure_load, minute=23)
        self.use(configuration)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._configuration = configuration
        # Each day, when last month's is missing: on day 1, or later after a longer stop.
        hour, _, minute = configuration.reports.at.partition(":")
        self._calendar.add("the month's report", self._report, hour=int(hour) % 24, minute=int(minute))

    def jobs(self) -> list[Job]:
        """Return what is planned."""
        return self._calendar.jobs()

    def start(self) -> None:
        """Begin; call it on the running loop."""
        self._calendar.start()

    def clock_stepped(self) -> None:
        """Plan everything anew."""
        self._calendar.clock_stepped()

    def close(self) -> None:
        """Stop."""
        self._calendar.close()

    async def _tidy(self) -> None:
        self._tidy_events()

    async def _foretell(self) -> None:
        """Keep the day's forecasts; thousands take some seconds, in a thread, at a quiet hour."""
        configuration, now_ns = self._configuration, self._clock.utc_ns()
        self._keep(await in_thread(lambda: rows_now(configuration, now_ns), "forecast"))

    async def _reckon(self) -> None:
        """Reckon the budgets for the rules about them, each minute; more seldom where that takes long."""
        configuration, began_ns = self._configuration, self._clock.monotonic_ns()
        if not budgeting.wanted(configuration)[0] or began_ns < self._reckon_ns:
            return
        now_ns = self._clock.utc_ns()
        try:
            lost = await losses(self._store, now_ns)
        except StoreError as error:
            logger.warning("budgets are reckoned without what targets lose", reason=str(error))
            lost = {}
        points = await in_thread(lambda: budgeting.reckoned(configuration, lost, now_ns), "budgets")
        self._reckon_ns = began_ns + RECKON_PAUSE * (self._clock.monotonic_ns() - began_ns)
        self._store.add(points)
        self._took(points)

    async def _report(self) -> None:
        configuration, now_ns = self._configuration, self._clock.utc_ns()
        month = reporting.is_due(configuration, self._database.connection, now_ns)
        if month is None:
            return
        failed = await reporting.have_made(self._path, month)
        if failed is not None:
            logger.error("the month's report was not made", month=month, reason=failed)
            return
        with self._database.transaction():
            letters = reporting.mail(configuration, self._outbox, month, self._clock.utc_ns())
        self._told()
        logger.info("the month's report is made", month=month, letters=letters)

    async def _measure_load(self) -> None:
        """Store how full the leased lines were, each hour; a store that cannot answer now may the next time."""
        now_ns = self._clock.utc_ns()
        try:
            found = await load.loads(self._configuration, self._store, now_ns)
        except StoreError as error:
            logger.warning("load of the circuits not measured", reason=str(error))
            return
        points = load.points(found, now_ns)
        self._store.add(points)
        self._took(points)
