"""What is under way: requests, the agents they go to, and what the engine counts."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from probes.snmp.errors import NoAnswer
from probes.snmp.link import Link
from probes.snmp.message import Pdu
from probes.snmp.sockets import Address
from probes.snmp.usm import Claims, Header

Reply = tuple[Pdu, Claims | None]
Opener = Callable[[bytes, Header], Reply | None]


@dataclass(slots=True)
class Counters:
    """What the engine has seen since it began; metrics of our own."""

    sent: int = 0
    received: int = 0
    retransmitted: int = 0
    stale: int = 0
    spoofed: int = 0
    malformed: int = 0
    unauthenticated: int = 0
    unsent: int = 0


class Peer:
    """One agent's address as the engine sees it; shared by the sessions that speak to it."""

    __slots__ = ("__weakref__", "address", "answers_from", "in_flight", "link", "malformed", "trouble", "waiting")

    def __init__(self, link: Link, address: Address, answers_from: Address) -> None:
        self.link = link
        self.address = address
        self.answers_from = answers_from
        self.in_flight = 0
        self.waiting: deque[Request] = deque()
        self.malformed = 0
        self.trouble = ""

    def __str__(self) -> str:
        host, port = self.address[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@dataclass(slots=True)
class Request:
    """A question under way."""

    message_id: int
    version: int
    packet: bytes
    peer: Peer
    opener: Opener | None
    timeout_s: float
    tries: int
    deadline: float
    answer: asyncio.Future[Reply]
    sent: int = 0
    began: float = 0.0
    due: float = 0.0
    drops: int = 0
    malformed_before: int = 0
    rejected: int = 0
    flying: bool = False
    counts: bool = False  # towards the engine's limit: until it first fell silent

    def silence(self, now: float) -> NoAnswer:
        """Put into words that nothing valid came until now."""
        peer = self.peer
        tries = "1 try" if self.sent == 1 else f"{self.sent} tries"
        reason = f"no answer from {peer} within {now - self.began:.1f} s ({tries})"
        malformed = peer.malformed - self.malformed_before
        if malformed:
            reason = f"no valid answer from {peer} within {now - self.began:.1f} s: {malformed} malformed"
        elif self.rejected:
            reason = (
                f"no trustworthy answer from {peer} within {now - self.began:.1f} s: "
                f"{self.rejected} failed authentication"
            )
        elif peer.trouble:
            reason += f": {peer.trouble}"
        silent = not (malformed or self.rejected or peer.trouble)
        return NoAnswer(reason, self.sent, silent=silent, blind=peer.link.drops != self.drops)
