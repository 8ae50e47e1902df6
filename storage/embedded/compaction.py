"""The journal becomes chunks, chunks become days' buckets, what is too old goes.

Every step is one transaction and can be done twice: merging the same rows again changes nothing, buckets are always
made from all points of a day. A kill between two steps leaves work, never a loss or a double.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import chain

import structlog

from storage.database import Database
from storage.embedded.chunk import Columns, FieldNumbers, buckets_of, decode_chunk, encode_chunk, encode_day, merge
from storage.embedded.codec import CodecError
from storage.embedded.journal import HOUR_NS, Blob, Row
from storage.metrics_fold import Buckets, fold

logger = structlog.get_logger(__name__)

DAY_NS = 24 * HOUR_NS
BITS = 20
"""A chunk's id is series * 2^20 + hour, a day's series * 2^20 + day."""
_GRACE_NS = 120_000_000_000
_JOURNAL_LIMIT = 16 << 20
_STEP = 64


def due_hours(database: Database, now_ns: int) -> list[int]:
    """Return the hours to pack: those that are over, and every hour when the journal has grown to 16 MiB."""
    sizes = dict(
        database.connection.execute("SELECT hour, sum(length(body) + length(directory)) FROM journal GROUP BY hour")
    )
    over = (now_ns - _GRACE_NS) // HOUR_NS
    full = sum(sizes.values()) > _JOURNAL_LIMIT
    return sorted(hour for hour in sizes if full or hour < over)


class HourCompaction:
    """Packs what the journal holds of one hour, at most 16 MiB of it, some series at a time.

    Parameters:
        hour: which one, since 1970.
    """

    def __init__(self, database: Database, hour: int) -> None:
        self._hour = hour
        self._last = 0
        self._parts: dict[int, list[Blob]] = {}
        size = 0
        for number, directory, body in database.connection.execute(
            "SELECT id, directory, body FROM journal WHERE hour = ? ORDER BY id", (hour,)
        ):
            if size and size + len(body) > _JOURNAL_LIMIT:
                break
            size += len(body)
            blob = Blob(directory, body)
            for series in blob.ids:
                self._parts.setdefault(series, []).append(blob)
            self._last = number
        self._todo = sorted(self._parts)

    def step(self, database: Database) -> bool:
        """Pack the next series; ``False`` when the hour is done and its journal rows are gone."""
        now, self._todo = self._todo[:_STEP], self._todo[_STEP:]
        numbers = field_numbers(database)
        with database.transaction():
            for series in now:
                rows = chain.from_iterable(blob.rows(series) for blob in self._parts.pop(series))
                _merge_chunk(database, numbers, series << BITS | self._hour, rows)
                time.sleep(0)  # let the event loop have the interpreter
            if not self._todo:
                database.connection.execute("DELETE FROM journal WHERE hour = ? AND id <= ?", (self._hour, self._last))
        return bool(self._todo)


def _merge_chunk(database: Database, numbers: FieldNumbers, key: int, rows: Iterable[Row]) -> None:
    connection = database.connection
    found = connection.execute("SELECT body FROM chunk WHERE id = ?", (key,)).fetchone()
    old = _columns(found[0], numbers, key) if found else {}
    columns = merge(old, rows)
    for name in columns.keys() - numbers.number_of.keys():
        (number,) = connection.execute("INSERT INTO field (name) VALUES (?) RETURNING id", (name,)).fetchone()
        numbers.number_of[name] = number
        numbers.name_of[number] = name
    if columns:
        body = encode_chunk(columns, numbers.number_of)
        day = (key & (1 << BITS) - 1) // 24
        connection.execute("INSERT OR REPLACE INTO chunk (id, body) VALUES (?, ?)", (key, body))
        connection.execute("INSERT OR IGNORE INTO unrolled (day, series) VALUES (?, ?)", (day, key >> BITS))


def field_numbers(database: Database) -> FieldNumbers:
    """Read the field names; there are some hundreds at most."""
    return FieldNumbers(database.connection.execute("SELECT id, name FROM field"))


def _columns(body: bytes, numbers: FieldNumbers, key: int) -> Columns:
    try:
        return decode_chunk(body, numbers.name_of)
    except CodecError as error:
        logger.error("an hour of metrics cannot be read and is left out", chunk=key, error=str(error))  # noqa: TRY400
        return {}


def roll_days(database: Database, now_ns: int) -> bool:
    """Make the buckets of some series' days that are over; ``False`` when there is nothing left to do."""
    today = (now_ns - HOUR_NS) // DAY_NS
    connection = database.connection
    todo = connection.execute("SELECT day, series FROM unrolled WHERE day < ? LIMIT ?", (today, _STEP // 8)).fetchall()
    if not todo:
        return False
    numbers = field_numbers(database)
    with database.transaction():
        for day, series in todo:
            first = series << BITS | day * 24
            five: dict[str, Buckets] = {}
            for key, body in connection.execute(
                "SELECT id, body FROM chunk WHERE id BETWEEN ? AND ? ORDER BY id", (first, first + 23)
            ).fetchall():
                for name, points in buckets_of(_columns(body, numbers, key)).items():
                    five.setdefault(name, Buckets()).extend(fold(points, 300))
                time.sleep(0)
            if five:
                hourly = {name: fold(buckets, 3600) for name, buckets in five.items()}
                connection.execute(
                    "INSERT OR REPLACE INTO day (id, five, hourly) VALUES (?, ?, ?)",
                    (
                        series << BITS | day,
                        encode_day(five, numbers.number_of),
                        encode_day(hourly, numbers.number_of),
                    ),
                )
            connection.execute("DELETE FROM unrolled WHERE day = ? AND series = ?", (day, series))
            time.sleep(0)
    return True


def raw_from_day(now_ns: int, raw_days: int) -> int:
    """Return the first day whose points are kept."""
    return now_ns // DAY_NS - raw_days


def drop_old(database: Database, now_ns: int, raw_days: int, five_minute_days: int, hourly_days: int) -> Iterator[None]:
    """Delete what is too old, some series for each step of the iterator. A day that has no buckets yet stays whole."""
    today = now_ns // DAY_NS
    connection = database.connection
    waiting: dict[int, int] = dict(connection.execute("SELECT series, min(day) FROM unrolled GROUP BY series"))
    every = [number for (number,) in connection.execute("SELECT id FROM series")]
    for begin in range(0, len(every), _STEP):
        with database.transaction():
            for series in every[begin : begin + _STEP]:
                base = series << BITS
                raw = min(raw_from_day(now_ns, raw_days), waiting.get(series, today))
                connection.execute("DELETE FROM chunk WHERE id >= ? AND id < ?", (base, base + max(raw, 0) * 24))
                connection.execute(
                    "UPDATE day SET five = NULL WHERE id >= ? AND id < ? AND five IS NOT NULL",
                    (base, base + max(today - five_minute_days, 0)),
                )
                connection.execute(
                    "DELETE FROM day WHERE id >= ? AND id < ?", (base, base + max(today - hourly_days, 0))
                )
        yield
