"""Putting fragments together again, as the host at the far end does."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.network.packets import Packet

LARGEST = 65535
TIMEOUT_NS = 30_000_000_000  # RFC 791 recommends 15 s, RFC 8200 demands 60 s; Linux takes 30 s
MOST_AT_ONCE = 256
_Key = tuple[bytes, bytes, int, int]


@dataclass(slots=True)
class _Pile:
    since_ns: int
    parts: dict[int, bytes] = field(default_factory=dict)
    size: int = 0  # bytes gathered
    total: int = -1  # known once the last fragment came
    first: Packet | None = None


class Reassembler:
    """Gathers fragments into packets; bounded in time and number, and overlaps spoil the whole packet (RFC 5722)."""

    def __init__(self) -> None:
        self._piles: dict[_Key, _Pile] = {}

    def add(self, packet: Packet, now_ns: int) -> Packet | None:
        """Take a fragment; returns the packet it completes.

        Parameters:
            now_ns: monotonic.
        """
        key = (packet.source, packet.destination, packet.ident, packet.protocol if packet.v4 else 0)
        self._forget(now_ns)
        pile = self._piles.get(key)
        if pile is None:
            pile = self._piles[key] = _Pile(now_ns)
        if packet.offset in pile.parts:
            return None  # a duplicate; a different one in its place is as good as an overlap and as harmless
        end = packet.offset + len(packet.payload)
        if end > LARGEST or (packet.more and len(packet.payload) % 8) or not packet.payload:
            del self._piles[key]
            return None
        pile.parts[packet.offset] = packet.payload
        pile.size += len(packet.payload)
        if not packet.more:
            pile.total = end
        if packet.offset == 0:
            pile.first = packet
        if pile.first is None or pile.total < 0 or pile.size < pile.total:
            return None
        del self._piles[key]
        payload = b""
        for offset in sorted(pile.parts):
            if offset != len(payload):
                return None
            payload += pile.parts[offset]
        if len(payload) != pile.total:
            return None
        head = pile.first
        return Packet(head.v4, head.source, head.destination, head.ttl, head.protocol, payload, head.raw)

    def _forget(self, now_ns: int) -> None:
        """Drop the oldest piles: those that are too old, and one more where there are too many."""
        while self._piles:
            key, pile = next(iter(self._piles.items()))
            if len(self._piles) < MOST_AT_ONCE and now_ns - pile.since_ns < TIMEOUT_NS:
                return
            del self._piles[key]
