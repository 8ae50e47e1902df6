"""Pings in simulated time: the network is asked what an echo would measure, at the moment it would be sent.

On a quiet day a burst costs one timer: what its echoes will measure is worked out when it begins, and when something in
the network changes meanwhile, those that would not have been sent by then are taken back and asked one by one.
"""

from __future__ import annotations

import asyncio
import socket
from bisect import bisect_right
from collections.abc import Callable
from functools import partial

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
        self._foreseen: dict[int, tuple[Burst, Host, int]] = {}
        network.topology.on_change.append(self._take_back)

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
        if host is None or not self._foresee(burst, host, size + HEADERS):
            self._echo(burst, host, size + HEADERS)
        return burst

    def stop(self, burst: Burst) -> None:
        """See `probes.icmp.Pinger.stop`."""
        self._foreseen.pop(burst.token, None)
        timer = self._timers.pop(burst.token, None)
        if timer is not None:
            timer.cancel()

    def drops(self) -> int:
        """See `probes.icmp.Pinger.drops`; nothing is ever dropped here."""
        return 0

    def close(self) -> None:
        """See `probes.icmp.Pinger.close`."""
        self._network.topology.on_change.remove(self._take_back)
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._foreseen.clear()

    def _foresee(self, burst: Burst, host: Host, size: int) -> bool:
        """Work a whole burst out at once."""
        now_ns = self._clock.monotonic_ns()
        trips = self._network.round_trips(host, now_ns, burst.count)
        if trips is None:
            return False
        burst.sent_ns = [now_ns + number * burst.interval_ns for number in range(burst.count)]
        for rtt_ns in trips:
            self._note(burst, rtt_ns)
        self._foreseen[burst.token] = (burst, host, size)
        self._later(burst, burst.sent_ns[-1] - now_ns + _last_ns(burst), lambda: self._over(burst))
        return True

    def _take_back(self) -> None:
        """Ask again, one by one and at their time, for the echoes that would be sent after a change."""
        now_ns = self._clock.monotonic_ns()
        for burst, host, size in self._foreseen.values():
            sent = bisect_right(burst.sent_ns, now_ns)
            if sent == burst.count:
                continue  # what is on its way is not caught by an outage
            wait_ns = burst.sent_ns[sent] - now_ns
            del burst.sent_ns[sent:]
            burst.rtts_ns[sent:] = [-1] * (burst.count - sent)
            burst.index = sent
            burst.answered = sum(rtt_ns >= 0 for rtt_ns in burst.rtts_ns)
            self._timers[burst.token].cancel()
            self._later(burst, wait_ns, partial(self._echo, burst, host, size))
        self._foreseen.clear()

    def _echo(self, burst: Burst, host: Host | None, size: int) -> None:
        now_ns = self._clock.monotonic_ns()
        burst.sent_ns.append(now_ns)
        self._note(burst, self._network.round_trip(host, now_ns, size) if host is not None else None)
        if burst.index < burst.count:
            self._later(burst, burst.interval_ns, lambda: self._echo(burst, host, size))
        else:
            self._later(burst, _last_ns(burst), lambda: self._over(burst))

    @staticmethod
    def _note(burst: Burst, rtt_ns: int | None) -> None:
        if rtt_ns is not None and rtt_ns <= burst.timeout_ns:
            burst.rtts_ns[burst.index] = rtt_ns
            burst.answered += 1
        burst.index += 1

    def _over(self, burst: Burst) -> None:
        del self._timers[burst.token]
        self._foreseen.pop(burst.token, None)
        burst.on_done(burst)

    def _later(self, burst: Burst, wait_ns: int, work: Callable[[], None]) -> None:
        self._timers[burst.token] = asyncio.get_running_loop().call_later(wait_ns / 1e9, work)


def _last_ns(burst: Burst) -> int:
    """Return how long after its last echo a burst is over."""
    return max(0, burst.rtts_ns[-1]) if burst.answered == burst.count else burst.timeout_ns
