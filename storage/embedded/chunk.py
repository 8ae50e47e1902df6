"""A chunk: one series' hour. A day: its buckets. Both are columns by field number (see `codec`)."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping

from storage.embedded.codec import CodecError, decode, decode_times, encode, encode_times, pack, unpack
from storage.embedded.journal import Row
from storage.metrics_fold import Buckets, of_points

_TIMES = 0  # fields are numbered from 1
_ALL = b"\x00"
_SOME = b"\x01"
Columns = dict[str, tuple[list[int], list[float]]]
"""Field name -> its times and values, in order of time."""


class FieldNumbers:
    """Field names and their numbers in the file."""

    def __init__(self, rows: Iterable[tuple[int, str]]) -> None:
        self.name_of = dict(rows)
        self.number_of = {name: number for number, name in self.name_of.items()}


def merge(old: Columns, rows: Iterable[Row]) -> Columns:
    """Put rows into columns; a row at a time that is there already overwrites its fields, as in InfluxDB."""
    fresh: dict[str, dict[int, float]] = {}
    for time_ns, fields in rows:
        for name, value in fields.items():
            column = fresh.get(name)
            if column is None:
                times, values = old.get(name, ((), ()))
                column = fresh[name] = dict(zip(times, values, strict=True))
            column[time_ns] = value
    merged = dict(old)
    for name, column in fresh.items():
        times = sorted(column)
        merged[name] = (times, [column[time_ns] for time_ns in times])
    return merged


def encode_chunk(columns: Columns, numbers: Mapping[str, int]) -> bytes:
    """Pack an hour. Times are kept once; a field that lacks some of them has a bit map."""
    all_times = next(iter(columns.values()))[0]
    if any(times != all_times for times, _ in columns.values()):
        all_times = sorted({time_ns for times, _ in columns.values() for time_ns in times})
    parts = [(_TIMES, encode_times(all_times))]
    for name, (times, values) in columns.items():
        if len(times) == len(all_times):
            parts.append((numbers[name], _ALL + encode(values)))
        else:
            here = set(times)
            bits = sum(1 << index for index, time_ns in enumerate(all_times) if time_ns in here)
            parts.append((numbers[name], _SOME + bits.to_bytes((len(all_times) + 7) // 8, "little") + encode(values)))
    return pack(parts)


def decode_chunk(body: bytes, names: Mapping[int, str], wanted: frozenset[str] | None = None) -> Columns:
    """Unpack an hour.

    Parameters:
        wanted: decode these fields only.

    Raises:
        CodecError: the chunk is damaged.
    """
    parts = unpack(body)
    try:
        all_times = decode_times(parts.pop(_TIMES))
        columns: Columns = {}
        for number, part in parts.items():
            name = names[number]
            if wanted is not None and name not in wanted:
                continue
            times = all_times
            at = 1
            if part[:1] == _SOME:
                at += (len(all_times) + 7) // 8
                bits = int.from_bytes(part[1:at], "little")
                times = [time_ns for index, time_ns in enumerate(all_times) if bits >> index & 1]
            values = decode(part[at:])
            if len(values) != len(times):
                raise CodecError(f"the column {name} does not fit its times")
            columns[name] = (times, values)
    except (KeyError, struct.error) as error:
        raise CodecError(f"a chunk is damaged ({error!r})") from error
    return columns


def encode_day(buckets: Mapping[str, Buckets], numbers: Mapping[str, int]) -> bytes:
    """Pack a day's buckets of one width."""
    parts: list[tuple[int, bytes]] = []
    for name, one in buckets.items():
        columns = [
            encode_times(one.start_ns), encode(one.count),
            encode([*one.total, *one.low, *one.high]),
        ]  # fmt: skip
        parts.append((numbers[name], struct.pack("<3I", *map(len, columns)) + b"".join(columns)))
    return pack(parts)


def decode_day(body: bytes, names: Mapping[int, str], wanted: frozenset[str] | None = None) -> dict[str, Buckets]:
    """Unpack what `encode_day` made.

    Raises:
        CodecError: the day is damaged.
    """
    result = {}
    try:
        for number, part in unpack(body).items():
            name = names[number]
            if wanted is not None and name not in wanted:
                continue
            first, second, third = struct.unpack_from("<3I", part)
            starts = decode_times(part[12 : 12 + first])
            count = [int(number) for number in decode(part[12 + first : 12 + first + second])]
            flat = decode(part[12 + first + second : 12 + first + second + third])
            size = len(starts)
            result[name] = Buckets(starts, count, flat[:size], flat[size : 2 * size], flat[2 * size :])
    except (KeyError, struct.error) as error:
        raise CodecError(f"a day is damaged ({error!r})") from error
    return result


def buckets_of(columns: Columns) -> dict[str, Buckets]:
    """Return columns of single points as buckets of one."""
    return {name: of_points(times, values) for name, (times, values) in columns.items()}
