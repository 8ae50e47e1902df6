"""A rehearsal: the daemon, with its own code, cadences and files, lives in simulated time before the lab's network.

What it cannot show: real sockets, the receive buffer, a busy machine. Those are the lab's in real time.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from pathlib import Path

from alerting.channels.base import Message, Retryable
from config import load
from haidang.clock import Clock, ManualClock
from haidang.daemon import Daemon
from haidang.parts import Parts
from lab.network import Network
from lab.simulated import SimulatedLoop, SimulatedPinger, links
from probes.snmp import SnmpEngine
from storage.database import Database
from storage.metrics import EmbeddedSettings, InMemoryStore, MetricStore, StoreSettings, open_store

POINTS = 10_000
"""Newest measurements kept: a rehearsal is about states and messages."""


class Postbox:
    """A mail server in simulated time. A channel, see `alerting.channels.base`.

    Parameters:
        clock: stamps what arrives.

    Attributes:
        mails: what it took and when, UTC nanoseconds.
        away: nobody listens.
        greylist_s: how long a recipient's first tries are put off.
    """

    def __init__(self, clock: Clock) -> None:
        self.mails: list[tuple[int, Message]] = []
        self.away = False
        self.greylist_s = 0.0
        self._clock = clock
        self._first: dict[str, int] = {}

    async def send(self, message: Message) -> None:
        """See `alerting.channels.base.Channel.send`."""
        now_ns = self._clock.monotonic_ns()
        if self.away:
            raise Retryable("connection refused")
        first_ns = self._first.setdefault(message.message_id, now_ns)
        if now_ns - first_ns < self.greylist_s * 1e9:
            raise Retryable("451 4.7.1 greylisted, try again later")
        self.mails.append((self._clock.utc_ns(), message))


def _throw_away(path: Path, schema: str) -> Database:
    """Open a database that need not outlive a power cut: a simulated day has thousands of commits."""
    database = Database(path, schema)
    database.connection.execute("PRAGMA synchronous=OFF")
    return database


def in_memory(settings: StoreSettings, clock: Clock) -> MetricStore:
    """Keep measurements in memory; a remote store is the real thing, so that it can be away."""
    return InMemoryStore(POINTS) if isinstance(settings, EmbeddedSettings) else open_store(settings, clock)


class Ended(Exception):
    """The daemon was ended, by a signal, before the script was over: what would come shows nothing."""


Script = Callable[[Postbox], Coroutine[None, None, None]]
"""What happens in the lab meanwhile, as a coroutine in simulated time; when it ends the daemon is ended in order."""


def rehearse(
    config: Path, network: Network, clock: ManualClock, script: Script, *, speed: float = math.inf,
    store: Callable[[StoreSettings, Clock], MetricStore] = in_memory,
) -> Postbox:  # fmt: skip
    """Live through a script.

    Parameters:
        config: the daemon's configuration file; only its pings and SNMP polls are made.
        network: what they see; not started.
        clock: simulated time; moved on.
        script: what happens.
        speed: at most so many times as fast as real time.
        store: opens the metric store; by default one that keeps the newest `POINTS` points in memory.

    Returns:
        what was mailed; the rest is in the configuration's data directory.

    Raises:
        ConfigurationInvalid, AlreadyRunning, DatabaseError, OSError: as the daemon would at its start.
        Ended: see there.
    """
    postbox = Postbox(clock)
    parts = Parts(
        database=_throw_away,
        icmp=lambda _meter: SimulatedPinger(network, clock),
        snmp=lambda meter: SnmpEngine(open_link=links(network, clock), meter=meter),
        store=store,
        channels=lambda _configuration: {"mail": postbox},
        web=False,
        trace=None,
    )

    async def live() -> None:
        daemon = Daemon(config, load(config), clock, parts)
        living = asyncio.create_task(daemon.run())
        playing = asyncio.create_task(script(postbox))
        await asyncio.wait([living, playing], return_when=asyncio.FIRST_COMPLETED)
        early = not playing.done()
        if early:
            playing.cancel()
        daemon.stop()
        await living
        if early:
            raise Ended
        await playing

    with asyncio.Runner(loop_factory=lambda: SimulatedLoop(clock, speed)) as runner:
        runner.run(live())
    return postbox
