"""What the receiver hands to the daemon: one event, one small message that is checked on both sides."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Literal, get_args

Kind = Literal["trap", "inform", "syslog"]
Severity = Literal["critical", "warning", "info"]
LONGEST_NAME = 120
LONGEST_TEXT = 500
LARGEST_MESSAGE = 8_192
"""Bytes of an event on its way: the longest texts, escaped."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a device told by itself.

    Parameters:
        at_ns: when it arrived, UTC nanoseconds.
        source: the address it came from.
        kind: how it came.
        name: what it is, as the catalogue calls it (``linkDown``); else the OID, or the program that logged it.
        severity: how bad, by the catalogue or the message.
        text: its variables or its words, printable, at most 500 characters.
        proven: it came from an SNMPv3 user with a key; anything else can be forged.
        poll: whether it is a reason to look at the device at once.
    """

    at_ns: int
    source: str
    kind: Kind
    name: str
    severity: Severity
    text: str
    proven: bool = False
    poll: bool = True


class EventRefused(ValueError):
    """A message of the receiver process is no event; the process may have been taken over."""


def printable(text: str, longest: int) -> str:
    """Make text from a device safe to keep and to show: one line, nothing that is not printable, not too long."""
    cut = text[: longest + 1]
    clean = "".join(char if char.isprintable() else " " for char in cut).strip()
    return clean if len(clean) <= longest else f"{clean[: longest - 1]}…"


def encode(event: Event) -> bytes:
    """Write an event as one message."""
    return json.dumps(asdict(event), separators=(",", ":")).encode()


def decode(data: bytes) -> Event:
    """Read and check an event: its keys, types, words and lengths.

    Raises:
        EventRefused: it is none.
    """
    try:
        found = json.loads(data)
    except ValueError as error:
        raise EventRefused("not JSON") from error
    if not isinstance(found, dict) or found.keys() != {field.name for field in fields(Event)}:
        raise EventRefused("other keys than an event has")
    texts = (("source", 64), ("kind", 16), ("name", LONGEST_NAME), ("severity", 16), ("text", LONGEST_TEXT))
    for key, longest in texts:
        value = found[key]
        if not isinstance(value, str) or len(value) > longest or not value.isprintable():
            raise EventRefused(f"{key} is no printable text of up to {longest} characters")
    if found["kind"] not in get_args(Kind) or found["severity"] not in get_args(Severity):
        raise EventRefused("an unknown kind or severity")
    if type(found["at_ns"]) is not int or type(found["proven"]) is not bool or type(found["poll"]) is not bool:
        raise EventRefused("at_ns, proven or poll has another type")
    if not 0 <= found["at_ns"] < 1 << 63:
        raise EventRefused("at_ns is out of range")
    return Event(**found)
