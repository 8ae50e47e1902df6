"""What agents send, read with care: numbers as text, counters as signed integers, text that is not UTF-8."""

from __future__ import annotations

import re

from probes.snmp import ber
from probes.snmp.ber import Value

_DIGITS = re.compile(rb"\s*\+?([0-9]{1,20})\s*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_NUMERIC = frozenset((ber.INTEGER, ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64, ber.UNSIGNED32))


def text(value: Value) -> str | None:
    """Read text: UTF-8 or else Latin-1, without NULs and control characters; ``None`` when nothing is left."""
    if not isinstance(value, bytes):
        return None
    value = value.partition(b"\x00")[0]
    try:
        decoded = value.decode()
    except UnicodeDecodeError:
        decoded = value.decode("latin-1")
    return _CONTROL.sub("", decoded.replace("\r\n", "\n").replace("\r", "\n")).strip() or None


def number(tag: int, value: Value) -> int | None:
    """Read an integer of any numeric type, also one that came as decimal text."""
    if isinstance(value, int):
        return value if tag in _NUMERIC else None
    if tag == ber.OCTET_STRING and isinstance(value, bytes):
        digits = _DIGITS.fullmatch(value)
        return int(digits[1]) if digits else None
    return None


def counter(tag: int, value: Value, bits: int) -> int | None:
    """Read a counter of 32 or 64 bits; one that an agent sends as a signed INTEGER is taken for its bits."""
    found = number(tag, value)
    if found is None:
        return None
    if found < 0:
        found += 1 << 32
    return found if 0 <= found < 1 << bits else None


def gauge(tag: int, value: Value) -> int | None:
    """Read a number that cannot be negative."""
    found = number(tag, value)
    return found if found is not None and found >= 0 else None
