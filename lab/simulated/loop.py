"""An event loop in simulated time: where a real one would sleep until the next timer, this one moves the clock."""

from __future__ import annotations

import asyncio
import math
import selectors
import socket
import time
from collections.abc import Callable
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple

from haidang.clock import ManualClock

if TYPE_CHECKING:
    from _typeshed import FileDescriptorLike

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

THREAD_S = 10.0
"""Real seconds that the clock stands still for a thread at work; one that hangs must not stop the world."""
QUIET_S = 0.05
"""Real seconds without a sign from any real socket after which nothing more is expected of them for now."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Everything that waits on the loop (timers, `asyncio.timeout`, `asyncio.sleep`) waits in the clock's time.

    Simulated time passes only while nothing is ready to run, no thread is at work and no real socket has just said
    something. So these still work, and take no simulated time: what is to be measured must not depend on them.

    Parameters:
        clock: is moved.
        speed: at most so many times as fast as real time.
    """

    def __init__(self, clock: ManualClock, speed: float = math.inf) -> None:
        self._manual = clock
        self._outside = _Selector(clock, speed)
        super().__init__(self._outside)

    def time(self) -> float:
        """Tell the loop's time: the clock's monotonic one, seconds."""
        return self._manual.monotonic_ns() / 1e9

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Let a thread work; time waits for it."""
        future = super().run_in_executor(executor, func, *args)
        working = self._outside.working
        working[future] = time.monotonic()
        future.add_done_callback(lambda done: working.pop(done, None))
        return future


class _Selector(selectors.EpollSelector):
    """Looks at real descriptors without waiting, and lets simulated time pass instead.

    Attributes:
        working: what threads are at, and since when (the machine's monotonic clock, seconds).
    """

    def __init__(self, clock: ManualClock, speed: float) -> None:
        super().__init__()
        self.working: dict[asyncio.Future[Any], float] = {}
        self._clock = clock
        self._speed = speed
        self._own: int | None = None  # the loop's own descriptor, by which threads wake it
        self._open: set[int] = set()  # real connections
        self._said_s = -math.inf  # when one of them last did something

    def register(self, fileobj: FileDescriptorLike, events: int, data: object = None) -> selectors.SelectorKey:
        key = super().register(fileobj, events, data)
        if self._own is None:
            self._own = key.fd
        elif not _listens(key.fd):
            self._open.add(key.fd)
            self._said_s = time.monotonic()
        return key

    def unregister(self, fileobj: FileDescriptorLike) -> selectors.SelectorKey:
        key = super().unregister(fileobj)
        self._open.discard(key.fd)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select()
        ready = super().select(max(0.0, timeout) / self._speed)
        if not ready and timeout > 0 and (self.working or self._open):
            ready = self._listen()
        if any(key.fd in self._open for key, _ in ready):
            self._said_s = time.monotonic()
        if not ready and timeout > 0:
            # One nanosecond more than asked for: a float of seconds must not end before the timer it was made from.
            self._clock.advance(timeout + 1e-9)
        return ready

    def _listen(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait in real time for what threads and real sockets have to say."""
        quiet_s = self._said_s + QUIET_S if self._open else -math.inf
        left_s = max(quiet_s, *(began_s + THREAD_S for began_s in self.working.values()), -math.inf) - time.monotonic()
        return super().select(left_s) if left_s > 0 else []


def _listens(descriptor: int) -> bool:
    """Tell a socket that waits for connections, which may never come."""
    try:
        lent = socket.socket(fileno=descriptor)
    except OSError:
        return False
    try:
        return bool(lent.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    finally:
        lent.detach()
