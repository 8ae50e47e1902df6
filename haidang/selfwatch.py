"""Watching ourselves: what is wrong with Haidang is an incident of the group ``haidang`` like any other.

The daemon tells its figures every few seconds; built-in rules say for how long something may be wrong.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from alerting.incidents import OWN, Incidents
from alerting.rules import Change, Rule, RuleEngine
from collectors.points import series
from haidang.clock import Clock
from haidang.model import CheckId, Point, Series, State, Transition
from storage.database import Database

logger = structlog.get_logger(__name__)

EVERY_S = 10.0
LAG_MS = 2_000.0
"""A probe that is sent later than this is late enough to be told."""
LEAST_FREE = 0.05
LEAST_FREE_BYTES = 500 * 1024**2
CALENDAR = "calendar"
WAITING_S = 600.0
"""A message that was tried and still waits after this long says that its channel is broken."""

_RULES = (
    *(
        Rule(what, OWN, "bad", (("what", what),), above=0, for_s=for_s, clear_for_s=clear_for_s)
        for what, for_s, clear_for_s in (("lag", 60, 300), ("store", 300, 60), ("space", 30, 60), ("channel", 0, 30))
    ),
    Rule(CALENDAR, OWN, "bad", (("what", CALENDAR),), above=1, clear=0),
)
_NAMES = frozenset(rule.id for rule in _RULES)


def calendar_of(check: CheckId) -> str:
    """Return the calendar that a check about ourselves is about; empty: it is about something else."""
    kind, _, name = check.probe.partition(":")
    return name if check.target == OWN and kind == CALENDAR else ""


def is_own(check: CheckId) -> bool:
    """Whether a check is about ourselves."""
    return check.target == OWN and check.probe.partition(":")[0] in _NAMES


@dataclass(frozen=True, slots=True)
class Figures:
    """How we are doing.

    Parameters:
        lag_ms: the latest that a probe was sent since the last time, milliseconds.
        store_error: why the store takes nothing; empty when it does.
        channels: ways out that are configured: of the only one nobody can be told that it is broken.
        calendars: of each calendar how long it has been away, as a part of what it may be, and why; ``None`` of one
            that has not been tried yet.
    """

    lag_ms: float
    store_error: str
    channels: int
    calendars: Mapping[str, tuple[float, str] | None] = field(default_factory=dict)


class SelfWatch:
    """Opens and resolves the incidents about ourselves.

    Parameters:
        database: ``haidang.db``; its disk is looked at, and the messages that wait in it.
        clock: the time.
        incidents: are told.
        told: called when that may have put messages into the outbox.
        disk: returns (total, used, free) of a folder's disk, bytes.
    """

    def __init__(
        self, database: Database, clock: Clock, incidents: Incidents, told: Callable[[], None],
        disk: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage,
    ) -> None:  # fmt: skip
        self._database = database
        self._clock = clock
        self._incidents = incidents
        self._told = told
        self._disk = disk
        before = incidents.open_checks()
        self._engine = RuleEngine(lambda _, line: _check(line) in before)
        self._engine.use(_RULES)
        self._calendars = {name for check in before if (name := calendar_of(check))}
        self._waiting: list[tuple[Change, str]] = []

    def look(self, figures: Figures) -> None:
        """Judge how we are; call it every `EVERY_S`."""
        now_ns = self._clock.utc_ns()
        found = {
            _line("lag"): f"probes are sent {figures.lag_ms:.0f} ms late" if figures.lag_ms > LAG_MS else "",
            _line("store"): figures.store_error,
            _line("space"): self._space(),
            _line("channel"): self._channel(now_ns) if figures.channels > 1 else "",
        }
        judged = {line: (float(bool(reason)), reason) for line, reason in found.items()}
        self._calendars |= figures.calendars.keys()
        for name in self._calendars:
            away = figures.calendars.get(name, (0.0, f"there is no calendar {name} any more"))
            if away is not None:
                judged[_line(CALENDAR, name)] = away
        for line, (bad, reason) in judged.items():
            changes = self._engine.take([Point(line, now_ns, {"bad": bad})])
            self._waiting += [(change, reason) for change in changes]
        if self._waiting:
            self._write(now_ns)

    def clock_stepped(self, by_ns: int) -> None:
        """Move every time with the wall clock."""
        self._engine.clock_stepped(by_ns)

    def _space(self) -> str:
        try:
            total, _, free = self._disk(self._database.path.parent)
        except OSError as error:
            return f"{self._database.path.parent}: {error.strerror or error}"
        if free >= max(LEAST_FREE * total, LEAST_FREE_BYTES):
            return ""
        return f"{free // 1024**2} MiB of {total // 1024**2} MiB are free in {self._database.path.parent}"

    def _channel(self, now_ns: int) -> str:
        row = self._database.connection.execute(
            "SELECT channel, count(*), max(last_error) FROM notification WHERE state = 'waiting' AND attempts > 0 "
            "AND created_ns <= ? GROUP BY channel ORDER BY count(*) DESC LIMIT 1",
            (now_ns - round(WAITING_S * 1e9),),
        ).fetchone()
        return f"{row[0]}: {row[1]} waiting to be sent, {row[2]}" if row else ""

    def _write(self, now_ns: int) -> None:
        try:
            with self._database.transaction():
                for change, reason in self._waiting:
                    state, was = (State.DOWN, State.UP) if change.firing else (State.UP, State.DOWN)
                    self._incidents.on_transition(
                        Transition(_check(change.series), state, was, change.at_ns, now_ns, reason)
                    )
        except sqlite3.Error as error:
            logger.debug("what is wrong with us could not be written, tried again", error=str(error))
            return
        for change, reason in self._waiting:
            logger.warning("self", what=_check(change.series).probe, wrong=change.firing, reason=reason)
        self._waiting = []
        self._told()


def _line(what: str, name: str = "") -> Series:
    return series(OWN, {"what": what, **({"name": name} if name else {})})


def _check(line: Series) -> CheckId:
    tags = dict(line.tags)
    return CheckId(OWN, ":".join([tags["what"], *([tags["name"]] if "name" in tags else [])]))
