"""How an agent misbehaves: each of these has been seen on real devices of the market."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from probes.snmp import ber

Distort = Callable[[bytes], bytes]
"""Turns an encoded value into what the device sends instead."""


class Oddity(StrEnum):
    """What is wrong with the answers."""

    DISORDERED = "non-increasing OIDs"
    ENDLESS = "an endless walk"
    WRONG_ID = "another request-id"
    WRONG_SOURCE = "answers from another address"
    TRUNCATED = "datagrams cut off"
    SIGNED_COUNTERS = "Counter32 sent as INTEGER"
    NUL_TEXT = "text with NUL and rubbish behind it"
    TOO_BIG = "tooBig, always"
    DUPLICATE = "each answer twice"
    NUMBERS_AS_TEXT = "Gauge32 sent as OCTET STRING"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a device treats requests.

    Parameters:
        delay_s: how late each answer is; just before the manager's timeout for a slow one.
        silent: no answers at all, though the device lives.
        loss: share of the requests that get lost, 0 to 1.
        oddities: what is wrong with the answers.

    Raises:
        ValueError: a negative delay, or a share that is none.
    """

    delay_s: float = 0.0
    silent: bool = False
    loss: float = 0.0
    oddities: frozenset[Oddity] = field(default_factory=frozenset)

    def __post_init__(self) -> None:
        if not (self.delay_s >= 0 and 0 <= self.loss <= 1):
            raise ValueError("a delay cannot be negative, a loss is a share from 0 to 1")

    @property
    def distort(self) -> Distort | None:
        """What happens to each value; ``None`` when nothing does."""
        wanted = [distort for oddity, distort in _DISTORTIONS.items() if oddity in self.oddities]
        if not wanted:
            return None

        def all_of_them(value: bytes) -> bytes:
            for distort in wanted:
                value = distort(value)
            return value

        return all_of_them


HONEST = Behaviour()


def cut(data: bytes, rng: random.Random) -> bytes:
    """Cut a datagram off somewhere behind its first byte."""
    return data[: rng.randrange(1, len(data))]


def _signed(value: bytes) -> bytes:
    if value[0] != ber.COUNTER32:
        return value
    number = int.from_bytes(value[2:], "big")
    return ber.encode_integer(number - (1 << 32) if number >= 1 << 31 else number)


def _with_nul(value: bytes) -> bytes:
    if value[0] != ber.OCTET_STRING or len(value) == 2 or len(value) > 1_000:
        return value
    start, _ = ber.read(value, 0, len(value), ber.OCTET_STRING)
    if min(value[start:]) < 0x20:  # a hardware address or a date, not text
        return value
    return ber.encode(ber.OCTET_STRING, value[start:] + b"\x00\x00\xfe\x7f")


def _as_text(value: bytes) -> bytes:
    if value[0] != ber.GAUGE32:
        return value
    return ber.encode(ber.OCTET_STRING, b"%d" % int.from_bytes(value[2:], "big"))


_DISTORTIONS: dict[Oddity, Distort] = {
    Oddity.SIGNED_COUNTERS: _signed,
    Oddity.NUL_TEXT: _with_nul,
    Oddity.NUMBERS_AS_TEXT: _as_text,
}
