"""Shorthand for encoded values and rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.devices.tree import Content, Row
from probes.snmp import ber, oid


def integer(number: int) -> bytes:
    """Encode an INTEGER."""
    return ber.encode_integer(number)


def gauge(number: int) -> bytes:
    """Encode a Gauge32; more than fits stays at the largest (RFC 2578 §7.1.7)."""
    return ber.encode_integer(max(0, min(number, 0xFFFFFFFF)), ber.GAUGE32)


def ticks(number: int) -> bytes:
    """Encode TimeTicks."""
    return ber.encode_integer(number & 0xFFFFFFFF, ber.TIME_TICKS)


def text(words: str | bytes) -> bytes:
    """Encode an OCTET STRING."""
    return ber.encode(ber.OCTET_STRING, words.encode() if isinstance(words, str) else words)


def object_id(name: str | bytes) -> bytes:
    """Encode an OBJECT IDENTIFIER."""
    return ber.encode(ber.OBJECT_ID, oid.encode(name) if isinstance(name, str) else name)


def scalars(group: str, contents: Mapping[int, Content]) -> Iterator[Row]:
    """Give the rows of a group without a table: by the number of each variable."""
    root = oid.encode(group)
    for number, content in contents.items():
        yield root + bytes((number, 0)), content


def cells(entry: str, row: bytes, contents: Mapping[int, Content]) -> Iterator[Row]:
    """Give the cells of a table's row: by the number of each column."""
    root = oid.encode(entry)
    for column, content in contents.items():
        yield root + bytes((column,)) + row, content
