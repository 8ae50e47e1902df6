"""What all pages share, and what the daemon tells them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from collectors.toll import Toll
from config import Configuration
from dashboards.web.access.backoff import Backoff
from dashboards.web.access.book import AccessBook
from dashboards.web.access.factors import Factors
from dashboards.web.access.identities import Identities
from dashboards.web.access.oidc import Provider
from dashboards.web.access.passwords import Passwords
from dashboards.web.access.tokens import Tokens
from dashboards.web.gate import Gate
from dashboards.web.live import Hub
from dashboards.web.model.board import Board
from dashboards.web.model.desk import Desk
from dashboards.web.model.index import Index
from dashboards.web.pictures.places import Drawing, Place
from haidang.clock import Clock
from probes.snmp.neighbours import Neighbour
from probes.threads import in_thread
from storage.metrics import MetricStore, StoreStatus

BEHIND_S = 20.0
"""From this on the monitor calls itself behind: a probe was started so late."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """How the daemon is.

    Parameters:
        version: of the program.
        started_ns: since when this run watches.
        checks, suspects: how many there are.
        slots: probes started, by how late; see `collectors.cadence.LATENESS_NS`, the last is beyond.
        late_sum_s: all their lateness together.
        worst_late_ms: the latest in the last minute.
        skipped: slots that were left out.
        unwritten: transitions that wait for the disk.
        ledger_error: why the disk takes nothing; empty when it does.
        icmp_dropped, snmp_dropped: replies lost in our own buffers.
        probes: what each kind of probe has cost.
        store: how the metric store is.
        rss_bytes, cpu_s: of this process.
    """

    version: str
    started_ns: int
    checks: int
    suspects: int
    slots: tuple[int, ...]
    late_sum_s: float
    worst_late_ms: float
    skipped: int
    unwritten: int
    ledger_error: str
    icmp_dropped: int
    snmp_dropped: int
    probes: tuple[Toll, ...]
    store: StoreStatus
    rss_bytes: int
    cpu_s: float

    @property
    def trouble(self) -> tuple[str, str]:
        """What is wrong with the monitor itself: a key of the catalogue and its gap; empty ones when nothing is."""
        if self.ledger_error:
            return "disk", str(self.unwritten)
        if self.worst_late_ms > BEHIND_S * 1000:
            return "late", f"{self.worst_late_ms / 1000:.0f}"
        return ("store", self.store.last_error) if self.store.last_error else ("", "")


Do = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Does what a verb of the control socket does: name and words in, the answer out; raises ValueError with words."""


Tell = Callable[[str, str, str, str, str], None]
"""Takes what another program tells: target, name of the hook, severity, text, program."""


Near = Callable[[str], Sequence[Neighbour]]
"""Says who is at the other end of a device's ports, as far as it is known."""


@dataclass(slots=True)
class House:
    """Everything the pages are made from.

    Parameters:
        configuration: the one in force.
        clock: the time.
        board, desk, store: what they show.
        book, factors, tokens, identities, passwords, backoff: who may see it.
        hub, gate: the browsers that look.
        vitals: how the daemon is.
        do: changes something; `verbs` are those there are.
        quiet: targets that are in maintenance now.
        tell: hands in what other programs tell.
        near: who is at the other end of a device's ports, by its id.
    """

    configuration: Configuration
    clock: Clock
    board: Board
    desk: Desk
    store: MetricStore
    book: AccessBook
    factors: Factors
    tokens: Tokens
    identities: Identities
    passwords: Passwords
    backoff: Backoff
    hub: Hub
    gate: Gate
    vitals: Callable[[], Vitals]
    do: Do
    verbs: frozenset[str]
    quiet: Callable[[], frozenset[str]]
    tell: Tell
    near: Near
    provider: Provider | None = None
    """Of OpenID, once somebody has signed in there, by the configuration that was in force then."""
    indexed: Index | None = None
    rendered: dict[object, tuple[object, bytes]] = field(default_factory=dict)
    """Pages that are the same for many, by what they are; each with the version it was made from."""
    maps: dict[str, tuple[int, tuple[list[Place], Drawing]]] = field(default_factory=dict)
    """The wall's sites and their picture by language, each with the version of the board it was made from."""
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by who writes what is the same for many."""

    async def index(self) -> Index:
        """Return the search index; it is made beside the loop when it is first asked for, and for another inventory."""
        async with self.writing:
            while self.indexed is None or self.indexed.of is not self.board.inventory:
                inventory = self.board.inventory
                self.indexed = await in_thread(partial(Index, inventory), "web-index")
            return self.indexed
