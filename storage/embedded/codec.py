"""Numbers packed by column. Exact: what is decoded equals what was encoded.

A column is one byte of kind, one of scale and, for whole numbers, the first one and the differences that follow in the
least width that holds them all, bytes of the same rank side by side so that zlib finds what repeats. Measurements are
mostly decimals with few digits: those are whole numbers after multiplying by 1,000 or 1,000,000. Binary fractions stay
64-bit floats; what fits neither (whole numbers beyond 64 bit) is written as JSON.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise

_SCALES = (1, 1000, 1_000_000)
_WIDTHS = (("b", 1, 1 << 7), ("h", 2, 1 << 15), ("i", 4, 1 << 31), ("q", 8, 1 << 63))
_CONSTANT, _FLOAT, _JSON = 0, 9, 10
_HEAD = struct.Struct("<BBIq")  # kind, scale, length, first
_EXACT = 1 << 53
_MAX_CHUNK = 64 << 20


class CodecError(ValueError):
    """The bytes are not what `pack` made."""


def encode(values: Sequence[float]) -> bytes:
    """Encode one column of finite numbers."""
    whole, scale = _whole(values)
    if whole is None:
        if set(map(type, values)) == {float}:
            return _HEAD.pack(_FLOAT, 0, len(values), 0) + _shuffle(array("d", values), 8)
        return _HEAD.pack(_JSON, 0, len(values), 0) + json.dumps(list(values)).encode()
    if not whole:
        return _HEAD.pack(_CONSTANT, scale, 0, 0)
    first = whole[0]
    steps = [after - before for before, after in pairwise(whole)]
    least, greatest = (min(steps), max(steps)) if steps else (0, 0)
    if least == greatest == 0 and -(1 << 63) <= first < 1 << 63:
        return _HEAD.pack(_CONSTANT, scale, len(whole), first)
    for code, size, limit in _WIDTHS:
        if -limit <= least and greatest < limit and -(1 << 63) <= first < 1 << 63:
            return _HEAD.pack(size, scale, len(whole), first) + _shuffle(array(code, steps), size)
    return _HEAD.pack(_JSON, 0, len(values), 0) + json.dumps(list(values)).encode()


def _whole(values: Sequence[float]) -> tuple[list[int] | None, int]:
    """Find the scale at which all values are whole numbers and come back unchanged."""
    kinds = set(map(type, values))
    if kinds <= {int}:
        return list(values), 0  # type: ignore[arg-type]  # just seen: only int
    if max(map(abs, values)) * _SCALES[-1] >= _EXACT:
        if kinds != {float} or max(map(abs, values)) >= _EXACT:
            return None, 0
        whole = [int(value) for value in values]
        return (whole, 0) if whole == values else (None, 0)
    for index, scale in enumerate(_SCALES):
        whole = [round(value * scale) for value in values]
        if [number / scale for number in whole] == list(values):
            return whole, index
    return None, 0


def decode(data: bytes) -> list[float]:
    """Decode what `encode` made.

    Raises:
        CodecError: it did not.
    """
    try:
        kind, scale_index, length, first = _HEAD.unpack_from(data)
        body = data[_HEAD.size :]
        if kind == _FLOAT:
            return _unshuffle("d", body, 8).tolist()
        if kind == _JSON:
            return list(json.loads(body))
        if length > _MAX_CHUNK // 8:
            raise CodecError("a column claims more values than fit")
        if kind == _CONSTANT:
            whole = [first] * length
        else:
            code = next(code for code, size, _ in _WIDTHS if size == kind)
            whole = list(accumulate(_unshuffle(code, body, kind), initial=first))
        scale = _SCALES[scale_index]
    except (struct.error, ValueError, IndexError, StopIteration) as error:
        raise CodecError(f"a column is damaged ({error})") from error
    return whole if scale == 1 else [number / scale for number in whole]


def _shuffle(numbers: array[int] | array[float], size: int) -> bytes:
    if sys.byteorder == "big":
        numbers.byteswap()
    data = numbers.tobytes()
    return data if size == 1 else b"".join([data[rank::size] for rank in range(size)])


def _unshuffle(code: str, data: bytes, size: int) -> array:  # type: ignore[type-arg]  # int or float by code
    count = len(data) // size
    plain = bytearray(data)
    if size > 1:
        for rank in range(size):
            plain[rank::size] = data[rank * count : (rank + 1) * count]
    numbers = array(code)
    numbers.frombytes(plain)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def encode_times(times_ns: Sequence[int]) -> bytes:
    """Encode rising times; a steady cadence costs nothing but its head."""
    steps = [after - before for before, after in pairwise(times_ns)]
    return struct.pack("<q", times_ns[0] if times_ns else 0) + encode(steps)


def decode_times(data: bytes) -> list[int]:
    """Decode what `encode_times` made; it must not have been empty."""
    (first,) = struct.unpack_from("<q", data)
    return list(accumulate((int(step) for step in decode(data[8:])), initial=first))


_ENTRY = struct.Struct("<II")  # name's number, size of the part


def pack(parts: Sequence[tuple[int, bytes]]) -> bytes:
    """Put numbered parts together and compress them."""
    head = struct.pack("<H", len(parts)) + b"".join(_ENTRY.pack(key, len(part)) for key, part in parts)
    return zlib.compress(head + b"".join(part for _, part in parts), 6)


def unpack(body: bytes) -> dict[int, bytes]:
    """Take apart what `pack` made; at most 64 MiB come out of it.

    Raises:
        CodecError: it did not make this.
    """
    try:
        stream = zlib.decompressobj()
        data = stream.decompress(body, _MAX_CHUNK)
        if not stream.eof:
            raise CodecError("a chunk is cut short or too large")
        (count,) = struct.unpack_from("<H", data)
        at = 2 + count * _ENTRY.size
        parts = {}
        for index in range(count):
            key, size = _ENTRY.unpack_from(data, 2 + index * _ENTRY.size)
            parts[key] = data[at : at + size]
            at += size
    except (struct.error, zlib.error) as error:
        raise CodecError(f"a chunk is damaged ({error})") from error
    return parts
