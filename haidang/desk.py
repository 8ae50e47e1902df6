"""The incident desk: all that looks after incidents beside the judging of checks, wired as one for the daemon."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from alerting.incidents import Incidents
from config import Configuration
from haidang import handling
from haidang.clock import Clock
from haidang.control import Verb
from haidang.evidence import Gathering, Sources
from haidang.model import CheckId, Point, Transition
from haidang.ruling import Ruling, is_rule
from haidang.selfwatch import Figures, SelfWatch, is_own
from storage.database import Database


class Desk:
    """Rules over measurements, incidents about ourselves, evidence, and what people ask for.

    Parameters:
        configuration: the one in force; exchanged on a reload.
        database: ``haidang.db``.
        clock: the time.
        incidents: opens and resolves them.
        told: called when there may be messages in the outbox.
        sources: of evidence.
    """

    def __init__(
        self, configuration: Configuration, database: Database, clock: Clock, incidents: Incidents,
        told: Callable[[], None], sources: Sources,
    ) -> None:  # fmt: skip
        self._incidents = incidents
        self._selfwatch = SelfWatch(database, clock, incidents, told)
        self._ruling = Ruling(configuration, database, clock, incidents, told)
        self._gathering = Gathering(configuration, database, clock, incidents, sources)

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self._incidents.use(handling.policy(configuration))
        self._gathering.use(configuration)
        self._ruling.use(configuration)

    def take(self, points: Sequence[Point]) -> None:
        """Hold points against the rules, on their way to the store."""
        self._ruling.take(points)

    def changed(self, transitions: Sequence[Transition]) -> None:
        """Hold what checks have become against the rules."""
        self._ruling.changed(transitions)

    def tick(self) -> None:
        """Let time pass; call it every second."""
        self._ruling.tick()
        self._gathering.tick()

    def clock_stepped(self, before_ns: int, after_ns: int) -> None:
        """Take in that the wall clock was moved."""
        self._ruling.clock_stepped(before_ns, after_ns)
        self._selfwatch.clock_stepped(after_ns - before_ns)

    def look(self, figures: Figures) -> None:
        """Judge how we are ourselves; call it every few seconds."""
        self._selfwatch.look(figures)

    def others(self, checks: Collection[CheckId]) -> set[CheckId]:
        """Return those of some checks with an incident that are not of rules or about ourselves."""
        return {check for check in checks if not is_own(check) and not is_rule(check)}

    def verbs(self) -> dict[str, Verb]:
        """Return what can be asked for over the control socket."""
        return handling.verbs(self._incidents)

    async def close(self) -> None:
        """Give up what is under way."""
        await self._gathering.close()
