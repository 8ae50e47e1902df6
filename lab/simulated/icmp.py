"""Pings in simulated time: the network is asked what an echo would measure, at the moment it would be sent."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from haidang.clock import Clock
from lab.network import Host, Network
from probes.icmp import Burst

HEADERS = 28  # bytes of IPv4 and ICMP around an echo's payload


class SimulatedPinger:
    """A `probes.icmp.Pinger` without sockets.

    Parameters:
        network: what is pinged; not started.
        clock: the one of the loop it runs on.
    """

    def __init__(self, network: Network, clock: Clock) -> None:
        self._network = network
        self._clock = clock
        self._tokens = 0
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def open(self, family: socket.AddressFamily) -> None:
        """See `probes.icmp.Pinger.open`; there is always a way."""

    def start(
        self, address: str, on_done: Callable[[Burst], None], *, count: int = 1, interval_s: float = 1.0,
        timeout_s: float = 2.0, size: int = 56, dscp: int = 0,  # noqa: ARG002 lines treat all classes alike
    ) -> Burst:  # fmt: skip
        """See `probes.icmp.IcmpEngine.start`; an address that is no host of the network never answers."""
        self._tokens += 1
        burst = Burst(address, self._tokens, count, round(interval_s * 1e9), round(timeout_s * 1e9), on_done)
        try:
            host = self._network.host(address)
        except KeyError:
            host = None
        self._echo(burst, host, size + HEADERS)
        return burst

    def stop(self, burst: Burst) -> None:
        """See `probes.icmp.Pinger.stop`."""
        timer = self._timers.pop(burst.token, None)
        if timer is not None:
            timer.cancel()

    def drops(self) -> int:
        """See `probes.icmp.Pinger.drops`; nothing is ever dropped here."""
        return 0

    def close(self) -> None:
        """See `probes.icmp.Pinger.close`."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _echo(self, burst: Burst, host: Host | None, size: int) -> None:
        now_ns = self._clock.monotonic_ns()
        rtt_ns = self._network.round_trip(host, now_ns, size) if host is not None else None
        burst.sent_ns.append(now_ns)
        if rtt_ns is not None and rtt_ns <= burst.timeout_ns:
            burst.rtts_ns[burst.index] = rtt_ns
            burst.answered += 1
        burst.index += 1
        if burst.index < burst.count:
            self._later(burst, burst.interval_ns, lambda: self._echo(burst, host, size))
        else:
            last_ns = max(0, burst.rtts_ns[-1]) if burst.answered == burst.count else burst.timeout_ns
            self._later(burst, last_ns, lambda: self._over(burst))

    def _over(self, burst: Burst) -> None:
        del self._timers[burst.token]
        burst.on_done(burst)

    def _later(self, burst: Burst, wait_ns: int, work: Callable[[], None]) -> None:
        self._timers[burst.token] = asyncio.get_running_loop().call_later(wait_ns / 1e9, work)
