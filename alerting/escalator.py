"""Makes escalation go on: each second, what is due is decided, told and noted, all in one transaction."""

from __future__ import annotations

import structlog

from alerting import records
from alerting.escalation import Escalations, Timer
from alerting.notifier import EVERYBODY, Notifier, Router
from alerting.records import Incident
from alerting.routing import climb
from alerting.world import Step
from haidang.clock import Clock
from storage.database import Database

logger = structlog.get_logger(__name__)


class Escalator:
    """Lets time pass for escalation and lists.

    Parameters:
        database: ``haidang.db``.
        clock: the time.
        escalations: the timers.
        notifier: tells.
        router: knows what is silenced.
    """

    def __init__(
        self, database: Database, clock: Clock, escalations: Escalations, notifier: Notifier, router: Router
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._escalations = escalations
        self._notifier = notifier
        self._router = router

    def tick(self) -> bool:
        """Do what is due; call it every second.

        Returns:
            whether anything was done, so that the sender may look.
        """
        now_ns = self._clock.utc_ns()
        if not self._escalations.anything_due(now_ns):
            return False
        with self._database.transaction():
            for timer in self._escalations.due(now_ns):
                self._climb(timer, now_ns)
            waiting = self._escalations.lists_due(now_ns)
            if waiting:
                self._notifier.listed(waiting, now_ns)
                self._escalations.listed(waiting, now_ns)
        return True

    def _climb(self, timer: Timer, now_ns: int) -> None:
        sql = self._database.connection
        incident = records.incident(sql, timer.incident)
        over = incident is None or not incident.open or incident.merged_into is not None
        held_until_ns = None if incident is None or over else self._held_until_ns(incident, now_ns)
        rungs, progress = climb(timer.plan, timer.progress, now_ns, over=over, held_until_ns=held_until_ns)
        self._escalations.keep(timer, progress, now_ns)
        if rungs and incident is not None:
            first = timer.progress.done == 0
            self._notifier.climb(incident, timer.plan, rungs, Step.OPENED if first else Step.ESCALATED, now_ns)
            if timer.plan != EVERYBODY:
                logger.warning(
                    "incident escalated", incident=incident.number, route=timer.plan.route, step=progress.done,
                    to=[name for rung in rungs for name in rung.to],
                )  # fmt: skip

    def _held_until_ns(self, incident: Incident, now_ns: int) -> int | None:
        """Return until when nobody further is told: acknowledged, or silenced."""
        members = records.members(self._database.connection, incident.number)
        times = [self._router.silenced_until_ns(incident, members, now_ns)]
        if incident.acknowledged(now_ns):
            times.append(incident.acknowledged_until_ns)
        return max((time for time in times if time is not None), default=None)
