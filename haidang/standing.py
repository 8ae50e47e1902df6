"""How the systems, their targets and the sites stand, as metrics: what dashboards outside this house read.

The ledger is the truth; these points are its picture, made each minute from it by a connection that can only read.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing

import structlog

from alerting import records
from collectors.plan import area
from collectors.points import series
from config import Configuration
from dashboards.web.model.board import Board
from dashboards.web.model.desk import Standing, standings
from haidang.clock import Clock
from haidang.happening import Happenings
from haidang.model import FieldValue, Point, State
from probes.threads import in_thread
from storage.database import DatabaseError, open_reader
from storage.ledger import LedgerReader

logger = structlog.get_logger(__name__)

EVERY_S = 60.0
SHARE = 0.01
"""How much of one processor this may take: what takes long is made less often."""
CODES = {
    State.UP: 0, State.DEGRADED: 1, State.UNKNOWN: 2, State.UNREACHABLE: 3, State.DOWN: 4, State.MAINTENANCE: 5,
}  # fmt: skip
"""States as numbers, the worse the higher; ``maintenance`` is no worse, it stands behind."""


class StandingMetrics:
    """Makes the points.

    Parameters:
        configuration: exchanged on a reload.
        clock: the time.
        add: takes the points.
        host: this machine's name.
    """

    def __init__(
        self, configuration: Configuration, clock: Clock, add: Callable[[Sequence[Point]], None], host: str
    ) -> None:  # fmt: skip
        self.configuration = configuration
        self._clock = clock
        self._add = add
        self._host = host
        self._not_before_s = 0.0
        self._happenings = Happenings()

    async def look(self) -> None:
        """Make them when it is time to; call it each `EVERY_S`."""
        now_s = self._clock.monotonic_ns() / 1e9
        if now_s < self._not_before_s:
            return
        configuration, now_ns = self.configuration, self._clock.utc_ns()

        def read() -> tuple[list[Point], float]:
            began = time.thread_time()
            with closing(open_reader(configuration.data_dir / "haidang.db")) as sql:
                made = points(configuration, sql, now_ns, self._host)
                made += self._happenings.points(configuration, sql, now_ns)
            return made, time.thread_time() - began

        try:
            made, cost_s = await in_thread(read, "standing")
        except (DatabaseError, sqlite3.Error) as error:
            logger.warning("how the systems stand could not be read", reason=str(error))
            return
        self._not_before_s = now_s + cost_s / SHARE
        self._add(made)


def points(configuration: Configuration, sql: sqlite3.Connection, now_ns: int, host: str) -> list[Point]:
    """Say how everything stands.

    Parameters:
        configuration: what is watched.
        sql: any connection to ``haidang.db``.
        now_ns: UTC.
        host: this machine's name.
    """
    board = Board(configuration)
    board.load(LedgerReader(sql).running())
    incidents = [one for one in records.incidents(sql) if one.merged_into is None]
    waiting = sum(not one.acknowledged(now_ns) for one in incidents)
    return [
        *_systems(configuration, standings(configuration, sql, now_ns), now_ns),
        *_targets(configuration, board, now_ns),
        *_sites(configuration, board, now_ns),
        Point(series("haidang_incidents", {"host": host}), now_ns, {"open": len(incidents), "unacknowledged": waiting}),
    ]


def _systems(configuration: Configuration, found: dict[str, Standing], now_ns: int) -> list[Point]:
    made = []
    for system in configuration.inventory.systems.values():
        if system.id not in found:
            continue
        one = found[system.id]
        figures = one.figures
        known: dict[str, float | None] = {
            "up": float(one.up),
            "availability_percent": figures.availability_percent,
            "objective_percent": figures.objective_percent or None,
            "budget_s": figures.budget_s, "budget_left_s": figures.budget_left_s,
            "down_s": figures.down_s, "unknown_s": figures.unknown_s,
            "miss_percent": None if one.miss is None else 100 * one.miss,
        }  # fmt: skip
        fields: dict[str, FieldValue] = {name: float(value) for name, value in known.items() if value is not None}
        tags = {"system": system.id, "name": system.label(configuration.language)}
        made.append(Point(series("haidang_system", tags), now_ns, fields))
    return made


def _targets(configuration: Configuration, board: Board, now_ns: int) -> list[Point]:
    groups: dict[tuple[str, str], Counter[State]] = {}
    for target in configuration.inventory.targets.values():
        groups.setdefault((target.system or "", target.role), Counter())[board.target(target).state] += 1
    return [
        Point(
            series("haidang_targets", {"system": system, "role": role}), now_ns,
            {"targets": counts.total(), **{state.value: counts[state] for state in CODES}},
        )
        for (system, role), counts in groups.items()
    ]  # fmt: skip


def _sites(configuration: Configuration, board: Board, now_ns: int) -> list[Point]:
    made = []
    sites, language = configuration.inventory.sites, configuration.language
    for site in sites.values():
        now = board.site(site.id)
        if not now.targets:
            continue
        above = area(sites, site.id) or ""
        tags = {
            "site": site.id, "name": site.label(language), "level": site.level, "area": above,
            "area_name": sites[above].label(language),
        }  # fmt: skip
        fields: dict[str, FieldValue] = {"state_code": CODES[now.state], "targets": now.targets, "bad": now.bad}
        made.append(Point(series("haidang_site", tags), now_ns, fields))
    return made
