"""Cells of a device as rows: which instance belongs to which row, and what a cell says as a number or as text."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from probes.snmp import ber, values
from probes.snmp import oid as oids
from probes.snmp.ber import Value
from probes.snmp.profile import INDEX, POSITION, Condition, Source
from probes.snmp.walk import Column

Cell = tuple[int, Value]
Table = Mapping[bytes, Mapping[bytes, Cell]]
"""Column → index → tag and value."""

LONGEST_TEXT = 512
"""Characters of a device's text that are looked at."""
LONGEST_NAME = 120

_PART = re.compile(rb"[\x80-\xff]*[\x00-\x7f]", re.DOTALL)
DECIMAL = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]{1,12})?")
_NUMERIC = frozenset((ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64, ber.UNSIGNED32))
_OPAQUE_FLOATS = {b"\x9f\x78\x04": ">f", b"\x9f\x79\x08": ">d"}  # net-snmp's floats inside Opaque


def table(columns: Iterable[Column]) -> dict[bytes, dict[bytes, Cell]]:
    """Turn walked columns into cells."""
    return {column.root: {index: (tag, value) for index, tag, value in column.rows} for column in columns}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a device."""

    cells: Table
    index: bytes
    position: int

    def find(self, source: Source) -> tuple[bytes, Cell] | None:
        """Return the instance that a source means in this row, and its cell."""
        index = self.index
        if source.at is not None:
            index = source.at
        elif source.key is not None:
            key = self.find(source.key)
            if key is None:
                return None
            index = _as_index(*key[1])
        elif source.take is not None or source.skip:
            parts = _PART.findall(index)
            index = b"".join(parts[source.skip : None if source.take is None else source.skip + source.take])
        cell = self.cells.get(source.root, {}).get(index)
        return None if cell is None else (index, cell)

    def number(self, source: Source | None) -> float | None:
        """Read a number."""
        found = None if source is None else self.find(source)
        if source is None or found is None:
            return None
        index, cell = found
        value = decimal(*cell)
        if value is not None and source.high is not None:
            upper = decimal(*self.cells.get(source.high, {}).get(index, (0, None)))
            if upper is None:
                return None
            return (int(upper) % (1 << 32) << 32) + int(value) % (1 << 32)
        if value is not None and value < 0 and source.unsigned:
            value += 1 << 32
        return value

    def text(self, source: Source) -> str:
        """Read a text for a name or a condition; empty when there is none."""
        if source is INDEX:
            return oids.decode(b"\x00" + self.index).removeprefix("0.0.") if self.index else ""
        if source is POSITION:
            return str(self.position)
        found = self.find(source)
        if found is None:
            return ""
        shown = as_text(*found[1])
        return source.words.get(shown, shown)

    def holds(self, condition: Condition) -> bool:
        """Tell whether a condition holds."""
        text = self.text(condition.source or INDEX)
        if condition.pattern is not None:
            return (condition.pattern.search(text) is not None) != condition.negated
        return (text in condition.values) != condition.negated


def _as_index(tag: int, value: Value) -> bytes:
    if tag == ber.OBJECT_ID and isinstance(value, bytes):
        parts = _PART.findall(value)
        return parts[-1] if parts else b""
    number = decimal(tag, value)
    return oids.encode(f"0.0.{int(number)}")[1:] if number is not None and 0 <= number < 1 << 32 else b"\xff"


def decimal(tag: int, value: Value) -> float | None:
    """Read a number of any type, also one that came as text or as a float in Opaque."""
    if isinstance(value, int):
        return value if tag in _NUMERIC else None
    if not isinstance(value, bytes):
        return None
    if tag == ber.OPAQUE and (form := _OPAQUE_FLOATS.get(value[:3])) and len(value) == 3 + struct.calcsize(form):
        (number,) = struct.unpack(form, value[3:])
        return float(number) if math.isfinite(number) else None
    if tag == ber.OCTET_STRING and len(value) <= 64:
        text = value.partition(b"\x00")[0].decode("ascii", "replace").strip()
        if DECIMAL.fullmatch(text):
            return float(text) if "." in text else int(text)
    return None


def as_text(tag: int, value: Value) -> str:
    """Read a value as one line of printable text of bounded length."""
    if isinstance(value, int):
        return str(value)
    if tag == ber.OBJECT_ID and isinstance(value, bytes):
        return oids.decode(value)
    if tag == ber.IP_ADDRESS and isinstance(value, bytes):
        return ".".join(map(str, value))
    shown = " ".join((values.text(value) or "")[:LONGEST_TEXT].split())
    return "".join(character for character in shown if character.isprintable())
