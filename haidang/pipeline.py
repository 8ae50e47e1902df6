"""The way of an observation: judged, written, told. One call deep, no queue and no network between.

What is certain is committed before anything else happens with it; metrics go the other way and may be late.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence

import structlog

from alerting.incidents import Incidents
from availability.health import HealthEngine
from haidang.clock import Clock
from haidang.model import Observation, Point, Transition
from storage.database import Database
from storage.ledger import Ledger
from storage.metrics import MetricStore

logger = structlog.get_logger(__name__)

GATHER_NS = 200_000_000
"""Commits follow each other no faster than this; what becomes certain meanwhile shares the next one."""


class Pipeline:
    """Takes observations in.

    Parameters:
        clock: stamps what is certain.
        database: holds ledger, incidents and outbox; one transaction for a batch of transitions.
        health, ledger, incidents, store: where an observation goes, in this order.
        told: called after a commit that may have put messages into the outbox.
    """

    def __init__(
        self, clock: Clock, database: Database, health: HealthEngine, ledger: Ledger, incidents: Incidents,
        store: MetricStore, told: Callable[[], None],
    ) -> None:  # fmt: skip
        self._clock = clock
        self._database = database
        self._health = health
        self._ledger = ledger
        self._incidents = incidents
        self._store = store
        self._told = told
        self._unwritten: list[Transition] = []
        self._written_ns = 0
        self._planned: asyncio.TimerHandle | None = None

    def deliver(self, observation: Observation, points: Sequence[Point]) -> None:
        """Take one observation and its points."""
        transitions = self._health.observe(observation, self._clock.utc_ns())
        if transitions:
            self._unwritten += transitions
            self._write_soon()
        if points:
            self._store.add(points)

    def tick(self) -> None:
        """Let time pass for the judges, and try again what could not be written. Call it every second."""
        self._unwritten += self._health.tick(self._clock.utc_ns())
        if self._unwritten:
            self.write()

    def _write_soon(self) -> None:
        """Write at once; in a storm, when the last write is only just over, with those that come meanwhile.

        A commit waits for the disk: one for each of ten thousand verdicts would hold the probes up for minutes.
        """
        since_ns = self._clock.monotonic_ns() - self._written_ns
        if since_ns >= GATHER_NS:
            self.write()
        elif self._planned is None:
            self._planned = asyncio.get_running_loop().call_later((GATHER_NS - since_ns) / 1e9, self.write)

    def write(self) -> None:
        """Write transitions, incidents and messages as one fact.

        When the disk refuses, they are kept in memory in their order and tried again with the next tick: an
        alarm that cannot be written is not forgotten, and the probing goes on.
        """
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        batch = self._unwritten
        try:
            with self._database.transaction():
                for transition in batch:
                    self._ledger.record(transition)
                    incident = self._incidents.on_transition(transition)
                    if incident is not None:
                        self._ledger.attach(transition.check, incident)
        except sqlite3.Error as error:
            logger.error(  # noqa: TRY400 the traceback says nothing that the error does not
                "the ledger cannot be written, kept in memory", waiting=len(batch), error=str(error),
                cure=f"check free space and rights of {self._database.path}",
            )  # fmt: skip
            return
        self._unwritten = []
        self._written_ns = self._clock.monotonic_ns()
        for transition in batch:
            logger.info(
                "state changed", check=str(transition.check), state=transition.state.value,
                was=transition.previous.value if transition.previous else None, reason=transition.reason or None,
                cause=str(transition.cause) if transition.cause else None,
            )  # fmt: skip
        self._told()

    @property
    def unwritten(self) -> int:
        """Transitions that wait for the disk."""
        return len(self._unwritten)
