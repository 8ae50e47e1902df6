"""Reading the embedded store: from points where they are kept and needed, else from 5-minute or hourly buckets.

Opens the file read-only for each question, so it works the same in the daemon, beside it and without it.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from haidang.model import Series
from storage.database import DatabaseError, open_reader
from storage.embedded.chunk import Columns, FieldNumbers, buckets_of, decode_chunk, decode_day, merge
from storage.embedded.codec import CodecError
from storage.embedded.compaction import BITS, DAY_NS
from storage.embedded.journal import HOUR_NS, Blob, Row, holds
from storage.metrics_fold import Buckets, fold
from storage.metrics_model import Curve, Query, StoreError

FEW = 30
"""So many series are looked for one by one."""
MOST_VALUES = 5_000_000


class Directories:
    """Which series each row of the journal holds, kept from one question to the next.

    At the end of an hour of ten thousand series the journal's directories are 30 MB, which each question would read.
    Rows are never changed; one that is gone may lend its number to a later one, hence `forget`, and the lengths for a
    reader who was at it just then. Any thread may ask.
    """

    def __init__(self) -> None:
        self._ids: dict[tuple[int, int, int, int], memoryview] = {}
        self._lock = threading.Lock()

    def rows(self, connection: sqlite3.Connection, first_hour: int, last_hour: int) -> list[tuple[int, memoryview]]:
        """Return the rows of some hours in their order, each with the series in it, sorted."""
        keys = connection.execute(
            "SELECT id, hour, length(directory), length(body) FROM journal WHERE hour BETWEEN ? AND ? ORDER BY id",
            (first_hour, last_hour),
        ).fetchall()
        with self._lock:
            known = self._ids
            found = {key: known[key] if key in known else _ids(connection, key[0]) for key in keys}
            # An hour that is over is packed soon, and its rows are gone.
            self._ids = {key: ids for key, ids in known.items() if key[1] >= last_hour - 2} | found
        return [(key[0], ids) for key, ids in found.items()]

    def forget(self) -> None:
        """Read everything anew: rows were taken away, and later ones may get their numbers."""
        with self._lock:
            self._ids = {}


def _ids(connection: sqlite3.Connection, row: int) -> memoryview:
    (directory,) = connection.execute("SELECT directory FROM journal WHERE id = ?", (row,)).fetchone()
    return memoryview(directory[: len(directory) // 2]).cast("I")


def read(path: Path, query: Query, directories: Directories | None = None) -> list[Curve]:
    """Answer a query from the file.

    Parameters:
        directories: kept by who asks more than once.

    Raises:
        StoreError: the file cannot be read, is damaged, or the answer would be too large.
    """
    query = query.aligned()
    try:
        with closing(open_reader(path)) as connection:
            connection.execute("BEGIN")  # one view of the file from the first row to the last
            return _Answer(connection, query, directories or Directories()).curves()
    except (DatabaseError, CodecError, sqlite3.Error) as error:
        raise StoreError(f"metrics cannot be read: {error}") from error


def find_series(connection: sqlite3.Connection, query: Query) -> dict[int, Series]:
    """Return the series that a query means."""
    found = {}
    wanted = dict(query.tags)
    condition, values = "measurement = ?", [query.measurement]
    for key, value in wanted.items():
        text = json.dumps({key: value}, ensure_ascii=False, separators=(",", ":"))[1:-1]
        condition += " AND instr(tags, ?)"
        values.append(text)
    for number, text in connection.execute(f"SELECT id, tags FROM series WHERE {condition} ORDER BY tags", values):
        tags = json.loads(text)
        if all(tags.get(key) == value for key, value in wanted.items()):
            found[number] = Series(query.measurement, tuple(tags.items()))
    return found


@dataclass(slots=True)
class _Sources:
    """Where one series' answer comes from: for each day points, or a day's buckets."""

    rolled: dict[int, tuple[bool, bool]] = field(default_factory=dict)  # day: has five, has hourly
    points_from: set[int] = field(default_factory=set)  # days that have points


class _Answer:
    def __init__(self, connection: sqlite3.Connection, query: Query, directories: Directories) -> None:
        self._connection = connection
        self._directories = directories
        self._query = query
        self._names = FieldNumbers(connection.execute("SELECT id, name FROM field")).name_of
        self._wanted = frozenset(query.fields) or None
        self._values = 0
        self._first_day = query.start_ns // DAY_NS
        self._last_day = (query.end_ns - 1) // DAY_NS

    def curves(self) -> list[Curve]:
        if self._query.end_ns <= self._query.start_ns:
            return []
        series = find_series(self._connection, self._query)
        journal = self._journal(set(series))
        stale = self._stale(set(series))
        sources = {number: self._sources(number, stale[number], journal.get(number, [])) for number in series}
        step = self._step(sources.values())
        result = []
        for number, name in series.items():
            buckets = self._buckets(number, sources[number], journal.get(number, []), step)
            for field_name in sorted(buckets):
                one = fold(buckets[field_name], step).within(self._query.start_ns, self._query.end_ns)
                if one.start_ns:
                    result.append(one.curve(name, field_name, step))
        return result

    def _journal(self, wanted: set[int]) -> dict[int, list[Row]]:
        rows: dict[int, list[Row]] = defaultdict(list)
        if not wanted:
            return rows
        span = (self._query.start_ns // HOUR_NS, (self._query.end_ns - 1) // HOUR_NS)
        few = sorted(wanted)
        for number, ids in self._directories.rows(self._connection, *span):
            if not (any(holds(ids, one) for one in few) if len(few) <= FEW else wanted.intersection(ids)):
                continue
            directory, body = self._connection.execute(
                "SELECT directory, body FROM journal WHERE id = ?", (number,)
            ).fetchone()
            blob = Blob(directory, body)
            for one in wanted.intersection(blob.ids):
                rows[one] += blob.rows(one)
        return rows

    def _stale(self, wanted: set[int]) -> dict[int, set[int]]:
        days: dict[int, set[int]] = defaultdict(set)
        for day, number in self._connection.execute(
            "SELECT day, series FROM unrolled WHERE day BETWEEN ? AND ?", (self._first_day, self._last_day)
        ):
            if number in wanted:
                days[number].add(day)
        return days

    def _sources(self, number: int, stale: set[int], rows: list[Row]) -> _Sources:
        base = number << BITS
        sources = _Sources()
        sources.points_from = stale | {time_ns // DAY_NS for time_ns, _ in rows}
        for key, five, hourly in self._connection.execute(
            "SELECT id, five IS NOT NULL, hourly IS NOT NULL FROM day WHERE id BETWEEN ? AND ?",
            (base + self._first_day, base + self._last_day),
        ):
            day = key - base
            if day in sources.points_from:
                continue
            if self._query.step_s == 0 or self._query.step_s % 300:
                first = base + day * 24
                if self._connection.execute(
                    "SELECT 1 FROM chunk WHERE id BETWEEN ? AND ? LIMIT 1", (first, first + 23)
                ).fetchone():
                    continue
            sources.rolled[day] = (bool(five), bool(hourly))
        return sources

    def _step(self, every: object) -> int:
        """Widen the step to what the coarsest day needs."""
        step = self._query.step_s
        floor = 0
        for sources in every:  # type: ignore[attr-defined]
            for has_five, _ in sources.rolled.values():
                floor = max(floor, 300 if has_five else 3600)
        return -(-max(step, floor) // floor) * floor if floor else step

    def _buckets(self, number: int, sources: _Sources, rows: list[Row], step: int) -> dict[str, Buckets]:
        """Put a series' days together in order of time."""
        result: dict[str, Buckets] = {}
        by_day: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_day[row[0] // DAY_NS].append(row)
        base = number << BITS
        for day in self._days(number, sources, by_day):
            if day in sources.rolled:
                column = "hourly" if step % 3600 == 0 or not sources.rolled[day][0] else "five"
                (body,) = self._connection.execute(f"SELECT {column} FROM day WHERE id = ?", (base + day,)).fetchone()
                parts = decode_day(body, self._names, self._wanted) if body else {}
            else:
                parts = buckets_of(self._points(base, day, by_day.get(day, [])))
            for name, part in parts.items():
                clipped = fold(part, step) if day not in sources.rolled else part
                if not step:
                    clipped = clipped.within(self._query.start_ns, self._query.end_ns)
                result.setdefault(name, Buckets()).extend(clipped)
                self._values += len(clipped.start_ns)
            if self._values > MOST_VALUES:
                raise StoreError(f"the answer has more than {MOST_VALUES:,} values: ask for less time or a wider step")
        return result

    def _days(self, number: int, sources: _Sources, by_day: dict[int, list[Row]]) -> list[int]:
        base = number << BITS
        days = set(sources.rolled) | set(by_day)
        for (key,) in self._connection.execute(
            "SELECT id FROM chunk WHERE id BETWEEN ? AND ?",
            (base + self._first_day * 24, base + self._last_day * 24 + 23),
        ):
            days.add((key - base) // 24)
        return sorted(days)

    def _points(self, base: int, day: int, rows: list[Row]) -> Columns:
        first = max(day * 24, self._query.start_ns // HOUR_NS)
        last = min(day * 24 + 23, (self._query.end_ns - 1) // HOUR_NS)
        columns: Columns = {}
        for (body,) in self._connection.execute(
            "SELECT body FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id", (base + first, base + last)
        ):
            for name, (times, values) in decode_chunk(body, self._names, self._wanted).items():
                known = columns.setdefault(name, ([], []))
                known[0].extend(times)
                known[1].extend(values)
        if self._wanted is not None:
            rows = [(at, {k: v for k, v in fields.items() if k in self._wanted}) for at, fields in rows]
        return merge(columns, rows) if rows else columns
