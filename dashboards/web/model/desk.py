"""The desk: reads the ledger for the pages, in threads, through connections that can only read."""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import time
from collections.abc import Callable, Hashable
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar, cast

from alerting import records
from alerting.records import Incident
from availability import spans
from availability.books import Account, Books
from availability.objectives import Figures
from availability.periods import month_at
from availability.promises import Promise
from availability.spans import Spans
from availability.timeline import added_up
from config import Configuration
from haidang.clock import Clock
from haidang.foretelling import Foretelling, Foretold
from probes.threads import in_thread
from storage.database import open_reader

T = TypeVar("T")

AT_ONCE = 2
"""Readers at work at the same time; more of them would only take the processor from each other and from the loop."""
MOST_WAITING = 64
SHARE = 0.01
"""How much of one processor the standings of the month may take: what takes long is worked out less often."""
OLDEST_S = 30.0
OUTLOOK_S = 300.0
"""How old the outlook may be: a month's risk does not change by the minute, and thousands of draws make it."""
MOST_KEPT = 64
"""Answers that are kept for a while."""
MOST_SHOWN = 200
"""Open incidents that the wall is told of; it says how many more there are."""


class DeskBusy(Exception):
    """Too many questions wait already."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a system stands in the month.

    Parameters:
        figures: availability, budget, bounds.
        formula: how its members make it.
        members: how many.
        up: whether it is up now by its formula: 1, 0, or a share where the formula weighs.
        miss: probability of missing the objective, as it was last foretold; ``None``: not known.
    """

    figures: Figures
    formula: str
    members: int
    up: float
    miss: float | None


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """An open incident, and how much is hidden behind it."""

    incident: Incident
    hidden: int


@dataclass(frozen=True, slots=True)
class Day:
    """How a day was.

    Parameters:
        start_ns: its midnight.
        up_s, down_s, unknown_s: what is known of the time that counts, seconds.
        outages: how many.
        passed: whether any of it has.
    """

    start_ns: int
    up_s: float
    down_s: float
    unknown_s: float
    outages: int
    passed: bool

    @property
    def percent(self) -> float | None:
        """Availability of the day; ``None`` when nothing was measured."""
        known = self.up_s + self.down_s
        return 100 * self.up_s / known if known else None


