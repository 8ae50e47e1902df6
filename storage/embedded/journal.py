"""The journal: points as they came, a blob for each commit and hour, with a directory of the series inside.

A point is packed by its *shape*: the field names and kinds, which hardly ever change from one point of a series to the
next. A blob carries the shapes it uses, so it can be read alone.
"""

from __future__ import annotations

import json
import math
import struct
import time
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence

from haidang.model import FieldValue, Point, Series
from storage.database import Database
from storage.metrics_model import SECOND_NS

HOUR_NS = 3600 * SECOND_NS
Row = tuple[int, dict[str, float]]
_KINDS: dict[type, str] = {bool: "b", int: "q", float: "d"}
_HEAD = struct.Struct("<qH")  # time, shape
_SLICE = 500
_MOST_SERIES = 500_000
MOST = 20_000
"""Points in one commit at most; shapes are numbered with 16 bit."""


def canonical_tags(series: Series) -> str:
    """Return the tags as JSON with sorted keys; empty ones are left out, as InfluxDB does."""
    tags = {key: value for key, value in series.tags if key and value}
    return json.dumps(tags, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


class _Shape:
    __slots__ = ("names", "number", "packer", "text")

    def __init__(self, number: int, names: tuple[str, ...], kinds: str) -> None:
        self.number = number
        self.names = names
        self.packer = struct.Struct("<qH" + kinds)
        self.text = json.dumps([kinds, *names], ensure_ascii=False)


class JournalWriter:
    """Writes points; knows the numbers of series. Used by one thread."""

    def __init__(self) -> None:
        self._series: dict[Series, int] = {}
        self.skipped = 0

    def forget(self) -> None:
        """Drop what is remembered of the file: a transaction was undone, or the file is another one now."""
        self._series.clear()

    def write(self, database: Database, points: Sequence[Point], oldest_hour: int) -> tuple[int, int]:
        """Commit at most `MOST` points; returns how many were written and how many are older than ``oldest_hour``."""
        hours: dict[int, dict[int, list[bytes]]] = {}
        shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], _Shape | None] = {}
        written = late = 0
        with database.transaction():
            for index, point in enumerate(points):
                if index % _SLICE == 0:
                    time.sleep(0)  # let the event loop have the interpreter
                hour = point.time_ns // HOUR_NS
                if hour < oldest_hour or hour >= 1 << 20:
                    late += 1
                    continue
                packed = self._pack(point, shapes)
                if packed is None:
                    continue
                number = self._series.get(point.series) or self._number(database, point.series)
                hours.setdefault(hour, {}).setdefault(number, []).append(packed)
                written += 1
            head = _shape_table(shapes.values())
            for hour, by_series in hours.items():
                directory, body = _blob(head, by_series)
                database.connection.execute(
                    "INSERT INTO journal (hour, directory, body) VALUES (?, ?, ?)", (hour, directory, body)
                )
        return written, late

    def _pack(
        self, point: Point, shapes: dict[tuple[tuple[str, ...], tuple[type, ...]], _Shape | None]
    ) -> bytes | None:
        fields = point.fields
        values: Iterable[FieldValue] = fields.values()
        key = (tuple(fields), tuple(map(type, values)))
        shape = shapes.get(key)
        if shape is None:
            if not fields:
                return None
            kinds = "".join(_KINDS.get(kind, "?") for kind in key[1])
            if "?" not in kinds:
                shape = shapes[key] = _Shape(len(shapes), key[0], kinds)
        if shape is not None:
            try:
                if math.isfinite(sum(values)):  # type: ignore[arg-type]  # the shape has numbers only
                    return shape.packer.pack(point.time_ns, shape.number, *values)
            except (struct.error, OverflowError):
                pass
        clean = {name: kept for name, value in fields.items() if (kept := _storable(value)) is not None}
        self.skipped += len(fields) - len(clean)
        if not clean:
            return None
        if shape is not None and len(clean) == len(fields) and all(clean[name] is fields[name] for name in clean):
            return shape.packer.pack(point.time_ns, shape.number, *values)  # only their sum was too large
        return self._pack(Point(point.series, point.time_ns, clean), shapes)

    def _number(self, database: Database, series: Series) -> int:
        key = (_clean(series.measurement), _clean(canonical_tags(series)))
        connection = database.connection
        found = connection.execute("SELECT id FROM series WHERE measurement = ? AND tags = ?", key).fetchone()
        if found is None:
            found = connection.execute(
                "INSERT INTO series (measurement, tags) VALUES (?, ?) RETURNING id", key
            ).fetchone()
        number: int = found[0]
        if len(self._series) >= _MOST_SERIES:
            self._series.clear()
        self._series[series] = number
        return number


def _clean(text: str) -> str:
    """Return text that SQLite takes: half a surrogate pair from a device's reply must not stop a whole commit."""
    return text.encode("utf-8", "replace").decode()


def _storable(value: FieldValue) -> float | None:
    """Return a number that can be packed; whole numbers beyond 64 bit with a sign become floats."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
        return float(value)
    if type(value) not in _KINDS:  # a subclass, e.g. an IntEnum or numpy's float
        return float(value) if isinstance(value, float) else int(value)
    return value


def _shape_table(shapes: Iterable[_Shape | None]) -> bytes:
    text = "[" + ",".join(shape.text for shape in shapes if shape is not None) + "]"
    data = text.encode("utf-8", "replace")
    return struct.pack("<I", len(data)) + data


def _blob(head: bytes, by_series: dict[int, list[bytes]]) -> tuple[bytes, bytes]:
    """Lay out a blob: shape table, then the rows of each series; the directory is ids, then where each ends."""
    ids, ends = array("I"), array("I")
    parts = [head]
    at = len(head)
    for number in sorted(by_series):
        rows = by_series[number]
        parts += rows
        at += sum(map(len, rows))
        ids.append(number)
        ends.append(at)
    return ids.tobytes() + ends.tobytes(), b"".join(parts)


class Blob:
    """A journal row that can be asked for one series."""

    def __init__(self, directory: bytes, body: bytes) -> None:
        half = len(directory) // 2
        self._view = body
        self.ids = array("I")
        self.ids.frombytes(directory[:half])
        self._ends = array("I")
        self._ends.frombytes(directory[half:])
        (size,) = struct.unpack_from("<I", body)
        self._start = 4 + size
        self._shapes = [
            (tuple(names), struct.Struct("<" + kinds)) for kinds, *names in json.loads(body[4 : self._start])
        ]

    def rows(self, number: int) -> Iterator[Row]:
        """Return the rows of a series in the order they came."""
        index = bisect_left(self.ids, number)
        if index == len(self.ids) or self.ids[index] != number:
            return
        at = self._ends[index - 1] if index else self._start
        end = self._ends[index]
        while at < end:
            time_ns, shape = _HEAD.unpack_from(self._view, at)
            names, packer = self._shapes[shape]
            at += _HEAD.size
            yield time_ns, dict(zip(names, packer.unpack_from(self._view, at), strict=True))
            at += packer.size


def holds(ids: memoryview, number: int) -> bool:
    """Whether a sorted directory of series names one."""
    index = bisect_left(ids, number)
    return index < len(ids) and bool(ids[index] == number)
