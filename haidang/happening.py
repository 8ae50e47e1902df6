"""What happened, as metrics: incidents and maintenance, for the marks that dashboards outside this house put on time.

While something lasts there is a point each minute (``open``: 1) and a last one when it is over (0): a store that keeps
numbers alone shows by them how long it was. At its true start stands one point with words and its end, written again
when either changes: a store that keeps text shows those.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from alerting import records
from alerting.records import Incident
from alerting.world import in_language
from availability.maintenance import occurrences
from collectors.points import series
from config import Configuration
from dashboards.grafana.notes import incident_words, work_words
from haidang.model import FieldValue, Point
from storage.accounts import AccountsReader

MOST = 200
"""Incidents that are told at once, the newest: a store's series must not grow with a storm."""
_MS = 1_000_000


class Happenings:
    """Tells what happened; remembers what it has told."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._newest: int | None = None
        self._told: dict[tuple[str, str, int], tuple[str, int | None]] = {}

    def points(self, configuration: Configuration, sql: sqlite3.Connection, now_ns: int) -> list[Point]:
        """Make the points that are due.

        Parameters:
            configuration: in whose language is told.
            sql: any connection to ``haidang.db``.
            now_ns: UTC.
        """
        before = self._told
        self._told = {}
        made = [*self._incidents(configuration, sql, now_ns), *self._maintenance(sql, now_ns)]
        found = []
        for measurement, tags, start_ns, words, end_ns, fields in made:
            line = series(measurement, tags)
            found.append(Point(line, now_ns, fields))
            key, told = (measurement, tags["number"], start_ns), (words, end_ns)
            self._told[key] = told
            if before.get(key) != told:
                marks: dict[str, FieldValue] = {"text": words}
                if end_ns is not None:
                    marks["end_ms"] = end_ns // _MS
                found.append(Point(line, start_ns, marks))
        return found

    def _incidents(
        self, configuration: Configuration, sql: sqlite3.Connection, now_ns: int
    ) -> Iterator[tuple[str, dict[str, str], int, str, int | None, dict[str, FieldValue]]]:
        told = [one for one in records.incidents(sql, limit=MOST) if one.merged_into is None]
        newest = records.incidents(sql, resolved=True, limit=MOST)
        now_open = {one.number for one in told}
        if self._newest is not None:  # what came and went since the last look
            told += [one for one in newest if not one.open and one.merged_into is None and one.number > self._newest]
        gone = [one for number in self._open - now_open if (one := records.incident(sql, number)) is not None]
        told += [one for one in gone if one.number not in {other.number for other in told}]
        self._newest = max((one.number for one in newest), default=0)
        self._open = now_open
        for one in told:
            lasts = one.number in now_open
            end_ns = None if lasts else one.ended_ns or one.resolved_ns or now_ns
            fields: dict[str, FieldValue] = {
                "open": int(lasts), "lasts_s": round(((end_ns or now_ns) - one.since_ns) / 1e9, 3),
                "hidden": len(records.members(sql, one.number)),
            }  # fmt: skip
            words = incident_words(one, configuration.language)
            yield "haidang_incident", _tags(configuration, one), one.since_ns, words, end_ns, fields

    @staticmethod
    def _maintenance(
        sql: sqlite3.Connection, now_ns: int
    ) -> Iterator[tuple[str, dict[str, str], int, str, int | None, dict[str, FieldValue]]]:
        for work in AccountsReader(sql).maintenance():
            for start_ns, end_ns in occurrences(work, now_ns, now_ns + 1):
                fields: dict[str, FieldValue] = {"open": 1, "lasts_s": round((now_ns - start_ns) / 1e9, 3)}
                tags = {"number": str(work.number), "kind": work.kind, "name": work.name}
                yield "haidang_maintenance", tags, start_ns, work_words(work), end_ns, fields


def _tags(configuration: Configuration, one: Incident) -> dict[str, str]:
    target = configuration.inventory.targets.get(one.check.target)
    return {
        "number": str(one.number), "name": in_language(one.subject.name, configuration.language) or str(one.check),
        "site": (target.site if target else None) or "", "system": (target.system if target else None) or "",
    }  # fmt: skip
