"""Object identifiers: text for people, BER content bytes for everything else."""

from __future__ import annotations

import re

from probes.snmp.errors import BerError

MOST_SUB_IDENTIFIERS = 128  # RFC 2578 §3.5
_LARGEST = 0xFFFFFFFF
_WELL_FORMED = re.compile(
    rb"(?:[\x00-\x7f]|[\x81-\xff][\x80-\xff]{0,2}[\x00-\x7f]|[\x81-\x8f][\x80-\xff]{3}[\x00-\x7f]){1,128}"
)


def check(oid: bytes) -> None:
    """Refuse what is not an object identifier: sub-identifiers over 32 bits, cut off or padded, more than 128.

    Raises:
        BerError: it is not one.
    """
    if not _WELL_FORMED.fullmatch(oid):
        raise BerError("not an object identifier: a sub-identifier is cut off, padded or over 32 bits")


def encode(text: str) -> bytes:
    """Turn ``1.3.6.1.2.1`` (a leading dot is allowed) into BER content bytes.

    Raises:
        ValueError: it is not an object identifier.
    """
    try:
        numbers = [int(part) for part in text.strip().removeprefix(".").split(".")]
    except ValueError:
        raise ValueError(f"{text!r} is not an object identifier: numbers with dots between them") from None
    if not 2 <= len(numbers) <= MOST_SUB_IDENTIFIERS or numbers[0] > 2 or (numbers[0] < 2 and numbers[1] > 39):
        raise ValueError(f"{text!r} is not an object identifier: it must begin with 0.0 to 2.x and have 2 to 128 parts")
    joined = [numbers[0] * 40 + numbers[1], *numbers[2:]]
    if any(not 0 <= number <= _LARGEST for number in joined):
        raise ValueError(f"{text!r} is not an object identifier: a part is over 32 bits")
    return b"".join(map(sub_identifier, joined))


def sub_identifier(number: int) -> bytes:
    """Encode one sub-identifier, 0 to 4294967295."""
    if number < 0x80:
        return bytes((number,))
    septets = [number & 0x7F]
    number >>= 7
    while number:
        septets.append(0x80 | (number & 0x7F))
        number >>= 7
    return bytes(reversed(septets))


def numbers(oid: bytes) -> tuple[int, ...]:
    """Split content bytes, or the part after a prefix, into sub-identifiers; the first two stay joined."""
    if oid.isascii():
        return tuple(oid)
    parts = []
    value = 0
    for septet in oid:
        value = (value << 7) | (septet & 0x7F)
        if septet < 0x80:
            parts.append(value)
            value = 0
    return tuple(parts)


def decode(oid: bytes) -> str:
    """Turn BER content bytes into text without a leading dot; empty bytes give ``""``."""
    if not oid:
        return ""
    joined, *rest = numbers(oid)
    first = min(joined // 40, 2)
    return ".".join(map(str, (first, joined - 40 * first, *rest)))


def precedes(earlier: bytes, later: bytes) -> bool:
    """Tell whether ``earlier`` comes before ``later`` in MIB order.

    Bytes compare like OIDs as long as every sub-identifier has one byte; longer ones must be split first
    (16383 is ``FF 7F``, 16384 is ``81 80 00``).
    """
    if earlier.isascii() and later.isascii():
        return earlier < later
    return numbers(earlier) < numbers(later)