class Desk:
    """Answers questions that need the ledger.

    Parameters:
        configuration: exchanged on a reload.
        clock: the time.

    Attributes:
        standings: of each system in this month, as last worked out; empty before that.
        incidents: the open ones, newest first, as last read.
        as_of_ns: when the standings were worked out; 0 before.
    """

    def __init__(self, configuration: Configuration, clock: Clock) -> None:
        self.configuration = configuration
        self._clock = clock
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0
        self.standings: dict[str, Standing] = {}
        self.incidents: list[OpenIncident] = []
        self.as_of_ns = 0
        self._not_before = 0.0
        self._watch: sqlite3.Connection | None = None
        self._outlook: tuple[int, list[Foretold]] | None = None
        self._outlook_turn = asyncio.Lock()
        self._look_turn = asyncio.Lock()
        self._kept: dict[Hashable, tuple[float, object]] = {}

    def use(self, configuration: Configuration) -> None:
        """Go by another configuration from now on."""
        self.configuration = configuration
        self._not_before = 0.0
        self._outlook = None
        self._kept.clear()

    async def recent(self, key: Hashable, question: Callable[[sqlite3.Connection], T]) -> T:
        """Answer as `ask`, or with what the same question was answered at most `OLDEST_S` ago: for sums over a month.

        Parameters:
            key: what is asked; the same key always with the same question.
        """
        now = self._clock.monotonic_ns() / 1e9
        known = self._kept.get(key)
        if known is not None and now - known[0] < OLDEST_S:
            return cast("T", known[1])
        answer = await self.ask(lambda sql: _undisturbed(question, sql))
        while len(self._kept) >= MOST_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[key] = (now, answer)
        return answer

    async def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Read in a thread.

        Raises:
            DeskBusy: too many wait.
            DatabaseError: the file cannot be read.
        """
        if self._waiting >= MOST_WAITING:
            raise DeskBusy
        path = self.configuration.data_dir / "haidang.db"

        def work() -> T:
            with closing(open_reader(path)) as sql:
                return question(sql)

        self._waiting += 1
        try:
            async with self._turns:
                return await in_thread(work, "web-desk")
        finally:
            self._waiting -= 1

    def written(self) -> int:
        """Return a number that moves with each commit to the ledger (PRAGMA data_version): microseconds.

        Raises:
            DatabaseError: the file cannot be read.
        """
        if self._watch is None:
            self._watch = open_reader(self.configuration.data_dir / "haidang.db")
        (version,) = self._watch.execute("PRAGMA data_version").fetchone()
        return int(version)

    def close(self) -> None:
        """Let the file go."""
        if self._watch is not None:
            self._watch.close()
            self._watch = None

    async def look(self) -> bool:
        """Read the open incidents anew; tells whether they are others than before."""

        def read(sql: sqlite3.Connection) -> list[OpenIncident]:
            hidden = dict(
                sql.execute(
                    "SELECT incident, count(*) FROM incident_event WHERE kind = 'hidden' AND incident IN "
                    "(SELECT id FROM incident WHERE resolved_ns IS NULL) GROUP BY incident"
                )
            )
            return [OpenIncident(one, hidden.get(one.number, 0)) for one in records.incidents(sql, limit=MOST_SHOWN)]

        async with self._look_turn:  # an older answer must not replace a newer one
            before, self.incidents = self.incidents, await self.ask(read)
            return before != self.incidents

    async def reckon(self, *, changed: bool) -> bool:
        """Work the standings of the month out anew when it is time to; tells whether it did.

        Parameters:
            changed: something happened since the last time.
        """
        now = self._clock.monotonic_ns() / 1e9
        if now < self._not_before or (not changed and self._clock.utc_ns() - self.as_of_ns < OLDEST_S * 1e9):
            return False
        configuration, at_ns = self.configuration, self._clock.utc_ns()

        def read(sql: sqlite3.Connection) -> tuple[dict[str, Standing], float]:
            began = time.thread_time()
            found = standings(configuration, sql, at_ns)
            return found, time.thread_time() - began

        self.standings, cost_s = await self.ask(read)
        self.as_of_ns = at_ns
        self._not_before = now + cost_s / SHARE
        return True

    async def foretold(self) -> tuple[int, list[Foretold]]:
        """Return when the outlook was made, and the outlook of everything that was promised.

        Raises:
            DeskBusy: too many wait.
            DatabaseError: the file cannot be read.
        """
        async with self._outlook_turn:
            now_ns = self._clock.utc_ns()
            if self._outlook is None or not 0 <= now_ns - self._outlook[0] < OUTLOOK_S * 1e9:
                configuration = self.configuration

                def read(sql: sqlite3.Connection) -> list[Foretold]:
                    books = Books(configuration, sql, now_ns, now_ns)
                    return list(Foretelling(configuration, books, now_ns).promises())

                self._outlook = now_ns, await self.ask(read)
            return self._outlook


def _undisturbed(question: Callable[[sqlite3.Connection], T], sql: sqlite3.Connection) -> T:
    """Answer without looking for garbage: the thousands of objects of a sum set off looks through all there is.

    That is 15 to 100 ms of 250 with 10,000 targets. Of two at once the first that ends lets the looks begin again.
    """
    gc.disable()
    try:
        return question(sql)
    finally:
        gc.enable()


def standings(configuration: Configuration, sql: sqlite3.Connection, now_ns: int) -> dict[str, Standing]:
    """Work out how every system stands in the month that a time lies in."""
    books = Books(configuration, sql, now_ns, now_ns)
    month = month_at(now_ns, configuration.timezone)
    found: dict[str, Standing] = {}
    for system in configuration.inventory.systems.values():
        account = books.of_promise(Promise(system.id, "system", system.id, system.objective or 0), month)
        if account is None:
            continue
        last = account.timeline[-1] if account.timeline else None
        row = sql.execute(
            "SELECT miss FROM forecast WHERE objective = ? AND target = ? AND period = ? ORDER BY made_ns DESC LIMIT 1",
            (system.id, system.id, month.name),
        ).fetchone()
        found[system.id] = Standing(
            account.figures, account.formula, account.members, last.high if last else 1.0, row[0] if row else None
        )
        time.sleep(0)  # let the loop have the interpreter between two systems
    return found


def days(account: Account, midnights: list[int], now_ns: int) -> list[Day]:
    """Take a month's account apart into its days.

    Parameters:
        midnights: where each day begins, and where the last one ends.
    """
    found = []
    for start_ns, end_ns in itertools.pairwise(midnights):
        counted: Spans = (
            spans.intersection(account.counted, ((start_ns, min(end_ns, now_ns)),)) if start_ns < now_ns else ()
        )
        sums = added_up(account.timeline, counted)
        found.append(
            Day(start_ns, sums.up_ns / 1e9, sums.down_ns / 1e9, sums.unknown_ns / 1e9, sums.outages, start_ns < now_ns)
        )
    return found
