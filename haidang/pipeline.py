"""The way of an observation: judged, written, told. One call deep, no queue and no network between.

What is certain is committed before anything else happens with it; metrics go the other way and may be late.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence

import structlog

from alerting.incidents import Incidents
from availability.health import HealthEngine
from haidang.clock import Clock
from haidang.life import StepDetector
from haidang.model import Observation, Point, Transition
from storage.database import Database
from storage.ledger import Ledger
from storage.metrics import MetricStore

logger = structlog.get_logger(__name__)

GATHER_NS = 200_000_000
"""Commits follow each other no faster than this; what becomes certain meanwhile shares the next one."""


MOST = 500
"""Transitions in one commit; the loop goes on between two, and ten thousand verdicts at once do not hold it."""


class Pipeline:
    """Takes observations in.

    Parameters:
        clock: stamps what is certain.
        database: holds ledger, incidents and outbox; one transaction for a batch of transitions.
        health, ledger, incidents, store: where an observation goes, in this order.
        told: called after a commit that may have put messages into the outbox.
        stepped: called when the wall clock was moved, with what it would have shown and what it shows.
        silences: tells whether a change is recorded and nobody is told: maintenance.
        rules: gets every point on its way to the store.
        wrote: called after a commit with what was written, for whoever shows it; must not raise.
    """

    def __init__(
        self, clock: Clock, database: Database, health: HealthEngine, ledger: Ledger, incidents: Incidents,
        store: MetricStore, told: Callable[[], None], stepped: Callable[[int, int], None],
        silences: Callable[[Transition], bool] = lambda _: False,
        rules: Callable[[Sequence[Point]], None] = lambda _: None,
        wrote: Callable[[Sequence[Transition]], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._clock = clock
        self._database = database
        self._health = health
        self._ledger = ledger
        self._incidents = incidents
        self._store = store
        self._told = told
        self._stepped = stepped
        self._silences = silences
        self._rules = rules
        self._wrote = wrote
        self._unwritten: list[Transition] = []
        self._written_ns = 0
        self._planned: asyncio.TimerHandle | None = None
        self._refused = False
        self._steps = StepDetector(clock)

    def _look_at_clock(self) -> None:
        """Follow a step of the wall clock before anything is judged by times from both sides of it."""
        step = self._steps.look()
        if step is not None:
            before_ns, after_ns = step
            logger.warning("the wall clock was moved", by_s=round((after_ns - before_ns) / 1e9, 3))
            self.write_all()  # with the times they were judged by, before the ledger follows the step
            self._health.shift(after_ns - before_ns)
            self._stepped(before_ns, after_ns)

    def deliver(self, observation: Observation, points: Sequence[Point]) -> None:
        """Take one observation and its points."""
        self._look_at_clock()
        transitions = self._health.observe(observation, self._clock.utc_ns())
        if transitions:
            self._unwritten += transitions
            if not self._refused:  # else the next tick tries again: not each of them, in a storm on a full disk
                self._write_soon()
        if points:
            self._store.add(points)
            self._rules(points)

    def tick(self) -> None:
        """Let time pass for the judges, and try again what could not be written. Call it every second."""
        self._look_at_clock()
        self._unwritten += self._health.tick(self._clock.utc_ns())
        if self._unwritten:
            self.write()
        try:
            if self._incidents.tick():
                self._told()
        except sqlite3.Error as error:
            logger.debug("what is due could not be told, tried again", error=str(error))

    def _write_soon(self) -> None:
        """Write at once; in a storm, when the last write is only just over, with those that come meanwhile.

        A commit waits for the disk: one for each of ten thousand verdicts would hold the probes up for minutes.
        """
        since_ns = self._clock.monotonic_ns() - self._written_ns
        if since_ns >= GATHER_NS:
            self.write()
        elif self._planned is None:
            self._planned = asyncio.get_running_loop().call_later((GATHER_NS - since_ns) / 1e9, self.write)

    def write_all(self) -> None:
        """Write all that waits, however long it takes: at the end, and before times change their meaning."""
        while self._unwritten:
            self.write()
            if self._refused:
                return

    def write(self) -> None:
        """Write transitions, incidents and messages as one fact; of very many the first, and soon the others.

        When the disk refuses, they are kept in memory in their order and tried again with the next tick: an
        alarm that cannot be written is not forgotten, and the probing goes on.
        """
        if self._planned is not None:
            self._planned.cancel()
            self._planned = None
        batch = self._unwritten[:MOST]
        written = len(batch)
        try:
            with self._database.transaction():
                for transition in batch:
                    self._write_one(transition)
        except sqlite3.OperationalError as error:
            logger.log(
                logging.DEBUG if self._refused else logging.ERROR, "changes of state wait for the disk",
                waiting=len(self._unwritten), error=str(error),
            )  # fmt: skip
            self._refused = True
            return
        except Exception:  # noqa: BLE001 one transition that nobody foresaw must not silence all the others
            logger.exception("a batch of transitions was refused, written one by one", transitions=len(batch))
            batch = [transition for transition in batch if self._written_alone(transition)]
        self._refused = False
        self._unwritten = self._unwritten[written:]
        self._written_ns = self._clock.monotonic_ns()
        for transition in batch:
            logger.info(
                "state changed", check=str(transition.check), state=transition.state.value,
                was=transition.previous.value if transition.previous else None, reason=transition.reason or None,
                cause=str(transition.cause) if transition.cause else None,
            )  # fmt: skip
        self._told()
        if batch:
            self._wrote(batch)
        if self._unwritten:
            self._write_soon()

    def _write_one(self, transition: Transition) -> None:
        self._ledger.record(transition)
        if self._silences(transition):
            return
        incident = self._incidents.on_transition(transition)
        if incident is not None:
            self._ledger.attach(transition.check, incident)

    def _written_alone(self, transition: Transition) -> bool:
        try:
            with self._database.transaction():
                self._write_one(transition)
        except Exception:  # noqa: BLE001 set aside, told in the log with everything that is known of it
            logger.exception("a transition could not be written and is set aside", transition=repr(transition))
            return False
        return True

    @property
    def unwritten(self) -> int:
        """Transitions that wait for the disk."""
        return len(self._unwritten)
