"""What devices tell by themselves: put on record, and taken as a reason to look at once. It never sets a state."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping

import structlog

from collectors.receiver import Event
from haidang.clock import Clock
from storage.events import EventLog, Recorded

logger = structlog.get_logger(__name__)

LOOK_PAUSE_NS = 5_000_000_000
"""A target that tells again and again is looked at no more often than this."""
MOST_LOOKS = 50
"""Targets looked at in one second: more than that is a storm, and the others follow in the next ones."""
KEPT_NS = 90 * 86_400 * 10**9


class Telling:
    """Takes events.

    Parameters:
        clock: spaces the looks.
        log: where events are kept.
        look: looks at a target now, with all its probes; False when it must be tried again.
    """

    def __init__(self, clock: Clock, log: EventLog, look: Callable[[str], bool]) -> None:
        self._clock = clock
        self._log = log
        self._look = look
        self._targets: dict[str, tuple[str, ...]] = {}
        self._looked_ns: dict[str, int] = {}
        self._asked: dict[str, None] = {}
        self._left = MOST_LOOKS
        self.events = 0
        self.looks = 0

    def know(self, addresses: Iterable[tuple[str, str]]) -> Mapping[str, tuple[str, ...]]:
        """Set whose addresses these are, as address and target; returns the targets by address."""
        found: dict[str, tuple[str, ...]] = {}
        for address, target in addresses:
            found[address] = (*found.get(address, ()), target)
        self._targets = found
        names = {target for targets in found.values() for target in targets}
        self._looked_ns = {target: at for target, at in self._looked_ns.items() if target in names}
        return found

    def take(self, event: Event) -> None:
        """Take an event: of every target with that address."""
        for target in self._targets.get(event.source, ()):
            row = Recorded(
                target, event.at_ns, event.at_ns, 1, event.kind, event.source, event.name, event.severity,
                event.text, event.proven,
            )  # fmt: skip
            self._take(row, poll=event.poll)

    def hand_in(self, target: str, name: str, severity: str, text: str, source: str) -> None:
        """Take what another program tells of a target.

        Parameters:
            name: of the hook.
            severity: ``critical``, ``warning`` or ``info``.
            text: printable, at most 500 characters.
            source: the program.
        """
        now_ns = self._clock.utc_ns()
        self._take(Recorded(target, now_ns, now_ns, 1, "hook", source, name, severity, text, proven=True), poll=True)

    def _take(self, row: Recorded, *, poll: bool) -> None:
        self.events += 1
        self._log.add(row)
        if poll:
            self._asked[row.target] = None
            self._try(row.target)

    @property
    def left_out(self) -> int:
        """Events that were not kept: more different ones at once than wait for the disk."""
        return self._log.left_out

    def tick(self) -> None:
        """Let time pass: write what came, look at what had to wait. Call it every second."""
        self._left = MOST_LOOKS
        for target in list(self._asked):
            self._try(target)
        try:
            self._log.write()
        except sqlite3.Error as error:
            logger.debug("events could not be written, tried again", error=str(error))

    def tidy(self) -> None:
        """Forget what is too old to matter."""
        self._log.tidy(self._clock.utc_ns() - KEPT_NS)

    def _try(self, target: str) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._left and now_ns - self._looked_ns.get(target, now_ns - LOOK_PAUSE_NS) >= LOOK_PAUSE_NS:
            self._left -= 1
            self._looked_ns[target] = now_ns
            self.looks += 1
            if self._look(target):
                del self._asked[target]
