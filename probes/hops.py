"""The hops of a way, and what all ways of finding them have in common."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

ROUND_S = 0.1
EXCEEDED = {4: 11, 6: 3}
"""The ICMP type *time to live exceeded* by IP version."""


@dataclass(slots=True)
class Hop:
    """One router on the way, or the end of it.

    Parameters:
        number: of the hop, 1 for the first router.
        sent: echoes that were to expire here.
        rtts_ms: of those that were answered.
        addresses: who answered; several where the way is shared out over several.
        words: what it said beside *time to live exceeded*; empty when nothing.
    """

    number: int
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    words: str = ""

    @property
    def loss_percent(self) -> float:
        """Echoes without an answer. A router may answer few of them and pass on all the others."""
        return 100 * (1 - len(self.rtts_ms) / self.sent) if self.sent else 100.0

    @property
    def rtt_ms(self) -> float | None:
        """The median, ``None`` without an answer."""
        return median(self.rtts_ms) if self.rtts_ms else None


@dataclass(frozen=True, slots=True)
class Path:
    """What was found of a way.

    Parameters:
        address: where to.
        hops: up to the end, or to the last one that answered.
        reached: whether the end answered.
        mtu: the largest packet that got through, bytes with the IP header; ``None``: not looked for, or not found.
    """

    address: str
    hops: tuple[Hop, ...]
    reached: bool
    mtu: int | None = None

    @property
    def last(self) -> Hop | None:
        """The furthest that answered."""
        return next((hop for hop in reversed(self.hops) if hop.addresses), None)

    @property
    def words(self) -> str:
        """Say in a sentence where the way ends."""
        mtu = "" if self.mtu is None else f", packets of {self.mtu} bytes get through"
        if self.reached:
            return f"{self.address} is {len(self.hops)} {'hop' if len(self.hops) == 1 else 'hops'} away{mtu}"
        last = self.last
        if last is None:
            return f"nobody on the way to {self.address} answers"
        said = f" and says {last.words}" if last.words else ""
        return f"the way to {self.address} ends behind hop {last.number}, {' '.join(last.addresses)}{said}{mtu}"

    def as_json(self) -> dict[str, Any]:
        """Give it the shape for programs."""
        hops = [
            {
                "hop": hop.number, "addresses": hop.addresses, "sent": hop.sent, "loss_percent": hop.loss_percent,
                "rtt_ms": hop.rtt_ms, "words": hop.words,
            }
            for hop in self.hops
        ]  # fmt: skip
        return {"address": self.address, "reached": self.reached, "mtu": self.mtu, "words": self.words, "hops": hops}


class Tracer:
    """What is known of a way while it is being found.

    Parameters:
        address: where to, numeric.
        most_hops: how far.

    Attributes:
        end: number of the hop that is the address itself; 0: not found yet.
    """

    def __init__(self, address: str, most_hops: int) -> None:
        self.address = address
        self.version = 6 if ":" in address else 4
        self.hops = [Hop(number + 1) for number in range(most_hops)]
        self.end = 0
        self.heard = asyncio.Event()

    def path(self, mtu: int | None = None) -> Path:
        """Return what was found: up to the end, or to the last that answered."""
        hops: Sequence[Hop] = self.hops[: self.end] if self.end else self.hops
        refused = next((index for index, hop in enumerate(hops) if hop.words), None)
        if refused is not None and not self.end:  # it refuses whatever should go further, whoever counts as its hop
            hops = hops[: refused + 1]
            if refused and hops[-2].addresses == hops[-1].addresses:  # a filter looks after the time to live does
                hops[-2].words = hops[-1].words
                hops = hops[:-1]
        while hops and not hops[-1].addresses:
            hops = hops[:-1]
        return Path(self.address, tuple(hops), bool(self.end), mtu)

    def note(self, hop: Hop, address: str, took_ns: int) -> None:
        """Note an answer."""
        hop.rtts_ms.append(took_ns / 1e6)
        if address not in hop.addresses and len(hop.addresses) < 8:
            hop.addresses.append(address)

    async def settle(self, until: float, patience_s: float = 1.0) -> None:
        """Wait for what is still missing, not long."""
        patience = min(until, time.monotonic() + patience_s)
        while self._missing() and time.monotonic() < patience:
            await self.wait(patience - time.monotonic())

    async def wait(self, seconds: float, *, whole: bool = False) -> None:
        """Wait for the next answer, or the ``whole`` time."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.heard.clear()
            try:
                async with asyncio.timeout(left):
                    await self.heard.wait()
            except TimeoutError:
                return
            if not whole:
                return

    def _missing(self) -> bool:
        return any(len(hop.rtts_ms) < hop.sent for hop in self.hops[: self.end or None])
