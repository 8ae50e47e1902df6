"""How the lab's SNMP engines are called."""

from __future__ import annotations

_PREFIX = bytes.fromhex("80007ed904")  # enterprise 32473 with the first bit set, format 4: text (RFC 3411 §5)
_LONGEST = 32


def engine_id(name: str) -> bytes:
    """Make the engine ID of a device: its name as text, so that a person recognises it in a capture."""
    return (_PREFIX + name.encode())[:_LONGEST]
