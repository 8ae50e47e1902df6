"""The ICMP engine: thousands of targets over one socket per family, each echo sent and timed on its own.

How a round-trip time stays true when this process is busy: the send time is read right before each ``sendto``, the
receive time is the kernel's (``SO_TIMESTAMPNS``). How loss stays true: the kernel's drop counter of the socket is read
while echoes are in flight; if it moved, missing replies are unknown, not lost.
"""

from __future__ import annotations

import asyncio
import heapq
import os
import socket
import time
from collections.abc import Callable

import structlog

from probes.icmp.burst import Address, Burst, Flight
from probes.icmp.link import READ_MOST, Link, socket_name
from probes.icmp.sockets import open_socket
from probes.meter import Meter
from probes.sockets import dropped

logger = structlog.get_logger(__name__)

TICK_NS = 10_000_000  # sends and deadlines are gathered in ticks of 10 ms: one wake-up serves many targets
BATCH = 32  # packets sent before replies are read: keeps the pace even and the receive buffer empty
SMALLEST_PAYLOAD = 16  # cookie and token
LARGEST_PAYLOAD = 65_000
MOST_ECHOES = 65_535  # the index of an echo has 16 bits of the token


class IcmpEngine:
    """Sends echoes and tells, burst by burst, what came back.

    Use: `open`, then `start` for each burst (its callback runs when the burst is over), `close` at the end; all on the
    event loop. Sockets are opened when the first target of a family asks for one.

    Parameters:
        raw: force raw (True) or datagram (False) sockets; ``None`` takes what is allowed.
        meter: charged with the work that sending and reading make.
    """

    def __init__(self, *, raw: bool | None = None, meter: Meter | None = None) -> None:
        self._meter = meter or Meter()
        self._raw = raw
        self._cookie = os.urandom(8)
        self.links: dict[int, Link] = {}
        self._bursts: dict[int, Flight] = {}
        self._next_token = 1
        self._ticks: dict[int, list[Flight]] = {}
        self._order: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_tick = 0
        self._unread = 0
        self._paddings: dict[int, bytes] = {}

    def start(
        self, address: str, on_done: Callable[[Burst], None], *, count: int = 1, interval_s: float = 1.0,
        timeout_s: float = 2.0, size: int = 56, dscp: int = 0,
    ) -> Burst:  # fmt: skip
        """Send a burst: the first echo at once, the others ``interval_s`` apart.

        Parameters:
            address: numeric IPv4 or IPv6 address, with ``%interface`` where it is link-local.
            on_done: called with the burst as soon as every echo is answered, or ``timeout_s`` after the last one.
            count: echoes, 1 to 65,535.
            interval_s: seconds between them, kept to 10 ms; 0 sends all at once.
            timeout_s: how long to wait for an answer after the last echo was sent.
            size: payload bytes, 16 to 65,000.
            dscp: differentiated services code point, 0 to 63 (RFC 2474).

        Raises:
            IcmpUnavailable: no socket of this family may be opened here.
            ValueError: the address or a number is out of range.
        """
        if not (1 <= count <= MOST_ECHOES and SMALLEST_PAYLOAD <= size <= LARGEST_PAYLOAD and 0 <= dscp <= 63):
            raise ValueError(
                f"echoes must be 1 to {MOST_ECHOES}, size {SMALLEST_PAYLOAD} to {LARGEST_PAYLOAD} bytes, DSCP 0 to 63"
            )
        link, name = self._route(address)
        token = self._next_token
        self._next_token += 1
        padding = self._paddings.get(size)
        if padding is None:
            padding = self._paddings[size] = bytes(size - SMALLEST_PAYLOAD)
        burst = Flight(
            link, name, token, count, round(interval_s * 1e9), round(timeout_s * 1e9), padding, dscp, on_done
        )  # fmt: skip
        self._bursts[token] = burst
        self._advance(burst, time.monotonic_ns())
        return burst

    def open(self, family: socket.AddressFamily) -> Link:
        """Open the socket of a family unless it is; `start` does it by itself.

        Raises:
            IcmpUnavailable: it may not be opened here.
        """
        link = self.links.get(family)
        if link is None:
            sock, raw = open_socket(family, self._cookie, raw=self._raw)
            link = self.links[family] = Link(
                sock, raw=raw, cookie=self._cookie, bursts=self._bursts, finish=self._finish,
                meter=self._meter,
            )  # fmt: skip
        return link

    def close(self) -> None:
        """Close the sockets; bursts in flight end without a callback."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for link in self.links.values():
            link.close()
        self.links.clear()
        self._bursts.clear()
        self._ticks.clear()
        self._order.clear()

    def stop(self, burst: Burst) -> None:
        """Give up a burst; its callback is not called."""
        self._bursts.pop(burst.token, None)

    @property
    def in_flight(self) -> int:
        """Bursts that are not over yet."""
        return len(self._bursts)

    def drops(self) -> int:
        """Packets that the kernel dropped in our receive buffers so far."""
        return sum(link.drops for link in self.links.values())

    def _route(self, address: str) -> tuple[Link, Address]:
        link = self.open(socket.AF_INET6 if ":" in address else socket.AF_INET)
        name = link.names.get(address)
        if name is None:
            name = link.names[address] = socket_name(address, link.sock.family)
            if len(link.names) > 200_000:  # addresses by hand or by name changes must not grow this for ever
                link.names.clear()
        return link, name

    def _advance(self, burst: Flight, now: int) -> None:
        """Send what is due of a burst and note when to look at it again."""
        link = burst.link
        interval = burst.interval_ns
        while True:
            link.send(burst)
            self._unread += 1
            if self._unread >= BATCH:
                self._unread = 0
                link.read()
            if burst.index == burst.count:
                due = now + burst.timeout_ns
                break
            if interval:
                burst.due_ns = due = (burst.due_ns or now) + interval
                if due > now:
                    break
        if burst.token in self._bursts:
            tick = due // TICK_NS + 1
            at_tick = self._ticks.get(tick)
            if at_tick is None:
                self._ticks[tick] = [burst]
                heapq.heappush(self._order, tick)
                if self._timer is None or tick < self._timer_tick:
                    self._arm(tick)
            else:
                at_tick.append(burst)

    def _arm(self, tick: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_tick = tick
        loop = asyncio.get_running_loop()
        delay = (tick * TICK_NS - time.monotonic_ns()) / 1e9
        self._timer = loop.call_later(max(0.0, delay), self._meter.run, "icmp", self._on_tick)

    def _on_tick(self) -> None:
        self._timer = None
        order = self._order
        now = time.monotonic_ns()
        last = now // TICK_NS
        bursts = self._bursts
        over: list[Flight] = []
        while order and order[0] <= last:
            for burst in self._ticks.pop(heapq.heappop(order)):
                if burst.token not in bursts:
                    continue
                if burst.index < burst.count:
                    self._advance(burst, now)
                else:
                    over.append(burst)
        for link in self.links.values():
            for _ in range(64):  # what lies in the buffer counts, however late this tick is
                if link.read() < READ_MOST:
                    break
            link.drops = dropped(link.sock)
        for burst in over:
            if burst.token in bursts:
                self._finish(burst)
        # What was advanced first may have set the timer for its own next echo, behind what others wait for.
        if order and (self._timer is None or order[0] < self._timer_tick):
            self._arm(order[0])

    def _finish(self, burst: Flight) -> None:
        del self._bursts[burst.token]
        burst.blind = burst.answered < burst.count and burst.link.drops != burst.drops
        try:
            burst.on_done(burst)
        except Exception:  # noqa: BLE001 one target's consumer must not stop the other targets
            logger.exception("burst callback failed", address=burst.address)
