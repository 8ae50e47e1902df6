"""The gate before the pages: how much the outside may take of the daemon's one loop, whatever it does.

Connections are bounded, in all and from one address; a request has to be complete within a time; what comes faster than
the pace waits in the kernel. So a flood slows the pages down and nothing else.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 256
MOST_OF_ADDRESS = 128
"""Twenty walls behind one proxy need some sixty."""
HEAD_S = 10.0
"""From the first byte of a request, or the opening of its connection, until it is complete with its body."""
TAKE_S = 30.0
"""How long a client may leave its answer lying in our buffers."""
PACE_PER_S = 250.0
BURST = 100.0


class Gate:
    """Counts connections, and paces what they send.

    Parameters:
        loop: whose time is spent.

    Attributes:
        counted: what was refused or held, since start: ``full``, ``address``, ``slow``, ``stuck``, ``paced``,
            ``invalid``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._of_address: Counter[str] = Counter()
        self._free_at = 0.0
        self.counted: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._of_address.total()

    def enter(self, address: str) -> bool:
        """Let a connection in, or say no; one that came in has to `leave`."""
        if self._of_address.total() >= MOST_CONNECTIONS:
            self.counted["full"] += 1
            return False
        if self._of_address[address] >= MOST_OF_ADDRESS:
            self.counted["address"] += 1
            return False
        self._of_address[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Take a connection off the list."""
        self._of_address[address] -= 1
        if not self._of_address[address]:
            del self._of_address[address]

    def wait_s(self) -> float:
        """Take a place in the pace and return how long to wait for it, in seconds."""
        now = self._loop.time()
        self._free_at = max(self._free_at, now - BURST / PACE_PER_S) + 1 / PACE_PER_S
        wait = self._free_at - now
        if wait > 0:
            self.counted["paced"] += 1
        return max(0.0, wait)


class GatedProtocol(H11Protocol):
    """HTTP/1.1 of uvicorn behind a `Gate`.

    Parameters:
        gate: shared by all connections.
        settings: as uvicorn's protocol takes them.
    """

    def __init__(self, gate: Gate, **settings: Any) -> None:  # noqa: ANN401 uvicorn's own, passed on
        super().__init__(**settings)
        self._gate = gate
        self._inside: str | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stuck: asyncio.TimerHandle | None = None
        self._held: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let it in, or drop it without a word: an answer would cost more than the refusal saves."""
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) and peer else "local"
        super().connection_made(transport)
        if not self._gate.enter(address):
            transport.abort()
            return
        self._inside = address
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        for handle in (self._deadline, self._stuck, self._held):
            if handle is not None:
                handle.cancel()
        if self._inside is not None:
            self._gate.leave(self._inside)
            self._inside = None

    def data_received(self, data: bytes) -> None:
        """Take bytes in, at the pace that there is room for."""
        if self._inside is None:
            return
        if self._idle and self._deadline is None:
            self._expect()
        wait_s = self._gate.wait_s()
        if wait_s:
            self.transport.pause_reading()
            self._held = self.loop.call_later(wait_s, self._go_on, data)
        else:
            self._take(data)

    def pause_writing(self) -> None:
        """Give a client that does not take its answer some time."""
        super().pause_writing()
        self._stuck = self.loop.call_later(TAKE_S, self._end, "stuck")

    def resume_writing(self) -> None:
        """It takes it after all."""
        super().resume_writing()
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        self._gate.counted["invalid"] += 1
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.abort()

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _go_on(self, data: bytes) -> None:
        self._held = None
        if not self.transport.is_closing():
            self.transport.resume_reading()
            self._take(data)

    def _take(self, data: bytes) -> None:
        super().data_received(data)
        cycle = self.cycle
        if cycle is None or cycle.more_body:
            return
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self.conn.trailing_data[0]:
            cycle.keep_alive = False  # requests that were piled up behind this one would pass the pace by

    def _expect(self) -> None:
        self._deadline = self.loop.call_later(HEAD_S, self._end, "slow")

    def _end(self, why: str) -> None:
        self._gate.counted[why] += 1
        self.transport.abort()
